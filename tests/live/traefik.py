"""Traefik as a pod of the cluster: a controller that serves an Ingress, and a Gateway that a route may be at.

It is set up as its documentation says, in a namespace of its own, and answers at two ports of the node: one with TLS
and one without. Its image is made of the one program, which is built from its source.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from sluice.local import cluster as local_cluster
from sluice.local.cluster.sandbox_image import pack
from sluice.local.folders import cache_folder, state_folder
from sluice.local.toolchain import OperatorTools, ensure_traefik
from sluice.progress import Progress
from tests.live.project import NAMESPACE, LiveProject, Ran

CONTROLLER_NAMESPACE: Final = "traefik"
GATEWAY: Final = "shared"
GATEWAY_SECRET: Final = "shared-tls"
SECURE_PORT, PLAIN_PORT = 30085, 30084

_IMAGE = "sluice.local/traefik:made"
_NAME = "traefik"
_SECURE, _PLAIN, _OWN = 8443, 8000, 8080
_ARGUMENTS = (
    "--global.checknewversion=false",
    "--global.sendanonymoususage=false",
    f"--entrypoints.web.address=:{_PLAIN}",
    f"--entrypoints.websecure.address=:{_SECURE}",
    "--ping=true",
    # Without these it serves, but never says in the objects' status that it does.
    "--providers.kubernetesingress.ingressendpoint.ip=127.0.0.1",
    "--providers.kubernetesgateway=true",
    "--providers.kubernetesgateway.statusaddress.ip=127.0.0.1",
)
_GATEWAY_API = "gateway.networking.k8s.io"
_KINDS = ("gatewayclasses", "gateways", "httproutes", "grpcroutes", "referencegrants", "backendtlspolicies")
_READ = ["get", "list", "watch"]


@contextmanager
def traefik(project: LiveProject) -> Iterator[None]:
    """The controller, ready, with the definitions of the Gateway API; afterwards neither is there."""
    tools = ensure_traefik(cache_folder(), Progress())
    _load(tools)
    definitions = _definitions(tools)
    _do(project, "apply", "--server-side", "--force-conflicts", *definitions)
    established = ("wait", "--for=condition=Established", "--timeout=30s", *definitions)
    project.wait_for(lambda: project.kubectl(*established).exit_code == 0, seconds=90)
    _do(project, "delete", "namespace", CONTROLLER_NAMESPACE, "--ignore-not-found")  # of a run that was broken off
    there = ("--namespace", CONTROLLER_NAMESPACE)
    try:
        for item in _objects():
            _do(project, "apply", "--server-side", "--force-conflicts", "-f", "-", *there, stdin=json.dumps(item))
        _do(project, "rollout", "status", f"deployment/{_NAME}", "--timeout=50s", *there)
        yield
    finally:
        log = project.kubectl("logs", f"deployment/{_NAME}", "--tail=40", *there)
        print(f"\nTraefik's last words:\n{log.stdout}{log.stderr}")
        for item in reversed(_objects()):
            project.kubectl("delete", "--ignore-not-found", "--wait=false", "-f", "-", *there, stdin=json.dumps(item))
        project.kubectl("delete", "--ignore-not-found", "--wait=false", *definitions)


def put_certificate(project: LiveProject, name: str, namespace: str, chain: bytes, key: bytes) -> None:
    """Make the Secret of a certificate, or set another one in it."""
    item = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": name, "namespace": namespace},
        "stringData": {"tls.crt": chain.decode(), "tls.key": key.decode()},
    }
    _do(project, "apply", "--server-side", "-f", "-", "--namespace", namespace, stdin=json.dumps(item))


def controller_pods(project: LiveProject) -> list[dict[str, Any]]:
    """Return the controller's pods as the API server has them."""
    path = f"/api/v1/namespaces/{CONTROLLER_NAMESPACE}/pods"
    return project.cluster.items(path, labelSelector=f"app.kubernetes.io/name={_NAME}")


def _load(tools: OperatorTools) -> None:
    socket = local_cluster.containerd_socket(state_folder())
    ctr = ["ctr", "--address", str(socket), "--namespace", "k8s.io", "images"]
    archive = pack(tools.operator, _IMAGE).archive
    ran = subprocess.run([*ctr, "import", "-"], input=archive, capture_output=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr.decode()


def _definitions(tools: OperatorTools) -> list[str]:
    files = [tools.definitions / f"{_GATEWAY_API}_{kind}.yaml" for kind in _KINDS]
    return [word for file in files for word in ("-f", str(file))]


def _do(project: LiveProject, *arguments: str, stdin: str = "") -> Ran:
    ran = project.kubectl(*arguments, stdin=stdin)
    assert ran.exit_code == 0, ran.stderr
    return ran


def _objects() -> list[dict[str, Any]]:
    enforced = {"pod-security.kubernetes.io/enforce": "restricted"}
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": CONTROLLER_NAMESPACE, "labels": enforced},
    }
    return [namespace, *_rights(), _deployment(), _service(), *_classes(), _gateway()]


