"""The rules, asked by those who ask them: the API server, of what comes around Pulumi, and Pulumi itself."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice import __version__
from sluice.local.folders import PROJECT, cache_folder
from sluice.local.toolchain.python_environment import python_environment
from sluice.progress import Progress
from tests.live.project import NAMESPACE, LiveProject, Ran
from tests.policy.examples import BROKEN, KEPT, Broken, service


@pytest.fixture(scope="module", autouse=True)
def environment(project: LiveProject) -> None:
    project.up()


def create(project: LiveProject, body: object) -> Ran:
    """Have the API server say whether it would take an object."""
    return project.kubectl("create", "--dry-run=server", "--filename", "-", stdin=json.dumps(body))


def test_the_api_server_takes_what_keeps_every_rule(project: LiveProject) -> None:
    refused = [ran.stderr for ran in (create(project, body) for body in KEPT) if ran.exit_code != 0]

    assert refused == []


@pytest.mark.parametrize("example", BROKEN, ids=lambda example: f"{example.rule}: {example.title}")
def test_the_api_server_refuses_what_breaks_a_rule_by_its_name(example: Broken, project: LiveProject) -> None:
    refused = create(project, example.body)

    assert refused.exit_code != 0
    assert f"ValidatingAdmissionPolicy '{NAMESPACE}'" in refused.stderr
    assert f"denied request: {example.rule}: " in refused.stderr


def test_nobody_loosens_the_namespace(project: LiveProject) -> None:
    label = "pod-security.kubernetes.io/enforce=privileged"
    refused = project.kubectl("label", "--overwrite", "--dry-run=server", "namespace", NAMESPACE, label)

    assert refused.exit_code != 0
    assert "denied request: namespace-restricted: " in refused.stderr


def test_a_port_of_the_nodes_is_refused_where_answers_are_real(project: LiveProject) -> None:
    opened = service(type="NodePort")
    assert create(project, opened).exit_code == 0
    assert project.kubectl("label", "--overwrite", "namespace", NAMESPACE, "sluice/answers=real").exit_code == 0
    try:
        project.wait_for(lambda: "denied request: node-port-for-made-answers: " in create(project, opened).stderr)
    finally:
        project.up()


def test_the_servers_type_checker_has_nothing_to_say_of_the_expressions(project: LiveProject) -> None:
    path = f"/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/{NAMESPACE}"
    project.wait_for(lambda: "typeChecking" in project.cluster.get(path).get("status", {}))

    assert project.cluster.get(path)["status"]["typeChecking"] == {}


@pytest.fixture
def pack(project: LiveProject, tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A copy of the policy pack and the folder of the program that runs it.

    The language host that can be built here is older than the CLI, and cannot answer it about a pack in Python. A pack
    of another runtime is run by a program of that runtime's name, which starts the same pack in the same way.
    """
    python = python_environment(
        PROJECT / "requirements" / "policy.lock", "what the policy pack runs on", cache_folder(), Progress(quiet=True)
    )
    program = tmp_path / "pulumi-analyzer-policy-script"
    program.write_text(f'#!/bin/sh\nexec "{python}/bin/python" -u -m pulumi.policy "$1" "$2"\n')
    program.chmod(0o755)
    copy = project.folder / "policy-by-script"
    shutil.copytree(project.folder / "policy", copy)
    declared = copy / "PulumiPolicy.yaml"
    whole = declared.read_text()
    declared.write_text(whole.replace("name: python", "name: script"))
    assert declared.read_text() != whole
    yield copy, tmp_path
    shutil.rmtree(copy, ignore_errors=True)


def preview(project: LiveProject, pack: tuple[Path, Path]) -> Ran:
    command = 'PATH="$2:$PATH" exec pulumi preview --policy-pack "$1" --stack live --non-interactive --color never'
    return project.in_shell(command, *map(str, pack))


def test_pulumi_preview_passes_what_keeps_the_rules(project: LiveProject, pack: tuple[Path, Path]) -> None:
    ran = preview(project, pack)

    assert ran.exit_code == 0, ran.stdout + ran.stderr
    assert f"sluice@v{__version__}" in ran.stdout


@pytest.mark.parametrize(
    ("file", "before", "after", "rule", "subject"),
    [
        (
            "sluice/render/kubernetes_object.py",
            '"readOnlyRootFilesystem": True',
            '"readOnlyRootFilesystem": False',
            "read-only-root",
            "Deployment/gateway: container gateway: can write its root file system",
        ),
        (
            "sluice/render/namespace.py",
            'else "made"',
            'else "real"',
            "node-port-for-made-answers",
            "Service/gateway: opens a port of every node",
        ),
    ],
)
def test_pulumi_preview_refuses_what_breaks_a_rule(
    fresh_project: LiveProject,
    pack: tuple[Path, Path],
    file: str,
    before: str,
    after: str,
    rule: str,
    subject: str,
) -> None:
    source = fresh_project.folder / file
    assert before in source.read_text()
    source.write_text(source.read_text().replace(before, after))

    ran = preview(fresh_project, pack)

    assert ran.exit_code != 0
    assert "[mandatory]" in ran.stdout
    assert f"{subject} [{rule}]" in ran.stdout
