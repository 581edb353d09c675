"""LiteLLM in pods of its own: an agent answers through it, and it answers nothing else to anybody.

No network here enforces policies: what is tried is that whoever reaches it finds the chat alone. That only the gateway
reaches it is what its NetworkPolicy says (tests/render/test_litellm.py).
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from sluice.deploy.pods import is_ready, name_of
from sluice.local.cluster.layout import NODE_NAME
from sluice.local.folders import PROJECT, cache_folder
from sluice.local.images import build_litellm
from sluice.progress import Progress
from tests.live.load import Load
from tests.live.project import NAMESPACE, URL, LiveProject, edit
from tests.live.shown import Say

pytestmark = pytest.mark.operators

SETTINGS = """\
  sluice:litellm:
    image: sluice.local/litellm@sha256:0000000000000000000000000000000000000000000000000000000000000000
    providers: {anthropic: anthropic}
    replicas: 2
"""
MANAGEMENT = ("/key/generate", "/user/new", "/model/info", "/config/yaml", "/ui/", "/spend/logs", "/health", "/metrics")
CHAT = "/v1/chat/completions"
_PATIENCE_SECONDS = 240

# Runs in the gateway's pod: the only one that is to reach LiteLLM, with the key that the gateway has.
_ASK_LITELLM = """
import json, sys, urllib.error, urllib.request
key = open("/etc/sluice/keys/litellm-master-key").read().strip()
def status(method, path, **headers):
    headers["Content-Type"] = "application/json"
    body = b"{}" if method == "POST" else None
    request = urllib.request.Request(f"http://litellm:4000{path}", data=body, method=method, headers=headers)
    try:
        return urllib.request.urlopen(request, timeout=20).status
    except urllib.error.HTTPError as error:
        return error.code
found = {f"{method} {path}": status(method, path, Authorization=f"Bearer {key}")
         for path in sys.argv[2:] for method in ("GET", "POST")}
print(json.dumps({**found, "no key": status("POST", sys.argv[1]),
                  "another key": status("POST", sys.argv[1], Authorization="Bearer made-of-nobody")}))
"""

# Runs in LiteLLM's pod.
_WHO_AND_WHAT = """
import json, os
def error(path):
    try:
        open(path, "w").close()
    except OSError as error:
        return error.strerror
said = dict(line.split(":", 1) for line in open("/proc/1/status").read().splitlines())
print(json.dumps({
    "user": os.getuid(), "root": error("/made"), "code": error(os.path.join(os.path.dirname(os.__file__), "made")),
    "temporary": error("/tmp/made"), "keys": sorted(name for name in os.listdir("/etc/sluice/keys") if name[0] != "."),
    "token": os.path.exists("/var/run/secrets"), "rights": int(said["CapEff"], 16),
    "more rights": said["NoNewPrivs"].strip(), "seccomp": said["Seccomp"].strip(),
}))
"""


@pytest.fixture(scope="module")
def behind_litellm(project: LiveProject) -> Iterator[LiveProject]:
    """An environment whose agent qa answers by a model of Anthropic's alone, which LiteLLM asks."""
    build_litellm(PROJECT, cache_folder(), Progress())  # takes minutes the first time: an update has less of them here
    settings, rollout = project.folder / "Pulumi.live.yaml", project.folder / "registry/rollouts/live.yaml"
    kept = {file: file.read_text() for file in (settings, rollout)}
    edit(settings, r"  sluice:stub_provider:", f"{SETTINGS}  sluice:stub_provider:")
    # LiteLLM adds the version to a provider's address itself.
    edit(settings, r"(anthropic: http://stub-provider:8080/anthropic)/v1", r"\1")
    key = project.folder.with_name("litellm-master-key")
    key.touch(mode=0o600)
    key.write_text("sk-made-key-of-litellm\n")
    ran = project.sluice("secrets", "set", "live", "litellm-master-key", "--from-file", str(key))
    assert ran.exit_code == 0, ran.stderr
    rollout.write_text("version: 1\nenabled: true\nagents:\n  qa: {baseline: [claude-sonnet-4]}\n")
    project.up()
    yield project
    for file, text in kept.items():
        file.write_text(text)


def in_pod(project: LiveProject, deployment: str, program: str, *arguments: str) -> dict[str, Any]:
    """Run a program in a pod of a Deployment and return the JSON that it prints."""
    ran = project.kubectl("exec", f"deployment/{deployment}", "--", "python3", "-c", program, *arguments)
    assert ran.exit_code == 0, ran.stderr
    said: dict[str, Any] = json.loads(ran.stdout)
    return said


