"""Sections that are written from a registry and read again, without a file between them."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import sluice.registry
from sluice.registry import Registry, load_registry
from sluice.registry.building import registry_of_sections, sections_of

PROJECT = Path(__file__).parent.parent.parent
FOLDERS = (PROJECT / "registry", Path(__file__).parent / "right")


def again(registry: Registry) -> Registry:
    return registry_of_sections(json.loads(json.dumps(sections_of(registry))), {})


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_registry_that_is_written_as_sections_is_read_as_the_same(folder: Path) -> None:
    registry = load_registry(folder)

    assert again(registry) == replace(registry, providers={}, evidence={})


def test_agents_that_have_all_in_common_add_little() -> None:
    registry = load_registry(PROJECT / "registry")
    qa = registry.agents["qa"]
    many = replace(registry, agents={f"qa-{number}": replace(qa, name=f"qa-{number}") for number in range(1000)})

    assert len(json.dumps(sections_of(many)["agents"])) < 150_000
    assert again(many).agents == many.agents


def test_every_name_of_the_package_is_to_be_had() -> None:
    module = importlib.reload(sluice.registry)

    assert all(getattr(module, name) for name in module.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        module.nothing  # noqa: B018


def test_types_are_to_be_had_where_no_yaml_can_be_read() -> None:
    code = (
        "import sys\n"
        "for name in ('yaml', 'ruamel', 'ruamel.yaml', 'jsonschema_rs'): sys.modules[name] = None\n"
        "from sluice.registry import Registry, Limits, Rollout\n"
        "from sluice.registry.building import registry_of_sections\n"
        "print(registry_of_sections({}, {}).agents)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stderr
