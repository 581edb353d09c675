"""What a Prometheus would have scraped, in promtool's notation: one sample a minute.

Helpers write series as the gateway shows them; a rate is in events a minute.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Series = Mapping[str, str]
"""Values by series: `name{label="value"}`."""

MINUTES = 240


def _written(number: float) -> str:
    """promtool reads no exponents, and no -0."""
    return f"{round(number, 9) + 0.0:.9f}".rstrip("0").rstrip(".")


def flat(value: float, minutes: int = MINUTES) -> str:
    """A gauge that stays as it is."""
    return f"{_written(value)}x{minutes}"


def rising(*stretches: tuple[float, int]) -> str:
    """A counter, or a clock, that rises at so many a minute for so many minutes, one stretch after the other."""
    value, written = 0.0, []
    for per_minute, minutes in stretches:
        written.append(f"{_written(value)}+{_written(per_minute)}x{minutes - 1}")
        value += per_minute * minutes
    return " ".join(written)


def age(seconds: float, minutes: int = MINUTES) -> str:
    """A timestamp that is always so many seconds ago; promtool's time begins at 0."""
    return f"{_written(-seconds)}+60x{minutes}"


def steady(per_minute: float, minutes: int = MINUTES) -> str:
    """A counter that always rises alike."""
    return rising((per_minute, minutes))


def answers(values: str, *, arm: str = "candidate", outcome: str = "ok", agent: str = "qa") -> dict[str, str]:
    """Requests of an agent by how they ended."""
    return {f'sluice_requests_total{{agent="{agent}", arm="{arm}", outcome="{outcome}"}}': values}


def scored(
    mean: float,
    *,
    per_minute: float = 1,
    arm: str = "candidate",
    dimension: str = "overall",
    agent: str = "qa",
    minutes: int = MINUTES,
) -> dict[str, str]:
    """Answers that were scored, and what they were worth."""
    labels = f'{{agent="{agent}", arm="{arm}", dimension="{dimension}"}}'
    return {
        f"sluice_quality_score_sum{labels}": steady(mean * per_minute, minutes),
        f"sluice_quality_score_count{labels}": steady(per_minute, minutes),
    }


def weight(percent: float, kind: str = "served", pod: str = "gateway-1", minutes: int = MINUTES) -> dict[str, str]:
    """What a pod says of an agent's weight."""
    return {f'sluice_rollout_weight{{agent="qa", kind="{kind}", pod="{pod}"}}': flat(percent, minutes)}


def timed(quantile: float, seconds: float, *, per_minute: float = 10, arm: str = "candidate") -> dict[str, str]:
    """Answers whose quantile is so many seconds, by linear interpolation within the bucket that holds it."""
    edges = (2.0, 5.0, 7.5, 10.0, 15.0)
    upper = next(edge for edge in edges if edge >= seconds)
    lower = max((edge for edge in (0.0, *edges) if edge < upper), default=0.0)
    part = (seconds - lower) / (upper - lower)
    below = (quantile - part) / (1 - part)
    rates = {edge: (below if edge <= lower else 1) * per_minute for edge in edges}
    written = {f"{edge}": rate for edge, rate in rates.items()} | {"+Inf": per_minute}
    return {
        f'sluice_request_duration_seconds_bucket{{agent="qa", arm="{arm}", le="{edge}"}}': steady(rate)
        for edge, rate in written.items()
    }


@dataclass(frozen=True)
class Case:
    """What an alert is tried with.

    `firing`, `silent` and `low_traffic` are situations by their names; the first firing one is that of the texts and of
    the series that go missing one by one. Where one of `fires_without` goes missing, the alert still fires.
    """

    alert: str
    firing: Mapping[str, Series]
    silent: Mapping[str, Series]
    low_traffic: Mapping[str, Series]
    low_traffic_fires: bool = False
    at_minutes: int = 120
    every_minutes: int = 1
    fires_without: frozenset[str] = field(default_factory=frozenset)
