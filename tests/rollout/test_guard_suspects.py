"""What the guard looks at between rounds: the agents that may do harm, and no others."""

from __future__ import annotations

from tests.rollout.made_cluster import MadeCluster, said
from tests.rollout.made_guard import MadeCourt, guard, metric

MANY = [f"agent-{number:02}" for number in range(25)]


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


def test_after_a_round_that_broke_off_a_suspect_is_looked_at_alone_and_the_others_wait_for_the_next_round() -> None:
    court = MadeCourt(suspect=frozenset("a"), slow=frozenset("c"))
    guards = guard(MadeCluster(weights=dict.fromkeys("abcdef", 10)), court)
    guards.round()

    for slow in (frozenset("c"), frozenset[str]()):
        court.asked, court.slow = [], slow
        guards.look_again()
        assert [one.agent for one in court.asked] == ["a"]
        assert metric(guards, "sluice_guard_prometheus_up") == 0, "one answer is no word on what broke off"

    guards.round()
    assert metric(guards, "sluice_guard_prometheus_up") == 1
    assert set(guards.rulings) == set("abcdef")


def test_of_many_suspects_twenty_are_looked_at_again_and_the_others_in_the_next_round() -> None:
    court = MadeCourt(suspect=frozenset(MANY))
    guards = guard(MadeCluster(weights=dict.fromkeys(MANY, 10)), court)
    guards.round()

    court.asked = []
    guards.look_again()
    assert [one.agent for one in court.asked] == MANY[:20]
    assert guards.suspects == set(MANY)

    court.asked = []
    guards.round()
    assert [one.agent for one in court.asked] == MANY


def test_one_that_could_not_be_sent_back_is_looked_at_first() -> None:
    cluster, court = MadeCluster(weights=dict.fromkeys(MANY, 10)), MadeCourt(frozenset(MANY[-1:]), frozenset(MANY))
    cluster.fault = lambda method, path: said(403, {}) if method == "PATCH" else None
    guards = guard(cluster, court)
    guards.round()
    cluster.fault, court.asked = lambda method, path: None, []

    guards.look_again()

    assert MANY[-1] in {one.agent for one in court.asked}
    assert set(cluster.override or {}) == {MANY[-1]}


def test_one_that_waits_for_the_next_round_is_not_sent_back_by_what_was_judged_before() -> None:
    cluster, court = MadeCluster(weights=dict.fromkeys(MANY, 10)), MadeCourt(frozenset(MANY))
    cluster.fault = lambda method, path: said(403, {}) if method == "PATCH" else None
    guards = guard(cluster, court)
    guards.round()
    cluster.fault, court.bad = lambda method, path: None, frozenset()

    guards.look_again()

    assert cluster.override == {}


def test_where_another_look_breaks_off_those_that_waited_are_not_asked_before_the_next_round_either() -> None:
    court = MadeCourt(suspect=frozenset(MANY))
    guards = guard(MadeCluster(weights=dict.fromkeys([*MANY, "good"], 10)), court)
    guards.round()

    court.slow = frozenset(MANY[:1])
    guards.look_again()

    assert guards.suspects == frozenset()
    assert set(guards.rulings) == {"good"}
    assert metric(guards, "sluice_guard_prometheus_up") == 0
