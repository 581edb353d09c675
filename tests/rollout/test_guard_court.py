"""From Prometheus to a ruling: what is measured, what is not, and what the gates make of it in the guard."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sluice.registry.building import registry_of_sections, sections_of
from sluice.rollout import Action, read, replay
from sluice.rollout.guard.loop import CannotSee, Guard, Watched
from sluice.rollout.guard.measuring import Measuring
from sluice.rollout.guard.metrics import GuardMetrics
from sluice.rollout.guard.notes import judgement_of
from sluice.rollout.guard.prometheus import Prometheus
from tests.rollout.made_cluster import NAMESPACE
from tests.rollout.made_court import (
    BOTH_FAILING,
    FAILING,
    GOOD,
    MATCH,
    QA,
    REGISTRY,
    START,
    cluster,
    court,
    measuring,
)
from tests.rollout.made_prometheus import SCRAPE, MadePrometheus, serving

pytestmark = pytest.mark.slow


@pytest.fixture
def prometheus() -> Iterator[MadePrometheus]:
    with serving(MadePrometheus()) as made:
        yield made


def test_both_arms_are_counted_since_the_weight_rose(prometheus: MadePrometheus) -> None:
    prometheus.traffic("qa", 0, START - timedelta(hours=1), START, each_scrape={"baseline": {"ok": 20}})
    end = START + timedelta(minutes=30)
    each = {"candidate": {"ok": 1, "error": 1, "rejected": 5}, "baseline": {"ok": 18}}
    prometheus.traffic("qa", 10, START + timedelta(seconds=15), end, each_scrape=each)

    measured = measuring(prometheus).of(QA, end)

    (period,) = measured.periods
    assert period.weight_percent == 10
    assert abs(period.began - START) <= timedelta(minutes=5)
    assert period.candidate.requests == pytest.approx(240, abs=40)
    assert period.candidate.failed == pytest.approx(120, abs=20)
    assert period.baseline.failed == 0
    assert period.baseline.scores is not None
    assert period.baseline.scores.mean == pytest.approx(8.0)
    assert period.candidate.seconds is not None
    assert period.candidate.cost_dollars is not None
    assert measured.served_weight_percent == 10
    assert measured.newest.errors == end
    assert measured.recent is not None
    assert measured.recent.candidate_failed == 6, "of a minute and a half: a minute holds eight requests"


def test_a_step_began_at_one_moment_whoever_looks_when(prometheus: MadePrometheus) -> None:
    began, end = START + timedelta(minutes=10), START + timedelta(minutes=15)
    prometheus.traffic("qa", 10, START, began - SCRAPE, each_scrape=GOOD)
    prometheus.traffic("qa", 25, began, end, each_scrape=GOOD)

    looks = [end - timedelta(seconds=seconds) for seconds in (0, 1, 7.3, 14.9)]
    found = {measuring(prometheus).of(Watched("qa", "qa-20251031", 25), look).periods[-1].began for look in looks}

    assert found == {began}


def test_a_period_ends_with_the_weight_and_with_the_day_and_is_asked_for_once(prometheus: MadePrometheus) -> None:
    changed, end = START + timedelta(hours=4), START + timedelta(hours=20)
    prometheus.traffic("qa", 10, START, changed, each_scrape=GOOD)
    prometheus.traffic("qa", 25, changed, end, each_scrape=GOOD)
    one = measuring(prometheus)

    watched = Watched("qa", "qa-20251031", 25)
    first = one.of(watched, end)
    asked = len(prometheus.queries)
    second = one.of(watched, end)

    assert [period.weight_percent for period in first.periods] == [10, 25, 25]
    assert first.periods[2].began == datetime(2026, 11, 22, tzinfo=UTC)
    assert second == first
    assert len(prometheus.queries) - asked <= asked / 2


def test_after_a_person_lifted_the_override_only_what_came_then_counts(prometheus: MadePrometheus) -> None:
    resumed, end = START + timedelta(hours=1), START + timedelta(hours=2)
    prometheus.traffic("qa", 10, START, resumed, each_scrape=FAILING)
    prometheus.traffic("qa", 10, resumed + timedelta(seconds=15), end, each_scrape=GOOD)

    measured = measuring(prometheus).of(Watched("qa", "qa-20251031", 10, resumed), end)

    (period,) = measured.periods
    assert period.began == resumed
    assert period.candidate.failed == 0
    assert court(prometheus).judge(Watched("qa", "qa-20251031", 10, resumed), end).is_rollback is False


@pytest.mark.parametrize(("since", "is_rollback"), [(GOOD, False), (FAILING, True)])
def test_what_failed_before_the_override_was_lifted_sends_nobody_back_a_minute_later(
    prometheus: MadePrometheus, since: dict[str, dict[str, int]], is_rollback: bool
) -> None:
    each = {arm: {outcome: 10 * count for outcome, count in of.items()} for arm, of in since.items()}
    resumed, end = START + timedelta(hours=1), START + timedelta(hours=1, minutes=1)
    prometheus.traffic("qa", 10, START, resumed, each_scrape={"candidate": {"fallback": 90}, "baseline": {"ok": 180}})
    prometheus.traffic("qa", 10, resumed + SCRAPE, end, each_scrape=each)

    assert court(prometheus).judge(Watched("qa", "qa-20251031", 10, resumed), end).is_rollback is is_rollback


def test_one_that_is_resumed_and_climbs_again_began_at_its_first_step(prometheus: MadePrometheus) -> None:
    fell, resumed = START + timedelta(hours=1), START + timedelta(hours=1, minutes=10)
    first, second, end = (resumed + timedelta(minutes=minutes) for minutes in (3, 60, 120))
    prometheus.traffic("qa", 50, START, fell - SCRAPE, each_scrape=FAILING)
    prometheus.traffic("qa", 0, fell, first - SCRAPE, each_scrape={"baseline": {"ok": 20}})
    prometheus.traffic("qa", 10, first, second - SCRAPE, each_scrape=GOOD)
    prometheus.traffic("qa", 25, second, end, each_scrape=GOOD)

    measured = measuring(prometheus).of(Watched("qa", "qa-20251031", 25, resumed), end)

    assert [period.weight_percent for period in measured.periods] == [10, 25], "and not 25 from the moment of resuming"


def test_a_weight_that_rose_a_moment_ago_is_measured_at_any_fraction_of_a_millisecond(
    prometheus: MadePrometheus,
) -> None:
    now = START + timedelta(minutes=1, microseconds=600)  # asked for in milliseconds, this is later than now
    prometheus.traffic("qa", 10, START, now, each_scrape=GOOD)

    (period,) = measuring(prometheus).of(QA, now).periods

    assert period.weight_percent == 10
    assert START <= period.began <= now


@pytest.mark.parametrize("before", [0, 50])
def test_whoever_looks_for_the_first_time_sees_when_a_weight_rose_minutes_ago(
    prometheus: MadePrometheus, before: int
) -> None:
    rose, now = START + timedelta(minutes=2), START + timedelta(minutes=4)
    prometheus.traffic("qa", before, START - timedelta(hours=1), START, each_scrape={"baseline": {"ok": 20}})
    prometheus.traffic("qa", 0, START + SCRAPE, rose - SCRAPE, each_scrape={"baseline": {"ok": 20}})
    prometheus.traffic("qa", 10, rose, now, each_scrape=GOOD)

    (period,) = measuring(prometheus).of(QA, now).periods

    assert period.began == rose
    assert period.candidate.requests, "two minutes are enough to count"


def test_what_fell_and_rose_again_is_another_rollout(prometheus: MadePrometheus) -> None:
    fell, rose, end = (START + timedelta(hours=hour) for hour in (1, 2, 3))
    prometheus.traffic("qa", 50, START, fell, each_scrape=FAILING)
    prometheus.traffic("qa", 0, fell, rose, each_scrape={"baseline": {"ok": 20}})
    prometheus.traffic("qa", 10, rose, end, each_scrape=GOOD)

    (period,) = measuring(prometheus).of(QA, end).periods

    assert abs(period.began - rose) <= timedelta(minutes=5)
    assert period.candidate.failed == 0


def test_steps_of_two_minutes_each_are_all_seen_by_whoever_looks_for_the_first_time(prometheus: MadePrometheus) -> None:
    second, end = START + timedelta(minutes=2), START + timedelta(minutes=4)
    prometheus.traffic("qa", 10, START, second - SCRAPE, each_scrape=GOOD)
    prometheus.traffic("qa", 25, second, end, each_scrape=GOOD)

    measured = measuring(prometheus).of(Watched("qa", "qa-20251031", 25), end)

    assert [(period.weight_percent, period.began) for period in measured.periods] == [(10, START), (25, second)]


def test_what_fell_and_rose_again_within_minutes_is_another_rollout_too(prometheus: MadePrometheus) -> None:
    fell, rose = START + timedelta(hours=3, minutes=1), START + timedelta(hours=3, minutes=2)
    end = START + timedelta(hours=3, minutes=5)
    prometheus.traffic("qa", 10, START, fell - SCRAPE, each_scrape=FAILING)
    prometheus.traffic("qa", 0, fell, rose - SCRAPE, each_scrape={"baseline": {"ok": 20}})
    prometheus.traffic("qa", 10, rose, end, each_scrape=GOOD)

    (period,) = measuring(prometheus).of(QA, end).periods

    assert (period.began, period.candidate.failed) == (rose, 0)


def test_what_was_never_scraped_is_none_and_not_0(prometheus: MadePrometheus) -> None:
    measured = measuring(prometheus).of(QA, START)

    assert [period.candidate.requests for period in measured.periods] == [None]
    assert (measured.recent, measured.newest.errors, measured.served_weight_percent) == (None, None, None)


def test_another_environments_series_are_not_counted(prometheus: MadePrometheus) -> None:
    end = START + timedelta(hours=1)
    prometheus.traffic("qa", 10, START, end, each_scrape=FAILING)
    other = Measuring(Prometheus(prometheus.url), 'namespace="sluice-other"')

    assert other.of(QA, end).recent is None


@pytest.mark.parametrize(
    "answer",
    [
        (503, "starting"),
        (200, "<html>"),
        (200, "[]"),
        (200, '{"status": "error", "error": "too many samples"}'),
        (422, '{"status": "error", "error": "parse error"}'),
        (200, '{"status": "success", "data": {"resultType": "scalar", "result": []}}'),
    ],
)
def test_what_is_no_answer_is_not_seen(prometheus: MadePrometheus, answer: tuple[int, str]) -> None:
    prometheus.answer = answer

    with pytest.raises(CannotSee, match=r"Prometheus at .* answers"):
        measuring(prometheus).of(QA, START)


def test_before_each_query_the_lease_is_kept(prometheus: MadePrometheus) -> None:
    kept: list[int] = []
    Measuring(Prometheus(prometheus.url, lambda: kept.append(1)), MATCH).of(QA, START)

    assert len(kept) == len(prometheus.queries) > 5


def test_one_that_is_gone_is_not_seen() -> None:
    with pytest.raises(CannotSee, match="does not answer"):
        Measuring(Prometheus("http://127.0.0.1:9"), MATCH).of(QA, START)


def test_a_candidate_that_always_fails_is_rolled_back_within_a_minute(prometheus: MadePrometheus) -> None:
    prometheus.traffic("qa", 10, START, START + timedelta(minutes=10), each_scrape=GOOD)
    bad = START + timedelta(minutes=10, seconds=15)
    many = {"candidate": {"fallback": 6}, "baseline": {"ok": 54}}
    prometheus.traffic("qa", 10, bad, bad + timedelta(minutes=5), each_scrape=many)
    sits = court(prometheus)

    rounds = (bad + timedelta(seconds=15 * number) for number in range(20))
    first = next(at for at in rounds if sits.judge(QA, at).is_rollback)

    ruling = sits.judge(QA, first)
    print(f"\nall failing: ruled {(first - bad).total_seconds():.0f} s after the first bad scrape: {ruling.reason}")
    assert first - bad <= timedelta(seconds=60)
    assert replay(read(ruling.record)).action is Action.ROLLBACK


@pytest.mark.parametrize("each", [GOOD, BOTH_FAILING], ids=["both good", "both failing"])
def test_a_candidate_that_is_no_worse_is_left_alone(
    prometheus: MadePrometheus, each: Mapping[str, Mapping[str, int]]
) -> None:
    end = START + timedelta(hours=3)
    prometheus.traffic("qa", 10, START, end, each_scrape=each)

    ruling = court(prometheus).judge(QA, end)

    assert (ruling.is_rollback, ruling.is_suspect) == (False, False)


def test_metrics_that_stopped_hold(prometheus: MadePrometheus) -> None:
    end = START + timedelta(hours=1)
    prometheus.traffic("qa", 10, START, end, each_scrape=GOOD)

    ruling = court(prometheus).judge(QA, end + timedelta(minutes=20))

    assert not ruling.is_rollback
    assert ruling.action == "hold"


def test_a_candidate_that_the_configuration_does_not_know_is_left_alone(prometheus: MadePrometheus) -> None:
    ruling = court(prometheus).judge(Watched("qa", "qa-20991231", 10), START)

    assert (ruling.action, ruling.is_rollback) == ("hold", False)
    assert prometheus.queries == []


def test_from_the_first_bad_scrape_to_the_override_and_without_prometheus_nothing(prometheus: MadePrometheus) -> None:
    end = START + timedelta(minutes=20)
    prometheus.traffic("qa", 10, START, START + timedelta(minutes=10), each_scrape=GOOD)
    many = {"candidate": {"error": 6}, "baseline": {"ok": 54}}
    prometheus.traffic("qa", 10, START + timedelta(minutes=10, seconds=15), end, each_scrape=many)
    made, metrics = cluster(), GuardMetrics()

    def say(text: str, about: Mapping[str, str]) -> None:
        """Nobody reads it here."""

    one = Guard(made, "made", NAMESPACE, court(prometheus, made), metrics, lambda: True, say, now=lambda: end)
    prometheus.answer = (503, "gone")
    one.round()
    assert made.override == {}
    assert metrics.registry.get_sample_value("sluice_guard_prometheus_up") == 0

    prometheus.answer = None
    one.round()
    assert made.overrides.entries["qa"].by == "guard"
    (facts,) = (json.loads(text) for text in made.facts.values())
    assert replay(read(judgement_of(facts))).action is Action.ROLLBACK


@pytest.mark.parametrize(("said", "held"), [({}, ""), ({"override_ends": "new_candidate"}, "qa-20251031")])
def test_a_ruling_says_which_candidate_to_hold_alone_where_the_registry_lets_another_end_it(
    prometheus: MadePrometheus, said: dict[str, str], held: str
) -> None:
    end = START + timedelta(minutes=5)
    prometheus.traffic("qa", 10, START, end, each_scrape={"candidate": {"error": 6}, "baseline": {"ok": 54}})
    sections = json.loads(json.dumps(sections_of(REGISTRY)))
    sections["agents"]["qa"] |= said
    one = replace(court(prometheus), registry=registry_of_sections(sections, {}))

    ruling = one.judge(QA, end)

    assert (ruling.is_rollback, ruling.held_candidate) == (True, held)


def test_what_was_lifted_before_the_rollout_began_is_no_part_of_it(prometheus: MadePrometheus) -> None:
    lifted, rose, end = (START + timedelta(hours=hour) for hour in (0, 3, 4))
    prometheus.traffic("qa", 0, START, rose, each_scrape={"baseline": {"ok": 20}})
    prometheus.traffic("qa", 10, rose, end, each_scrape=GOOD)

    (period,) = measuring(prometheus).of(Watched("qa", "qa-20251031", 10, lifted), end).periods

    assert abs(period.began - rose) <= timedelta(minutes=5)


def test_users_are_measured_of_the_rollout_and_of_its_step(prometheus: MadePrometheus) -> None:
    changed, end = START + timedelta(hours=1), START + timedelta(hours=3)
    each = {"candidate": (1, 1), "baseline": (9, 2)}
    prometheus.traffic("qa", 10, START, changed, each_scrape=FAILING, users=each)
    prometheus.traffic("qa", 25, changed, end, each_scrape=FAILING, users=each)

    measured = measuring(prometheus).of(Watched("qa", "qa-20251031", 25), end)

    assert measured.users is not None
    assert measured.users_of_step is not None
    assert measured.users.candidate == pytest.approx(3 * 240, abs=30)
    assert measured.users_of_step.candidate == pytest.approx(2 * 240, abs=30)
    assert measured.users_of_step.baseline == pytest.approx(9 * measured.users_of_step.candidate, abs=20)
    first, second = measured.periods
    assert first.candidate.failed_users == pytest.approx(240, abs=25)
    assert second.baseline.failed_users == pytest.approx(2 * 480, abs=25)


def test_one_user_who_fails_all_day_is_not_harm_where_users_are_counted(prometheus: MadePrometheus) -> None:
    end = START + timedelta(hours=2)
    mixed = {"candidate": {"ok": 4, "fallback": 1}, "baseline": {"ok": 45}}
    nobody_new = {"candidate": (0, 0), "baseline": (0, 0)}
    prometheus.traffic("qa", 10, START, end, each_scrape=mixed)
    assert court(prometheus).judge(QA, end).is_rollback is True

    prometheus.samples.clear()
    prometheus.traffic("qa", 10, START, end, each_scrape=mixed, users=nobody_new)
    assert court(prometheus).judge(QA, end).is_rollback is False


def test_another_candidate_does_not_answer_for_the_one_before(prometheus: MadePrometheus) -> None:
    fell, rose, end = (START + timedelta(hours=hour) for hour in (1, 2, 3))
    one = measuring(prometheus)
    prometheus.traffic("qa", 10, START, fell, each_scrape=FAILING)
    one.of(QA, fell)
    prometheus.traffic("qa", 0, fell, rose, each_scrape={"baseline": {"ok": 20}})
    prometheus.traffic("qa", 10, rose, end, each_scrape=GOOD)

    for candidate in ("qa-20260301", "qa-20251031"):
        (period,) = one.of(Watched("qa", candidate, 10), end).periods
        assert abs(period.began - rose) <= timedelta(minutes=5)
