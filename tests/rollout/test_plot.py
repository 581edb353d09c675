"""Plots: SVG that parses, says its numbers, and takes no text for markup."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.rollout.plot import Bar, Line, bars, lines, page, short, table

_SVG = "{http://www.w3.org/2000/svg}"


def lengths(svg: str) -> list[float]:
    return [float(one.attrib["width"]) for one in ElementTree.fromstring(svg).iter(f"{_SVG}rect")]


def texts(svg: str) -> list[str]:
    return [one.text or "" for one in ElementTree.fromstring(svg).iter(f"{_SVG}text")]


def test_bars_are_as_long_as_their_values_and_say_them() -> None:
    drawn = bars("Users", "users", [Bar("sluice", 10), Bar("other", 40)])

    short_one, long_one = lengths(drawn)
    assert long_one == pytest.approx(4 * short_one, rel=0.01)
    assert {"Users", "users", "sluice", "10", "40"} <= set(texts(drawn))


def test_what_was_not_measured_is_written_and_has_no_bar() -> None:
    drawn = bars("Users", "users", [Bar("sluice", None), Bar("other", 1)])

    assert len(lengths(drawn)) == 1
    assert "none" in texts(drawn)


def test_a_logarithmic_bar_grows_by_the_same_for_each_ten_times() -> None:
    one, ten, hundred = lengths(bars("t", "u", [Bar("a", 1), Bar("b", 10), Bar("c", 100)], logarithmic=True))

    assert ten - one == pytest.approx(hundred - ten, abs=0.2)


def test_a_line_goes_through_its_points_and_is_named() -> None:
    drawn = lines("Quality", "days", "points", [Line("candidate", ((0, 0), (10, 5))), Line("baseline", ())])

    points = [one.attrib["points"] for one in ElementTree.fromstring(drawn).iter(f"{_SVG}polyline")]
    assert len(points) == 2
    assert len(points[0].split()) == 2
    assert "candidate" in texts(drawn)


@given(st.text(alphabet=st.characters(codec="ascii", exclude_categories=["Cc"])), st.floats(0, 1e9) | st.none())
def test_no_text_becomes_markup(text: str, value: float | None) -> None:
    drawn = bars(text, text, [Bar(text, value)])

    assert ElementTree.fromstring(drawn).find(f"{_SVG}title") is not None
    assert "<script" not in page(text, [table([text], [[text]])]).replace("&lt;script", "")


@pytest.mark.parametrize(
    ("value", "written"), [(0, "0"), (0.004, "0.004"), (1.25, "1.25"), (12.0, "12"), (12345.6, "12,346")]
)
def test_numbers_have_the_digits_that_matter(value: float, written: str) -> None:
    assert short(value) == written
