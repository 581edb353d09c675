"""What Prometheus would know of one agent's gateway pods, in this process: it answers the queries that a guard asks.

A real one would take an hour for what takes minutes so. `increase` is restated, not copied, from Prometheus 2.42, which
Debian has (`promql/functions.go`, `extrapolatedRate`); a test holds its answers against a real one's.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from sluice.rollout.guard.in_cluster import Heard

_INCREASE = re.compile(r"sum by \(([^)]*)\) \(increase\((\w+)\{(.*)\}\[(\d+)s\]\)\)")
_NEWEST = re.compile(r"max by \(arm\) \(timestamp\((\w+)\{(.*)\}\)\)")
_HIGHEST = re.compile(r"max\((\w+)\{(.*)\}\)")
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_STALE_SECONDS = 300.0
_NEAR = 1.1
"""So many times the time between two samples, one at the edge of a window is taken to tell of all up to that edge."""

Vector = list[tuple[dict[str, str], float]]


class UnknownQuery(Exception):
    """Something is asked in a form that is not known here."""


@dataclass(frozen=True, slots=True)
class Series:
    """One series: labels, and its samples' seconds since 1970, rising, and values."""

    labels: Mapping[str, str]
    at: Sequence[float]
    values: Sequence[float]

    def increase(self, began: float, ended: float) -> float | None:
        """Return by how much a counter rose over a time, thought on to its edges; None of fewer than two samples."""
        first, last = bisect_left(self.at, began), bisect_right(self.at, ended) - 1
        if last <= first:
            return None
        rose, sampled = self.values[last] - self.values[first], self.at[last] - self.at[first]
        between = sampled / (last - first)
        before, after = self.at[first] - began, ended - self.at[last]
        if rose > 0:
            before = min(before, sampled * self.values[first] / rose)  # no counter was ever below 0
        covered = sampled + sum(edge if edge < _NEAR * between else between / 2 for edge in (before, after))
        return rose * covered / sampled

    def last(self, at: float) -> tuple[float, float] | None:
        """Return the newest sample at a moment, its second and value; None where it is stale or there is none."""
        index = bisect_right(self.at, at) - 1
        if index < 0 or self.at[index] <= at - _STALE_SECONDS:
            return None
        return self.at[index], self.values[index]


@dataclass(frozen=True, slots=True)
class Scraped:
    """Series by their metric."""

    series: Mapping[str, Sequence[Series]]

    def send(self, path: str, form: Mapping[str, str]) -> Heard:
        """Answer as Prometheus' API does. Raises UnknownQuery."""
        query = form["query"]
        if path.endswith("/query_range"):
            times = _times(float(form["start"]), float(form["end"]), float(form["step"]))
            points = [[at, str(found[0][1])] for at in times if (found := self.evaluate(query, at))]
            return _answer("matrix", [{"metric": {}, "values": points}] if points else [])
        at = float(form["time"])
        found = self.evaluate(query, at)
        return _answer("vector", [{"metric": labels, "value": [at, str(value)]} for labels, value in found])

    def evaluate(self, query: str, at: float) -> Vector:
        """Evaluate one of the known forms at a moment. Raises UnknownQuery."""
        kind, metric, matchers, by, window = _parsed(query)
        matching = list(self._matching(metric, matchers))
        if kind is _INCREASE:
            sums: dict[tuple[str, ...], float] = defaultdict(float)
            for one in matching:
                rose = one.increase(at - window, at)
                if rose is not None:
                    sums[tuple(one.labels.get(name, "") for name in by)] += rose
            return [(dict(zip(by, values, strict=True)), value) for values, value in sums.items()]
        last = [(one, found) for one in matching if (found := one.last(at))]
        if kind is _NEWEST:
            newest: dict[str, float] = {}
            for one, (when, _) in last:
                newest[one.labels["arm"]] = max(when, newest.get(one.labels["arm"], when))
            return [({"arm": arm}, when) for arm, when in newest.items()]
        return [({}, max(value for _, (_, value) in last))] if last else []

    def write(self, file: Path) -> None:
        """Write it down as OpenMetrics text, for a real Prometheus to read."""
        file.write_text("\n".join(self._lines()) + "\n")

    def _lines(self) -> Iterator[str]:
        for metric, series in self.series.items():
            is_counter = metric.endswith("_total")
            yield f"# TYPE {metric.removesuffix('_total')} {'counter' if is_counter else 'gauge'}"
            for one in series:
                labels = ",".join(f'{name}="{value}"' for name, value in one.labels.items())
                for at, value in zip(one.at, one.values, strict=True):
                    yield f"{metric}{{{labels}}} {value:g} {at:.3f}"
        yield "# EOF"

    def _matching(self, metric: str, matchers: frozenset[tuple[str, str]]) -> Iterator[Series]:
        return (one for one in self.series.get(metric, ()) if matchers <= one.labels.items())


@lru_cache(maxsize=4096)
def _parsed(query: str) -> tuple[re.Pattern[str], str, frozenset[tuple[str, str]], tuple[str, ...], float]:
    """Return a query's form, metric and matchers, and of an increase by which labels it is summed, and its window."""
    if found := _INCREASE.fullmatch(query):
        return _INCREASE, found[2], frozenset(_LABEL.findall(found[3])), tuple(found[1].split(", ")), float(found[4])
    for form in (_NEWEST, _HIGHEST):
        if found := form.fullmatch(query):
            return form, found[1], frozenset(_LABEL.findall(found[2])), (), 0.0
    raise UnknownQuery(query)


def _times(begin: float, end: float, step: float) -> Iterator[float]:
    for number in range(int((end - begin) // step) + 1):
        yield begin + number * step


def _answer(kind: str, result: list[dict[str, object]]) -> Heard:
    return Heard(200, json.dumps({"status": "success", "data": {"resultType": kind, "result": result}}).encode())
