from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.override import ALL, UNKNOWN, Override, read_moment, read_override, read_overrides

OLD, NEW = "qa-20251031", "qa-20260301"
CANDIDATES = (OLD, NEW, "qa-20260601")
ENTRY = st.builds(
    Override,
    st.integers(0, 100),
    by=st.sampled_from(["", "guard", "ada"]),
    reason=st.text(max_size=5),
    candidate=st.sampled_from(["", *CANDIDATES]),
)


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


@pytest.mark.parametrize("year", ["0001", "1969", "9001", "9999"])
@pytest.mark.parametrize("zone", ["", "Z", "-05:00", "+05:00"])
def test_a_moment_at_the_ends_of_time_is_none(year: str, zone: str) -> None:
    assert [read_moment(f"{year}-{day}{zone}") for day in ("01-01T00:00:00", "12-31T23:59:59")] == [None, None]


@pytest.mark.parametrize("text", ["1970-01-01T00:00:00+14:00", "9000-12-31T23:59:59-14:00"])
def test_the_first_and_the_last_moment_can_be_moved_to_any_zone_and_added_to(text: str) -> None:
    found = read_moment(text)

    assert found is not None
    assert found.astimezone(UTC) + timedelta(days=3650) > found


def test_an_entry_for_a_candidate_holds_while_the_flag_names_that_one() -> None:
    overrides = read_overrides({"qa": Override(0, "guard", candidate=OLD).text})

    assert [overrides.allowed_percent("qa", named) for named in (OLD, NEW, None)] == [0, 100, 100]
    assert [overrides.is_active("qa", named) for named in (OLD, NEW, None)] == [True, False, False]
    assert [one.candidate for one in overrides.ended("qa", NEW)] == [OLD]


def test_where_it_is_not_known_what_the_flag_names_every_entry_holds() -> None:
    overrides = read_overrides({"qa": Override(0, candidate=OLD).text})

    assert overrides.allowed_percent("qa") == overrides.allowed_percent("qa", UNKNOWN) == 0
    assert overrides.ended("qa", UNKNOWN) == ()


@pytest.mark.parametrize("candidate", ['""', "null", "7", '["qa-20251031"]', '{"name": "qa-20251031"}', "true"])
def test_a_candidate_that_cannot_be_read_holds_every_one(candidate: str) -> None:
    overrides = read_overrides({"qa": f'{{"weight": 0, "candidate": {candidate}}}'})

    assert [overrides.allowed_percent("qa", named) for named in (OLD, NEW, None)] == [0, 0, 0]


@pytest.mark.parametrize("text", ["0", "off", '{"weight": 0, "by": "ada"}'])
def test_an_entry_that_names_no_candidate_holds_every_one(text: str) -> None:
    assert read_overrides({"qa": text}).allowed_percent("qa", NEW) == 0


def test_an_override_of_all_is_ended_by_no_candidate_whatever_it_says() -> None:
    overrides = read_overrides({"all": Override(0, candidate=OLD, earlier=(Override(5, candidate=OLD),)).text})

    assert overrides.allowed_percent("qa", NEW) == 0
    assert overrides.ended(ALL, NEW) == ()


def test_an_entry_goes_on_to_say_what_it_replaced_and_does_not_cover() -> None:
    first = Override(0, "guard", "errors", "21 of 40", "2026-03-02T10:00:00Z", candidate=OLD)
    second = Override(0, "guard", "points", "", "2026-03-09T10:00:00Z", candidate=NEW).over(first)

    assert read_override(second.text) == second
    assert json.loads(second.text)["earlier"] == [json.loads(first.text)]
    overrides = read_overrides({"qa": second.text})
    assert [overrides.allowed_percent("qa", named) for named in (OLD, NEW, "qa-20260601")] == [0, 0, 100]


def test_what_an_entry_covers_it_replaces() -> None:
    fell = Override(25, "ada", candidate=OLD)

    assert Override(0, "guard", candidate=OLD).over(fell).earlier == ()
    assert Override(0, "ada").over(Override(10, "bob").over(fell)).earlier == ()
    assert Override(0, "guard", candidate=NEW).over(Override(25, "ada")).earlier == (Override(25, "ada"),)


@pytest.mark.parametrize("earlier", ["3", '"all"', "{}", "[7]", "null", '[{"weight": "0"}]'])
def test_what_was_replaced_and_cannot_be_read_stops_every_candidate(earlier: str) -> None:
    overrides = read_overrides({"qa": f'{{"weight": 0, "candidate": "{OLD}", "earlier": {earlier}}}'})

    assert overrides.allowed_percent("qa", NEW) == 0


def test_after_many_candidates_that_fell_every_one_is_held_until_a_person_looks() -> None:
    entry = Override(0, "guard", candidate="qa-0")
    for number in range(1, 12):
        entry = Override(5, "guard", "bad", candidate=f"qa-{number}").over(entry)
        if not entry.candidate:
            break

    assert (number, entry) == (9, Override(0, "guard", "bad"))


@given(entries=st.lists(ENTRY, min_size=1, max_size=14))
def test_no_entry_allows_any_candidate_more_than_those_it_replaced(entries: list[Override]) -> None:
    there: Override | None = None
    allowed = dict.fromkeys(CANDIDATES, 100)
    for entry in entries:
        there = entry.over(there)
        overrides = read_overrides({"qa": there.text})
        for named in CANDIDATES:
            now = overrides.allowed_percent("qa", named)
            assert now <= allowed[named]
            assert now <= entry.weight_percent or not entry.holds(named)
            allowed[named] = now
    assert there is not None
    assert read_override(there.text) == there


@pytest.mark.parametrize("field", ["by", "reason", "evidence", "at"])
def test_half_a_character_is_read_and_written_as_a_question_mark(field: str) -> None:
    entry = read_override(json.dumps({"weight": 0, field: "J\udcfcrgen"}))
    assert (entry.weight_percent, getattr(entry, field)) == (0, "J?rgen")
    assert json.loads(Override(0, by="J\udcfcrgen").text)["by"] == "J?rgen"


@pytest.mark.parametrize("candidate", [" ", "*", "QA-1", "qa 1", "\ud800"])
def test_a_candidate_that_is_no_name_of_a_model_holds_every_one(candidate: str) -> None:
    assert read_override(json.dumps({"weight": 0, "candidate": candidate})).holds("qa-20251031")


def test_spaces_around_a_candidate_are_nobodys_meaning() -> None:
    assert read_override('{"weight": 0, "candidate": " qa-1.5 "}').candidate == "qa-1.5"


def test_entries_earlier_than_the_earlier_hold_too() -> None:
    oldest = {"weight": 0, "candidate": "qa-1"}
    middle = {"weight": 0, "candidate": "qa-2", "earlier": [oldest]}
    overrides = read_overrides({"qa": json.dumps({"weight": 0, "candidate": "qa-3", "earlier": [middle]})})
    assert [overrides.allowed_percent("qa", name) for name in ("qa-1", "qa-2", "qa-3", "qa-4")] == [0, 0, 0, 100]


def test_more_earlier_entries_than_anybody_writes_stop_every_candidate() -> None:
    many = [{"weight": 0, "candidate": "qa-1"}] * 5000
    entry = read_override(json.dumps({"weight": 0, "candidate": "qa-2", "earlier": many}))
    assert entry.unreadable_because == "has more than 100 earlier entries"
    assert entry.holds("qa-3")


def test_a_field_said_twice_stops_every_candidate() -> None:
    entry = read_override('{"weight": 0, "weight": 100}')
    assert (entry.weight_percent, entry.unreadable_because) == (0, "says a field twice")
