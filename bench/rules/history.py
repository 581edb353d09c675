"""Made history for a Prometheus: the series of a real gateway's page, repeated for so many agents.

What rules count over an hour goes back an hour, as scraped every 30 seconds, and what they sum of their own recorded
counts does too; the rest goes back five minutes, as far as a rule that reads it looks. What grows is what grows in
health: nearly always rules find nothing wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TextIO

from prometheus_client.parser import text_string_to_metric_families

NAMESPACE = "sluice-bench"
SCRAPE_SECONDS = 30
_LONG, _SHORT = 3600, 330
_COUNTED = re.compile(r"_(total|bucket|sum|count)$")
_OVER_AN_HOUR = ("sluice_requests_total", "sluice_slow_answers_total")
_RECORDED = {
    "sluice_requests_total": "sluice:answers:increase5m",
    "sluice_slow_answers_total": "sluice:slow_answers:increase5m",
    "sluice_request_duration_seconds_bucket": "sluice:duration_bucket:increase5m",
    "sluice_quality_score_sum": "sluice:quality_sum:increase5m",
    "sluice_quality_score_count": "sluice:quality_count:increase5m",
    "sluice_cost_dollars_total": "sluice:cost_dollars:increase5m",
}
_RECORDED_EVERY_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Template:
    """A series of one agent: its name, its labels but for the agent's, and the value that the gateway showed."""

    name: str
    labels: tuple[tuple[str, str], ...]
    value: float

    def of(self, agent: str) -> str:
        """Return the series of another agent, as OpenMetrics writes it."""
        pairs = {"agent": agent, "namespace": NAMESPACE, "instance": "10.0.0.1:9090", "job": "gateway"}
        shown = ",".join(f'{name}="{value}"' for name, value in {**dict(self.labels), **pairs}.items())
        return f"{self.name}{{{shown}}}"


def templates(page: str, agent: str) -> tuple[Template, ...]:
    """Return the series of one agent on a gateway's page of metrics."""
    return tuple(
        Template(sample.name, tuple(sorted(set(sample.labels.items()) - {("agent", agent)})), sample.value)
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.labels.get("agent") == agent and not sample.name.endswith("_created")
    )


def write(file: TextIO, series: Iterable[Template], read: Iterable[str], agents: int, now: int) -> int:
    """Write the history of so many agents until `now`, of the metrics that are `read`; return how many samples."""
    wanted, written = set(read), 0
    for template in sorted(series, key=lambda one: one.name):
        for agent in (f"agent-{number}" for number in range(agents)):
            if template.name in wanted:
                written += _samples(file, template.of(agent), _raw(template, now))
            if template.name in _RECORDED and ("outcome", "rejected") not in template.labels:
                kept = tuple(pair for pair in template.labels if pair[0] in ("arm", "outcome", "dimension", "le"))
                recorded = Template(_RECORDED[template.name], kept, 0.0)
                times = range(now - _LONG, now, _RECORDED_EVERY_SECONDS)
                counted = 10 * _growth(template)
                written += _samples(file, recorded.of(agent), ((at, counted) for at in times))
    file.write("# EOF\n")
    return written


def _raw(template: Template, now: int) -> Iterator[tuple[int, float]]:
    """Return the samples of a series: a count that grows, or a value that stands."""
    back = _LONG if template.name in _OVER_AN_HOUR else _SHORT
    growth = _growth(template) if _COUNTED.search(template.name) else 0.0
    for number, at in enumerate(range(now - back, now + 1, SCRAPE_SECONDS)):
        yield at, template.value + number * growth


def _growth(template: Template) -> float:
    """Return what a scrape adds to a count: of good answers one, worth 8 of 10 points, at the price of a good one."""
    bad = {("outcome", "error"), ("outcome", "fallback"), ("outcome", "rejected")} & set(template.labels)
    if bad or template.name == "sluice_slow_answers_total":
        return 0.0
    if template.name == "sluice_cost_dollars_total":
        return 0.001 if ("arm", "candidate") in template.labels else 0.015
    return 8.0 if template.name == "sluice_quality_score_sum" else 1.0


def _samples(file: TextIO, series: str, values: Iterable[tuple[int, float]]) -> int:
    lines = [f"{series} {value:g} {at}\n" for at, value in values]
    file.writelines(lines)
    return len(lines)
