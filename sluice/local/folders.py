"""Where things of this machine live: the project, the cache that can be thrown away, the state of the local cluster.

As few folders as can be, so that a person who wants all of it gone knows what to remove.
"""

from __future__ import annotations

import os
from pathlib import Path

from sluice.carried import SOURCE

PROJECT_FILES = ("Pulumi.yaml", "registry")
"""What makes a folder a project of ours: Pulumi's programs of others have no registry."""


def project_of(folder: Path, code: Path) -> Path:
    """Return the project that a command in `folder` is about: that folder, or the nearest above it that is one.

    Where none is, it is the checkout that the code lies in; and for code that was installed, `folder` itself, so that
    what is missing is said of the place where the person stands.
    """
    for found in (folder, *folder.parents, code):
        # Not Path.exists, which raises where one may not look: whose folder is somebody else's is no project of ours.
        if all(os.path.exists(found / name) for name in PROJECT_FILES):  # noqa: PTH110
            return found
    return folder


def _here() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:  # the folder is gone, and so is every project that it was in
        return SOURCE


PROJECT = project_of(_here(), SOURCE)
"""The project of this process, found once, at its start."""


def cache_folder() -> Path:
    """Built tools and images, keyed by the content they were built from; safe to delete. `SLUICE_CACHE` moves it."""
    chosen = os.environ.get("SLUICE_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sluice"


def state_folder() -> Path:
    """The local cluster: etcd, certificates, containers, logs, and Pulumi's state of it. `SLUICE_STATE` moves it."""
    return Path(os.environ.get("SLUICE_STATE") or "/var/lib/sluice")


def pulumi_folder(cluster_id: str, *, local: bool) -> Path:
    """Pulumi's state of one cluster: with the local cluster, or, for a person's own, in the home of the person."""
    home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "sluice"
    return (state_folder() if local else home) / "pulumi" / cluster_id
