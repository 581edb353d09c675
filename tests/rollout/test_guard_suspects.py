"""What the guard looks at between rounds: the agents that may do harm, and no others."""

from __future__ import annotations

from tests.rollout.made_cluster import MadeCluster
from tests.rollout.made_guard import MadeCourt, guard, metric


def test_only_a_suspect_is_judged_again_before_the_next_round_and_is_sent_back_once_it_is_sure() -> None:
    cluster, court = MadeCluster(weights={"qa": 10, "legal": 25}), MadeCourt(suspect=frozenset({"qa"}))
    guards = guard(cluster, court)
    guards.round()
    assert guards.suspects == {"qa"}

    court.asked.clear()
    court.bad = frozenset({"qa"})
    guards.look_again()

    assert [one.agent for one in court.asked] == ["qa"]
    assert set(cluster.override or {}) == {"qa"}
    assert metric(guards, "sluice_guard_verdict", agent="legal", action="hold") == 1

    court.asked.clear()
    guards.look_again()
    assert (court.asked, guards.suspects) == ([], frozenset())


def test_another_look_at_one_suspect_counts_all_who_have_users_where_many_go_bad_together() -> None:
    names = ("qa", "legal", "content", "support", "analyst", "more", "most")
    court = MadeCourt(suspect=frozenset(names[:3]))
    cluster = MadeCluster(weights=dict.fromkeys(names, 10))
    guards = guard(cluster, court)
    guards.round()

    court.bad = court.suspect
    guards.look_again()

    assert set(cluster.override or {}) == set(names[:3]), "three of seven are not half of all"


def test_a_prometheus_that_is_away_is_not_asked_again_before_the_next_round() -> None:
    court = MadeCourt(suspect=frozenset({"qa"}))
    guards = guard(MadeCluster(weights={"qa": 10}), court)
    guards.round()

    court.is_blind = True
    guards.look_again()

    assert guards.suspects == frozenset()
    assert metric(guards, "sluice_guard_prometheus_up") == 0
