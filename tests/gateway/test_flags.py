from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from sluice.gateway.agent_flag import FlagUnusable, read_agent_flag
from sluice.gateway.assignment import Assigner
from sluice.gateway.configuration import Configuration
from sluice.gateway.flags import FlagFile, flag_client
from sluice.gateway.metrics import Metrics
from sluice.gateway.outcome import Arm

MakeFlag = Callable[[str, int], dict[str, Any]]
KNOWN = dict.fromkeys(["qa-20251031", "legal-20251031", "gpt-4o"])


@pytest.fixture
def metrics(configuration: Configuration) -> Metrics:
    return Metrics(configuration.agents)


@pytest.fixture
def flags(mounted: Any, configuration: Configuration, metrics: Metrics) -> FlagFile:
    return FlagFile(mounted.path / "flags" / "flags.json", configuration, metrics)


def _weights(metrics: Metrics) -> dict[str, float | None]:
    value = metrics.registry.get_sample_value
    return {agent: value("sluice_rollout_weight", {"agent": agent, "kind": "served"}) for agent in ("qa", "legal")}


def _broken(metrics: Metrics) -> float | None:
    return metrics.registry.get_sample_value("sluice_flags_broken")


def test_a_swapped_file_is_taken_over_at_the_next_look(mounted: Any, flags: FlagFile, metrics: Metrics) -> None:
    mounted.write_flags(qa=10)
    flags.refresh()
    assert _weights(metrics) == {"qa": 10, "legal": 0}
    mounted.write_flags(qa=25, legal=100)
    flags.refresh()
    assert _weights(metrics) == {"qa": 25, "legal": 100}
    assert metrics.registry.get_sample_value("sluice_flags_loaded_timestamp_seconds")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"flags": 3}', "\x00"])
def test_a_broken_file_leaves_the_last_good_one_in_force_and_says_so(
    mounted: Any, flags: FlagFile, metrics: Metrics, configuration: Configuration, text: str
) -> None:
    mounted.write_flags(qa=100)
    flags.refresh()
    mounted.write_flags_text(text)
    flags.refresh()
    assert Assigner(configuration, flags, flag_client(flags)).assign("qa", "u").arm is Arm.CANDIDATE
    assert _weights(metrics)["qa"] == 100
    assert _broken(metrics) == 1
    assert flags.not_loaded_because == ""
    mounted.write_flags(qa=0)
    flags.refresh()
    assert _broken(metrics) == 0
    assert Assigner(configuration, flags, flag_client(flags)).assign("qa", "u").arm is Arm.BASELINE


def test_a_file_that_vanishes_leaves_the_last_good_one_in_force(
    mounted: Any, flags: FlagFile, metrics: Metrics
) -> None:
    flags.refresh()
    (mounted.path / "flags" / "flags.json").unlink()
    flags.refresh()
    assert flags.flag("qa") is not None
    assert _broken(metrics) == 1


def test_one_unusable_flag_does_not_hold_up_the_others(
    mounted: Any, flags: FlagFile, metrics: Metrics, make_flag: MakeFlag
) -> None:
    mounted.write_flags(qa=50, legal=50)
    flags.refresh()
    mounted.write_flags_text(json.dumps({"flags": {"qa": make_flag("qa", 0), "legal": {"state": "ENABLED"}}}))
    flags.refresh()
    assert _weights(metrics) == {"qa": 0, "legal": 50}
    assert _broken(metrics) == 1


def test_nothing_is_loaded_until_the_first_good_file(mounted: Any, flags: FlagFile) -> None:
    mounted.write_flags_text("{")
    assert flags.not_loaded_because == "not read yet"
    flags.refresh()
    assert "is not JSON" in flags.not_loaded_because
    mounted.write_flags()
    flags.refresh()
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
    assert (flag.weight_percent, dict(flag.models)) == (0, {Arm.BASELINE: ("gpt-4o",)})
    assert flag.evaluator.resolve_object_value("qa", {}).variant == "baseline"


def test_a_disabled_flag_is_all_baseline(make_flag: MakeFlag) -> None:
    flag = read_agent_flag("qa", {**make_flag("qa", 100), "state": "DISABLED"}, KNOWN)
    assert flag.weight_percent == 0
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
        ({"metadata": {"weight": 25}}, "must end in .* as metadata.weight 25 says"),
        ({"targeting": {}}, "its weight is 50, but it has no targeting"),
        ({"targeting": {"fractional": [{"var": "x"}, ["baseline", 50], ["candidate", 50]]}}, "must end in"),
        ({"targeting": {"if": [False, "candidate"]}}, "its targeting names no arm for a user"),
        ({"targeting": {"no such operator": [1]}}, "cannot be evaluated"),
        ({"targeting": "candidate"}, "cannot be evaluated"),
        ({"targeting": {"if": [True, "third"]}}, "cannot be evaluated"),
    ],
)
def test_a_flag_that_cannot_decide_is_refused(make_flag: MakeFlag, change: dict[str, Any], message: str) -> None:
    with pytest.raises(FlagUnusable, match=f"flags.qa: .*{message}"):
        read_agent_flag("qa", {**make_flag("qa", 50), **change}, KNOWN)
