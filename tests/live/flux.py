"""Flux's two controllers as processes of this machine, and an environment `followed` that they apply from a server."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import yaml

from bench.gateway.programs import free_port
from sluice.deploy.cluster_access import ClusterAccess
from sluice.deploy.pods import gateway_pods, name_of
from sluice.deploy.target import deliver_images, target
from sluice.local import cluster as local_cluster
from sluice.local.folders import PROJECT, cache_folder, state_folder
from sluice.local.toolchain import OperatorTools, ensure_kustomize_controller, ensure_source_controller
from sluice.progress import Progress
from tests.live.project import AGENTS, LiveProject, Ran

ENVIRONMENT = "followed"
NAMESPACE = "sluice-followed"
PORT = 30083
SOURCE, KUSTOMIZATION = "models", f"sluice-{ENVIRONMENT}"
EXAMPLES = PROJECT / "docs/examples/flux"

_FLUX = "flux-system"
_PATIENCE_SECONDS = 150
_DEFINITIONS = (
    "source.toolkit.fluxcd.io_gitrepositories.yaml",
    "source.toolkit.fluxcd.io_buckets.yaml",
    "source.toolkit.fluxcd.io_externalartifacts.yaml",
    "source.toolkit.fluxcd.io_helmcharts.yaml",
    "source.toolkit.fluxcd.io_helmrepositories.yaml",
    "source.toolkit.fluxcd.io_ocirepositories.yaml",
    "kustomize.toolkit.fluxcd.io_kustomizations.yaml",
)
_KEYS = ("mistral-api-key", "openai-api-key", "anthropic-api-key")
_requests = count(1)


@dataclass(frozen=True, slots=True)
class Followed:
    """A clone of the repository at the git server, and the environment that the cluster makes of it."""

    project: LiveProject

    @property
    def rollout(self) -> Path:
        return self.project.folder / f"registry/rollouts/{ENVIRONMENT}.yaml"

    @property
    def manifests(self) -> Path:
        return self.project.folder / "manifests" / ENVIRONMENT

    def edit(self, file: Path, old: str, new: str) -> None:
        assert old in file.read_text(), f"{file.name} has no {old}"
        file.write_text(file.read_text().replace(old, new))

    def weigh(self, agent: str, weight: int) -> None:
        """Write another weight of an agent, as a request's merge does, and what it renders to."""
        text = re.sub(rf"(?m)^(  {agent}: .*weight: )\d+", rf"\g<1>{weight}", self.rollout.read_text())
        self.rollout.write_text(text)
        self.render()

    def render(self) -> None:
        ran = self.project.sluice("render", ENVIRONMENT)
        assert ran.exit_code == 0, ran.stderr

    def push(self, message: str) -> float:
        """Commit all, push, and return when the commit was made."""
        self.git("add", "--all")
        began = time.monotonic()
        self.git("commit", "--quiet", "--message", message)
        self.git("push", "--quiet", "origin", "HEAD:main")
        return began

    def git(self, *arguments: str) -> str:
        ran = subprocess.run(
            ["git", "-c", "http.postBuffer=104857600", *arguments],
            cwd=self.project.folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.strip()

    def kubectl(self, *arguments: str, stdin: str = "", namespace: str = NAMESPACE) -> str:
        ran = self.project.kubectl("--namespace", namespace, *arguments, stdin=stdin)
        assert ran.exit_code == 0, ran.stderr
        return ran.stdout

    def sluice(self, *arguments: str) -> Ran:
        return self.project.sluice(*arguments)

    def get(self, kind: str, name: str, namespace: str = NAMESPACE) -> dict[str, Any]:
        """Return an object with the notes of who wrote what, an empty one where there is none."""
        shown = ("--ignore-not-found", "--show-managed-fields", "--output", "json")
        found = self.kubectl("get", kind, name, *shown, namespace=namespace)
        return dict(json.loads(found)) if found else {}

    def weights(self, agent: str) -> list[float]:
        """Return what each pod of the gateway that is to stay says that it serves of an agent."""
        path, cluster = f"/api/v1/namespaces/{NAMESPACE}/pods", self.project.cluster
        pods = map(name_of, gateway_pods(cluster, NAMESPACE))
        pages = [cluster.text(f"{path}/{pod}:9090/proxy/metrics") for pod in pods]
        said = [re.search(rf'sluice_rollout_weight{{agent="{agent}",kind="served"}} (\S+)', page) for page in pages]
        return [float(one[1]) if one else -1.0 for one in said]

    def wait_until_served(self, agent: str, weight: int) -> None:
        self.wait_for(lambda: set(self.weights(agent)) == {float(weight)})

    def wait_for(self, holds: Callable[[], bool]) -> None:
        try:
            self.project.wait_for(holds, seconds=_PATIENCE_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}; Flux says {self.ready()}") from None

    def follower(self) -> dict[str, Any]:
        return self.get("kustomization.kustomize.toolkit.fluxcd.io", KUSTOMIZATION, _FLUX)

    def ready(self) -> dict[str, Any]:
        """Return what Flux says of the environment's last attempt, empty before it says anything."""
        conditions = self.follower().get("status", {}).get("conditions", [])
        return next((one for one in conditions if one["type"] == "Ready"), {})

    def has_applied(self, commit: str) -> bool:
        status = self.follower().get("status", {})
        return str(status.get("lastAppliedRevision", "")).endswith(commit) and self.ready().get("status") == "True"

    def reconcile(self) -> None:
        """Ask Flux to apply once more, and wait until it says that it has."""
        asked = self.ask("kustomization.kustomize.toolkit.fluxcd.io", KUSTOMIZATION)
        self.wait_for(
            lambda: (
                self.follower()["status"].get("lastHandledReconcileAt") == asked
                and self.ready().get("status") == "True"
                and self.follower()["metadata"]["generation"] == self.follower()["status"]["observedGeneration"]
            )
        )

    def ask(self, kind: str, name: str) -> str:
        """Ask a controller to look now, as `flux reconcile` does; what it will say that it has heard."""
        token = f"request-{next(_requests)}"
        self.kubectl("annotate", kind, name, f"reconcile.fluxcd.io/requestedAt={token}", "--overwrite", namespace=_FLUX)
        return token

    def change(self, kind: str, name: str, **spec: Any) -> None:
        """Change the specification of one of Flux's own objects."""
        self.kubectl("patch", kind, name, "--type=merge", f"--patch={json.dumps({'spec': spec})}", namespace=_FLUX)

    def follow(self, url: str) -> None:
        """Put Flux's two objects there as the examples have them, but for where this repository is, and how often."""
        source = yaml.safe_load((EXAMPLES / "source.yaml").read_text())
        kustomization = yaml.safe_load((EXAMPLES / "staging.yaml").read_text())
        source["spec"] |= {"url": url, "interval": "5s"}
        del source["spec"]["secretRef"]
        kustomization["metadata"]["name"] = KUSTOMIZATION
        kustomization["spec"] |= {"path": f"./manifests/{ENVIRONMENT}", "interval": "10s", "retryInterval": "5s"}
        for item in (source, kustomization):
            self.kubectl("apply", "--server-side", "--filename", "-", stdin=json.dumps(item), namespace=_FLUX)

    def remove(self) -> None:
        """Take all away that may be there, whoever made it."""
        self.project.pulumi("destroy", "--yes", environment=ENVIRONMENT)
        policies = "validatingadmissionpolicies,validatingadmissionpolicybindings"
        self.project.kubectl("delete", policies, NAMESPACE, "--ignore-not-found")
        self.project.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false")

    def follow_no_more(self) -> None:
        self.kubectl("delete", "kustomization.kustomize.toolkit.fluxcd.io", KUSTOMIZATION, namespace=_FLUX)


def cloned(cluster: ClusterAccess, folder: Path, url: str) -> Followed:
    """A copy of this checkout as a clone that was pushed, with an environment that names the images of this cluster."""
    clone = folder / "clone"
    left_out = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", ".hypothesis", "dist", "tests")
    shutil.copytree(PROJECT, clone, ignore=left_out)
    (clone / ".venv").symlink_to(PROJECT / ".venv")
    project = LiveProject(clone, cluster)
    settings = (clone / "Pulumi.dev.yaml").read_text().replace("sluice-dev\n", f"{NAMESPACE}\n", 1)
    settings = settings.replace("30080", str(PORT)).replace("replicas: 1", "replicas: 2", 1)
    settings = re.sub(r"(?m)^  sluice:(prometheus|guard):\n(    .*\n)+", "", settings)
    for image in deliver_images(target(None), cluster, None, Progress()).values():
        name = image.partition("@")[0]
        settings = re.sub(rf"{re.escape(name)}@sha256:0+", image, settings)
    assert "0" * 64 not in settings
    (clone / f"Pulumi.{ENVIRONMENT}.yaml").write_text(settings)
    agents = "".join(f"  {agent}: {{candidate: {agent}-20251031, weight: 50, since: 2025-11-06}}\n" for agent in AGENTS)
    (clone / f"registry/rollouts/{ENVIRONMENT}.yaml").write_text(f"version: 1\nenabled: true\nagents:\n{agents}")
    made = Followed(project)
    made.git("init", "--quiet", "--initial-branch", "main")
    (clone / ".git/info/exclude").write_text(".venv\n__pycache__\n")
    made.git("config", "user.name", "Ada")
    made.git("config", "user.email", "ada@example.com")
    made.git("remote", "add", "origin", url)
    made.render()
    made.push("Begin")
    return made


@contextmanager
def controllers(followed: Followed, folder: Path) -> Iterator[None]:
    """Both controllers and the kinds that they serve; afterwards neither is there."""
    source, kustomize = (
        ensure(cache_folder(), Progress()) for ensure in (ensure_source_controller, ensure_kustomize_controller)
    )
    files = [str(path) for tools in (source, kustomize) for path in _definitions(tools)]
    names = [word for file in files for word in ("--filename", file)]
    followed.kubectl("apply", "--server-side", "--force-conflicts", *names)
    followed.wait_for(
        lambda: followed.project.kubectl("wait", "--for=condition=Established", "--timeout=30s", *names).exit_code == 0
    )
    if not followed.get("namespace", _FLUX):
        followed.kubectl("create", "namespace", _FLUX)
    off = ("--metrics-addr=0", "--health-addr=0", "--events-addr=", "--log-level=debug")
    address = f"127.0.0.1:{free_port()}"
    stored = folder / "storage"
    stored.mkdir()
    where = (f"--storage-path={stored}", f"--storage-addr={address}", f"--storage-adv-addr={address}")
    try:
        with ExitStack() as running:
            running.enter_context(_process([str(source.operator), *off, *where], folder / "source.log"))
            # Of a field that Pulumi wrote and git has no more, Pulumi must not stay the owner.
            taken_over = "--override-manager=sluice"
            running.enter_context(_process([str(kustomize.operator), *off, taken_over], folder / "kustomize.log"))
            yield
            if followed.follower():
                followed.follow_no_more()
            followed.kubectl("delete", "gitrepository", SOURCE, namespace=_FLUX)
    finally:
        followed.project.kubectl("delete", "--wait=false", *names)
        followed.project.kubectl("delete", "namespace", _FLUX, "--wait=false")


def _definitions(tools: OperatorTools) -> list[Path]:
    return [tools.definitions / name for name in _DEFINITIONS if (tools.definitions / name).is_file()]


@contextmanager
def _process(command: list[str], log: Path) -> Iterator[None]:
    temporary = log.with_suffix(".tmp")
    temporary.mkdir()
    variables = {"KUBECONFIG": str(local_cluster.kubeconfig(state_folder())), "TMPDIR": str(temporary)}
    with log.open("wb") as said:
        environment = {**os.environ, **variables, "RUNTIME_NAMESPACE": _FLUX}
        process = subprocess.Popen(command, env=environment, stdout=said, stderr=said)
    try:
        yield
        assert process.poll() is None, log.read_text()[-3000:]
    finally:
        process.terminate()
        process.wait(timeout=60)


def make_secrets_by_hand(followed: Followed) -> None:
    """Make the two Secrets that are not in git, as a person does who has no store for them."""
    followed.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")  # of a run that was broken off
    followed.kubectl("create", "namespace", NAMESPACE)
    keys = [f"--from-literal={key}=made-{key}" for key in _KEYS]
    followed.kubectl("create", "secret", "generic", "provider-keys", *keys)
    followed.kubectl("create", "secret", "generic", "caller-keys")