def _named(name: str = _NAME) -> dict[str, Any]:
    return {"name": name, "namespace": CONTROLLER_NAMESPACE, "labels": {"app.kubernetes.io/name": _NAME}}


def _rights() -> list[dict[str, Any]]:
    """Return what Traefik's documentation asks for of its two providers."""

    def rule(group: str, resources: list[str], verbs: list[str]) -> dict[str, Any]:
        return {"apiGroups": [group], "resources": resources, "verbs": verbs}

    rules = [
        rule("", ["services", "secrets", "configmaps", "namespaces", "nodes", "pods"], _READ),
        rule("discovery.k8s.io", ["endpointslices"], _READ),
        rule("networking.k8s.io", ["ingresses", "ingressclasses"], _READ),
        rule("networking.k8s.io", ["ingresses/status"], ["update"]),
        rule(_GATEWAY_API, list(_KINDS), _READ),
        rule(_GATEWAY_API, [f"{kind}/status" for kind in _KINDS], ["update"]),
    ]
    rbac = "rbac.authorization.k8s.io"
    subject = {"kind": "ServiceAccount", "name": _NAME, "namespace": CONTROLLER_NAMESPACE}
    role = {"apiGroup": rbac, "kind": "ClusterRole", "name": "sluice-made-traefik"}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _named()},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRole",
            "metadata": {"name": "sluice-made-traefik"},
            "rules": rules,
        },
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "sluice-made-traefik"},
            "roleRef": role,
            "subjects": [subject],
        },
    ]


def _deployment() -> dict[str, Any]:
    container = {
        "name": _NAME,
        "image": _IMAGE,
        "imagePullPolicy": "Never",
        "args": list(_ARGUMENTS),
        "ports": [{"name": "websecure", "containerPort": _SECURE}, {"name": "web", "containerPort": _PLAIN}],
        "readinessProbe": {"httpGet": {"path": "/ping", "port": _OWN}, "periodSeconds": 1},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    of_pods = {"app.kubernetes.io/name": _NAME}
    pod = {
        "serviceAccountName": _NAME,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65535, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _named(),
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": of_pods},
            "template": {"metadata": {"labels": of_pods}, "spec": pod},
        },
    }


def _service() -> dict[str, Any]:
    ports = [
        {"name": "websecure", "port": 443, "targetPort": "websecure", "nodePort": SECURE_PORT},
        {"name": "web", "port": 80, "targetPort": "web", "nodePort": PLAIN_PORT},
    ]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _named(),
        "spec": {"type": "NodePort", "selector": {"app.kubernetes.io/name": _NAME}, "ports": ports},
    }


def _classes() -> list[dict[str, Any]]:
    return [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "IngressClass",
            "metadata": {"name": _NAME},
            "spec": {"controller": "traefik.io/ingress-controller"},
        },
        {
            "apiVersion": f"{_GATEWAY_API}/v1",
            "kind": "GatewayClass",
            "metadata": {"name": _NAME},
            "spec": {"controllerName": "traefik.io/gateway-controller"},
        },
    ]


def _gateway() -> dict[str, Any]:
    """Return a Gateway that admits routes of the environment's namespace, at a port with TLS and at one without."""
    labels = {"kubernetes.io/metadata.name": NAMESPACE}
    admitted = {"namespaces": {"from": "Selector", "selector": {"matchLabels": labels}}}
    tls = {"mode": "Terminate", "certificateRefs": [{"name": GATEWAY_SECRET}]}
    return {
        "apiVersion": f"{_GATEWAY_API}/v1",
        "kind": "Gateway",
        "metadata": _named(GATEWAY),
        "spec": {
            "gatewayClassName": _NAME,
            "listeners": [
                {"name": "https", "port": _SECURE, "protocol": "HTTPS", "tls": tls, "allowedRoutes": admitted},
                {"name": "http", "port": _PLAIN, "protocol": "HTTP", "allowedRoutes": admitted},
            ],
        },
    }
