"""The write of an override: once, whatever the API server does meanwhile, and never over somebody else's."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

import pytest

from sluice.errors import SluiceError
from sluice.override import Override, read_override
from sluice.rollout.cluster import ClusterRefused
from sluice.rollout.override_map import ChangedMeanwhile, NeverQuiet, NoOverrideMap, lift, lower, read_override_map
from tests.rollout.made_cluster import NAMESPACE, MadeAnswer, MadeCluster, NoAnswer, said

ENTRY = Override(0, by="ada", reason="errors", at="2026-11-21T10:00:00.000001Z")


def no_pause(seconds: float) -> None:
    """Wait for nothing."""


def lowered(cluster: MadeCluster, key: str = "qa", entry: Override = ENTRY) -> bool:
    return lower(cluster, NAMESPACE, key, entry, manager="made", pause=no_pause).made


def lifted(cluster: MadeCluster, key: str = "qa", entry: Override | None = None) -> bool:
    """Lift an entry, by default the one that is there."""
    entry = entry or cluster.overrides.entries.get(key, ENTRY)
    change = lift(cluster, NAMESPACE, key, entry, by="bob", reason="fixed", at="later", manager="made", pause=no_pause)
    return change.made


def test_an_entry_is_written_with_who_why_and_when_under_the_writers_name() -> None:
    cluster = MadeCluster()

    assert lowered(cluster)
    assert cluster.overrides.entries == {"qa": ENTRY}
    (query,) = [query for method, _, _, query in cluster.requests if method == "PATCH"]
    assert query == {"fieldManager": "made"}


def test_what_another_wrote_between_look_and_write_is_looked_at_again_and_kept() -> None:
    cluster = MadeCluster()
    others = iter([{"legal": "0"}])

    def meanwhile() -> None:
        assert cluster.override is not None
        cluster.override |= next(others, {})
        cluster.version += cluster.writes == 0

    cluster.before_patch = meanwhile
    assert lowered(cluster)
    assert set(cluster.overrides.entries) == {"qa", "legal"}
    assert cluster.writes == 2


def test_many_at_once_all_leave_their_entry() -> None:
    cluster = MadeCluster()
    together = threading.Barrier(6)

    def write(agent: str) -> None:
        together.wait()
        lower(cluster, NAMESPACE, agent, ENTRY, manager="made")

    threads = [threading.Thread(target=write, args=(f"agent-{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(cluster.overrides.entries) == {f"agent-{number}" for number in range(6)}


def test_a_second_rollback_changes_nothing_and_says_who_was_first() -> None:
    cluster = MadeCluster()
    lowered(cluster)

    change = lower(cluster, NAMESPACE, "qa", Override(0, by="bob", at="later"), manager="made", pause=no_pause)

    assert (change.made, change.entry) == (False, ENTRY)
    assert cluster.writes == 1


@pytest.mark.parametrize("there", ["0", "off", '{"weight": 25, "by": "guard"}'])
def test_an_entry_that_says_nothing_or_allows_more_is_replaced(there: str) -> None:
    cluster = MadeCluster(override={"qa": there})

    assert lowered(cluster)
    assert cluster.overrides.entries["qa"] == ENTRY


def lose_the_first_answer(cluster: MadeCluster) -> None:
    """Have the first write take effect and its answer not come."""

    def losing(method: str, path: str) -> MadeAnswer | None:
        if method == "PATCH" and cluster.writes == 1:
            cluster._patch(cluster.requests[-1][2])
            raise NoAnswer("broken")
        return None

    cluster.fault = losing


def test_a_write_whose_answer_was_lost_is_not_made_twice() -> None:
    cluster = MadeCluster()

    lose_the_first_answer(cluster)
    assert lowered(cluster)
    assert cluster.writes == 1
    assert cluster.overrides.entries == {"qa": ENTRY}


def test_an_api_server_that_is_away_for_a_moment_is_asked_again() -> None:
    cluster = MadeCluster()
    failures = iter([NoAnswer("refused"), said(503, {"message": "starting"}), said(429, {}), None])

    def failing(method: str, path: str) -> MadeAnswer | None:
        failure = next(failures, None)
        if isinstance(failure, Exception):
            raise failure
        return failure

    cluster.fault = failing
    assert lowered(cluster)


def test_an_api_server_that_stays_away_is_said() -> None:
    def away(method: str, path: str) -> MadeAnswer | None:
        raise NoAnswer("nothing there")

    with pytest.raises(SluiceError, match="nothing there"):
        lowered(MadeCluster(fault=away))


def test_who_may_not_is_told_once_and_what_role_it_takes() -> None:
    cluster = MadeCluster(fault=lambda method, path: said(403, {"message": "no"}) if method == "PATCH" else None)

    with pytest.raises(ClusterRefused, match=r"answers 403: no; the role sluice-operator"):
        lowered(cluster)
    assert cluster.writes == 1


def test_without_the_config_map_there_is_one_sentence() -> None:
    with pytest.raises(NoOverrideMap, match="there is no ConfigMap override"):
        lowered(MadeCluster(override=None))


def test_a_config_map_that_never_rests_is_given_up() -> None:
    cluster = MadeCluster(fault=lambda method, path: said(409, {}) if method == "PATCH" else None)

    with pytest.raises(NeverQuiet, match="changed by others 12 times"):
        lowered(cluster)


def test_what_is_lifted_is_gone_and_noted_with_what_it_said() -> None:
    cluster = MadeCluster(override={"qa": ENTRY.text, "legal": "0"})

    assert lifted(cluster)
    assert set(cluster.overrides.entries) == {"legal"}
    (noted,) = read_override_map(cluster, NAMESPACE).lifted
    assert (noted.key, noted.by, noted.reason, noted.was) == ("qa", "bob", "fixed", ENTRY.text)


def test_of_what_was_lifted_the_last_twenty_are_kept() -> None:
    cluster = MadeCluster()
    for number in range(25):
        cluster.override = {"qa": str(number)}
        lifted(cluster)

    noted = read_override_map(cluster, NAMESPACE).lifted
    assert [json.loads(one.was)["weight"] for one in noted] == list(range(24, 4, -1))


def test_of_long_ones_that_were_lifted_as_many_are_kept_as_the_object_has_room_for() -> None:
    cluster, entry = MadeCluster(), replace(ENTRY, reason="é" * 300, evidence="e" * 1500)
    for number in range(25):
        for candidate in range(9):
            lowered(cluster, entry=replace(entry, at=f"{number}", candidate=f"qa-{candidate}"))
        assert len(cluster.overrides.entries["qa"].earlier) == 8
        assert lifted(cluster)

    noted = read_override_map(cluster, NAMESPACE).lifted
    assert [read_override(one.was).at for one in noted] == [f"{24 - number}" for number in range(len(noted))]
    assert 2 < len(noted) < 20
    text = cluster.annotations["sluice/lifted"]
    assert len(text.encode()) <= 200_000 < len(text.encode()) * (len(noted) + 1) / len(noted)


def test_the_last_that_was_lifted_is_noted_however_long_the_one_before_it_is() -> None:
    noted = {"key": "legal", "by": "ada", "reason": "e" * 220_000, "at": "before", "was": "0"}
    cluster = MadeCluster(override={"qa": ENTRY.text}, annotations={"sluice/lifted": json.dumps([noted])})

    assert lifted(cluster)
    assert [one.key for one in read_override_map(cluster, NAMESPACE).lifted] == ["qa"]


@pytest.mark.parametrize("text", ["e" * 300_000, "🦥" * 80_000, "\x00" * 100_000, '\\"' * 70_000])
def test_an_override_with_a_large_text_can_be_lifted_and_the_note_says_how_it_begins(text: str) -> None:
    entry = replace(ENTRY, reason=text)
    cluster = MadeCluster(override={"legal": ENTRY.text})
    lifted(cluster, "legal")
    cluster.override = {"qa": entry.text}

    assert lifted(cluster)
    assert cluster.override == {}
    noted, before = read_override_map(cluster, NAMESPACE).lifted
    assert read_override(noted.was) == replace(entry, reason=f"{text[:2000]}…")
    assert (before.key, before.was) == ("legal", ENTRY.text)


def test_of_one_that_goes_on_to_say_many_others_the_texts_that_decide_are_kept() -> None:
    large = "🦥" * 3_000
    entry = Override(0, large, large, large, large)
    first, *others = (replace(entry, candidate=f"qa-{number}") for number in range(9))
    cluster = MadeCluster(override={"qa": replace(first, earlier=tuple(others)).text})

    assert lifted(cluster)
    (noted,) = read_override_map(cluster, NAMESPACE).lifted
    bare = Override(0, f"{large[:40]}…", at=f"{large[:40]}…")
    assert read_override(noted.was).each == tuple(replace(bare, candidate=f"qa-{number}") for number in range(9))
    assert len(cluster.annotations["sluice/lifted"]) <= 200_000


def test_of_one_that_goes_on_to_say_as_much_as_it_may_all_are_noted() -> None:
    others = tuple(Override(5, "🦥" * 500, at="🦥" * 500, candidate=f"qa-{number}") for number in range(100))
    cluster = MadeCluster(override={"qa": replace(ENTRY, weight_percent=25, candidate="qa-x", earlier=others).text})

    assert lifted(cluster)
    (noted,) = read_override_map(cluster, NAMESPACE).lifted
    assert len(cluster.annotations["sluice/lifted"]) <= 200_000
    assert [one.candidate for one in read_override(noted.was).each] == ["qa-x", *(one.candidate for one in others)]
    assert noted.concerns("qa", "qa-99")


def test_a_large_text_of_whoever_lifts_is_shortened_as_well() -> None:
    cluster, large = MadeCluster(override={"qa": ENTRY.text}), "🦥" * 80_000

    assert lift(cluster, NAMESPACE, "qa", ENTRY, by=large, reason=large, at="later", manager="made").made
    (noted,) = read_override_map(cluster, NAMESPACE).lifted
    assert (noted.by, noted.reason) == (f"{large[:2000]}…",) * 2


@pytest.mark.parametrize(
    ("there", "says"),
    [
        (
            replace(ENTRY, by="guard", reason="21 of 40\nfailed\x1b[2J", candidate="qa-2"),
            "by guard: 21 of 40 failed[2J;",
        ),
        (replace(ENTRY, reason="", at="later"), "by ada;"),
        (replace(ENTRY, by="", reason="e" * 9000), f"by somebody: {'e' * 300}…;"),
        (replace(ENTRY, earlier=(Override(0, "bob", candidate="qa-1"),)), "by ada: errors;"),
    ],
)
def test_an_entry_that_is_not_the_one_that_was_looked_at_is_left_and_said(there: Override, says: str) -> None:
    cluster = MadeCluster(override={"qa": there.text})

    with pytest.raises(ChangedMeanwhile) as refusal:
        lifted(cluster, entry=ENTRY)
    assert str(refusal.value) == (
        f"not lifted: the override of qa was changed meanwhile, {says} run the command again to see what it holds"
    )
    assert refusal.value.exit_code == 1
    assert (cluster.override, cluster.writes, len(cluster.requests)) == ({"qa": there.text}, 0, 1)


def test_an_entry_that_is_set_between_look_and_write_is_left() -> None:
    cluster, other = MadeCluster(override={"qa": ENTRY.text}), replace(ENTRY, by="guard", candidate="qa-2")

    def meanwhile() -> None:
        cluster.override = {"qa": other.text}
        cluster.version += 1

    cluster.before_patch = meanwhile
    with pytest.raises(ChangedMeanwhile, match="of qa was changed meanwhile, by guard: errors"):
        lifted(cluster)
    assert (cluster.override, cluster.annotations) == ({"qa": other.text}, {})


def test_a_lift_whose_answer_was_lost_is_not_made_twice_and_knows_what_it_lifted() -> None:
    cluster = MadeCluster(override={"qa": ENTRY.text})

    lose_the_first_answer(cluster)
    change = lift(cluster, NAMESPACE, "qa", ENTRY, by="b", reason="r", at="later", manager="made", pause=no_pause)
    assert (change.made, change.before, change.entry) == (True, ENTRY, None)
    assert cluster.writes == 1


def test_nothing_to_lift_is_no_write() -> None:
    cluster = MadeCluster()

    assert not lifted(cluster)
    assert cluster.writes == 0


def test_a_note_that_somebody_spoilt_stops_nobody() -> None:
    cluster = MadeCluster(annotations={"sluice/lifted": "{not json"})

    assert lowered(cluster)
    assert read_override_map(cluster, NAMESPACE).lifted == ()


@pytest.mark.parametrize("body", [b"<html>log in</html>", b'{"status": "success"}', b'{"metadata": "none"}'])
def test_what_is_no_config_map_is_said_and_nothing_is_written(body: bytes) -> None:
    asked: list[str] = []

    class LoginPage:
        def ask(self, method: str, *_: object, **__: object) -> MadeAnswer:
            asked.append(method)
            return MadeAnswer(200, body)

    with pytest.raises(ClusterRefused, match="cannot be read: the API server answers 200: with something that is no"):
        lowered(LoginPage())  # type: ignore[arg-type]
    assert set(asked) == {"GET"}


def test_an_entry_as_low_for_another_candidate_is_replaced_and_goes_on_to_hold_its_own() -> None:
    first, second = replace(ENTRY, candidate="qa-1"), replace(ENTRY, candidate="qa-2", at="later")
    cluster = MadeCluster(override={"qa": first.text})

    assert lowered(cluster, entry=second)
    assert cluster.overrides.entries == {"qa": replace(second, earlier=(first,))}
    change = lower(cluster, NAMESPACE, "qa", replace(first, at="again"), manager="made", pause=no_pause)
    assert (change.made, change.entry) == (False, first)
    assert not lowered(cluster, entry=second)


def test_an_entry_for_every_candidate_is_not_narrowed_and_narrows_none() -> None:
    cluster = MadeCluster(override={"qa": ENTRY.text})

    assert not lowered(cluster, entry=replace(ENTRY, candidate="qa-1"))
    cluster.override = {"qa": replace(ENTRY, candidate="qa-1").text}
    assert lowered(cluster)
    assert cluster.overrides.entries == {"qa": ENTRY}


@pytest.mark.parametrize("there", ["0", "off", '{"weight": 25, "by": "ada"}'])
def test_what_a_person_set_for_every_candidate_outlives_one_for_a_candidate(there: str) -> None:
    cluster = MadeCluster(override={"qa": there})
    allowed = cluster.overrides.allowed_percent("qa", "qa-2")

    assert lowered(cluster, entry=replace(ENTRY, candidate="qa-1"))
    assert cluster.overrides.allowed_percent("qa", "qa-1") == 0
    assert cluster.overrides.allowed_percent("qa", "qa-2") == allowed


def test_a_lost_answer_to_a_write_over_another_candidates_is_not_written_twice() -> None:
    cluster = MadeCluster(override={"qa": replace(ENTRY, candidate="qa-1").text})

    lose_the_first_answer(cluster)
    assert lowered(cluster, entry=replace(ENTRY, candidate="qa-2"))
    assert cluster.writes == 1


def test_what_is_lifted_is_noted_with_all_that_it_said() -> None:
    entry = replace(ENTRY, candidate="qa-2").over(replace(ENTRY, candidate="qa-1"))
    cluster = MadeCluster(override={"qa": entry.text})

    assert lifted(cluster)
    (noted,) = read_override_map(cluster, NAMESPACE).lifted
    assert noted.was == entry.text
    assert [noted.concerns("qa", named) for named in ("qa-1", "qa-2", "qa-3")] == [True, True, False]
    assert not noted.concerns("legal", "qa-1")
