"""An override for one candidate alone, as the guard sets it: another ends it, and it latches."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from sluice.override import Override
from sluice.rollout.guard.loop import Watched
from sluice.rollout.guard.notes import judgement_of
from sluice.rollout.override_map import lift
from tests.rollout.made_cluster import NAMESPACE, MadeCluster, said
from tests.rollout.made_guard import MadeCourt, guard, metric

START = datetime(2026, 11, 21, 10, tzinfo=UTC)


def test_where_the_registry_lets_another_candidate_end_it_the_entry_says_for_which_it_is() -> None:
    cluster = MadeCluster(weights={"qa": 50})

    guard(cluster, MadeCourt(frozenset({"qa"}), holds_one=True)).round()

    assert cluster.overrides.entries["qa"].candidate == "qa-1"
    (event,) = cluster.events.values()
    assert "It holds qa-1 alone, by the registry's rule." in event["message"]
    (text,) = cluster.facts.values()
    assert json.loads(text)["candidate"] == "qa-1"


def test_another_candidate_is_judged_by_itself_and_that_nobody_resumed_the_old_one_is_said_once() -> None:
    cluster, court, said = MadeCluster(weights={"qa": 50}), MadeCourt(frozenset({"qa"}), holds_one=True), list[str]()
    one = guard(cluster, court, said=said)
    one.round()
    cluster.candidates, cluster.weights = {"qa": "qa-2"}, {"qa": 10}
    court.bad, court.asked = frozenset(), []

    for _ in range(3):
        one.round()

    assert court.asked == [Watched("qa", "qa-2", 10)] * 3
    assert metric(one, "sluice_guard_rolled_back", agent="qa") is None
    assert said == ["rolled back", "override ended by the registry's rule"]
    rolled_back, ended = cluster.events.values()
    assert (rolled_back["reason"], ended["reason"], ended["type"]) == ("RolledBack", "OverrideEnded", "Normal")
    assert "was for qa-1 and no longer holds, since the rollout names qa-2" in ended["message"]
    assert cluster.annotations == {}, "nobody lifted anything"


def test_another_candidate_that_does_harm_is_sent_back_too_and_the_old_one_stays_held() -> None:
    cluster, court = MadeCluster(weights={"qa": 50}), MadeCourt(frozenset({"qa"}), holds_one=True)
    guard(cluster, court).round()
    first = cluster.overrides.entries["qa"]
    cluster.candidates, cluster.weights = {"qa": "qa-2"}, {"qa": 10}
    one = guard(cluster, court)
    one.round()

    entry = cluster.overrides.entries["qa"]
    assert (entry.candidate, entry.earlier) == ("qa-2", (first,))
    assert metric(one, "sluice_guard_rolled_back", agent="qa") == 1
    assert [event["reason"] for event in cluster.events.values()].count("RolledBack") == len(cluster.facts) == 2
    before = (dict(cluster.override or {}), dict(cluster.facts))
    for candidate in ("qa-1", "qa-2"):
        cluster.candidates = {"qa": candidate}
        one.round()
        assert cluster.overrides.allowed_percent("qa", candidate) == 0
    assert (cluster.override, cluster.facts) == before


def test_a_merge_that_is_taken_back_finds_the_old_candidate_held_and_not_judged() -> None:
    cluster, court = MadeCluster(weights={"qa": 50}), MadeCourt(frozenset({"qa"}), holds_one=True)
    one = guard(cluster, court)
    one.round()
    cluster.candidates = {"qa": "qa-2"}
    court.bad = frozenset()
    one.round()
    cluster.candidates, court.asked = {}, []

    one.round()

    assert court.asked == []
    assert metric(one, "sluice_guard_rolled_back", agent="qa") == 1


def test_what_a_person_lifted_of_another_candidate_is_no_word_on_this_one() -> None:
    at = f"{START:%Y-%m-%dT%H:%M:%SZ}"
    cluster = MadeCluster(weights={"qa": 10}, override={"qa": Override(0, by="bob", at=at, candidate="qa-0").text})
    lift(cluster, NAMESPACE, "qa", cluster.overrides.entries["qa"], by="ada", reason="tidied", at=at, manager="made")
    court = MadeCourt()

    guard(cluster, court, at=START + timedelta(seconds=5)).round()

    assert court.asked == [Watched("qa", "qa-1", 10)]


def test_a_rollback_that_another_candidate_ended_before_it_was_noted_is_noted_without_a_judgement() -> None:
    entry = Override(0, by="guard", reason="errors", at="2026-11-21T10:00:00Z", candidate="qa-1")
    cluster = MadeCluster(weights={"qa": 10}, candidates={"qa": "qa-2"}, override={"qa": entry.text})
    court = MadeCourt()

    guard(cluster, court).round()

    assert [watched.candidate for watched in court.asked] == ["qa-2"]
    (text,) = cluster.facts.values()
    facts = json.loads(text)
    assert (facts["candidate"], facts["weights_percent"], judgement_of(facts)) == ("qa-1", {}, "")
    assert facts["failed_queries"] == ["sluice failures made qa"]


def test_an_event_that_cannot_be_made_is_made_good_and_the_end_is_said_once() -> None:
    entry = Override(0, by="ada", reason="errors", candidate="qa-1")
    cluster, said_lines = MadeCluster(weights={"qa": 10}, candidates={"qa": "qa-2"}), list[str]()
    cluster.override = {"qa": entry.text}
    cluster.fault = lambda method, path: said(500, {}) if method == "POST" else None
    one = guard(cluster, MadeCourt(), said=said_lines)
    one.round()
    assert metric(one, "sluice_guard_failures_total", stage="event") == 1
    cluster.fault = lambda method, path: None

    for _ in range(2):
        one.round()

    assert said_lines.count("override ended by the registry's rule") == len(cluster.events) == 1


def test_a_guard_that_takes_over_says_the_end_again_and_makes_its_event_where_that_is_gone() -> None:
    entry, told = Override(0, by="ada", reason="errors", candidate="qa-1"), list[str]()
    cluster = MadeCluster(weights={"qa": 10}, candidates={"qa": "qa-2"}, override={"qa": entry.text})
    guard(cluster, MadeCourt(), said=told).round()
    first = dict(cluster.events)

    guard(cluster, MadeCourt(), said=told).round()
    assert (cluster.events, len(told)) == (first, 2)
    cluster.events.clear()  # as the API server does, an hour later by default
    guard(cluster, MadeCourt(), said=told).round()
    assert (set(cluster.events), len(told)) == (set(first), 3)


def test_an_override_of_all_holds_another_candidate_too() -> None:
    cluster, court = MadeCluster(weights=dict.fromkeys("abcde", 10)), MadeCourt(frozenset("abc"), holds_one=True)
    guard(cluster, court).round()
    assert cluster.overrides.entries["all"].candidate == ""
    cluster.candidates, court.asked = {"a": "a-2"}, []

    guard(cluster, court).round()

    assert court.asked == []


def test_one_agent_whose_second_candidate_falls_at_once_counts_once() -> None:
    cluster, court = MadeCluster(weights=dict.fromkeys("abcde", 10)), MadeCourt(frozenset("ab"), holds_one=True)
    guard(cluster, court).round()
    cluster.candidates, court.bad = {"a": "a-2"}, frozenset("a")

    guard(cluster, court).round()

    assert set(cluster.overrides.entries) == {"a", "b"}
