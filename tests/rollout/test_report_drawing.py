"""Lines over days: where they are broken, what is written, and what no text becomes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.rollout.report.drawing import Axes, Mark, Point, Trace, over_time, standing_alone

BEGIN = datetime(2025, 11, 5, tzinfo=UTC)
DAY = timedelta(days=1)
AXES = Axes(BEGIN, BEGIN + 7 * DAY, DAY * 1.5, "points")
_SVG = "{http://www.w3.org/2000/svg}"


def trace(*values: float | None, stepped: bool = False) -> Trace:
    points = tuple(Point(BEGIN + day * DAY, one) for day, one in enumerate(values))
    return Trace("candidate", "#d55e00", points, stepped=stepped)


def drawn(kind: str, *traces: Trace, axes: Axes = AXES, marks: tuple[Mark, ...] = ()) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(over_time("Title", axes, traces, marks)).iter(f"{_SVG}{kind}"))


def texts(*traces: Trace, axes: Axes = AXES, marks: tuple[Mark, ...] = ()) -> list[str]:
    return [one.text or "" for one in drawn("text", *traces, axes=axes, marks=marks)]


def test_a_line_is_broken_where_nothing_was_measured() -> None:
    (first, second) = drawn("polyline", trace(8, 8, None, 7, 7))

    assert len(first.attrib["points"].split()) == len(second.attrib["points"].split()) == 2


def test_a_line_is_broken_where_samples_are_missing_altogether() -> None:
    whole = trace(8, 8, 8, 8, 8)
    holed = Trace(whole.label, whole.colour, (*whole.points[:2], *whole.points[4:]))

    assert len(drawn("polyline", whole)) == 1
    assert (len(drawn("polyline", holed)), len(drawn("circle", holed))) == (1, 1)


@pytest.mark.parametrize(
    ("begins", "lasts", "first", "second"),
    [
        (timedelta(hours=22, minutes=34), timedelta(minutes=12), "22:34", "22:36"),
        (timedelta(hours=22, minutes=34), timedelta(hours=5), "23:00", "6 Nov"),
        (timedelta(), DAY, "5 Nov", "06:00"),
        (timedelta(hours=6), 7 * DAY, "6 Nov", "7 Nov"),
    ],
)
def test_a_day_and_less_has_hours_and_minutes_on_its_axis(
    begins: timedelta, lasts: timedelta, first: str, second: str
) -> None:
    begin = BEGIN + begins
    line = Trace("candidate", "#d55e00", (Point(begin, 1.0),))

    said = texts(line, axes=Axes(begin, begin + lasts, DAY, "points"))
    of_time = [one for one in said if ":" in one or " Nov" in one]

    assert of_time[:2] == [first, second]
    assert len(of_time) <= 10


def test_nothing_at_all_is_written_and_not_drawn_as_zero() -> None:
    assert "nothing was measured" in texts(trace(None, None))
    assert drawn("polyline", trace(None, None)) == []
    assert "nothing was measured" not in texts(trace(0, 0))


def test_what_lies_outside_of_the_time_is_left_out() -> None:
    late = Trace("candidate", "#d55e00", tuple(Point(BEGIN + day * DAY, 1.0) for day in range(20)))

    (line,) = drawn("polyline", late)
    assert len(line.attrib["points"].split()) == 8


def test_a_stepped_line_holds_each_value_until_the_next() -> None:
    (line,) = drawn("polyline", trace(10, 10, 25, stepped=True))

    corners = [tuple(map(float, place.split(","))) for place in line.attrib["points"].split()]
    assert [one[0] == other[0] or one[1] == other[1] for one, other in pairwise(corners)] == [True] * (len(corners) - 1)


def test_a_band_is_drawn_about_what_has_one() -> None:
    points = tuple(Point(BEGIN + day * DAY, 8.0, 7.5, 8.5) for day in range(3))

    assert len(drawn("polygon", Trace("candidate", "#d55e00", points))) == 1
    assert drawn("polygon", trace(8, 8, 8)) == []


def test_a_small_difference_does_not_look_like_a_fall() -> None:
    axes = Axes(BEGIN, BEGIN + 7 * DAY, DAY * 1.5, "points", low=None, most=10.0, least_span=1.0)

    shown = [float(one) for one in texts(trace(8.00, 8.01), axes=axes) if one.replace(".", "").isdigit()]
    assert max(shown) - min(shown) >= 1


def test_an_axis_of_points_ends_at_ten() -> None:
    axes = Axes(BEGIN, BEGIN + 7 * DAY, DAY * 1.5, "points", low=None, most=10.0, least_span=1.0)

    assert "10" in texts(trace(9.9, 9.95), axes=axes)
    assert not {"10.2", "10.5", "11"} & set(texts(trace(9.9, 9.95), axes=axes))


def test_marks_too_close_to_tell_apart_share_their_numbers() -> None:
    marks = tuple(
        Mark(BEGIN + at, number, f"event {number}")
        for number, at in enumerate((DAY, DAY + timedelta(hours=1), 4 * DAY), 1)
    )

    assert {"1-2", "3"} <= set(texts(trace(1, 1), marks=marks))
    titles = [one.text for one in drawn("title", trace(1, 1), marks=marks)]
    assert titles == ["Title", "event 1", "event 2", "event 3"]


@pytest.mark.parametrize("days", [1, 7, 30])
def test_days_are_named_without_running_into_each_other(days: int) -> None:
    axes = Axes(BEGIN, BEGIN + days * DAY, DAY, "points")

    places = [float(one.attrib["x"]) for one in drawn("text", trace(1), axes=axes) if " Nov" in (one.text or "")]
    assert places
    assert all(later - earlier > 40 for earlier, later in pairwise(places))


@given(
    st.lists(st.floats(0, 1e9) | st.none(), min_size=1, max_size=8),
    st.text(alphabet=st.characters(codec="ascii", exclude_categories=["Cc"])),
)
def test_whatever_is_drawn_is_sound_and_stays_inside(values: list[float | None], text: str) -> None:
    label = Trace(text, "#d55e00", trace(*values).points)
    found = ElementTree.fromstring(over_time(text, AXES, [label], [Mark(BEGIN, 1, text)]))

    for line in found.iter(f"{_SVG}polyline"):
        for place in line.attrib["points"].split():
            x, y = map(float, place.split(","))
            assert 0 <= x <= 480
            assert 0 <= y <= 250


def test_a_drawing_for_a_file_of_its_own_is_sound_and_brings_its_colours() -> None:
    alone = ElementTree.fromstring(standing_alone(over_time("Title", AXES, [trace(1, 2)])))

    assert alone.attrib["viewBox"] == "-12 -10 504 270"
    (style,) = alone.iter(f"{_SVG}style")
    assert "prefers-color-scheme:dark" in (style.text or "")
