from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import pytest

from sluice.gateway.agent_flag import FlagUnusable, read_agent_flag
from sluice.gateway.assignment import Assigner
from sluice.gateway.configuration import Configuration
from sluice.gateway.flags import Flags
from sluice.gateway.live_flags import LiveFlags
from sluice.gateway.metrics import Metrics
from sluice.gateway.outcome import Arm
from tests.gateway.shown_weights import active, broken, weights

MakeFlag = Callable[[str, int], dict[str, Any]]
KEY = {"cat": ["qa/qa-20251031/", {"var": "targetingKey"}]}
SHARES = [["candidate", 50], ["baseline", 50]]
KNOWN = dict.fromkeys(["qa-20251031", "legal-20251031", "gpt-4o"])


@pytest.fixture
def metrics(configuration: Configuration) -> Metrics:
    return Metrics(configuration.agents)


@pytest.fixture
def flags(configuration: Configuration, metrics: Metrics) -> Flags:
    return Flags(configuration, metrics)


@pytest.fixture
def live(mounted: Any, flags: Flags, metrics: Metrics) -> LiveFlags:
    return LiveFlags(mounted.path, flags, metrics)


def test_a_swapped_file_is_taken_over_at_the_next_look(
    mounted: Any, flags: Flags, live: LiveFlags, metrics: Metrics
) -> None:
    mounted.write_flags(qa=10)
    live.refresh()
    assert weights(metrics) == {"qa": 10, "legal": 0}
    mounted.write_flags(qa=25, legal=100)
    live.refresh()
    assert weights(metrics) == {"qa": 25, "legal": 100}
    assert metrics.registry.get_sample_value("sluice_flags_loaded_timestamp_seconds")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"flags": 3}', "\x00"])
def test_a_broken_file_leaves_the_last_good_one_in_force_and_says_so(
    mounted: Any, flags: Flags, live: LiveFlags, metrics: Metrics, configuration: Configuration, text: str
) -> None:
    mounted.write_flags(qa=100)
    live.refresh()
    mounted.write_flags_text(text)
    live.refresh()
    assert Assigner(configuration, flags).assign("qa", "u").arm is Arm.CANDIDATE
    assert weights(metrics)["qa"] == 100
    assert broken(metrics) == 1
    assert flags.not_loaded_because == ""
    mounted.write_flags(qa=0)
    live.refresh()
    assert broken(metrics) == 0
    assert Assigner(configuration, flags).assign("qa", "u").arm is Arm.BASELINE


def test_a_file_that_vanishes_leaves_the_last_good_one_in_force(
    mounted: Any, flags: Flags, live: LiveFlags, metrics: Metrics
) -> None:
    live.refresh()
    (mounted.path / "flags" / "flags.json").unlink()
    live.refresh()
    assert flags.flag("qa") is not None
    assert broken(metrics) == 1


def test_one_unusable_flag_does_not_hold_up_the_others(
    mounted: Any, flags: Flags, live: LiveFlags, metrics: Metrics, make_flag: MakeFlag
) -> None:
    mounted.write_flags(qa=50, legal=50)
    live.refresh()
    mounted.write_flags_text(json.dumps({"flags": {"qa": make_flag("qa", 0), "legal": {"state": "ENABLED"}}}))
    live.refresh()
    assert weights(metrics) == {"qa": 0, "legal": 50}
    assert broken(metrics) == 1


def test_nothing_is_loaded_until_the_first_good_file(mounted: Any, flags: Flags, live: LiveFlags) -> None:
    mounted.write_flags_text("{")
    assert flags.not_loaded_because == "not read yet"
    live.refresh()
    assert "is not JSON" in flags.not_loaded_because
    mounted.write_flags()
    live.refresh()
    assert flags.not_loaded_because == ""


