"""prometheus-operator itself reads what is rendered for it: it finds the objects, takes them, and writes them down.

Its Prometheus and Alertmanager have no pods here: Debian's Prometheus cannot find pods by asking Kubernetes, and what
the operator writes for one knows no other way. So what it writes is compared with what is rendered.
"""

from __future__ import annotations

import base64
import gzip
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import yaml

from sluice.local import cluster as local_cluster
from sluice.local.folders import PROJECT, cache_folder, state_folder
from sluice.local.toolchain import ensure_kubernetes, ensure_prometheus_operator
from sluice.progress import Progress
from sluice.registry import Monitoring, Settings, load_environment
from sluice.render import render
from sluice.render.alerts import alertmanager_text, rule_groups
from sluice.render.gateway import METRICS_PORT

pytestmark = pytest.mark.operators

NAMESPACE = "sluice-watched"
FOUND_BY = {"release": "made"}
_CLUSTER_SECONDS = 90


def declared() -> Settings:
    monitoring = Monitoring(by_operator=True, labels=MappingProxyType(FOUND_BY))
    return replace(load_environment(PROJECT, "staging").settings, namespace=NAMESPACE, monitoring=monitoring)


def kubectl(*arguments: str, stdin: str = "") -> str:
    program = ensure_kubernetes(cache_folder(), Progress(quiet=True)).kube / "kubectl"
    command = [str(program), "--kubeconfig", str(local_cluster.kubeconfig(state_folder())), *arguments]
    ran = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def apply(*objects: dict[str, Any]) -> None:
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin="\n---\n".join(map(json.dumps, objects)))


def within(read: Callable[[], Any]) -> Any:
    """Return what `read` returns once it is there."""
    ends = time.monotonic() + _CLUSTER_SECONDS
    while True:
        found = read()
        if found or time.monotonic() > ends:
            return found
        time.sleep(1)


@pytest.fixture(scope="module")
def operator(cluster: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The operator as a process of this machine, and the kinds that it serves."""
    tools = ensure_prometheus_operator(cache_folder(), Progress())
    kubectl("apply", "--server-side", "--force-conflicts", "-f", str(tools.definitions))
    kubectl("wait", "--for=condition=Established", "--timeout=60s", "-f", str(tools.definitions))
    apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    log = tmp_path_factory.mktemp("operator") / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [
                tools.operator,
                *_to_the_cluster(log.parent),
                f"--namespaces={NAMESPACE}",
                "--web.listen-address=127.0.0.1:0",
            ],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield
        assert process.poll() is None, log.read_text()[-3000:]
    finally:
        process.terminate()
        process.wait(timeout=30)
        kubectl("delete", "namespace", NAMESPACE, "--wait=false")
        kubectl("delete", "--wait=false", "-f", str(tools.definitions))


def _to_the_cluster(folder: Path) -> list[str]:
    """Return the flags by which the operator finds the API server: it reads no kubeconfig."""
    kubeconfig = yaml.safe_load(local_cluster.kubeconfig(state_folder()).read_text())
    server, user = kubeconfig["clusters"][0]["cluster"], kubeconfig["users"][0]["user"]
    flags = [f"--apiserver={server['server']}"]
    for flag, value in (
        ("ca-file", server["certificate-authority-data"]),
        ("cert-file", user["client-certificate-data"]),
        ("key-file", user["client-key-data"]),
    ):
        file = folder / flag
        file.touch(mode=0o600)
        file.write_bytes(base64.b64decode(value))
        flags.append(f"--{flag}={file}")
    return flags


@pytest.fixture(scope="module")
def watched(operator: None) -> Settings:
    """What is rendered for staging, beside a Prometheus and an Alertmanager that look for it."""
    settings = declared()
    environment = load_environment(PROJECT, "staging")
    rendered = render(environment.registry, environment.rollout, settings)
    looks = {"matchLabels": FOUND_BY}
    prometheus = {"replicas": 0, "version": "v2.42.0", "podMonitorSelector": looks, "ruleSelector": looks}
    secret = {"alertmanager.yaml": alertmanager_text(settings)}
    apply(
        *(item.body for item in rendered.alerts),
        {"apiVersion": "v1", "kind": "Secret", "metadata": named("routes"), "stringData": secret},
        {"apiVersion": "monitoring.coreos.com/v1", "kind": "Prometheus", "metadata": named("made"), "spec": prometheus},
        {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "Alertmanager",
            "metadata": named("made"),
            "spec": {"replicas": 0, "version": "v0.25.0", "configSecret": "routes"},
        },
    )
    return settings


def named(name: str) -> dict[str, str]:
    return {"name": name, "namespace": NAMESPACE}


def data(kind: str, name: str) -> dict[str, str]:
    found = kubectl("-n", NAMESPACE, "get", kind, name, "--ignore-not-found", "--output", "json")
    return dict(json.loads(found).get("data") or {}) if found else {}


def unpacked(name: str, key: str) -> Any:
    packed = data("secret", name).get(key)
    return yaml.safe_load(gzip.decompress(base64.b64decode(packed))) if packed else None


def test_the_operator_writes_the_rules_down_as_they_are_rendered(watched: Settings) -> None:
    (text,) = within(lambda: data("configmap", "prometheus-made-rulefiles-0")).values()

    assert yaml.safe_load(text)["groups"] == rule_groups(watched)


def test_it_has_prometheus_scrape_gateway_and_guard_at_the_port_of_their_metrics(watched: Settings) -> None:
    configuration = within(lambda: unpacked("prometheus-made", "prometheus.yaml.gz"))
    (job,) = configuration["scrape_configs"]

    assert job["job_name"] == f"podMonitor/{NAMESPACE}/sluice/0"
    kept = [one for one in job["relabel_configs"] if one.get("action") == "keep"]
    named = {one["source_labels"][0]: str(one["regex"]) for one in kept}
    assert "gateway" in named["__meta_kubernetes_pod_label_app_kubernetes_io_name"]
    assert "sluice-guard" in named["__meta_kubernetes_pod_label_app_kubernetes_io_name"]
    assert named["__meta_kubernetes_pod_container_port_name"] == "metrics"
    environment = load_environment(PROJECT, "staging")
    made = render(environment.registry, environment.rollout, watched)
    (deployment,) = [item.body for item in made.gateway if item.kind == "Deployment"]
    ports = deployment["spec"]["template"]["spec"]["containers"][0]["ports"]
    assert {"name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP"} in ports
    labels = {one.get("target_label") for one in job["relabel_configs"]}
    assert {"namespace", "pod", "container"} <= labels, "the labels that rules and the embedded Prometheus go by"


def test_it_takes_the_routes_of_alertmanager_as_they_are_rendered(watched: Settings) -> None:
    written = within(lambda: unpacked("alertmanager-made-generated", "alertmanager.yaml.gz"))
    rendered = yaml.safe_load(alertmanager_text(watched))

    assert written["route"] == rendered["route"]
    assert written["inhibit_rules"] == rendered["inhibit_rules"]
    assert [one["name"] for one in written["receivers"]] == [one["name"] for one in rendered["receivers"]]


def test_it_says_that_it_could_do_what_was_asked(watched: Settings) -> None:
    def conditions(kind: str) -> dict[str, str]:
        said = json.loads(kubectl("-n", NAMESPACE, "get", kind, "made", "--output", "json"))
        return {one["type"]: one["status"] for one in said.get("status", {}).get("conditions", [])}

    for kind in ("prometheus", "alertmanager"):
        assert within(lambda kind=kind: conditions(kind).get("Reconciled")) == "True", conditions(kind)  # type: ignore[misc]
