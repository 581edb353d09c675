"""Brings the images to a cluster of the user's own: into kind or k3d by their own commands, else through a registry.

The references that come back are what the environment's pods must name there: by digest after a push, by a tag made of
the digest after a load.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass

from sluice.local.images.building import Images
from sluice.local.images.errors import ClusterLoadError, RegistryNeededError, ToolMissingError
from sluice.local.images.push import push
from sluice.progress import Progress


@dataclass(frozen=True, slots=True)
class References:
    """What pods name to get the images: NAME@sha256:... or NAME:TAG."""

    gateway: str
    stub_provider: str
    cache: str
    guard: str
    prometheus: str
    litellm: str | None = None


def deliver(images: Images, *, context: str | None, registry: str | None, progress: Progress) -> References:
    """Bring the images to the cluster of the kubeconfig context `context`; where to find them there.

    `registry` is a registry's host, port and path (`registry.example.com/sluice`); naming one always means to push to
    it. Without it the context's name must be kind's or k3d's (`kind-NAME`, `k3d-NAME`), else RegistryNeededError. A
    failure is a PushError, a ClusterLoadError, or a ToolMissingError when `kind` or `k3d` is not on the PATH.

    A reference by digest does not survive `kind load` in every version of kind and containerd
    (https://github.com/kubernetes-sigs/kind/issues/2394 and 4028), so the tag made of the digest is used there. It
    changes with the content, so pods are replaced when they should be, and it is not `latest`, so nothing is pulled.
    """
    wanted = images.all()
    if registry is not None:
        with progress.step(f"images: push to {registry}"):
            return References(*(push(image, registry) for image in wanted))
    tool, _, cluster = (context or "").partition("-")
    if tool not in _LOAD or not cluster:
        raise RegistryNeededError(context)
    with progress.step(f"images: load into {tool} cluster {cluster}"):
        for archive in dict.fromkeys(image.archive for image in wanted):
            _load(tool, cluster, [word.format(archive=archive, cluster=cluster) for word in _LOAD[tool]])
    return References(*(image.tagged_reference for image in wanted))


_LOAD = {
    "kind": ("load", "image-archive", "{archive}", "--name", "{cluster}"),
    "k3d": ("image", "import", "{archive}", "--cluster", "{cluster}"),
}


def _load(tool: str, cluster: str, arguments: list[str]) -> None:
    if shutil.which(tool) is None:
        raise ToolMissingError(
            tool,
            needed_for=f"loading images into the cluster {cluster!r}",
            install=f"put {tool} on it, or name a registry",
        )
    ran = subprocess.run([tool, *arguments], capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        raise ClusterLoadError(tool, cluster, ran.stderr + ran.stdout)
