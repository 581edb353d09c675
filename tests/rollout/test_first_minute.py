"""What the guard counts in a rollout's first minute, and in the last one of all."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.rollout.made_court import FAILING, GOOD, QA, START, court, measuring
from tests.rollout.made_prometheus import SCRAPE, MadePrometheus, serving

pytestmark = pytest.mark.slow


@pytest.fixture
def prometheus() -> Iterator[MadePrometheus]:
    with serving(MadePrometheus()) as made:
        yield made


def test_a_candidate_that_fails_from_its_first_users_on_is_rolled_back_before_its_first_minute_is_over(
    prometheus: MadePrometheus,
) -> None:
    users = {"candidate": (2, 2), "baseline": (18, 0)}
    before = {"baseline": {"ok": 20}}
    prometheus.traffic("qa", 0, START - timedelta(minutes=10), START - SCRAPE, each_scrape=before, users={})
    prometheus.traffic("qa", 10, START, START + timedelta(minutes=2), each_scrape=FAILING, users=users)

    two, four = (court(prometheus).judge(QA, START + number * SCRAPE) for number in range(2))

    assert (two.is_rollback, two.is_suspect) == (False, True), "two users are not enough, and worth another look"
    assert four.is_rollback is True
    assert "4 of 4 users who met a failure are on the candidate" in four.reason


def test_a_minute_of_enough_requests_is_judged_by_itself_and_one_of_few_with_the_half_minute_before(
    prometheus: MadePrometheus,
) -> None:
    end = START + timedelta(minutes=5)
    busy = {"candidate": {"fallback": 3}, "baseline": {"ok": 27}}
    prometheus.traffic("qa", 10, START, end - timedelta(minutes=1), each_scrape=GOOD)
    prometheus.traffic("qa", 10, end - timedelta(seconds=45), end, each_scrape=busy)
    minute = measuring(prometheus).of(QA, end).recent

    prometheus.samples.clear()
    prometheus.traffic("qa", 10, START, end - timedelta(minutes=1), each_scrape=GOOD)
    prometheus.traffic("qa", 10, end - timedelta(seconds=45), end, each_scrape=FAILING)
    longer = measuring(prometheus).of(QA, end).recent

    assert minute is not None
    assert (minute.candidate_failed, minute.candidate_requests) == (12, 12)
    assert longer is not None
    assert (longer.candidate_failed, longer.candidate_requests) == (8, 12)


def test_a_minute_with_too_few_of_the_baseline_is_judged_with_the_one_before_it(prometheus: MadePrometheus) -> None:
    end = START + timedelta(minutes=5)
    both_fail = {"candidate": {"fallback": 3}, "baseline": {"error": 1}}
    prometheus.traffic("qa", 75, START, end - timedelta(minutes=1), each_scrape=both_fail)
    prometheus.traffic(
        "qa", 75, end - timedelta(seconds=45), end, each_scrape={"candidate": {"fallback": 3}, "baseline": {}}
    )

    recent = measuring(prometheus).of(QA, end).recent

    assert recent is not None
    assert recent.candidate_requests > 12, "two minutes"
    assert recent.baseline_requests >= 4
    assert recent.baseline_failed == recent.baseline_requests


def test_what_a_candidate_did_moments_before_it_fell_is_not_counted_in_the_first_minute_of_the_next_rollout(
    prometheus: MadePrometheus,
) -> None:
    fell, rose = START + timedelta(minutes=30), START + timedelta(minutes=31)
    users = {"candidate": (2, 2), "baseline": (18, 0)}
    prometheus.traffic("qa", 10, START, fell - SCRAPE, each_scrape=FAILING, users=users)
    prometheus.traffic("qa", 0, fell, rose - SCRAPE, each_scrape={"baseline": {"ok": 20}}, users={})
    prometheus.traffic("qa", 10, rose, rose + SCRAPE, each_scrape=GOOD, users={})

    (period,) = measuring(prometheus).of(QA, rose + SCRAPE).periods

    assert period.candidate.requests is None


def test_how_users_are_drawn_is_not_told_from_a_look_that_began_before_the_rollout(prometheus: MadePrometheus) -> None:
    users = {"candidate": (2, 0), "baseline": (18, 0)}
    prometheus.traffic(
        "qa", 0, START - timedelta(minutes=10), START - SCRAPE, each_scrape=GOOD, users={"baseline": (20, 0)}
    )
    prometheus.traffic("qa", 10, START, START + timedelta(minutes=3), each_scrape=GOOD, users=users)

    early, later = (measuring(prometheus).of(QA, START + timedelta(minutes=minutes)) for minutes in (1, 3))

    assert (early.users_of_step, len(early.periods), early.periods[0].candidate.failed_users) == (None, 1, 0)
    assert later.users_of_step is not None
