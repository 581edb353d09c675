"""A project with an environment `live`, driven as a person drives it: files are edited, commands are run."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from sluice.deploy.cluster_access import ClusterAccess
from sluice.deploy.engine import DEV_PASSPHRASE
from sluice.deploy.pods import gateway_pods, name_of
from sluice.local import cluster as local_cluster
from sluice.local.folders import cache_folder, state_folder
from sluice.local.toolchain import ensure_kubernetes
from sluice.progress import Progress
from tests.live.waiting import until

PORT = 30081
URL = f"http://127.0.0.1:{PORT}"
AGENTS = ("qa", "content", "legal", "support", "analyst")
NAMESPACE = "sluice-live"
STUB = f"/api/v1/namespaces/{NAMESPACE}/services/stub-provider:http/proxy/control"
"""Where the stub provider's dials are, by the API server."""

_CONCURRENT_REQUESTS = 48


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that ended."""

    exit_code: int
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True)
class LiveProject:
    """A copy of the checkout in `folder`, whose environment `live` is in the cluster."""

    folder: Path
    cluster: ClusterAccess

    def add_environment(self) -> None:
        """Add `live`: the two files that an environment takes."""
        settings = (self.folder / "Pulumi.dev.yaml").read_text()
        settings = settings.replace("sluice-dev\n", f"{NAMESPACE}\n", 1).replace("30080", str(PORT))
        # A guard would roll back what other tests break on purpose: those that want one add it.
        settings = re.sub(r"(?m)^  sluice:(prometheus|guard):\n(    .*\n)+", "", settings)
        (self.folder / "Pulumi.live.yaml").write_text(settings)
        self.roll_out(dict.fromkeys(AGENTS, 50))
        self._allow_any_rate()

    def _allow_any_rate(self) -> None:
        """Take away the registry's limits of requests a second, which thousands of users at once would run into."""
        models = self.folder / "registry/models.yaml"
        models.write_text(re.sub(r"(requests_per_second: )\d+", r"\g<1>10000", models.read_text()))

    def pulumi(self, *arguments: str, environment: str = "live") -> Ran:
        """Run Pulumi by hand on the stack, in a shell that took over what `sluice env` prints."""
        command = f'exec pulumi "$@" --stack {environment} --non-interactive --color never'
        return self.in_shell(command, *arguments, environment=environment)

    def in_shell(self, command: str, *arguments: str, environment: str = "live") -> Ran:
        """Run a command, with arguments as `$1` and so on, in a shell that took over what `sluice env` prints."""
        exports = self.sluice("env", environment)
        assert exports.exit_code == 0, exports.stderr
        ran = subprocess.run(
            ["bash", "-euc", f"{exports.stdout}\n{command}", "bash", *arguments],
            cwd=self.folder,
            env={
                **_outer(),
                "PYTHONPATH": str(self.folder),
                "PULUMI_CONFIG_PASSPHRASE_FILE": str(self._passphrase_file()),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return Ran(ran.returncode, ran.stdout, ran.stderr)

    def _passphrase_file(self) -> Path:
        """Return a file with the passphrase of dev's settings, which `live` has copied."""
        file = self.folder.with_name("passphrase")
        file.write_text(DEV_PASSPHRASE)
        return file

    def roll_out(self, weights: Mapping[str, int], *, enabled: bool = True) -> None:
        """Write the environment's rollout: each agent's first fine-tuned model at a weight."""
        agents = "\n".join(
            f"  {agent}: {{candidate: {agent}-20251031, weight: {weight}, since: 2025-11-06}}"
            for agent, weight in weights.items()
        )
        text = f"version: 1\nenabled: {str(enabled).lower()}\nagents:\n{agents}\n"
        (self.folder / "registry/rollouts/live.yaml").write_text(text)

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        """Start a `sluice` command in a process group of its own."""
        return self.started(arguments, variables)

    def started(
        self, arguments: Iterable[str], variables: Mapping[str, str], *, stderr: int = subprocess.PIPE
    ) -> subprocess.Popen[str]:
        """Start a `sluice` command, whose errors may go where the rest goes."""
        environment = {
            **_outer(),
            "PYTHONPATH": str(self.folder),
            "PULUMI_CONFIG_PASSPHRASE_FILE": str(self._passphrase_file()),
            **variables,
        }
        return subprocess.Popen(
            [sys.executable, "-m", "sluice", *arguments],
            cwd=self.folder,
            env={name: value for name, value in environment.items() if value},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,
        )

    def sluice(self, *arguments: str, **variables: str) -> Ran:
        """Run a `sluice` command to its end."""
        process = self.start(*arguments, **variables)
        stdout, stderr = process.communicate(timeout=300)
        return Ran(process.returncode, stdout, stderr)

    def up(self, **variables: str) -> dict[str, Any]:
        """Run `sluice up live`, which must succeed, and return what it says."""
        ran = self.sluice("up", "live", "--format", "json", **variables)
        assert ran.exit_code == 0, ran.stderr
        said: dict[str, Any] = json.loads(ran.stdout)
        return said

    def end_guard(self) -> None:
        """Bring the environment up by settings that have no guard any more, and lift what the guard has set.

        In this order: one that still looked would find the same harm, and set the override again.
        """
        self.up()
        guards = ("get", "pods", "--selector", "app.kubernetes.io/name=sluice-guard", "--output", "name")
        self.wait_for(lambda: not self.kubectl(*guards).stdout, seconds=60)
        self.kubectl("patch", "configmap", "override", "--type", "json", "-p", '[{"op": "remove", "path": "/data"}]')

    def kubectl(self, *arguments: str, stdin: str = "") -> Ran:
        """Run kubectl in the environment's namespace."""
        program = ensure_kubernetes(cache_folder(), Progress(quiet=True)).kube / "kubectl"
        kubeconfig = local_cluster.kubeconfig(state_folder())
        ran = subprocess.run(
            [program, "--kubeconfig", kubeconfig, "--namespace", NAMESPACE, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Ran(ran.returncode, ran.stdout, ran.stderr)

    def pods(self) -> dict[str, str]:
        """Return the uid of each of the gateway's pods by its name."""
        return {name_of(pod): pod["metadata"]["uid"] for pod in gateway_pods(self.cluster, NAMESPACE)}

    def deployments(self) -> tuple[str, ...]:
        """Return the names of the Deployments."""
        items = self.cluster.get(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments")["items"]
        return tuple(item["metadata"]["name"] for item in items)

    def pod_image(self, deployment: str) -> str:
        """Return the image that a Deployment's pods name."""
        found = self.cluster.get(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{deployment}")
        return str(found["spec"]["template"]["spec"]["containers"][0]["image"])

    def arms(self, agent: str, users: Iterable[str]) -> dict[str, str]:
        """Ask the agent as each user, at the gateway's own port, and return the arm that served each."""
        return asyncio.run(_arms(agent, list(users)))

    def wait_for(self, holds: Callable[[], bool], *, seconds: float = 30.0) -> float:
        """Wait until something holds and return after how many seconds it did."""
        return until("what the test waits for", holds, seconds, every_seconds=0.1)


def edit(file: Path, pattern: str, replacement: str) -> None:
    """Replace the first of what must stand in a file."""
    text, count = re.subn(pattern, replacement, file.read_text(), count=1)
    assert count == 1, f"{pattern} is not in {file.name}"
    file.write_text(text)


def _outer() -> dict[str, str]:
    """Return this process's environment without what would lead to another cluster or another state."""
    return {
        name: value for name, value in os.environ.items() if name != "KUBECONFIG" and not name.startswith("PULUMI_")
    }


async def _arms(agent: str, users: list[str]) -> dict[str, str]:
    several = asyncio.Semaphore(_CONCURRENT_REQUESTS)
    async with aiohttp.ClientSession(URL) as session:

        async def arm(user: str) -> tuple[str, str]:
            body = {"model": agent, "user": user, "messages": [{"role": "user", "content": "Hello"}]}
            async with several, session.post("/v1/chat/completions", json=body) as response:
                assert response.status == 200, await response.text()
                return user, response.headers["x-sluice-arm"]

        return dict(await asyncio.gather(*(arm(user) for user in users)))
