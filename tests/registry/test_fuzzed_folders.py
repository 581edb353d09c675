"""Whatever stands in the files of a registry folder, the loader either loads it or says what is wrong."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.registry import InvalidRegistry, check, load_registry, load_rollout

RIGHT = Path(__file__).parent / "right"

_names = st.sampled_from(
    ["version", "providers", "models", "agents", "qa", "qa-20251031", "gpt-4o", "weight", "enabled"]
)
_scalars = st.none() | st.booleans() | st.integers(-5, 10**20) | st.floats() | st.text(max_size=20) | _names
_values = st.recursive(_scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=4))


def flow(value: object) -> str:
    """Write a value in YAML's flow style."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    return json.dumps(value).replace("NaN", ".nan").replace("Infinity", ".inf")


@given(_values, st.sampled_from(["models.yaml", "rollouts/dev.yaml"]), st.sampled_from(["", "agents: ", "models: "]))
@settings(max_examples=80, deadline=None)
def test_a_folder_is_loaded_or_refused_and_the_two_ways_of_asking_agree(value: object, name: str, before: str) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "registry"
        shutil.copytree(RIGHT, folder)
        (folder / name).write_text(before + flow(value), encoding="utf-8")

        findings = check(folder)
        if findings:
            with pytest.raises(InvalidRegistry, match=r"^refused, \d+ mistakes?:\n") as refused:
                load_rollout(folder, "dev", load_registry(folder))
            assert set(refused.value.findings) <= set(findings)
            "".join(map(str, findings)).encode()
        else:
            load_rollout(folder, "dev", load_registry(folder))
