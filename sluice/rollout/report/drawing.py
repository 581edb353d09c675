"""Lines over days, as SVG: gaps where nothing was measured, bands of uncertainty, and marks where something happened.

Small, so that a page shows several beside each other and a telephone one below the other. Arms differ by colour and by
dashes; colours are read on light and on dark.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from itertools import pairwise

from sluice.rollout.plot import short, svg, written

WIDTH = 480
_HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 250, 46, 12, 58, 24
_ROOM, _FLOOR = WIDTH - _LEFT - _RIGHT, _HEIGHT - _BOTTOM
_NUMBERS_APART = 18.0
_MOST_TIME_LABELS = 8
_DAY = timedelta(days=1)
_WITHIN_A_DAY = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 5, 10, 15, 30, 60, 120, 180, 360))
_OWN_COLOURS = (
    "<style>svg{background:#fff;color:#1d2329}"
    "@media(prefers-color-scheme:dark){svg{background:#14181c;color:#e4e8ec}}</style>"
)
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Point:
    """One value, None where nothing was measured; `low` and `high` are how far it may lie from the truth."""

    at: datetime
    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """One line. `stepped` values hold until the next; `dash` is SVG's pattern."""

    label: str
    colour: str
    points: tuple[Point, ...]
    dash: str = ""
    stepped: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened: a number that the text around the drawing explains."""

    at: datetime
    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Axes:
    """What is drawn on: the time, the gap beyond which a line is broken, and values from `low` to `high` at least."""

    begin: datetime
    end: datetime
    gap: timedelta
    unit: str
    low: float | None = 0.0
    """None lets the axis begin near the lowest value."""
    high: float = 0.0
    most: float = math.inf
    least_span: float = 0.0
    """How much of the axis is shown at least, so that a thousandth does not look like a fall."""


def over_time(title: str, axes: Axes, traces: Sequence[Trace], marks: Sequence[Mark] = ()) -> str:
    """Draw lines over a time; where there is not one value, the drawing says so."""
    inside = [
        point
        for trace in traces
        for point in trace.points
        if point.value is not None and axes.begin <= point.at <= axes.end
    ]
    low, high, step = _scale(axes, inside)
    parts = [
        written(0, 16, title, weight="bold"),
        written(WIDTH, 16, axes.unit, size=12, anchor="end"),
        *_legend(traces),
    ]
    parts += _grid(axes, low, high, step)
    parts += _marked(axes, marks)
    if not inside:
        parts.append(written(_LEFT + _ROOM / 2, (_TOP + _FLOOR) / 2, "nothing was measured", anchor="middle"))
    for trace in traces:
        parts += _drawn(axes, trace, low, high)
    return svg(title, _HEIGHT, parts, WIDTH)


def standing_alone(drawing: str) -> str:
    """Return a drawing for a file of its own, with the colours that no page gives it, light or dark."""
    head, _, rest = drawing.partition(">")
    with_margin = head.replace('viewBox="0 0 ', 'viewBox="-12 -10 ').replace(
        f"{WIDTH} {_HEIGHT}", f"{WIDTH + 24} {_HEIGHT + 20}"
    )
    return f"{with_margin}>{_OWN_COLOURS}{rest}\n"


def _scale(axes: Axes, points: Sequence[Point]) -> tuple[float, float, float]:
    """Return the lowest and highest value of the axis and the step of its marks: round numbers, four or five."""
    values = [value for point in points for value in (point.value, point.low, point.high) if value is not None]
    high = max([*values, axes.high], default=1.0)
    low = axes.low if axes.low is not None else min(values, default=0.0)
    if high - low < axes.least_span:
        low = max(0.0, (high + low - axes.least_span) / 2)
        high = low + axes.least_span
    span = max(high - low, abs(high) * 0.02, 1e-6)
    rough = span / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(part * power for part in _STEPS if part * power >= rough * 0.999)
    bottom = math.floor(low / step + 1e-9) * step
    top = math.ceil(high / step - 1e-9) * step
    return bottom, max(min(top, axes.most), bottom + step), step


def _grid(axes: Axes, low: float, high: float, step: float) -> Iterator[str]:
    count = round((high - low) / step)
    for number in range(count + 1):
        value = low + number * step
        y = _y(value, low, high)
        opacity = 0.5 if number == 0 else 0.15
        yield (
            f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{WIDTH - _RIGHT}" y2="{y:.1f}" stroke="currentColor" '
            f'stroke-opacity="{opacity}"/>'
        )
        yield written(_LEFT - 6, y + 4, short(value), size=12, anchor="end")
    marked = tuple(_times(axes))
    every = math.ceil(len(marked) / _MOST_TIME_LABELS)
    for number, (at, label) in enumerate(marked):
        x = _x(at, axes)
        yield f'<line x1="{x:.1f}" y1="{_FLOOR}" x2="{x:.1f}" y2="{_FLOOR + 4}" stroke="currentColor"/>'
        if number % every == 0 and x <= WIDTH - 22:
            yield written(x, _FLOOR + 17, label, size=12, anchor="middle")


def _times(axes: Axes) -> Iterator[tuple[datetime, str]]:
    """Yield the moments that the axis of time names: midnights, or where it has too few of them, hours and minutes."""
    midnight = axes.begin.replace(hour=0, minute=0, second=0, microsecond=0)
    span = axes.end - axes.begin
    within = next((one for one in _WITHIN_A_DAY if span / one < _MOST_TIME_LABELS), _WITHIN_A_DAY[-1])
    step = _DAY if span > _DAY else within
    at = midnight + math.ceil((axes.begin - midnight) / step) * step
    while at <= axes.end:
        yield at, f"{at.day} {at:%b}" if (at - midnight) % _DAY == timedelta() else f"{at:%H:%M}"
        at += step


def _legend(traces: Sequence[Trace]) -> Iterator[str]:
    x = 0.0
    for trace in traces:
        dash = f' stroke-dasharray="{trace.dash}"' if trace.dash else ""
        yield f'<line x1="{x}" y1="30" x2="{x + 22}" y2="30" stroke="{trace.colour}" stroke-width="2.5"{dash}/>'
        yield written(x + 27, 34, trace.label, size=12)
        x += 27 + 7 * len(trace.label) + 16


def _marked(axes: Axes, marks: Sequence[Mark]) -> Iterator[str]:
    """Draw marks with their numbers; those of marks too close to tell apart are written as one."""
    together: list[list[Mark]] = []
    for mark in marks:
        x = _x(mark.at, axes)
        yield (
            f'<g><title>{escape(mark.text)}</title><line x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{_FLOOR}" '
            'stroke="currentColor" stroke-opacity="0.6" stroke-dasharray="2 3"/></g>'
        )
        if together and x - _x(together[-1][-1].at, axes) < _NUMBERS_APART:
            together[-1].append(mark)
        else:
            together.append([mark])
    for group in together:
        first, last = group[0], group[-1]
        said = str(first.number) if first is last else f"{first.number}-{last.number}"
        yield written((_x(first.at, axes) + _x(last.at, axes)) / 2, _TOP - 4, said, size=12, anchor="middle")


def _drawn(axes: Axes, trace: Trace, low: float, high: float) -> Iterator[str]:
    for piece in _pieces(axes, trace.points):
        places = [(_x(point.at, axes), _y(point.value or 0.0, low, high)) for point in piece]
        bounded = [point for point in piece if point.low is not None and point.high is not None]
        if len(bounded) > 1:
            edge = [(_x(point.at, axes), _y(point.low or 0.0, low, high)) for point in bounded]
            edge += [(_x(point.at, axes), _y(point.high or 0.0, low, high)) for point in reversed(bounded)]
            yield f'<polygon points="{_path(edge)}" fill="{trace.colour}" fill-opacity="0.18"/>'
        for point in bounded if len(bounded) == 1 else ():
            x = _x(point.at, axes)
            ends = f'y1="{_y(point.low or 0.0, low, high):.1f}" y2="{_y(point.high or 0.0, low, high):.1f}"'
            look = f'stroke="{trace.colour}" stroke-opacity="0.5" stroke-width="6"'
            yield f'<line x1="{x:.1f}" x2="{x:.1f}" {ends} {look}/>'
        if len(places) == 1:
            ((x, y),) = places
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{trace.colour}"/>'
            continue
        dash = f' stroke-dasharray="{trace.dash}"' if trace.dash else ""
        path = _path(_stairs(places) if trace.stepped else places)
        yield f'<polyline points="{path}" fill="none" stroke="{trace.colour}" stroke-width="2"{dash}/>'


def _pieces(axes: Axes, points: Sequence[Point]) -> Iterator[list[Point]]:
    """Cut a line where nothing was measured."""
    piece: list[Point] = []
    for point in points:
        if not axes.begin <= point.at <= axes.end:
            continue
        if piece and (point.value is None or point.at - piece[-1].at > axes.gap):
            yield piece
            piece = []
        if point.value is not None:
            piece.append(point)
    if piece:
        yield piece


def _stairs(places: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the corners of a line that holds each value until the next; equal values need none."""
    corners = [places[0]]
    for (_, before), (x, y) in pairwise(places):
        if y != before:
            corners += [(x, before), (x, y)]
    return [*corners, places[-1]]


def _x(at: datetime, axes: Axes) -> float:
    return _LEFT + _ROOM * (at - axes.begin) / (axes.end - axes.begin)


def _y(value: float, low: float, high: float) -> float:
    return _FLOOR - (_FLOOR - _TOP) * (value - low) / (high - low)


def _path(places: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
