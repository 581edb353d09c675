"""A picture of a dashboard's panel, of what a live Prometheus answers to its own queries, drawn as the report draws."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from sluice.render.dashboards.shown import Shown
from sluice.rollout.guard.prometheus import Prometheus
from sluice.rollout.report.drawing import Axes, Point, Trace, over_time, standing_alone

_EVERY: Final = timedelta(seconds=2)
_GAP: Final = timedelta(seconds=7)
"""What three scrapes did not bring is a hole in the line."""
_COLOURS: Final = ("#1f83c6", "#d55e00")


def traces(prometheus: Prometheus, shown: Shown, namespace: str, began: datetime, ended: datetime) -> list[Trace]:
    """Ask what a panel of one series a query asks, and return its lines by its legends."""
    found = []
    for query, colour in zip(shown.queries, _COLOURS, strict=True):
        samples = prometheus.over(query.scoped.replace("$namespace", namespace), began, ended, _EVERY)
        points = tuple(Point(datetime.fromtimestamp(at, UTC), value) for at, value in samples)
        found.append(Trace(query.legend, colour, points, stepped=True))
    return found


def picture(shown: Shown, drawn: list[Trace], ended: datetime) -> str:
    """Draw a panel from its first sample on, as a file of its own, its first line over the others."""
    began = min(trace.points[0].at for trace in drawn)
    return standing_alone(over_time(shown.title, Axes(began, ended, _GAP, ""), drawn[::-1]))
