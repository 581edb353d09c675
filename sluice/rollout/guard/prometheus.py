"""Asks Prometheus, by its HTTP API (https://prometheus.io/docs/prometheus/latest/querying/api/).

An answer is samples by their labels. Anything but an answer is `CannotSee`: who asked must not go on as if nothing had
happened where nothing was seen.
"""

from __future__ import annotations

import json
import math
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import urlencode

from sluice.rollout.guard.in_cluster import Heard, NotHeard, http
from sluice.rollout.guard.loop import CannotSee

PATIENCE_SECONDS = 5.0
"""How long an answer is waited for, and how long Prometheus itself goes on with a query."""

Send = Callable[[str, Mapping[str, str]], Heard]
"""Sends a form to a path of the API, as /api/v1/query, and returns what was answered. Raises `NotHeard`."""

_NO_ANSWER = "what it says is no answer of Prometheus"

_Series = TypeVar("_Series")


@dataclass(frozen=True, slots=True)
class Prometheus:
    """One Prometheus: its address without a slash at its end. `before` is called before each query.

    Queries may be many and slow, and whoever asks has a lease to keep. `send` is the way there where it is not the
    address itself.
    """

    url: str
    before: Callable[[], object] = lambda: None
    send: Send | None = None

    def now(self, query: str, at: datetime) -> list[tuple[Mapping[str, str], float]]:
        """Return the samples of a query at a moment, by labels; those that are no number are left out."""
        about = {"query": query, "time": f"{at.timestamp():.3f}"}
        samples = self._asked("query", about, "vector", lambda one: (_labels(one), float(one["value"][1])))
        return [(labels, value) for labels, value in samples if math.isfinite(value)]

    def over(self, query: str, begin: datetime, end: datetime, step: timedelta) -> list[tuple[float, float]]:
        """Return the samples of a query of one series over a time, as seconds since 1970 and values; empty of none."""
        found = self.each_over(query, begin, end, step)
        return found[0][1] if found else []

    def each_over(
        self, query: str, begin: datetime, end: datetime, step: timedelta
    ) -> list[tuple[Mapping[str, str], list[tuple[float, float]]]]:
        """Return the samples of each series of a query over a time, as seconds since 1970 and values, by labels."""
        about = {
            "query": query,
            "start": f"{begin.timestamp():.3f}",
            "end": f"{end.timestamp():.3f}",
            "step": f"{step.total_seconds():g}",
        }
        return self._asked(
            "query_range",
            about,
            "matrix",
            lambda one: (_labels(one), [(float(at), float(value)) for at, value in one["values"]]),
        )

    def _asked(
        self, kind: str, about: Mapping[str, str], wanted: str, read: Callable[[dict[str, Any]], _Series]
    ) -> list[_Series]:
        self.before()
        send = self.send or self._post
        try:
            answer = send(f"/api/v1/{kind}", {**about, "timeout": f"{PATIENCE_SECONDS:g}s"})
        except NotHeard as error:
            raise CannotSee(f"Prometheus: {error}") from None
        try:
            said = json.loads(answer.body)
            if answer.status == 200 and said["status"] == "success" and said["data"]["resultType"] == wanted:
                return [read(one) for one in said["data"]["result"]]
            # What stands before it, as the API server's proxy, says `message`.
            why = str(said.get("error") or said.get("message") or _NO_ANSWER)
        except (ValueError, LookupError, TypeError, AttributeError):
            why = _NO_ANSWER
        raise CannotSee(
            f"Prometheus at {self.url} answers {answer.status}: {why[:300]}; the query was {about['query']}"
        )

    def _post(self, path: str, form: Mapping[str, str]) -> Heard:
        request = urllib.request.Request(  # noqa: S310 - the address is the settings'
            f"{self.url}{path}",
            urlencode(form).encode(),
            {"Content-Type": "application/x-www-form-urlencoded"},
            method="POST",
        )
        return http(request, PATIENCE_SECONDS)


def _labels(series: Mapping[str, Any]) -> Mapping[str, str]:
    return {str(name): str(value) for name, value in series["metric"].items()}