def test_an_unknown_model_is_left_out(make_flag: MakeFlag) -> None:
    document = make_flag("qa", 50)
    document["variants"]["baseline"]["models"] = ["new-model", "gpt-4o"]
    flag = read_agent_flag("qa", document, KNOWN)
    assert flag.models[Arm.BASELINE] == ("gpt-4o",)
    assert flag.notes == ("flags.qa: baseline leaves out 'new-model', which is not known",)


def test_a_candidate_that_is_not_known_is_served_by_the_baseline_at_weight_0(make_flag: MakeFlag) -> None:
    document = make_flag("qa", 100)
    document["variants"]["candidate"]["models"] = ["new-model"]
    flag = read_agent_flag("qa", document, KNOWN)
    assert (flag.served_percent, dict(flag.models)) == (0, {Arm.BASELINE: ("gpt-4o",)})
    assert flag.evaluator.resolve_object_value("qa", {}).variant == "baseline"


def test_a_disabled_flag_is_all_baseline(make_flag: MakeFlag) -> None:
    flag = read_agent_flag("qa", {**make_flag("qa", 100), "state": "DISABLED"}, KNOWN)
    assert (flag.wanted_percent, flag.served_percent) == (0, 0)
    assert flag.evaluator.resolve_object_value("qa", {}).variant == "baseline"


def test_an_agent_without_a_candidate_has_only_its_baseline() -> None:
    document = {
        "state": "ENABLED",
        "variants": {"baseline": {"models": ["gpt-4o"]}},
        "defaultVariant": "baseline",
        "metadata": {"weight": 0},
    }
    assert read_agent_flag("qa", document, KNOWN).models == {Arm.BASELINE: ("gpt-4o",)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"variants": None}, "its variants must be candidate and baseline"),
        ({"variants": {"baseline": {"models": ["gpt-4o"]}, "third": {"models": []}}}, "its variants must be"),
        ({"variants": {"baseline": {"models": "gpt-4o"}}}, r"variants.baseline.models must be a list"),
        ({"variants": {"baseline": {"models": ["gone"]}}}, "its baseline has no model that this gateway knows"),
        ({"defaultVariant": "candidate"}, "its defaultVariant must be baseline"),
        ({"metadata": {}}, "metadata.weight must be a whole number, 0 to 100"),
        ({"metadata": {"weight": 101}}, "metadata.weight must be a whole number, 0 to 100"),
        ({"metadata": {"weight": True}}, "metadata.weight must be a whole number, 0 to 100"),
        (
            {"metadata": {"weight": 25, "candidate": "qa-20251031"}},
            r"must be .*\[\"candidate\",25\].* as metadata.weight 25",
        ),
        ({"metadata": {"weight": 50}}, "metadata.candidate must name the candidate"),
        ({"metadata": {"weight": 50, "candidate": "qa-2"}}, "must be .*qa/qa-2/.* metadata.candidate qa-2 say"),
        ({"targeting": {}}, "its weight is 50, but it has no targeting"),
        ({"targeting": {"fractional": [KEY, ["baseline", 50], ["candidate", 50]]}}, "targeting must be"),
        ({"targeting": {"fractional": ["everybody", *SHARES]}}, "targeting must be"),
        ({"targeting": {"fractional": [{"var": "targetingKey"}, *SHARES]}}, "targeting must be"),
        ({"targeting": {"fractional": SHARES}}, "targeting must be"),
        ({"targeting": {"fractional": [KEY, *SHARES], "if": [True, "candidate"]}}, "targeting must be"),
        ({"targeting": {"if": [False, "candidate"]}}, "targeting must be"),
        ({"targeting": {"no such operator": [1]}}, "targeting must be"),
        ({"targeting": "candidate"}, "targeting must be"),
        ({"state": "enabled"}, "its state must be ENABLED or DISABLED"),
        ({"state": None}, "its state must be"),
        ({"state": ["ENABLED"]}, "its state must be"),
    ],
)
def test_a_flag_that_cannot_decide_is_refused(make_flag: MakeFlag, change: dict[str, Any], message: str) -> None:
    with pytest.raises(FlagUnusable, match=f"flags.qa: .*{message}"):
        read_agent_flag("qa", {**make_flag("qa", 50), **change}, KNOWN)


