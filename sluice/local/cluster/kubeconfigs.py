"""Kubeconfig files: the administrator's, complete in itself, and one for each component beside its key."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from sluice.local.cluster import certificates
from sluice.local.cluster.layout import API_PORT, Layout, write_if_changed

SERVER = f"https://127.0.0.1:{API_PORT}"
"""By the loopback address: programs behind a web proxy leave it alone, other than the bridge's address."""
CONTEXT = "sluice-local"
COMPONENT_IDENTITIES = ("controller-manager", "scheduler", "kubelet", "proxy", "dns")


def write_all(layout: Layout) -> None:
    """Write the administrator's kubeconfig and the components', all with mode 0600."""
    write_if_changed(layout.kubeconfig, _text(layout.pki, "admin"), mode=0o600)
    for identity in COMPONENT_IDENTITIES:
        write_if_changed(path_of(layout, identity), _text(layout.pki, identity), mode=0o600)


def path_of(layout: Layout, identity: str) -> Path:
    """Where the kubeconfig of a component's identity lies."""
    return layout.pki / f"{identity}.kubeconfig"


def _text(pki: Path, identity: str) -> str:
    # JSON is YAML too; keys are embedded, so that the file works wherever it is copied to.
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": CONTEXT,
                "cluster": {
                    "server": SERVER,
                    "certificate-authority-data": _base64(certificates.certificate_path(pki, "ca")),
                },
            }
        ],
        "users": [
            {
                "name": f"{CONTEXT}-{identity}",
                "user": {
                    "client-certificate-data": _base64(certificates.certificate_path(pki, identity)),
                    "client-key-data": _base64(certificates.key_path(pki, identity)),
                },
            }
        ],
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": f"{CONTEXT}-{identity}"}}],
        "current-context": CONTEXT,
    }
    return json.dumps(document, indent=2) + "\n"


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
