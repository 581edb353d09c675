"""What the changelog says of upgrading is what a project of the previous release needs, and all that it needs."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sluice.registry import Severity, environments, examine, load_environment
from sluice.render import render
from tests.release.installation import PROJECT

NOTES = (PROJECT / "CHANGELOG.md").read_text().partition("### Upgrading\n")[2].partition("\n### ")[0]
PREVIOUS = re.findall(r"commit `([0-9a-f]{7,40})`", NOTES)[0]
GATEWAY_PORT = 8080


@pytest.fixture
def previous(tmp_path: Path) -> Path:
    """The project as the previous release had it: what people edit, and none of its code."""
    files = ("registry", "__main__.py", "Pulumi.yaml", *(f"Pulumi.{name}.yaml" for name in environments(PROJECT)))
    archive = subprocess.run(["git", "archive", PREVIOUS, *files], cwd=PROJECT, capture_output=True, check=True)
    subprocess.run(["tar", "-x"], cwd=tmp_path, input=archive.stdout, check=True)
    return tmp_path


def edited(project: Path) -> Path:
    """Do what the notes say, with the tool that people would take."""
    for difference in re.findall(r"^```diff\n(.*?)^```$", NOTES, re.MULTILINE | re.DOTALL):
        subprocess.run(["git", "apply", "-"], cwd=project, input=difference, text=True, check=True)
    return project


def callers_of(project: Path, environment: str) -> tuple[str, bool]:
    """Return whether callers are asked for keys, and whether a network policy lets anybody at all call the gateway."""
    declared = load_environment(project, environment)
    objects = render(declared.registry, declared.rollout, declared.settings).objects()
    (policy,) = (one.body for one in objects if (one.body["kind"], one.name) == ("NetworkPolicy", "gateway"))
    settings: Any = next(one.body["data"] for one in objects if one.name.startswith("gateway-config"))
    (asked,) = re.findall(r'"callers": "(\w+)"', str(settings))
    ports = [port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]]
    return asked, GATEWAY_PORT in ports


def test_the_previous_project_is_valid_as_it_is(previous: Path) -> None:
    errors = [found for found in examine(previous / "registry").findings if found.severity is Severity.ERROR]

    assert errors == []


def test_without_the_edits_nobody_could_call_as_the_notes_say(previous: Path) -> None:
    assert callers_of(previous, "staging") == ("required", False)
    assert callers_of(previous, "production") == ("required", False)
    assert callers_of(previous, "dev") == ("required", True), "its port on the node lets everybody to the door"


@pytest.mark.parametrize("environment", ["dev", "staging", "production"])
def test_with_the_edits_callers_are_served_as_before(previous: Path, environment: str) -> None:
    project = edited(previous)

    assert not [found for found in examine(project / "registry").findings if found.severity is Severity.ERROR]
    assert callers_of(project, environment) == ("open", True)


def test_the_notes_name_every_environment_of_the_previous_project(previous: Path) -> None:
    assert sorted(re.findall(r"^\+\+\+ b/Pulumi\.(\w+)\.yaml$", NOTES, re.MULTILINE)) == list(environments(previous))
