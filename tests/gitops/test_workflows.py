"""The workflows call `sluice` and nothing else that decides, with no right that they do not need."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from sluice.cli.main import sluice
from sluice.gitops.owners import OWNERS, owners_text, read_teams
from sluice.registry import environments, load_registry
from tests.gitops.project import PROJECT

pytestmark = pytest.mark.slow

GITHUB = PROJECT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
ACTIONS = sorted((GITHUB / "actions").glob("*/action.yml"))
GITLAB = PROJECT / "docs/examples/gitlab-ci.yml"


class _GitLabsLoader(yaml.SafeLoader):
    """Reads `!reference [a, b]` as the list that it is."""


def _reference(loader: _GitLabsLoader, node: yaml.SequenceNode) -> list[Any]:
    return list(loader.construct_sequence(node))


_GitLabsLoader.add_constructor("!reference", _reference)


def read(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.load(file.read_text(), _GitLabsLoader)
    return found


@pytest.mark.parametrize("file", [*WORKFLOWS, *ACTIONS], ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_actions_of_others_are_pinned_by_commit_with_their_version_beside_it(file: Path) -> None:
    for line in file.read_text().splitlines():
        if found := re.search(r"(?<![\w])uses: ([^\s]+)(.*)", line):
            ours = found[1].startswith("./.github/")
            assert ours or re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", found[1]), line
            assert ours or re.fullmatch(r" # v\d+\.\d+\.\d+", found[2]), line


def test_the_owners_are_what_the_sign_off_roles_say() -> None:
    teams = read_teams(PROJECT)
    assert teams is not None

    wanted = owners_text(load_registry(PROJECT / "registry"), environments(PROJECT), teams)
    assert (PROJECT / OWNERS).read_text() == wanted, "run: sluice ci owners"


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_a_workflow_has_no_right_and_each_job_says_its_own(file: Path) -> None:
    workflow = read(file)

    assert workflow["permissions"] == {}
    for name, job in workflow["jobs"].items():
        rights = job["permissions"]
        assert isinstance(rights, dict), name
        assert rights.keys() <= {"attestations", "contents", "id-token", "pull-requests", "statuses"}, name
        assert "timeout-minutes" in job or "uses" in job, name


def test_a_request_is_given_no_right_to_write_what_it_brings() -> None:
    jobs = read(GITHUB / "workflows/request.yml")["jobs"]

    assert {job["permissions"]["contents"] for job in jobs.values()} == {"read"}
    assert jobs["check"]["permissions"] == {"contents": "read"}
    assert jobs["preview"]["if"] == "github.event.pull_request.head.repo.full_name == github.repository"


def test_what_publishes_a_release_runs_no_code_of_the_repository_and_what_runs_it_may_write_nothing() -> None:
    jobs = read(GITHUB / "workflows/release.yml")["jobs"]

    assert jobs["build"]["permissions"] == {"contents": "read"}
    assert not any("secrets." in str(step) or "github.token" in str(step) for step in jobs["build"]["steps"])
    assert (jobs["publish"]["needs"], jobs["publish"]["environment"]) == ("build", "release")
    used = [step["uses"].partition("@")[0] for step in jobs["publish"]["steps"] if "uses" in step]
    assert used == ["actions/download-artifact", "actions/attest-build-provenance"]
    assert [step["run"].split()[0] for step in jobs["publish"]["steps"] if "run" in step] == ["sha256sum", "gh"]


def test_production_waits_for_its_environment_and_runs_of_one_environment_for_each_other() -> None:
    merge, apply = read(GITHUB / "workflows/merge.yml"), read(GITHUB / "workflows/apply.yml")["jobs"]["apply"]

    assert merge["jobs"]["production"]["with"] == {"environment": "production"}
    assert merge["jobs"]["production"]["needs"] == ["changed", "dev", "staging"]
    assert apply["environment"] == "${{ inputs.environment }}"
    assert apply["concurrency"] == {"group": "apply-${{ inputs.environment }}", "cancel-in-progress": False}


@pytest.mark.parametrize("file", [*WORKFLOWS, *ACTIONS], ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_what_others_can_name_reaches_a_shell_through_variables_alone(file: Path) -> None:
    for script in re.findall(r"run: (?:\|\n((?: {8,}.*\n)+)|(.*))", file.read_text()):
        assert "${{" not in "".join(script)


def commands() -> set[tuple[str, ...]]:
    text = "".join(file.read_text() for file in (*WORKFLOWS, *ACTIONS, GITLAB))
    lines = re.findall(r"(?:^|[\s(])sluice ((?:[a-z]+ ?)+)((?:.*\\\n)*.*)", text)
    options = ((name.split(), re.findall(r"(--[a-z-]+)", rest)) for name, rest in lines if name.split()[0] in _KNOWN)
    return {(*name[: 2 if name[0] == "ci" else 1], *found) for name, found in options}


_KNOWN = ("ci", "advance", "promote")


def test_every_command_that_they_call_is_there_with_the_options_they_give_it() -> None:
    called = commands()
    assert {name[:2] for name in called if name[0] == "ci"} == {
        ("ci", name) for name in ("check", "preview", "changed", "apply", "drift", "kubeconfig")
    }
    for words in called:
        names = [word for word in words if not word.startswith("--")]
        command: click.Command | None = sluice
        for name in names:
            assert isinstance(command, click.Group)
            command = command.get_command(click.Context(command), name)
        assert command is not None, words
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        assert {word for word in words if word.startswith("--")} <= known, words


def test_gitlabs_example_runs_the_same_steps_one_environment_at_a_time() -> None:
    example = read(GITLAB)

    assert example["stages"].index("dev") < example["stages"].index("staging") < example["stages"].index("production")
    for name in ("dev", "staging", "production"):
        assert example[name] | {"extends": ".apply"} == example[name]
        assert example[name]["resource_group"] == example[name]["environment"] == name
    assert example["variables"]["GIT_DEPTH"] == "0"
