"""Which cluster is meant: a person's own, or the local one; and what must be done before Pulumi can use it.

`KUBECONFIG` or a context means a person's own cluster, which is only used. With neither, the local one is meant, and it
is built and started where it is missing.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from sluice.carried import SOURCE
from sluice.deploy.cluster_access import ClusterAccess
from sluice.deploy.orphans import end_orphaned_helpers
from sluice.local import cluster, images, packages
from sluice.local.folders import cache_folder, pulumi_folder, state_folder
from sluice.local.toolchain import ensure_kubernetes
from sluice.progress import Progress
from sluice.registry import image_variable


@dataclass(frozen=True, slots=True)
class Target:
    """One cluster: `kubeconfig` None means the default file; `is_local` that it is the one of this machine."""

    kubeconfig: Path | None
    context: str | None
    is_local: bool

    def connect(self) -> ClusterAccess:
        """Return a connection. Raises `ClusterUnreachable` where the kubeconfig is of no use."""
        if self.is_local:
            return ClusterAccess(self.kubeconfig, remedy="if the local cluster does not run, start it: make up")
        return ClusterAccess(self.kubeconfig, self.context)

    def pulumi_state(self, access: ClusterAccess) -> Path:
        """Return the folder of Pulumi's state of this cluster."""
        return pulumi_folder(access.unique_id(), local=self.is_local)

    def variables(self) -> dict[str, str]:
        """Return what Pulumi's provider and kubectl read to find this cluster."""
        chosen = {"KUBECONFIG": str(self.kubeconfig)} if self.kubeconfig else {}
        if self.is_local:
            chosen["SLUICE_NODE_PORTS_AT"] = "127.0.0.1"
        return {**chosen, "SLUICE_CONTEXT": self.context} if self.context else chosen


def target(context: str | None) -> Target:
    """Return the cluster that the person means by `--context` and the environment."""
    own = os.environ.get("KUBECONFIG")
    local = cluster.kubeconfig(state_folder())
    if context is None and (not own or Path(own) == local):
        return Target(local, None, is_local=True)
    return Target(_absolute(own) if own else None, context, is_local=False)


def _absolute(kubeconfig: str) -> Path:
    """Return the file, or the list of files, so that it means the same to a program that runs in another folder."""
    return Path(os.pathsep.join(str(Path(part).absolute()) for part in kubeconfig.split(os.pathsep) if part))


def start_local_cluster(progress: Progress, *, node_ports: Sequence[int] = ()) -> cluster.UpResult:
    """Find or build what the local cluster needs, start what of it does not run, and name what had died.

    `node_ports` are those that its Services will have: no other program may have them.
    """
    # What is in the way is said before a quarter of an hour is spent on building.
    cluster.check(state_folder(), node_ports=node_ports)
    packages.ensure(progress, packages.CLUSTER_PACKAGES)
    tools = ensure_kubernetes(cache_folder(), progress)
    binaries = cluster.Binaries(kube=tools.kube, coredns=tools.coredns, pause=tools.pause)
    result = cluster.up(binaries, progress, state_folder())
    for restart in result.restarted:
        progress.say(f"{restart.component} had {restart.why}; it was started again")
    return result


def stop_local_cluster(progress: Progress, *, purge: bool) -> None:
    """Stop the local cluster, and what a killed update of it left running; with `purge` remove its data too."""
    cluster.down(progress, state_folder(), purge=purge)
    end_orphaned_helpers(cache_folder())
    if purge:
        shutil.rmtree(pulumi_folder("", local=True), ignore_errors=True)


def deliver_images(
    where: Target, access: ClusterAccess, registry: str | None, progress: Progress, *, with_litellm: bool = False
) -> Mapping[str, str]:
    """Build the images, bring them to the cluster, and return the variables by which a stack names them.

    LiteLLM's is among them where it is asked for: it takes minutes and is four times the others together.
    """
    built = images.build(SOURCE, cache_folder(), progress)
    if with_litellm:
        built = replace(built, litellm=images.build_litellm(SOURCE, cache_folder(), progress))
    if where.is_local:
        images.load(built, cluster.containerd_socket(state_folder()), progress)
        given = images.References(*(image.reference for image in built.all()))
    else:
        given = images.deliver(built, context=access.context, registry=registry, progress=progress)
    return {image_variable(part): image for part, image in asdict(given).items() if image is not None}