def test_a_flag_that_is_refused_leaves_the_last_good_one_in_force(
    mounted: Any, live: LiveFlags, metrics: Metrics
) -> None:
    mounted.write_flags(qa=10)
    live.refresh()
    odd = json.loads((mounted.path / "flags" / "flags.json").read_text())
    odd["flags"]["qa"]["targeting"]["fractional"][0] = "everybody"
    mounted.write_flags_text(json.dumps(odd))
    live.refresh()
    assert (weights(metrics)["qa"], broken(metrics)) == (10, 1)


def test_an_override_lowers_the_weight_of_its_agent_and_being_lifted_gives_it_back(
    mounted: Any, flags: Flags, live: LiveFlags, metrics: Metrics, configuration: Configuration
) -> None:
    mounted.write_flags(qa=100, legal=50)
    mounted.write_override(qa='{"weight": 0, "by": "guard", "reason": "errors", "at": "2025-11-06T10:00:00Z"}')
    live.refresh()
    assigner = Assigner(configuration, flags)
    assert assigner.assign("qa", "u").arm is Arm.BASELINE
    assert weights(metrics, "wanted") == {"qa": 100, "legal": 50}
    assert weights(metrics, "allowed") == {"qa": 0, "legal": 100}
    assert weights(metrics, "served") == {"qa": 0, "legal": 50}
    assert active(metrics) == {"qa": 1, "legal": 0}
    mounted.write_override(qa="100")
    live.refresh()
    assert assigner.assign("qa", "u").arm is Arm.CANDIDATE
    assert weights(metrics, "served") == {"qa": 100, "legal": 50}


def test_an_override_of_all_holds_for_every_agent_and_the_smaller_one_counts(
    mounted: Any, live: LiveFlags, metrics: Metrics
) -> None:
    mounted.write_flags(qa=100, legal=10)
    mounted.write_override(all="25", qa="50")
    live.refresh()
    assert weights(metrics, "allowed") == {"qa": 25, "legal": 25}
    assert weights(metrics, "served") == {"qa": 25, "legal": 10}
    assert active(metrics) == {"qa": 1, "legal": 1}


def test_users_that_an_override_leaves_on_the_candidate_are_those_of_that_weight(
    mounted: Any, flags: Flags, live: LiveFlags, configuration: Configuration
) -> None:
    assigner = Assigner(configuration, flags)
    users = [f"user-{number}" for number in range(500)]
    mounted.write_flags(qa=25)
    live.refresh()
    at_25 = [assigner.assign("qa", user).arm for user in users]
    mounted.write_flags(qa=100)
    mounted.write_override(qa="25")
    live.refresh()
    assert [assigner.assign("qa", user).arm for user in users] == at_25


def test_an_override_that_cannot_be_read_stops_its_agent_and_says_so(
    mounted: Any, live: LiveFlags, metrics: Metrics
) -> None:
    mounted.write_flags(qa=100, legal=100)
    mounted.write_override(qa="off please")
    live.refresh()
    assert weights(metrics) == {"qa": 0, "legal": 100}
    assert metrics.registry.get_sample_value("sluice_override_broken") == 1
    mounted.write_override(qa="0")
    live.refresh()
    assert metrics.registry.get_sample_value("sluice_override_broken") == 0


def test_an_override_of_no_agent_stops_nobody_and_says_so(mounted: Any, live: LiveFlags, metrics: Metrics) -> None:
    mounted.write_flags(qa=100)
    mounted.write_override(qaa="0")
    live.refresh()
    assert weights(metrics)["qa"] == 100
    assert metrics.registry.get_sample_value("sluice_override_broken") == 1


def test_an_override_outlives_a_broken_flags_file(mounted: Any, live: LiveFlags, metrics: Metrics) -> None:
    mounted.write_flags(qa=100)
    live.refresh()
    mounted.write_flags_text("{")
    mounted.write_override(qa="0")
    live.refresh()
    assert (weights(metrics)["qa"], broken(metrics)) == (0, 1)


