"""What Kubernetes gives every pod to reach its API server: an address in the environment, and a folder of files.

It imports nothing but the standard library, because the images of the gateway and the guard hold little else of sluice.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path

SERVICE_ACCOUNT_FOLDER = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where token, namespace and ca.crt lie; the kubelet brings new ones while a process runs."""


def api_server(environment: Mapping[str, str]) -> str | None:
    """Return the address of the API server, without a slash at its end; None outside of a cluster."""
    host, port = environment.get("KUBERNETES_SERVICE_HOST"), environment.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        return None
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"


def trust(url: str, folder: Path) -> ssl.SSLContext | None:
    """Return what trusts the folder's authority alone, None where `url` is not https, as in tests. Raises OSError."""
    return ssl.create_default_context(cafile=str(folder / "ca.crt")) if url.startswith("https:") else None