def pods(project: LiveProject) -> dict[str, bool]:
    """Return whether each pod of LiteLLM's that is to stay is ready, by its name."""
    path = f"/api/v1/namespaces/{NAMESPACE}/pods"
    items = project.cluster.items(path, labelSelector="app.kubernetes.io/name=litellm")
    staying = [item for item in items if "deletionTimestamp" not in item["metadata"]]
    return {name_of(item): is_ready(item) for item in staying}


def resident_mib(project: LiveProject) -> list[int]:
    """Return the memory that each pod of LiteLLM's has, as the kubelet measures it."""
    page = project.cluster.text(f"/api/v1/nodes/{NODE_NAME}/proxy/metrics/resource")
    line = rf'(?m)^pod_memory_working_set_bytes{{namespace="{NAMESPACE}",pod="litellm-[^"]*"}} (\S+)'
    return [round(float(found) / 2**20) for found in re.findall(line, page)]


def test_an_agent_answers_through_it(behind_litellm: LiveProject, say: Say) -> None:
    project = behind_litellm

    ran = project.sluice("ask", "live", "qa", "Are you there?", "--user", "ada", "--format", "json")

    assert ran.exit_code == 0, ran.stderr
    answered = json.loads(ran.stdout)
    assert (answered["model"], answered["arm"]) == ("claude-sonnet-4", "baseline")
    assert "(stub: claude-sonnet-4" in answered["answer"]
    began = time.monotonic()
    project.arms("qa", [f"user-{number}" for number in range(600)])
    a_second = 600 / (time.monotonic() - began)
    say(f"{a_second:.0f} requests/s by the gateway and two pods of it, which take {resident_mib(project)} MiB")


def test_nobody_gets_at_its_management_and_the_chat_takes_its_key(behind_litellm: LiveProject) -> None:
    said = in_pod(behind_litellm, "gateway", _ASK_LITELLM, CHAT, *MANAGEMENT)

    nowhere = {f"{method} {path}": 404 for path in MANAGEMENT for method in ("GET", "POST")}
    assert said == {**nowhere, "no key": 401, "another key": 401}


def test_its_pod_runs_as_nobody_in_particular_on_a_root_that_cannot_be_written(behind_litellm: LiveProject) -> None:
    project = behind_litellm
    shown = project.cluster.get(f"/api/v1/namespaces/{NAMESPACE}")["metadata"]["labels"]
    assert shown["pod-security.kubernetes.io/enforce"] == "restricted", "and its pod was admitted"

    assert in_pod(project, "litellm", _WHO_AND_WHAT) == {
        "user": 10001,
        "root": "Read-only file system",
        "code": "Read-only file system",
        "temporary": None,
        "keys": ["anthropic-api-key", "litellm-master-key"],
        "token": False,
        "rights": 0,
        "more rights": "1",
        "seccomp": "2",
    }


def test_a_pod_that_ends_loses_no_request(behind_litellm: LiveProject, say: Say) -> None:
    project = behind_litellm
    first, second = pods(project)

    # Few calls: the pod that is left has to answer them beside one that starts, on the same two processors.
    with Load(URL, ("qa",), calls_a_second=2) as load:
        project.wait_for(lambda: len(load.calls) > 6)
        assert project.kubectl("delete", "pod", first, "--wait=false").exit_code == 0
        gone = f"/api/v1/namespaces/{NAMESPACE}/pods/{first}"
        took = project.wait_for(lambda: project.cluster.find(gone) is None, seconds=_PATIENCE_SECONDS)
        again = took + project.wait_for(lambda: list(pods(project).values()) == [True, True], seconds=_PATIENCE_SECONDS)
    say(f"gone {took:.0f} s after SIGTERM, replaced after {again:.0f} s; {len(load.calls)} calls: {load.counts()}")
    assert [str(call) for call in load.failed] == []
    assert second in pods(project)


def test_without_a_pod_of_it_nobody_asks_its_models(behind_litellm: LiveProject) -> None:
    project = behind_litellm
    assert project.kubectl("scale", "deployment/litellm", "--replicas", "0").exit_code == 0
    left = ("get", "pods", "--selector", "app.kubernetes.io/name=litellm", "--output", "name")
    project.wait_for(lambda: not project.kubectl(*left).stdout, seconds=_PATIENCE_SECONDS)
    assert project.sluice("ask", "live", "qa", "And now?", "--user", "ada").exit_code == 3
