"""The guards of an environment as tests look at them: who acts, and what is written."""

from __future__ import annotations

import json

from tests.live.project import LiveProject

GUARD = ("--selector", "app.kubernetes.io/name=sluice-guard")


def leader(project: LiveProject) -> str:
    """Return the name of the pod that holds the lease."""
    lease = json.loads(project.kubectl("get", "lease", "sluice-guard", "--output", "json").stdout)
    return str(lease.get("spec", {}).get("holderIdentity") or "").rpartition("-")[0]


def config_map(project: LiveProject, name: str) -> dict[str, str]:
    """Return what a ConfigMap says: `override`, or `rollbacks`."""
    found = json.loads(project.kubectl("get", "configmap", name, "--output", "json").stdout)
    return dict(found.get("data") or {})


def stop_guards(project: LiveProject) -> None:
    """Have no pod of a guard any more, until an update."""
    assert project.kubectl("scale", "deployment", "sluice-guard", "--replicas", "0").exit_code == 0
    project.wait_for(lambda: not project.kubectl("get", "pods", *GUARD, "--output", "name").stdout, seconds=60)
