"""Looks for a secret in all that an environment writes: as it is, in base64 at whatever offset, and in hexadecimal.

Two places must hold it, etcd and the files that pods mount, and are looked at apart: they show that the search sees.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from sluice.local.cluster.layout import Layout
from sluice.local.folders import cache_folder, state_folder
from tests.live.project import NAMESPACE, LiveProject

_MARK = b"sluice.gateway"
_GZIP = b"\x1f\x8b\x08"


def traces_of(secret: str, written: Mapping[str, bytes]) -> list[str]:
    """Return the names of what holds the secret in any form."""
    forms = _forms(secret.encode())
    return sorted(name for name, content in written.items() if any(form in content for form in forms))


def everything_that_is_written(project: LiveProject, *, since: float) -> dict[str, bytes]:
    """Return, by its name, what Pulumi and the cluster write: files, objects but Secrets, events, logs, metrics.

    Of files those that were written after `since`, by `time.time()`.
    """
    layout = Layout(state_folder())
    containers = layout.containerd_run.glob("io.containerd.runtime.v2.task/*/*/*.json")
    kubelets_own = (file for file in layout.kubelet.iterdir() if file.is_file())
    pulumi = (cache_folder() / "pulumi-home" / name for name in ("logs", "workspaces"))
    here = (path for path in project.folder.iterdir() if path.name != ".venv")
    places = (layout.state / "pulumi", layout.logs, layout.run, layout.config, *containers, *kubelets_own)
    written = _files((*places, *pulumi, *here), since)
    written["events of all namespaces"] = _said(project, "get", "events", "--all-namespaces", "--output", "json")
    kinds = _said(project, "api-resources", "--namespaced", "--verbs=list", "--output", "name").decode().split()
    shown = ",".join(kind for kind in kinds if kind not in ("secrets", "events", "events.events.k8s.io"))
    written["objects of the namespace"] = _said(project, "get", shown, "--output", "json", "--show-managed-fields")
    written["the namespace and its policy"] = _said(
        project, "get", "namespaces,validatingadmissionpolicies,nodes", "--output", "json"
    )
    pods = _said(project, "get", "pods", "--output", "name").decode().split()
    for pod in pods:
        log = project.kubectl("logs", pod, "--all-containers")  # of a pod that has just ended there is none
        written[f"log of {pod}"] = f"{log.stdout}{log.stderr}".encode()
    for pod in project.pods():
        path = f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}:9090/proxy/metrics"
        written[f"metrics of {pod}"] = project.cluster.text(path).encode()
    for folder in Path("/proc").glob("[0-9]*"):
        written |= _of_a_gateway(folder)
    return written


def places_that_hold_secrets(state: Path) -> dict[str, bytes]:
    """Return the files of etcd and those that the kubelet mounts for pods."""
    layout = Layout(state)
    return _files([layout.etcd, *(layout.kubelet / "pods").glob("*/volumes/kubernetes.io~secret")])


def _files(places: Iterable[Path], since: float = 0) -> dict[str, bytes]:
    found = {}
    for place in places:
        for file in (place, *place.rglob("*")):
            with suppress(FileNotFoundError):  # Pulumi replaces its files
                if file.is_file() and not file.is_symlink() and file.stat().st_mtime > since:
                    content = file.read_bytes()
                    found[str(file)] = gzip.decompress(content) if content.startswith(_GZIP) else content
    return found


def _of_a_gateway(folder: Path) -> dict[str, bytes]:
    """Return the arguments and variables of a process where it is a gateway."""
    try:
        arguments = (folder / "cmdline").read_bytes()
        if _MARK not in arguments:
            return {}
        return {
            f"arguments of process {folder.name}": arguments,
            f"variables of process {folder.name}": (folder / "environ").read_bytes(),
        }
    except OSError:  # it has ended
        return {}


def _said(project: LiveProject, *arguments: str) -> bytes:
    ran = project.kubectl(*arguments)
    assert ran.exit_code == 0, ran.stderr
    return ran.stdout.encode()


def _forms(secret: bytes) -> set[bytes]:
    """Return what a text that holds the secret holds in turn, once it was encoded with whatever stands around it."""
    forms = {secret, secret.hex().encode(), secret.hex().upper().encode(), _escaped(secret)}
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before in range(3):
            # The first characters depend on the bytes before, the last ones on those behind.
            text = encode(b"\0" * before + secret + b"\0\0\0")
            forms.add(text[4 if before else 0 : -8])
    return forms


def _escaped(secret: bytes) -> bytes:
    return secret.decode().replace("-", "\\u002d").encode()
