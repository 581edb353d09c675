"""Keys reach real pods as files for their group alone, are replaced under load, and are readable nowhere else."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sluice.local.folders import state_folder
from tests.live.load import Load
from tests.live.project import AGENTS, STUB, URL, LiveProject
from tests.live.shown import Say
from tests.live.traces import everything_that_is_written, places_that_hold_secrets, traces_of

FOLDERS = ("keys", "callers")

_MODES = """
import json, os, sys
found = {}
for folder in sys.argv[1:]:
    for name in os.listdir(folder):
        if not name.startswith("."):
            status = os.stat(os.path.join(folder, name))
            found[folder + "/" + name] = [oct(status.st_mode & 0o7777), status.st_uid, status.st_gid]
print(json.dumps(found))
"""


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


def users(when: str) -> list[str]:
    """Users who have asked nothing yet, so that the provider answers each and no cache."""
    return [f"{when}-of-secrets-{number}" for number in range(20)]


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


def in_pod(project: LiveProject, pod: str, *command: str) -> str:
    ran = project.kubectl("exec", pod, "--", *command)
    assert ran.exit_code == 0, ran.stderr
    return ran.stdout


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
    project: LiveProject, callers_key: str, tmp_path: Path, say: Say
) -> None:
    assert project.kubectl("scale", "deployment", "gateway", "--replicas", "2").exit_code == 0
    assert project.kubectl("rollout", "status", "deployment/gateway", "--timeout=55s").exit_code == 0
    old, new = made_key("old"), made_key("new")
    rotate(project, file_of(tmp_path, old))
    for agent in AGENTS:
        project.arms(agent, users("first"))
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

    say(f"rotated: {len(load.calls)} calls, {len(load.failed)} failed; {load.counts()}; seconds {said['pods']}")
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


@pytest.mark.usefixtures("callers_key")
def test_both_secrets_are_files_that_the_pods_group_alone_can_read(project: LiveProject) -> None:
    pod = next(iter(project.pods()))
    folders = [f"/etc/sluice/{folder}" for folder in FOLDERS]

    modes = json.loads(in_pod(project, pod, "python3", "-c", _MODES, *folders))

    assert {Path(name).parent.name for name in modes} == set(FOLDERS)
    assert set(map(tuple, modes.values())) == {("0o440", 0, 10001)}
    variables = in_pod(project, pod, "python3", "-c", "import os; print('\\n'.join(os.environ))")
    assert not re.search("KEY|TOKEN|SECRET|PASSWORD", variables), variables


@pytest.mark.long
def test_planted_keys_are_readable_nowhere_but_where_they_must_be(
    project: LiveProject, callers_key: str, tmp_path: Path
) -> None:
    planted = {name: made_key(name) for name in ("mistral-api-key", "openai-api-key")}
    said: list[str] = []
    began = time.time()

    def run(act: Callable[[], Any]) -> None:
        ran = act()
        assert ran.exit_code == 0, ran.stderr
        said.extend((ran.stdout, ran.stderr))

    # By standard input and by a file; by an update and a rotation, and by Pulumi's own ways to show a stack.
    mistral, openai = (file_of(tmp_path, key) for key in planted.values())
    run(
        lambda: project.in_shell(
            'exec "$1" -m sluice secrets set live mistral-api-key < "$2"', sys.executable, str(mistral)
        )
    )
    run(lambda: project.pulumi("preview", "--diff"))
    run(lambda: project.pulumi("up", "--yes", "--diff"))
    run(lambda: project.sluice("secrets", "rotate", "live", "openai-api-key", "--from-file", str(openai)))
    planted["a caller's"] = callers_key
    run(lambda: project.pulumi("stack", "export"))
    run(lambda: project.pulumi("config"))
    run(lambda: project.sluice("secrets", "list", "live"))
    run(lambda: project.sluice("callers", "list", "--env", "live"))
    run(lambda: project.sluice("render", "live", "--out", str(tmp_path / "rendered")))
    # What is refused is said too, in answers and in the log.
    project.arms("qa", users("before"))
    before = refused(project)
    let_in(project, [])
    project.arms("qa", users("after"))
    assert refused(project) > before, "the key was refused, and a baseline answered"
    run(lambda: project.sluice("ask", "live", "qa", "Hello", "--user", "ada", SLUICE_API_KEY=planted["a caller's"]))

    written = everything_that_is_written(project, since=began)
    written["what was printed"] = "\n".join(said).encode()
    for file in (tmp_path / "rendered").iterdir():
        written[f"rendered {file.name}"] = file.read_bytes()
    assert len(written) > 30, sorted(written)
    assert b"[secret]" in written["what was printed"], "a difference of the Secret was shown"
    assert {name: traces_of(key, written) for name, key in planted.items()} == {name: [] for name in planted}
    # The search sees what is there: etcd and the mounted files hold keys as they are, and are root's alone.
    there = places_that_hold_secrets(state_folder())
    for name in ("mistral-api-key", "openai-api-key"):
        places = traces_of(planted[name], there)
        assert any("etcd" in place for place in places), places
        assert any("kubernetes.io~secret/keys/" in place for place in places), places
    assert state_folder().joinpath("etcd").stat().st_mode & 0o077 == 0
