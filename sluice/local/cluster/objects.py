"""What the cluster itself keeps in its API: the DNS service, and the rights of two identities of our own.

The DNS server is a process of this machine, so its Service has no selector and an EndpointSlice of ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sluice.local.cluster.api import Api
from sluice.local.cluster.layout import DNS_SERVICE_ADDRESS, NODE_ADDRESS

_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_RBAC_VERSION = "rbac.authorization.k8s.io/v1"
_DNS_ROLE = "sluice:dns"
_KUBELET_ROLE = "system:kubelet-api-admin"
_LABELS = {"app.kubernetes.io/managed-by": "sluice"}


def apply(api: Api) -> None:
    """Make the objects say what they should. Raises ApiRefused and ApiUnreachable."""
    for path, body in objects():
        api.apply(path, body)


def objects() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each object with its path in the API."""
    yield (
        f"{_RBAC}/clusterroles/{_DNS_ROLE}",
        {
            "apiVersion": _RBAC_VERSION,
            "kind": "ClusterRole",
            "metadata": {"name": _DNS_ROLE, "labels": _LABELS},
            "rules": [
                {"apiGroups": [""], "resources": ["services", "namespaces"], "verbs": ["list", "watch"]},
                {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
            ],
        },
    )
    yield _binding(_DNS_ROLE, role=_DNS_ROLE, user="sluice:dns")
    yield _binding("sluice:apiserver-kubelet", role=_KUBELET_ROLE, user="kube-apiserver-kubelet-client")
    ports = [
        {"name": f"dns{suffix}", "port": 53, "protocol": protocol}
        for suffix, protocol in (("", "UDP"), ("-tcp", "TCP"))
    ]
    yield (
        "/api/v1/namespaces/kube-system/services/kube-dns",
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "kube-dns", "namespace": "kube-system", "labels": {**_LABELS, "k8s-app": "kube-dns"}},
            "spec": {"clusterIP": DNS_SERVICE_ADDRESS, "ports": [{**port, "targetPort": 53} for port in ports]},
        },
    )
    yield (
        "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices/kube-dns-sluice",
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": "kube-dns-sluice",
                "namespace": "kube-system",
                "labels": {
                    **_LABELS,
                    "kubernetes.io/service-name": "kube-dns",
                    "endpointslice.kubernetes.io/managed-by": "sluice",
                },
            },
            "addressType": "IPv4",
            "endpoints": [{"addresses": [NODE_ADDRESS], "conditions": {"ready": True}}],
            "ports": ports,
        },
    )


def _binding(name: str, *, role: str, user: str) -> tuple[str, Mapping[str, Any]]:
    body = {
        "apiVersion": _RBAC_VERSION,
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name, "labels": _LABELS},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    }
    return f"{_RBAC}/clusterrolebindings/{name}", body
