"""The guard's rounds: what it sets, what it leaves alone, and what a kill at any line leaves behind."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from sluice.override import Override
from sluice.rollout.guard.loop import Watched
from sluice.rollout.guard.notes import judgement_of
from sluice.rollout.override_map import lift
from tests.rollout.made_cluster import NAMESPACE, MadeAnswer, MadeCluster, said
from tests.rollout.made_guard import MadeCourt, guard, metric

START = datetime(2026, 11, 21, 10, tzinfo=UTC)


def test_one_that_does_harm_is_sent_back_with_its_reason_event_and_facts() -> None:
    cluster = MadeCluster()
    one = guard(cluster, MadeCourt(frozenset({"qa"})))

    one.round()

    (entry,) = cluster.overrides.entries.values()
    assert set(cluster.overrides.entries) == {"qa"}
    assert (entry.weight_percent, entry.by, entry.reason) == (0, "guard", "21 of 40 failed")
    (event,) = cluster.events.values()
    assert event["message"] == "qa went back to the baseline: 21 of 40 failed. baseline 0 of 300"
    (text,) = cluster.facts.values()
    facts = json.loads(text)
    assert facts["weights_percent"] == {"qa": 50}
    assert facts["failed_queries"] == ["sluice failures made qa"]
    assert judgement_of(facts) == '{"made": true}'
    assert metric(one, "sluice_guard_rollbacks_total", agent="qa") == 1
    assert metric(one, "sluice_guard_rolled_back", agent="qa") == 1
    assert metric(one, "sluice_guard_verdict", agent="legal", action="hold") == 1


def test_round_after_round_nothing_more_is_written() -> None:
    cluster = MadeCluster()
    court = MadeCourt(frozenset({"qa"}))
    one = guard(cluster, court)
    one.round()
    before = (dict(cluster.override or {}), dict(cluster.events), dict(cluster.facts), cluster.writes)

    for _ in range(5):
        one.round()

    assert (cluster.override, cluster.events, cluster.facts, cluster.writes) == before
    assert [watched.agent for watched in court.asked[2:]] == ["legal"] * 5


def test_what_a_person_holds_is_neither_judged_nor_changed() -> None:
    held = '{"weight": 0, "by": "ada"}'
    cluster = MadeCluster(override={"qa": held, "legal": "off"})
    court = MadeCourt(frozenset({"qa", "legal"}))

    guard(cluster, court).round()

    assert cluster.override == {"qa": held, "legal": "off"}
    assert court.asked == []


def test_what_a_person_only_narrowed_is_judged_and_lowered() -> None:
    cluster = MadeCluster(override={"qa": '{"weight": 25, "by": "ada"}'})
    court = MadeCourt(frozenset({"qa"}))

    guard(cluster, court).round()

    assert court.asked[0].weight_percent == 25
    assert cluster.overrides.entries["qa"].by == "guard"


def test_prometheus_gone_moves_nothing_and_says_so() -> None:
    cluster = MadeCluster()
    one = guard(cluster, MadeCourt(frozenset({"qa"}), is_blind=True))

    one.round()

    assert cluster.override == {}
    assert metric(one, "sluice_guard_prometheus_up") == 0
    assert metric(one, "sluice_guard_failures_total", stage="measure") == 1
    assert metric(one, "sluice_guard_verdict", agent="qa", action="hold") is None


def test_the_api_server_gone_moves_nothing_and_says_so() -> None:
    cluster = MadeCluster(fault=lambda method, path: said(503, {}))
    one = guard(cluster, MadeCourt(frozenset({"qa"})))

    one.round()

    assert metric(one, "sluice_guard_failures_total", stage="cluster") == 1
    assert metric(one, "sluice_guard_heartbeat_timestamp_seconds") == 0


def test_one_that_does_not_hold_the_lease_writes_nothing() -> None:
    cluster = MadeCluster()

    guard(cluster, MadeCourt(frozenset({"qa"})), acts=False).round()

    assert (cluster.override, cluster.events, cluster.facts) == ({}, {}, {})


def test_two_that_both_think_they_act_set_one_entry() -> None:
    cluster = MadeCluster(weights={"qa": 50})
    first, second = (guard(cluster, MadeCourt(frozenset({"qa"}))) for _ in range(2))

    def other_is_quicker() -> None:
        cluster.before_patch = lambda: None
        second.round()

    cluster.before_patch = other_is_quicker
    first.round()

    assert len(cluster.overrides.entries) == len(cluster.events) == len(cluster.facts) == 1
    made = [metric(each, "sluice_guard_rollbacks_total", agent="qa") for each in (first, second)]
    assert made == [None, 1]


def test_when_half_of_all_go_bad_together_one_entry_holds_all() -> None:
    cluster = MadeCluster(weights=dict.fromkeys("abcde", 10))

    guard(cluster, MadeCourt(frozenset("abc"))).round()

    assert set(cluster.overrides.entries) == {"all"}
    assert cluster.overrides.entries["all"].reason == "3 agents went bad within 10 minutes: a, b, c"
    assert len(cluster.events) == len(cluster.facts) == 1


def test_agents_that_go_bad_one_after_the_other_within_minutes_count_together() -> None:
    cluster = MadeCluster(weights=dict.fromkeys("abcde", 10))
    for bad in ("a", "ab", "abc"):
        guard(cluster, MadeCourt(frozenset(bad))).round()

    assert set(cluster.overrides.entries) == {"a", "b", "all"}


def test_three_of_many_are_three() -> None:
    cluster = MadeCluster(weights=dict.fromkeys("abcdefgh", 10))

    guard(cluster, MadeCourt(frozenset("abc"))).round()

    assert set(cluster.overrides.entries) == {"a", "b", "c"}


def test_writes_are_few_however_many_agents_go_bad() -> None:
    agents = [f"agent-{number}" for number in range(100)]
    cluster = MadeCluster(weights=dict.fromkeys(agents, 10))

    guard(cluster, MadeCourt(frozenset(agents[:20]))).round()

    assert set(cluster.overrides.entries) == {"all"}


def test_what_a_person_just_lifted_is_left_to_them_and_then_judged_by_what_came_after() -> None:
    at = f"{START:%Y-%m-%dT%H:%M:%SZ}"
    cluster = MadeCluster(weights={"qa": 10}, override={"qa": Override(0, by="bob", at=at).text})
    lift(cluster, NAMESPACE, "qa", cluster.overrides.entries["qa"], by="ada", reason="mended", at=at, manager="made")
    court = MadeCourt(frozenset({"qa"}))

    guard(cluster, court, at=START + timedelta(seconds=59)).round()
    assert court.asked == []
    guard(cluster, court, at=START + timedelta(seconds=61)).round()
    assert court.asked[0].resumed_at == START
    assert "qa" in cluster.overrides.entries


def test_one_that_a_person_lifted_within_seconds_is_noted_all_the_same() -> None:
    entry, at = Override(0, by="guard", reason="made"), datetime.now(UTC).isoformat()
    cluster = MadeCluster(weights={"qa": 10}, override={"qa": entry.text})
    lift(cluster, NAMESPACE, "qa", entry, by="ada", reason="x", at=at, manager="made")

    guard(cluster, MadeCourt()).round()

    assert len(cluster.events) == len(cluster.facts) == 1


def test_a_long_judgement_is_kept_whole() -> None:
    cluster = MadeCluster()
    record = json.dumps([{"period": number, "requests": number * 7} for number in range(500)])

    guard(cluster, MadeCourt(frozenset({"qa"}), record=record)).round()

    (text,) = cluster.facts.values()
    assert judgement_of(json.loads(text)) == record
    assert len(text) < 10_000


def test_old_facts_go_and_those_of_what_holds_stay() -> None:
    cluster = MadeCluster(weights=dict.fromkeys((f"agent-{number}" for number in range(30)), 10))
    cluster.facts = {f"2020{number:02}.old.{number}": "{}" for number in range(20)}
    cluster.override = {f"agent-{n}": Override(0, by="guard", at=f"2026-11-21T10:00:{n:02}Z").text for n in range(25)}

    for _ in range(3):
        guard(cluster, MadeCourt()).round()

    assert len(cluster.facts) == 25
    assert not any(".old." in key for key in cluster.facts)


class Killed(BaseException):
    """The process ends here."""


def killing(cluster: MadeCluster, number: int, *, after: bool) -> None:
    """Kill whoever sends the request of that number: before the API server has it, or after it was obeyed."""

    def fault(method: str, path: str) -> MadeAnswer | None:
        if len(cluster.requests) == number:
            if after:
                cluster._answer(method, path, cluster.requests[-1][2])
            raise Killed
        return None

    cluster.fault = fault


def requests_of_a_rollback() -> int:
    cluster = MadeCluster(weights={"qa": 50})
    guard(cluster, MadeCourt(frozenset({"qa"}))).round()
    return len(cluster.requests)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("number", range(1, requests_of_a_rollback() + 1))
def test_killed_at_any_request_the_next_guard_leaves_one_entry_one_event_and_its_facts(
    number: int, after: bool
) -> None:
    cluster = MadeCluster(weights={"qa": 50})
    killing(cluster, number, after=after)
    with pytest.raises(Killed):
        guard(cluster, MadeCourt(frozenset({"qa"}))).round()
    cluster.fault = lambda method, path: None
    left = dict(cluster.override or {})

    for _ in range(2):
        guard(cluster, MadeCourt(frozenset({"qa"}))).round()

    assert set(cluster.overrides.entries) == {"qa"}
    assert left in ({}, cluster.override), "what was set is not set anew"
    assert len(cluster.events) == len(cluster.facts) == 1
    (facts,) = (json.loads(text) for text in cluster.facts.values())
    assert (facts["at"], judgement_of(facts)) == (cluster.overrides.entries["qa"].at, '{"made": true}')


def test_killed_as_all_are_held_the_next_guard_keeps_the_judgement_of_each() -> None:
    cluster, court = MadeCluster(weights=dict.fromkeys("abcde", 10)), MadeCourt(frozenset("abc"))
    cluster.fault = lambda method, path: said(500, {}) if method == "POST" else None
    guard(cluster, court).round()  # it could set the override, and not note it
    cluster.fault = lambda method, path: None

    guard(cluster, court).round()

    assert set(cluster.overrides.entries) == {"all"}
    (text,) = cluster.facts.values()
    assert json.loads(judgement_of(json.loads(text))) == [{"made": True}] * 3


def test_what_does_not_answer_is_not_asked_for_every_agent_that_was_held() -> None:
    cluster, court = MadeCluster(weights=dict.fromkeys("abcde", 10)), MadeCourt(frozenset("abc"))
    cluster.fault = lambda method, path: said(500, {}) if method == "POST" else None
    guard(cluster, court).round()  # it could set the override, and not note it
    cluster.fault = lambda method, path: None
    away = MadeCourt(frozenset("abc"), is_blind=True)

    guard(cluster, away).round()

    assert [one.agent for one in away.asked] == ["a"]
    (text,) = cluster.facts.values()
    assert judgement_of(json.loads(text)) == ""


def test_what_another_guard_began_is_judged_as_it_was_since_a_person_lifted_the_one_before() -> None:
    lifted, fell = f"{START:%Y-%m-%dT%H:%M:%SZ}", f"{START + timedelta(minutes=5):%Y-%m-%dT%H:%M:%SZ}"
    first = Override(0, by="bob", at=lifted)
    cluster = MadeCluster(weights={"qa": 10}, override={"qa": first.text})
    lift(cluster, NAMESPACE, "qa", first, by="ada", reason="mended", at=lifted, manager="made")
    cluster.override = {"qa": Override(0, by="guard", reason="bad again", at=fell).text}
    court = MadeCourt(frozenset({"qa"}))

    guard(cluster, court, at=START + timedelta(minutes=6)).round()

    assert court.asked == [Watched("qa", "qa-1", 10, START)]
    assert len(cluster.facts) == 1


@pytest.mark.parametrize("number", range(1, requests_of_a_rollback() + 1))
def test_a_request_that_fails_is_made_good_by_a_later_round(number: int) -> None:
    cluster = MadeCluster(weights={"qa": 50})
    cluster.fault = lambda method, path: said(500, {}) if len(cluster.requests) == number else None
    one = guard(cluster, MadeCourt(frozenset({"qa"})))

    for _ in range(3):
        one.round()

    assert set(cluster.overrides.entries) == {"qa"}
    assert len(cluster.events) == len(cluster.facts) == 1


def test_no_round_ever_raises_a_weight() -> None:
    cluster = MadeCluster(weights=dict.fromkeys("abcdefgh", 50), override={"a": "0", "b": '{"weight": 10, "by": "x"}'})
    before = {agent: cluster.overrides.allowed_percent(agent) for agent in cluster.weights}
    for bad in ("b", "", "bc", "abcdefgh", ""):
        guard(cluster, MadeCourt(frozenset(bad))).round()
        after = {agent: cluster.overrides.allowed_percent(agent) for agent in cluster.weights}
        assert all(after[agent] <= before[agent] for agent in after)
        before = after
