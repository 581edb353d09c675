"""The gateway's evaluator decides as flagd does, by flagd's own cases; see flagd_testbed/README.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import OpenFeatureError

TESTBED = json.loads((Path(__file__).parent / "flagd_testbed" / "fractional.json").read_text(encoding="utf-8"))
OLDER = {"@fractional-v1", "@fractional-v2"}
OURS = [case for case in TESTBED["cases"] if not OLDER & set(case["tags"])]
OF_HASH_2 = [case for case in TESTBED["cases"] if "@fractional-v2" in case["tags"]]


def evaluated(case: dict[str, Any]) -> str:
    core = FlagdCore()
    core.set_flags(json.dumps({"flags": TESTBED["flags"]}))
    attributes = {name: value for name, value in case["context"].items() if name != "targetingKey"}
    context = EvaluationContext(case["context"].get("targetingKey"), attributes)
    try:
        return core.resolve_string_value(case["flag"], case["default"], context).value
    except OpenFeatureError:
        return str(case["default"])  # as OpenFeature's client does


@pytest.mark.parametrize("case", OURS, ids=lambda case: f"{case['flag']}-{case['context']}")
def test_flagds_case_of_this_generation_is_decided_as_flagd_does(case: dict[str, Any]) -> None:
    assert evaluated(case) == case["value"]


def test_the_cases_of_this_generation_are_there() -> None:
    assert sum("@fractional-v3" in case["tags"] for case in OURS) >= 15


def test_many_cases_of_the_second_generation_are_decided_otherwise() -> None:
    assert sum(evaluated(case) != case["value"] for case in OF_HASH_2) > len(OF_HASH_2) / 3
