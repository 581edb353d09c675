"""The environment that faults are tried on, and the ways to harm it.

Two gateways and a Redis; the candidates' provider and the baselines' each a stub of its own, so that one can die and
the other not. Breaker and deadline are shorter than the registry's, for the tests' time alone: the breaker is open for
4 seconds, not 60, and a request has 8 seconds, not 60.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sluice.deploy.cluster_access import ClusterUnreachable
from sluice.deploy.in_gateway import ready_pods
from tests.live.fault_table import TABLE
from tests.live.load import Load
from tests.live.project import AGENTS, NAMESPACE, URL, LiveProject

CANDIDATES = "mistral"
"""The candidates' provider: its Deployment and its Service."""

BASELINES = "stub-provider"
BREAKER_SECONDS = 4
DEADLINE_SECONDS = 8
GATEWAYS = 2

HEDGED = "hedged"
"""An agent that the load leaves alone, of which every user is on the candidate."""

HEDGE_AFTER_SECONDS = 1

_BEFORE_SECONDS = 1.5
_AFTER_SECONDS = 1.5
_SHOWN_OF_A_WAY = 4
_FAST = {"latency_ms": 20, "latency_jitter_ms": 10, "chunk_delay_ms": 5}


@dataclass(slots=True)
class Harm:
    """A fault that is being tried: the load that runs, and what the table is to say of it."""

    load: Load
    note: str = ""
    began: float = field(default_factory=time.monotonic)

    def stay(self, seconds: float) -> None:
        """Let the load run on for a while."""
        time.sleep(seconds)


@dataclass(frozen=True, slots=True)
class World:
    """The environment `live`, as `conftest.py` made it."""

    project: LiveProject

    @contextmanager
    def harm(
        self, fault: str, *, tries: int = 1, key: str | None = None, after_seconds: float = _AFTER_SECONDS
    ) -> Iterator[Harm]:
        """Run the load before, while and after the body does its harm; then add to the table and print failures."""
        with Load(URL, AGENTS, tries=tries, key=key) as load:
            time.sleep(_BEFORE_SECONDS)
            harm = Harm(load)
            yield harm
            time.sleep(after_seconds)
        TABLE.add(fault, load, harm.note)
        print(f"\n{fault}: {len(load.calls)} calls, {len(load.failed)} failed; {load.counts()}")
        told: dict[tuple[object, ...], int] = {}
        for call in load.failed:
            way = (call.status, call.arm, call.model, re.sub(r"[0-9.]+ seconds", "N seconds", call.fault))
            told[way] = told.get(way, 0) + 1
            if told[way] <= _SHOWN_OF_A_WAY:
                print(f"  {call.began - harm.began:+.2f} s {call}")

    def dial(self, provider: str, **dials: Any) -> None:
        """Set every dial of a provider; those that are not named are as usual."""
        self.send("replace", f"services/{provider}:http/proxy/control/default", {**_FAST, **dials})

    def asked(self, provider: str) -> dict[str, Any]:
        """Return what a provider was asked so far, by model."""
        path = f"/api/v1/namespaces/{NAMESPACE}/services/{provider}:http/proxy/control/requests"
        said: dict[str, Any] = json.loads(self.project.cluster.text(path))
        return said

    def stop(self, deployment: str) -> None:
        """End a Deployment's pods at once, and start no new ones."""
        self.kubectl("scale", "deployment", deployment, "--replicas", "0")
        self.kubectl(
            "delete", "pods", "--selector", f"app.kubernetes.io/name={deployment}", "--grace-period=0", "--force"
        )

    def start(self, deployment: str) -> None:
        """Start a Deployment's pod again and wait until it is ready; a provider's dials are as usual then."""
        self.kubectl("scale", "deployment", deployment, "--replicas", "1")
        self.kubectl("rollout", "status", f"deployment/{deployment}", "--timeout=40s")
        if deployment in (CANDIDATES, BASELINES):
            self.project.wait_for(lambda: self._takes_dials(deployment))

    def _takes_dials(self, provider: str) -> bool:
        with suppress(AssertionError):
            self.dial(provider)
            return True
        return False

    def metric(self, series: str) -> list[float]:
        """Read a series of each gateway, as it is written in its metrics."""
        return [self.metric_of(pod, series) for pod in self.project.pods()]

    def metric_of(self, pod: str, series: str) -> float:
        """Read a series of one gateway; nan where it does not say."""
        try:
            text = self.project.cluster.text(f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}:9090/proxy/metrics")
        except ClusterUnreachable:
            return float("nan")
        found = [line for line in text.splitlines() if line.startswith(f"{series} ")]
        return float(found[0].split()[-1]) if found else float("nan")

    def calm(self) -> None:
        """Wait until nothing is left of the harm before: two ready gateways, and no breaker open."""
        self.project.wait_for(self._is_calm, seconds=60)

    def _is_calm(self) -> bool:
        open_ = [self.metric(f'sluice_breaker_open{{agent="{agent}"}}') for agent in AGENTS]
        return (
            len(self.ready_pods()) == len(self.project.pods()) == GATEWAYS
            and all(values == [0.0] * GATEWAYS for values in open_)
            and self.metric("sluice_store_up") == [1.0] * GATEWAYS
            and self.metric('sluice_flags_source{source="watch"}') == [1.0] * GATEWAYS
        )

    def ready_pods(self) -> list[str]:
        """Return the gateways that are ready and are not ending."""
        return ready_pods(self.project.cluster, NAMESPACE)

    def flags(self) -> dict[str, Any]:
        """Return flags.json as it is in the cluster."""
        said = json.loads(self.kubectl("get", "configmap", "flags", "--output", "json"))
        document: dict[str, Any] = json.loads(said["data"]["flags.json"])
        return document

    def put_flags(self, text: str) -> None:
        """Write flags.json past every check, as somebody with kubectl could."""
        patch = json.dumps({"data": {"flags.json": text}})
        self.kubectl("patch", "configmap", "flags", "--type", "merge", "--patch", patch)

    def set_override(self, agent: str, value: str | None) -> None:
        """Set an override, or lift it by None."""
        patch = json.dumps({"data": {agent: value}})
        self.kubectl("patch", "configmap", "override", "--type", "merge", "--patch", patch)

    def gateway_process(self, pod: str) -> int:
        """Return the process id, on this machine, of a gateway in its pod."""
        uid = self.project.pods()[pod]
        found = [
            int(folder.name)
            for folder in Path("/proc").glob("[0-9]*")
            if _is_in_pod(folder, uid) and "sluice.gateway" in _command_line(folder)
        ]
        assert found, f"no gateway runs in pod {pod}"
        return min(found)

    def kubectl(self, *arguments: str) -> str:
        """Run kubectl, which must succeed, and return what it printed."""
        ran = self.project.kubectl(*arguments)
        assert ran.exit_code == 0, ran.stderr
        return ran.stdout

    def send(self, verb: str, path: str, document: object) -> None:
        """Send a document to a path of the namespace, by kubectl's `create` (POST) or `replace` (PUT)."""
        raw = f"/api/v1/namespaces/{NAMESPACE}/{path}"
        ran = self.project.kubectl(verb, "--raw", raw, "--filename", "-", stdin=json.dumps(document))
        assert ran.exit_code == 0, ran.stderr


