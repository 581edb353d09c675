"""A provider's key is replaced in real pods while they are asked."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live.load import Load
from tests.live.project import AGENTS, NAMESPACE, URL, LiveProject

STUB = f"/api/v1/namespaces/{NAMESPACE}/services/stub-provider:http/proxy/control"


def made_key(kind: str) -> str:
    """A key of a provider's form, which opens nothing: it is made here, for this run."""
    return f"made-{kind}-{secrets.token_hex(20)}"


def fingerprint(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:12]


def file_of(folder: Path, key: str) -> Path:
    file = folder / fingerprint(key)
    file.touch(mode=0o600)
    file.write_text(f"{key}\n")
    return file


def asked(project: LiveProject) -> dict[str, dict[str, Any]]:
    """What the stub provider was asked so far, by model."""
    said: dict[str, dict[str, Any]] = json.loads(project.cluster.text(f"{STUB}/requests"))
    return said


def let_in(project: LiveProject, keys: list[str] | None) -> None:
    """Have the provider of the fine-tuned models take keys of these fingerprints and no other; None is all."""
    dials = json.dumps({"latency_ms": 20, "latency_jitter_ms": 10, "chunk_delay_ms": 5, "keys": keys})
    for model in fine_tuned(project):
        ran = project.kubectl("replace", "--raw", f"{STUB}/models/{model}", "--filename", "-", stdin=dials)
        assert ran.exit_code == 0, ran.stderr


def fine_tuned(project: LiveProject) -> dict[str, dict[str, Any]]:
    """What the fine-tuned models were asked so far."""
    return {model: one for model, one in asked(project).items() if model.startswith("ft:")}


def refused(project: LiveProject) -> int:
    return sum(one["errors"] for one in fine_tuned(project).values())


def rotate(project: LiveProject, file: Path, name: str = "mistral-api-key") -> dict[str, Any]:
    ran = project.sluice("secrets", "rotate", "live", name, "--from-file", str(file), "--format", "json")
    assert ran.exit_code == 0, ran.stderr
    said: dict[str, Any] = json.loads(ran.stdout)
    return said


@pytest.fixture(scope="module")
def callers_key(project: LiveProject) -> Iterator[str]:
    """The key of a team, in an environment whose settings are as they were afterwards."""
    file = project.folder / "Pulumi.live.yaml"
    before = file.read_text()
    project.roll_out(dict.fromkeys(AGENTS, 50))
    issued = project.sluice("callers", "issue", "web", "--env", "live")
    assert issued.exit_code == 0, issued.stderr
    project.up()
    yield issued.stdout.strip()
    project.kubectl("delete", "--raw", f"{STUB}/models")
    file.write_text(before)
    project.up()


def test_a_providers_key_is_replaced_under_load_and_no_call_fails(
    project: LiveProject, callers_key: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert project.kubectl("scale", "deployment", "gateway", "--replicas", "2").exit_code == 0
    assert project.kubectl("rollout", "status", "deployment/gateway", "--timeout=55s").exit_code == 0
    old, new = made_key("old"), made_key("new")
    rotate(project, file_of(tmp_path, old))
    for agent in AGENTS:
        project.arms(agent, [f"user-{number}" for number in range(20)])
    assert {one["last_key_fingerprint"] for one in fine_tuned(project).values()} == {fingerprint(old)}
    assert len(fine_tuned(project)) == len(AGENTS)
    pods, resources, before = project.pods(), versions(project), refused(project)

    with Load(URL, AGENTS, calls_a_second=20) as load:
        let_in(project, [fingerprint(old), fingerprint(new)])  # the provider has issued a second key
        time.sleep(1)
        said = rotate(project, file_of(tmp_path, new))
        let_in(project, [fingerprint(new)])  # it has revoked the first
        time.sleep(3)
    after = refused(project)
    let_in(project, None)

    with capsys.disabled():
        print(f"\nrotated: {len(load.calls)} calls, {len(load.failed)} failed; {load.counts()}; seconds {said['pods']}")
    assert load.failed == []
    assert load.fallen_back == []
    assert after == before, "no call came with the old key once the command had ended"
    assert {one["last_key_fingerprint"] for one in fine_tuned(project).values()} == {fingerprint(new)}
    assert project.pods() == pods, "no pod restarted"
    assert said["changed"] is True
    assert set(said["pods"]) == set(pods)
    changed = {name for name, version in versions(project).items() if resources.get(name) != version}
    assert changed == {"Secret/provider-keys"}, "nothing else of the environment was touched"


def versions(project: LiveProject) -> dict[str, str]:
    """The version of each object that Pulumi made, but of the Deployments, whose status changes by itself."""
    kinds = "secrets,configmaps,services,serviceaccounts,roles,rolebindings,networkpolicies"
    said = project.kubectl("get", kinds, "--output", "json")
    assert said.exit_code == 0, said.stderr
    return {
        f"{one['kind']}/{one['metadata']['name']}": one["metadata"]["resourceVersion"]
        for one in json.loads(said.stdout)["items"]
    }
