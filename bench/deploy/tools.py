"""The three tools: each makes the same objects, waits until the gateway's pods are ready, and takes all of it away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.deploy.environment import STACK, BenchedEnvironment

_QUIET = ("--stack", STACK, "--yes", "--non-interactive", "--color", "never")
UPDATE = ["pulumi", "up", "--skip-preview", "--refresh", *_QUIET]
"""As `sluice up` runs it."""
_PATIENCE = "120s"


@dataclass(frozen=True, slots=True)
class Tool:
    """`apply` makes the cluster what the environment is now, `remove` takes it away, `prepare` is not timed."""

    name: str
    title: str
    prepare: Callable[[], None]
    apply: Callable[[], None]
    remove: Callable[[], None]


def pulumi(environment: BenchedEnvironment, *, refresh: bool = True) -> Tool:
    """Pulumi as `sluice up` runs it; without the refresh, it believes its state and sees nothing of the cluster."""
    update = [word for word in UPDATE if refresh or word != "--refresh"]
    return Tool(
        "pulumi",
        " ".join(word for word in update if word not in _QUIET),
        lambda: None,
        lambda: environment.run(update),
        lambda: environment.run(["pulumi", "destroy", "--skip-preview", *_QUIET]),
    )


def helm(environment: BenchedEnvironment, program: Path, scratch: Path) -> Tool:
    """Helm with a chart whose templates are the manifests."""
    chart = scratch / "chart"
    chart.mkdir()
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: sluice-bench\nversion: 0.1.0\n")
    (chart / "templates").mkdir()

    def prepare() -> None:
        for file in environment.folder("helm", scratch).iterdir():
            # Alerts and dashboards hold braces of their own, which are no template of helm's.
            text = file.read_text().replace("{{", '{{ "{{" }}')
            (chart / "templates" / file.name).write_text(text)

    upgrade = ["upgrade", "--install", "sluice-bench", str(chart), "--namespace", "default", "--wait"]
    return Tool(
        "helm",
        "helm upgrade --install --wait",
        prepare,
        lambda: environment.run([str(program), *upgrade, "--timeout", _PATIENCE]),
        lambda: environment.run([str(program), "uninstall", "sluice-bench", "--namespace", "default", "--wait"]),
    )


def kubectl(environment: BenchedEnvironment, scratch: Path) -> Tool:
    """Kubectl with the folder, by server-side apply as Pulumi does it."""
    folder = scratch / "kubectl"

    def prepare() -> None:
        environment.folder("kubectl", scratch)

    is_there = False

    def apply() -> None:
        nonlocal is_there
        if not is_there:
            # First of all: kubectl takes files by their names, and does not wait for what they are in.
            namespace = str(folder / "namespace-sluice-bench-kubectl.yaml")
            environment.run(["kubectl", "apply", "--server-side", "-f", namespace])
            is_there = True
        environment.run(["kubectl", "apply", "--server-side", "-f", str(folder)])
        for deployment in ("gateway", "sluice-guard"):
            rollout = ["rollout", "status", f"deployment/{deployment}", "--namespace", "sluice-bench-kubectl"]
            environment.run(["kubectl", *rollout, f"--timeout={_PATIENCE}"])

    return Tool(
        "kubectl",
        "kubectl apply --server-side, rollout status",
        prepare,
        apply,
        lambda: environment.run(["kubectl", "delete", "-f", str(folder), "--wait=false", "--ignore-not-found"]),
    )
