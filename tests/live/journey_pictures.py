"""The pictures of the journey, of what its Prometheus saw, drawn as the report draws: weights, and who stood in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sluice.rollout.guard.prometheus import Prometheus
from sluice.rollout.report.drawing import Axes, Point, Trace, over_time, standing_alone
from tests.live.journey_team import namespace

_EVERY = timedelta(seconds=15)
_GAP = timedelta(minutes=1)
_KINDS = (("wanted", "#1f83c6", "8 4"), ("allowed", "#009e73", "2 3"), ("served", "#d55e00", ""))


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture, and what it says to who cannot see it."""

    svg: str
    says: str


def pictures(prometheus: Prometheus, began: datetime, ended: datetime) -> dict[str, Picture]:
    """Draw them, by the names of their files."""
    of = f'agent="qa",namespace="{namespace("production")}"'

    def samples(query: str) -> tuple[Point, ...]:
        found = prometheus.over(query, began, ended, _EVERY)
        return tuple(Point(datetime.fromtimestamp(at, UTC), value) for at, value in found)

    weights = [
        Trace(kind, colour, samples(f'max(sluice_rollout_weight{{{of},kind="{kind}"}})'), dash, stepped=True)
        for kind, colour, dash in _KINDS
    ]
    first = min((trace.points[0].at for trace in weights if trace.points), default=began)
    candidate = f'sum(rate(sluice_requests_total{{{of},arm="candidate"%s}}[1m]))'
    fallback = ',outcome="fallback"'
    share = f"100 * {candidate % fallback} / ({candidate % ''} > 0)"
    stood_in = [Trace("candidate", "#d55e00", samples(share))]
    return {
        "weights": Picture(
            standing_alone(
                over_time(
                    "qa: weight",
                    Axes(first, ended, _GAP, "percent of users on the candidate", high=100.0, most=100.0),
                    weights,
                )
            ),
            "The weights wanted, allowed and served: up to 50 percent, sent back to 0, and up again to 100",
        ),
        "stood-in": Picture(
            standing_alone(
                over_time(
                    "qa: the baseline stood in",
                    Axes(first, ended, _GAP, "percent of the candidate's requests", high=10.0, most=100.0),
                    stood_in,
                )
            ),
            "The share of the candidate's requests that the baseline answered: none but at 50 percent, before the fix",
        ),
    }
