"""A Prometheus of made counters on 127.0.0.1, which knows the few forms of query that a guard asks."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from sluice.rollout import SCORE_EDGES, SECONDS_EDGES
from tests.answering import answering

SCRAPE = timedelta(seconds=15)

_INCREASE = re.compile(r"sum by \(([^)]*)\) \(increase\((\w+)\{(.*)\}\[(\d+)s\]\)\)")
_NEWEST = re.compile(r"max by \(arm\) \(timestamp\((\w+)\{(.*)\}\)\)")
_BY = re.compile(r"max by \(([^)]*)\) \((\w+)\{(.*)\}\)")
_TOTAL = re.compile(r"sum\(increase\((\w+)\{(.*)\}\[(\d+)s\]\)\)")
_HIGHEST = re.compile(r"max\((\w+)\{(.*)\}\)")
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_STALE_SECONDS = 300.0

Key = tuple[str, tuple[tuple[str, str], ...]]


@dataclass
class MadePrometheus:
    """Samples by series, each with the labels of an environment.

    `answer`, a status and a body, is given in place of what it knows where a test wants that.
    """

    samples: dict[Key, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))
    environment: Mapping[str, str] = field(default_factory=lambda: {"namespace": "sluice-made"})
    answer: tuple[int, str] | None = None
    queries: list[str] = field(default_factory=list)
    knows_no_other_form: bool = False
    """Whether it has no sample of what is asked in a form that it does not know, in place of failing."""
    url: str = ""

    def set(self, name: str, at: datetime, value: float, **labels: str) -> None:
        """Scrape a value of a series."""
        key = (name, tuple(sorted({**self.environment, **labels}.items())))
        self.samples[key].append((at.timestamp(), value))

    def traffic(
        self,
        agent: str,
        weight: int,
        began: datetime,
        ended: datetime,
        *,
        each_scrape: Mapping[str, Mapping[str, int]],
        seconds: float = 0.3,
        points: float = 8.0,
        users: Mapping[str, tuple[int, int]] | None = None,
    ) -> None:
        """Scrape an agent every 15 seconds: `each_scrape` requests of each arm, by how they end.

        `users` are those whom each arm answers, and of them fails, for the first time; None of a gateway that does not
        count them.
        """
        at = began
        while at <= ended:
            for kind in ("wanted", "allowed", "served"):
                self.set("sluice_rollout_weight", at, weight, agent=agent, kind=kind)
            for arm in ("candidate", "baseline"):
                outcomes = each_scrape.get(arm, {})
                for outcome in ("ok", "error", "fallback", "rejected"):
                    self._add(
                        "sluice_requests_total", at, outcomes.get(outcome, 0), agent=agent, arm=arm, outcome=outcome
                    )
                if users is not None:
                    new, failing = users.get(arm, (0, 0))
                    for per in ("rollout", "step"):
                        self._add("sluice_users_total", at, new, agent=agent, arm=arm, per=per)
                    self._add("sluice_failing_users_total", at, failing, agent=agent, arm=arm)
                answered = sum(outcomes.values())
                self._histogram("sluice_request_duration_seconds", at, SECONDS_EDGES, seconds, answered, agent, arm)
                scored = outcomes.get("ok", 0)
                self._histogram(
                    "sluice_quality_score", at, SCORE_EDGES, points, scored, agent, arm, dimension="overall"
                )
                self._add("sluice_cost_dollars_total", at, answered * 0.001, agent=agent, arm=arm)
            at += SCRAPE

    def _histogram(
        self,
        name: str,
        at: datetime,
        edges: tuple[float, ...],
        value: float,
        times: int,
        agent: str,
        arm: str,
        **more: str,
    ) -> None:
        for edge in (*edges, float("inf")):
            shown = "+Inf" if edge == float("inf") else str(float(edge))
            self._add(f"{name}_bucket", at, times if value <= edge else 0, agent=agent, arm=arm, le=shown, **more)
        self._add(f"{name}_sum", at, times * value, agent=agent, arm=arm, **more)
        self._add(f"{name}_count", at, times, agent=agent, arm=arm, **more)

    def _add(self, name: str, at: datetime, more: float, **labels: str) -> None:
        key = (name, tuple(sorted({**self.environment, **labels}.items())))
        before = self.samples[key][-1][1] if self.samples.get(key) else 0.0
        self.samples[key].append((at.timestamp(), before + more))

    def evaluate(self, query: str, at: float) -> list[tuple[dict[str, str], float]]:
        """Evaluate one of the known forms at a moment."""
        if found := _INCREASE.fullmatch(query):
            by, window = found[1].split(", "), float(found[4])
            sums: dict[tuple[tuple[str, str], ...], float] = defaultdict(float)
            for labels, values in self._matching(found[2], found[3]):
                inside = [value for when, value in values if at - window <= when <= at]
                if len(inside) >= 2:
                    sums[tuple((name, labels.get(name, "")) for name in by)] += inside[-1] - inside[0]
            return [(dict(labels), value) for labels, value in sums.items()]
        if found := _NEWEST.fullmatch(query):
            return self._newest(found[1], found[2], at)
        if found := _TOTAL.fullmatch(query):
            return self.evaluate(f"sum by (none) (increase({found[1]}{{{found[2]}}}[{found[3]}s]))", at)
        if found := _BY.fullmatch(query):
            return self._highest_by(found[1].split(", "), found[2], found[3], at)
        found = _HIGHEST.fullmatch(query)
        if found is None and self.knows_no_other_form:
            return []
        assert found, f"a query of no known form: {query}"
        last = [self._last(values, at) for _, values in self._matching(found[1], found[2])]
        known = [value for value in last if value is not None]
        return [({}, max(known))] if known else []

    def _newest(self, name: str, matchers: str, at: float) -> list[tuple[dict[str, str], float]]:
        newest: dict[str, float] = {}
        for labels, values in self._matching(name, matchers):
            seen = [when for when, _ in values if at - _STALE_SECONDS <= when <= at]
            if seen:
                newest[labels["arm"]] = max(seen[-1], newest.get(labels["arm"], 0.0))
        return [({"arm": arm}, when) for arm, when in newest.items()]

    def _highest_by(self, by: list[str], name: str, matchers: str, at: float) -> list[tuple[dict[str, str], float]]:
        most: dict[tuple[tuple[str, str], ...], float] = {}
        for labels, values in self._matching(name, matchers):
            if (value := self._last(values, at)) is not None:
                key = tuple((label, labels.get(label, "")) for label in by)
                most[key] = max(value, most.get(key, value))
        return [(dict(labels), value) for labels, value in most.items()]

    def _matching(self, name: str, matchers: str) -> Iterator[tuple[dict[str, str], list[tuple[float, float]]]]:
        wanted = set(_LABEL.findall(matchers))
        for (series, labels), values in self.samples.items():
            if series == name and wanted <= set(labels):
                yield dict(labels), values

    def _last(self, values: list[tuple[float, float]], at: float) -> float | None:
        index = bisect_right(values, at, key=lambda sample: sample[0])
        return values[index - 1][1] if index and values[index - 1][0] >= at - _STALE_SECONDS else None

    def respond(self, path: str, form: Mapping[str, str]) -> tuple[int, str]:
        """Answer as Prometheus does."""
        self.queries.append(form["query"])
        if self.answer is not None:
            return self.answer
        if path.endswith("/query_range"):
            times = _times(float(form["start"]), float(form["end"]), float(form["step"]))
            points = [(at, found[0][1]) for at in times if (found := self.evaluate(form["query"], at))]
            values = [{"metric": {}, "values": [[at, str(value)] for at, value in points]}] if points else []
            return 200, _success("matrix", values)
        at = float(form["time"])
        found = self.evaluate(form["query"], at)
        return 200, _success("vector", [{"metric": labels, "value": [at, str(value)]} for labels, value in found])


def _times(begin: float, end: float, step: float) -> Iterator[float]:
    at = begin
    while at <= end:
        yield at
        at += step


def _success(kind: str, result: list[dict[str, Any]]) -> str:
    return json.dumps({"status": "success", "data": {"resultType": kind, "result": result}})


class _Http(ThreadingHTTPServer):
    made: MadePrometheus


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, _Http)
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        status, text = self.server.made.respond(self.path, form)
        self.send_response(status)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        with suppress(ConnectionError):  # whoever asked was killed
            self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named so by http.server
        """Say nothing."""


@contextmanager
def serving(made: MadePrometheus, host: str = "127.0.0.1") -> Iterator[MadePrometheus]:
    """Serve it until the block ends."""
    server = _Http((host, 0), _Handler)
    server.made = made
    made.url = f"http://{host}:{server.server_address[1]}"
    with answering(server):
        yield made
