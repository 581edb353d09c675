from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sluice.override import Override, read_moment, read_override, read_overrides


@pytest.mark.parametrize("text", ["0", " 0\n", "25", "100"])
def test_a_bare_whole_number_is_a_weight(text: str) -> None:
    assert read_override(text) == Override(int(text))


def test_an_object_says_who_why_and_when() -> None:
    text = '{"weight": 10, "by": "guard", "reason": "errors", "evidence": "e1", "at": "2025-11-06T10:00:00Z", "x": 1}'
    assert read_override(text) == Override(10, "guard", "errors", "e1", "2025-11-06T10:00:00Z")


def test_a_word_of_the_wrong_type_does_not_cost_the_weight() -> None:
    assert read_override('{"weight": 10, "by": ["guard"], "at": null}') == Override(10)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is neither a whole number nor JSON"),
        ("off", "is neither a whole number nor JSON"),
        ("10%", "is neither a whole number nor JSON"),
        ("-1", "has no `weight`"),
        ("0.0", "has no `weight`"),
        ("٣", "is neither a whole number nor JSON"),
        ("101", "not in 0 to 100"),
        ("1000", "has no `weight`"),
        ("true", "has no `weight`"),
        ("[]", "has no `weight`"),
        ("{}", "has no `weight`"),
        ('{"weight": "0"}', "has no `weight`"),
        ('{"weight": true}', "has no `weight`"),
        ('{"weight": 0.5}', "has no `weight`"),
        ('{"weight": -1}', "not in 0 to 100"),
        ('{"weight": 101}', "not in 0 to 100"),
        ('{"weight": NaN}', "has no `weight`"),
        ("9" * 5000, "is neither a whole number nor JSON"),
        ("[" * 100_000, "is neither a whole number nor JSON"),
    ],
)
def test_what_cannot_be_read_is_weight_0_and_says_why(text: str, reason: str) -> None:
    read = read_override(text)
    assert read.weight_percent == 0
    assert reason in read.unreadable_because


def test_the_smaller_of_an_agents_entry_and_that_of_all_is_allowed() -> None:
    overrides = read_overrides({"qa": "50", "all": "25", "legal": "0"})
    assert [overrides.allowed_percent(agent) for agent in ("qa", "legal", "support")] == [25, 0, 25]


def test_without_an_entry_everything_is_allowed() -> None:
    overrides = read_overrides({"qa": "100"})
    assert (overrides.allowed_percent("legal"), overrides.is_active("legal")) == (100, False)
    assert (overrides.allowed_percent("qa"), overrides.is_active("qa")) == (100, True)


@pytest.mark.parametrize("text", ["2025-11-06T10:00:00Z", "2025-11-06T10:00:00", "2025-11-06T12:00:00+02:00"])
def test_a_moment_without_a_zone_is_by_utc(text: str) -> None:
    assert read_moment(text) == datetime(2025, 11, 6, 10, tzinfo=UTC)


def test_what_is_no_moment_is_none() -> None:
    assert read_moment("this morning") is None
