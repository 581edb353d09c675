"""Where things of this machine live: the cache that can be thrown away, and the state of the local cluster.

As few folders as can be, so that a person who wants all of it gone knows what to remove.
"""

from __future__ import annotations

import os
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent.parent
"""The checkout this code runs from: the folder of Pulumi.yaml."""


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
