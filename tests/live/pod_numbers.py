"""How many pods the gateway's Deployment is asked for, while somebody or something changes it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from sluice.local import cluster as local_cluster
from sluice.local.folders import cache_folder, state_folder
from sluice.local.toolchain import ensure_kubernetes
from sluice.progress import Progress
from tests.live.project import NAMESPACE, LiveProject


@contextmanager
def every_number_of_pods(project: LiveProject) -> Iterator[list[str]]:
    """Collect each number of pods that the Deployment is asked for, as the server tells it."""
    seen: list[str] = []
    program = ensure_kubernetes(cache_folder(), Progress(quiet=True)).kube / "kubectl"
    where = ("--kubeconfig", local_cluster.kubeconfig(state_folder()), "--namespace", NAMESPACE)
    what = ("get", "deployment", "gateway", "--watch", "--output", "jsonpath={.spec.replicas}{'\\n'}")
    with subprocess.Popen([program, *where, *what], stdout=subprocess.PIPE, text=True) as watch:
        try:
            assert watch.stdout is not None
            seen.append(watch.stdout.readline().strip())  # it watches from here on
            yield seen
        finally:
            watch.terminate()
            seen += [line.strip() for line in watch.stdout or ()]
