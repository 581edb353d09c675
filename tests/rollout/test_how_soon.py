"""The bench that says how soon a candidate that always fails is sent back: what it scrapes, asks, and prints."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bench.first_minute.__main__ import main, row
from bench.first_minute.failing import BEGAN, Failing, Pace
from bench.first_minute.scraped import Scraped, Series, UnknownQuery
from sluice.local.folders import cache_folder
from sluice.local.monitoring_programs import ensure_monitoring_programs
from sluice.progress import Progress
from sluice.rollout.guard.loop import Watched
from sluice.rollout.guard.measuring import Measuring
from sluice.rollout.guard.prometheus import Prometheus
from tests.rollout.filled_prometheus import filled_prometheus

QA = Watched("qa", "qa-20251031", 10)
AS_IT_IS = Pace(15, 15, 5)


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ((100, 104, 108, 112), 16.0),
        ((0, 4, 8, 12), 14.0),
        ((5, 5, 5, 5), 0.0),
        ((7,), None),
    ],
)
def test_a_counter_is_thought_on_to_the_edges_of_a_window_and_never_to_below_0(
    values: tuple[int, ...], wanted: float | None
) -> None:
    at = [7.5 + 15 * number for number in range(len(values))]

    assert Series({}, at, values).increase(0, 60) == wanted


def test_a_sample_of_five_minutes_ago_is_stale() -> None:
    one = Series({}, [0.0], [3])

    assert (one.last(299), one.last(300), one.last(-1)) == ((0.0, 3), None, None)


def test_a_query_in_a_form_that_is_not_known_ends_the_bench() -> None:
    with pytest.raises(UnknownQuery, match="rate"):
        Scraped({}).send("/api/v1/query", {"query": "rate(up[1m])", "time": "0"})


def test_a_line_says_who_was_out_in_time_and_that_one_never_was() -> None:
    in_time = row("at once", AS_IT_IS, [20.0, 30.0, 59.9, 60.0])
    never = row("at once", AS_IT_IS, [20.0, None])

    assert in_time == "| 15, 15, 5 s | at once | 45 s | 60 s | 60 s | 3 of 4 |"
    assert never == "| 15, 15, 5 s | at once | 160 s | 286 s | more than 300 s | 1 of 2 |"


@pytest.mark.slow
def test_what_it_measures_is_what_a_real_prometheus_would_have_it_measure(tmp_path: Path) -> None:
    scraped = Failing(3, good_seconds=120).scraped(every=15)
    programs = ensure_monitoring_programs(cache_folder(), Progress(quiet=True))
    match = 'namespace="made"'
    moments = [BEGAN + timedelta(seconds=seconds) for seconds in (20.5, 41, 62.25, 119, 133, 151.75, 170, 220)]

    with filled_prometheus(programs, scraped, tmp_path) as url:
        real = [Measuring(Prometheus(url), match).of(QA, at) for at in moments]
    made = [Measuring(Prometheus("made", send=scraped.send), match).of(QA, at) for at in moments]

    assert made == real
    assert sum(one.recent is not None and one.recent.candidate_failed > 0 for one in made) >= 3


@pytest.mark.slow
def test_who_looks_at_a_suspect_sooner_sends_it_back_no_later() -> None:
    found = [Failing(number, 0).seconds_until_verdict([Pace(15, 15, 15), AS_IT_IS]) for number in range(10)]

    pairs = [(slow, soon) for slow, soon in found if slow is not None and soon is not None]
    assert len(pairs) == 10
    assert all(soon <= slow for slow, soon in pairs)
    assert sum(soon for _, soon in pairs) < sum(slow for slow, _ in pairs)


@pytest.mark.slow
def test_it_prints_a_table_of_every_pace(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--runs", "2", "--jobs", "1", "--scraped", "15", "5"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + 3 * 2
    assert all(line.count("|") == 7 for line in lines)


@pytest.mark.parametrize("wrong", [["--runs", "0"], ["--scraped", "-5"]])
def test_a_number_below_1_is_refused_in_one_sentence(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(wrong)

    assert "at least 1" in capsys.readouterr().err
