"""Records: whatever is judged can be written, read and judged again."""

from __future__ import annotations

import dataclasses
import json
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.rollout import (
    GATES_VERSION,
    SCORE_EDGES,
    SECONDS_EDGES,
    ArmCounts,
    Case,
    Histogram,
    Measurements,
    Newest,
    Period,
    Recent,
    RolledBack,
    Standing,
    UnreadableRecord,
    Users,
    read,
    record_of,
    replay,
    written,
)
from tests.rollout.examples import NOW, case

pytestmark = pytest.mark.slow


counts = st.one_of(st.none(), st.integers(0, 500))
times = st.integers(0, 3000).map(lambda hours: NOW - timedelta(hours=hours))


def histograms(edges: tuple[float, ...]) -> st.SearchStrategy[Histogram | None]:
    filled = st.lists(st.integers(0, 60), min_size=len(edges) + 1, max_size=len(edges) + 1)
    return st.one_of(st.none(), st.builds(Histogram, st.just(edges), filled.map(tuple), st.floats(0, 3000)))


arms = st.builds(
    ArmCounts, counts, counts, counts, histograms(SCORE_EDGES), histograms(tuple(map(float, SECONDS_EDGES))),
    st.one_of(st.none(), st.floats(0, 100)),
)  # fmt: skip
users = st.one_of(st.none(), st.builds(Users, st.integers(0, 500), st.integers(0, 500)))
seen = st.one_of(st.none(), times)
measurements = st.builds(
    Measurements,
    st.just(NOW),
    st.lists(st.builds(Period, st.sampled_from([10, 25, 50, 100]), times, arms, arms), max_size=4).map(tuple),
    st.one_of(st.none(), st.builds(Recent, *[st.integers(0, 30)] * 4)),
    st.builds(Newest, seen, seen, seen, seen),
    users,
    users,
    st.one_of(st.none(), st.integers(0, 100)),
    st.one_of(st.none(), st.floats(0, 200)),
)
standings = st.builds(Standing, st.one_of(st.none(), st.builds(RolledBack, times, st.text(), st.text())), seen)
cases = st.builds(
    case,
    measurements,
    weight_percent=st.sampled_from([0, 10, 25, 50, 100]),
    since=seen,
    standing=standings,
    enabled=st.booleans(),
    missing_sign_offs=st.lists(st.text(), max_size=2).map(tuple),
    freeze=st.one_of(st.none(), st.text()),
)


@settings(max_examples=150, deadline=None)
@given(cases)
def test_every_judgement_can_be_written_read_and_replayed(judged: Case) -> None:
    record = record_of(judged)

    again = read(written(record))

    assert again == record
    assert replay(again) == record.verdict


@settings(max_examples=100, deadline=None)
@given(cases, st.sampled_from(["errors", "quality", "latency", "cost"]))
def test_a_metric_that_is_not_there_never_lets_a_candidate_up(judged: Case, metric: str) -> None:
    newest = dataclasses.replace(judged.measurements.newest, **{metric: None})
    blind = dataclasses.replace(judged, measurements=dataclasses.replace(judged.measurements, newest=newest))

    verdict = record_of(blind).verdict

    assert verdict.action != "advance" or blind.weight_percent == 0


def test_a_record_says_by_which_version_it_was_made_and_is_one_line() -> None:
    text = written(record_of(case()))

    assert json.loads(text)["gates"] == GATES_VERSION
    assert "\n" not in text


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"gates": 1}', written(record_of(case())).replace('"gates":', '"gates":"1","gate":')]
)
def test_what_is_no_record_is_refused(text: str) -> None:
    with pytest.raises(UnreadableRecord, match="not a record of a judgement"):
        read(text)
