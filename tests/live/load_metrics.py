"""What an autoscaler asks for, by the real metrics-server, and the real prometheus-adapter with a real Prometheus.

All three run as processes of this machine, and the API server takes the two for its own. The adapter's rules are those
of docs/environments.md. Debian's Prometheus cannot find pods by asking Kubernetes, so a thread writes down which there
are, under the labels that prometheus-operator gives them.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from bench.gateway.programs import free_port, running
from sluice.deploy.pods import gateway_pods, name_of
from sluice.local import cluster as local_cluster
from sluice.local.folders import PROJECT, cache_folder, state_folder
from sluice.local.monitoring_programs import ensure_monitoring_programs
from sluice.local.toolchain import ensure_metrics_server, ensure_prometheus_adapter
from sluice.progress import Progress
from sluice.render.gateway import METRICS_PORT
from tests.live.project import NAMESPACE, LiveProject

_SERVICE = "metrics-of-the-machine"
_THERE = ("--namespace", "kube-system")
_AVAILABLE_SECONDS = 120
_SCRAPED_EVERY = "3s"


def documented_rules() -> dict[str, Any]:
    """Return what docs/environments.md tells people to give their adapter."""
    text = (PROJECT / "docs/environments.md").read_text()
    (found,) = [block for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "seriesQuery" in block]
    rules: dict[str, Any] = yaml.safe_load(found)
    return rules


@contextmanager
def metrics_served(project: LiveProject, folder: Path) -> Iterator[None]:
    """Serve metrics.k8s.io and custom.metrics.k8s.io to the cluster until the block ends."""
    server, adapter = free_port(), free_port()
    with (
        _prometheus(project, folder) as prometheus,
        running(_metrics_server(folder, server), server, folder / "metrics-server.log", path=None),
        running(_adapter(folder, adapter, prometheus), adapter, folder / "adapter.log", path=None),
        _added(
            project,
            {
                "v1beta1.metrics.k8s.io": server,
                "v1beta1.custom.metrics.k8s.io": adapter,
                "v1beta2.custom.metrics.k8s.io": adapter,
            },
        ),
    ):
        yield


@contextmanager
def _prometheus(project: LiveProject, folder: Path) -> Iterator[str]:
    """Run a Prometheus that scrapes each gateway pod, and return its address."""
    port, targets = free_port(), folder / "gateways.json"
    targets.write_text("[]")
    found = {"files": [str(targets)], "refresh_interval": "1s"}
    configuration = {
        "global": {"scrape_interval": _SCRAPED_EVERY},
        "scrape_configs": [{"job_name": "gateway", "file_sd_configs": [found]}],
    }
    (folder / "prometheus.yml").write_text(json.dumps(configuration))
    command = [
        str(ensure_monitoring_programs(cache_folder(), Progress(quiet=True)).prometheus),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    ended = threading.Event()

    def follow() -> None:
        while not ended.wait(1.0):
            written = targets.with_suffix(".new")
            written.write_text(json.dumps(_gateways(project)))
            written.replace(targets)

    follower = threading.Thread(target=follow, daemon=True)
    with running(command, port, folder / "prometheus.log", path="/-/ready") as program:
        follower.start()
        try:
            yield program.url
        finally:
            ended.set()
            follower.join()


def _gateways(project: LiveProject) -> list[dict[str, Any]]:
    return [
        {
            "targets": [f"{pod['status']['podIP']}:{METRICS_PORT}"],
            "labels": {"namespace": NAMESPACE, "pod": name_of(pod)},
        }
        for pod in gateway_pods(project.cluster, NAMESPACE)
        if pod["status"].get("podIP")
    ]


def _metrics_server(folder: Path, port: int) -> list[str]:
    return [
        str(ensure_metrics_server(cache_folder(), Progress())),
        f"--kubeconfig={local_cluster.kubeconfig(state_folder())}",
        *_serving(folder, port),
        "--kubelet-preferred-address-types=InternalIP",
        "--metric-resolution=10s",
        "--kubelet-request-timeout=9s",
    ]


def _adapter(folder: Path, port: int, prometheus: str) -> list[str]:
    (folder / "adapter.yaml").write_text(yaml.safe_dump(documented_rules()))
    return [
        str(ensure_prometheus_adapter(cache_folder(), Progress())),
        f"--lister-kubeconfig={local_cluster.kubeconfig(state_folder())}",
        *_serving(folder, port),
        f"--prometheus-url={prometheus}",
        f"--config={folder / 'adapter.yaml'}",
        "--metrics-relist-interval=10s",
        "--metrics-max-age=1m",
    ]


def _serving(folder: Path, port: int) -> list[str]:
    """Return the flags of a server that the API server hands requests on to, and that asks it who may see what."""
    kubeconfig = local_cluster.kubeconfig(state_folder())
    return [
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={folder / str(port)}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
    ]


@contextmanager
def _added(project: LiveProject, ports: dict[str, int]) -> Iterator[None]:
    """Add APIs to the cluster by the ports of their servers, until the block ends."""
    objects = "\n---\n".join(map(json.dumps, _objects(ports)))
    applied = project.kubectl("apply", "--server-side", *_THERE, "--filename", "-", stdin=objects)
    assert applied.exit_code == 0, applied.stderr
    try:
        project.wait_for(lambda: all(_is_available(project, name) for name in ports), seconds=_AVAILABLE_SECONDS)
        yield
    finally:
        project.kubectl("delete", "--ignore-not-found", *_THERE, "--filename", "-", stdin=objects)


def _is_available(project: LiveProject, name: str) -> bool:
    said = project.cluster.get(f"/apis/apiregistration.k8s.io/v1/apiservices/{name}").get("status", {})
    return ("Available", "True") in [(one["type"], one["status"]) for one in said.get("conditions", ())]


def _objects(ports: dict[str, int]) -> Iterator[dict[str, Any]]:
    # The API server is a process of this machine too: a Service is how it is told an address.
    there = {"name": _SERVICE, "namespace": "kube-system"}
    address = {"type": "ExternalName", "externalName": "127.0.0.1"}
    yield {"apiVersion": "v1", "kind": "Service", "metadata": there, "spec": address}
    for name, port in ports.items():
        version, _, group = name.partition(".")
        yield {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": name},
            "spec": {
                "group": group,
                "version": version,
                "groupPriorityMinimum": 100,
                "versionPriority": 100,
                "insecureSkipTLSVerify": True,
                "service": {**there, "port": port},
            },
        }