def test_a_pipe_in_place_of_a_file_holds_up_nothing(mounted: Any, live: LiveFlags, metrics: Metrics) -> None:
    mounted.write_flags(qa=100)
    live.refresh()
    flags_file = mounted.path / "flags" / "flags.json"
    flags_file.unlink()
    os.mkfifo(flags_file)
    (mounted.path / "override").mkdir()
    os.mkfifo(mounted.path / "override" / "qa")
    live.refresh()
    assert (broken(metrics), weights(metrics)["qa"]) == (1, 0)


def test_a_file_larger_than_any_config_map_is_not_read(mounted: Any, live: LiveFlags, metrics: Metrics) -> None:
    mounted.write_flags(qa=100)
    live.refresh()
    mounted.write_flags_text(" " * 1_600_000)
    live.refresh()
    assert (broken(metrics), weights(metrics)["qa"]) == (1, 100)


def _dealt_out(mounted: Any, make_flag: MakeFlag, **weights: int) -> None:
    """Mount `qa` in the ConfigMap `flags` and `legal` in `flags-1`."""
    for name, agent in (("flags", "qa"), ("flags-1", "legal")):
        (mounted.path / name).mkdir(exist_ok=True)
        text = json.dumps({"flags": {agent: make_flag(agent, weights[agent])}})
        if name == "flags":
            mounted.write_flags_text(text)
        else:
            (mounted.path / name / "flags-1.json").write_text(text)


def test_flags_in_two_config_maps_count_together(
    mounted: Any, flags: Flags, metrics: Metrics, make_flag: MakeFlag
) -> None:
    live = LiveFlags(mounted.path, flags, metrics, 2)
    _dealt_out(mounted, make_flag, qa=10, legal=50)

    live.refresh()

    assert live.names == ("flags", "flags-1", "override")
    assert weights(metrics) == {"qa": 10, "legal": 50}
    assert broken(metrics) == 0


def test_a_gateway_does_not_begin_with_one_of_two_config_maps(
    mounted: Any, flags: Flags, metrics: Metrics, make_flag: MakeFlag
) -> None:
    live = LiveFlags(mounted.path, flags, metrics, 2)
    mounted.write_flags_text(json.dumps({"flags": {"qa": make_flag("qa", 10)}}))

    live.refresh()
    assert "flags-1" in flags.not_loaded_because

    _dealt_out(mounted, make_flag, qa=10, legal=50)
    live.refresh()
    assert flags.not_loaded_because == ""


@pytest.mark.parametrize("harm", ["gone", "broken"])
def test_one_of_two_config_maps_that_is_harmed_leaves_its_agents_as_they_were_and_not_the_others(
    mounted: Any, flags: Flags, metrics: Metrics, make_flag: MakeFlag, harm: str
) -> None:
    live = LiveFlags(mounted.path, flags, metrics, 2)
    _dealt_out(mounted, make_flag, qa=10, legal=50)
    live.refresh()

    file = mounted.path / "flags-1" / "flags-1.json"
    if harm == "gone":
        live.hear("flags-1", None)
    else:
        file.write_text("{")
    mounted.write_flags_text(json.dumps({"flags": {"qa": make_flag("qa", 25)}}))
    live.refresh()

    assert weights(metrics) == {"qa": 25, "legal": 50}
    assert broken(metrics) == 1


def test_an_override_holds_whatever_its_texts_are(
    mounted: Any, live: LiveFlags, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: object, **__: object) -> None:
        raise TypeError("str is not valid UTF-8")

    live.refresh()
    monkeypatch.setattr("sluice.gateway.flags.log.warning", refuses)
    mounted.write_override(legal='{"weight": 0, "by": "ada"}', qa="0")
    with pytest.raises(TypeError):
        live.refresh()

    assert weights(metrics) == {"qa": 0, "legal": 0}
    assert active(metrics) == {"qa": 1, "legal": 1}
