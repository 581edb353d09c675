"""Small plots as SVG text, for pages that stand alone: bars beside bars, and lines over time. No library, no script.

Colours come from the page (`currentColor`) and from a short list that the colour-blind can tell apart (Okabe and Ito).
Every plot has a title, the unit of its axis, and a `<title>` for who cannot see it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9")

_WIDTH, _BAR, _GAP, _LEFT, _RIGHT, _TOP, _BOTTOM = 760, 18, 10, 300, 90, 44, 34
_LINES_LEFT, _LINES_HEIGHT = 60, 260


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar; `value` is None where there is nothing to show, which is written and not drawn as 0."""

    label: str
    value: float | None
    series: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """One line of points, x rising."""

    label: str
    points: tuple[tuple[float, float], ...]


def bars(title: str, unit: str, rows: Sequence[Bar], *, logarithmic: bool = False) -> str:
    """Draw horizontal bars. On a logarithmic axis they begin at a tenth, and what is below is not drawn."""
    values = [row.value for row in rows if row.value is not None]
    highest = max([*values, 1e-9])
    height = _TOP + len(rows) * (_BAR + _GAP) + _BOTTOM
    room = _WIDTH - _LEFT - _RIGHT
    parts = [written(0, 18, title, weight="bold"), written(_LEFT, height - 10, unit, size=12)]
    for number, row in enumerate(rows):
        y = _TOP + number * (_BAR + _GAP)
        parts.append(written(_LEFT - 8, y + 14, row.label, anchor="end"))
        if row.value is None:
            parts.append(written(_LEFT + 4, y + 14, "none", size=12))
            continue
        length = room * _part(row.value, highest, logarithmic=logarithmic)
        colour = COLOURS[row.series % len(COLOURS)]
        parts.append(f'<rect x="{_LEFT}" y="{y}" width="{length:.1f}" height="{_BAR}" fill="{colour}"/>')
        parts.append(written(_LEFT + length + 5, y + 14, short(row.value), size=12))
    return svg(title, height, parts)


def lines(title: str, x_unit: str, y_unit: str, series: Sequence[Line]) -> str:
    """Draw lines on one pair of axes, both from 0."""
    points = [point for line in series for point in line.points]
    across, up = max([x for x, _ in points] or [1]) or 1, max([y for _, y in points] or [1]) or 1
    height = _TOP + _LINES_HEIGHT + 40 + 20 * len(series)
    room, floor = _WIDTH - _LINES_LEFT - _RIGHT, _TOP + _LINES_HEIGHT
    parts = [written(0, 18, title, weight="bold"), written(_LINES_LEFT, _TOP - 8, y_unit, size=12)]
    parts.append(written(_WIDTH - _RIGHT + 4, floor + 16, x_unit, size=12))
    parts.append(f'<path d="M{_LINES_LEFT} {_TOP}V{floor}H{_WIDTH - _RIGHT}" fill="none" stroke="currentColor"/>')
    for part in (0.0, 0.5, 1.0):
        parts.append(
            written(_LINES_LEFT - 6, floor - part * _LINES_HEIGHT + 4, short(up * part), size=12, anchor="end")
        )
        parts.append(written(_LINES_LEFT + part * room, floor + 16, short(across * part), size=12, anchor="middle"))
    for number, line in enumerate(series):
        colour, y = COLOURS[number % len(COLOURS)], floor + 44 + 20 * number
        path = " ".join(
            f"{_LINES_LEFT + x / across * room:.1f},{floor - y_value / up * _LINES_HEIGHT:.1f}"
            for x, y_value in line.points
        )
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<rect x="{_LINES_LEFT}" y="{y - 10}" width="12" height="12" fill="{colour}"/>')
        parts.append(written(_LINES_LEFT + 20, y, line.label, size=12))
    return svg(title, height, parts)


def page(title: str, body: Sequence[str]) -> str:
    """Put plots, tables and paragraphs, which are HTML already, on one page that needs nothing else."""
    style = (
        "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;"
        "background:#fff}svg{max-width:100%;height:auto}table{border-collapse:collapse}"
        "td,th{padding:.2rem .6rem;text-align:right;border-bottom:1px solid #ddd}td:first-child,th:first-child"
        "{text-align:left}@media(prefers-color-scheme:dark){body{color:#eee;background:#111}}"
    )
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{style}</style>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body><h1>{escape(title)}</h1>\n' + "\n".join(
        [*body, "</body></html>\n"]
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table as HTML."""
    cells = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{cells}</tr>{body}</table>"


def short(value: float) -> str:
    """Write a number with three digits that matter."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else str(value)
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _part(value: float, highest: float, *, logarithmic: bool) -> float:
    if not logarithmic:
        return value / highest
    low, top = -1.0, max(math.log10(highest), 0.0)
    return max(0.0, (math.log10(value) - low) / (top - low)) if value > 0 else 0.0


def written(x: float, y: float, text: str, *, size: int = 13, anchor: str = "start", weight: str = "normal") -> str:
    """Write a text into a drawing, in the page's own colour."""
    place = f'x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" font-weight="{weight}"'
    return f'<text {place} fill="currentColor">{escape(text)}</text>'


def svg(title: str, height: float, parts: Sequence[str], width: int = _WIDTH) -> str:
    """Put the parts of a drawing together."""
    box = f'viewBox="0 0 {width} {height:.0f}" width="{width}" height="{height:.0f}"'
    inside = "".join((f"<title>{escape(title)}</title>", *parts))
    return f'<svg xmlns="http://www.w3.org/2000/svg" role="img" font-family="sans-serif" {box}>{inside}</svg>'