def assert_right(harm: Harm) -> None:
    """Assert that no call failed, none was answered by another model, and every user had one arm all along."""
    assert harm.load.failed == []
    assert harm.load.fallen_back == []
    assert all(len(arms) == 1 for arms in harm.load.arms().values())
    assert {arm for arms in harm.load.arms().values() for arm in arms} == {"candidate", "baseline"}


def add_hedged_agent(models: Path) -> None:
    """Write the agent that is hedged, and a candidate of its own, into models.yaml."""
    text = models.read_text()
    candidate = text[text.index("  qa-20251031:") : text.index("  content-20251031:")]
    own = candidate.replace("qa-20251031", f"{HEDGED}-20251031").replace("ecc3829c", "made0001")
    agent = (
        f"  {HEDGED}:\n    summary: callers that wait at a screen\n    baseline: [gpt-4o, claude-sonnet-4]\n"
        f"    hedge_after: {HEDGE_AFTER_SECONDS}s\n"
    )
    models.write_text(text.replace(candidate, candidate + own).replace("  qa:\n", f"{agent}  qa:\n", 1))


def edit(file: Path, pattern: str, replacement: str) -> None:
    """Replace what must stand in a file once at least."""
    text, count = re.subn(pattern, replacement, file.read_text())
    assert count, f"{pattern} is not in {file.name}"
    file.write_text(text)


def provider_apart(project: LiveProject) -> None:
    """Make the candidates' provider: a stub like the one that is there, under a name of its own."""
    for kind in ("service", "deployment"):
        said = project.kubectl("get", kind, BASELINES, "--output", "json")
        assert said.exit_code == 0, said.stderr
        there = json.loads(said.stdout)
        spec = there["spec"]
        for field_ in ("clusterIP", "clusterIPs"):
            spec.pop(field_, None)
        made = {
            "apiVersion": there["apiVersion"],
            "kind": there["kind"],
            "metadata": {"name": CANDIDATES},
            "spec": spec,
        }
        text = json.dumps(made).replace(
            f'"app.kubernetes.io/name": "{BASELINES}"', f'"app.kubernetes.io/name": "{CANDIDATES}"'
        )
        applied = project.kubectl("apply", "--filename", "-", stdin=text)
        assert applied.exit_code == 0, applied.stderr


def _is_in_pod(folder: Path, uid: str) -> bool:
    with suppress(OSError):
        return uid in (folder / "cgroup").read_text()
    return False


def _command_line(folder: Path) -> str:
    with suppress(OSError):
        return (folder / "cmdline").read_text(errors="replace").replace("\0", " ")
    return ""


def kill(pid: int, signal_number: int) -> None:
    """Send a signal to a process of a pod that these tests started."""
    os.kill(pid, signal_number)
