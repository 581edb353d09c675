"""Locks of a stack whose holder is gone, which a killed `pulumi up` or a full disk leaves behind in a local backend."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path

from sluice.deploy.errors import StackLocked, StackLockedElsewhere

_WRITTEN_WITHIN_SECONDS = 0.5
"""Pulumi writes a lock's few bytes beside it and renames them at once."""


def release_stale_locks(state: Path, environment: str) -> bool:
    """Remove locks held by processes of this machine that no longer run; say whether there were any.

    Raises `StackLocked` where the holder runs, `StackLockedElsewhere` where it is on another machine and may run.
    """
    stale = []
    for lock in state.glob(f".pulumi/locks/**/{environment}/*.json"):
        try:
            holder = json.loads(lock.read_text())
        except FileNotFoundError:  # the update has ended just now
            continue
        except ValueError:  # Pulumi writes a lock in one rename: only a machine that lost its power leaves half of one
            stale.append(lock)
            continue
        if holder["hostname"] != socket.gethostname():
            raise StackLockedElsewhere(environment, holder["hostname"], holder["timestamp"])
        if _is_pulumi(holder["pid"]):
            raise StackLocked(environment, holder["pid"], holder["timestamp"])
        stale.append(lock)
    for lock in stale:
        lock.unlink(missing_ok=True)
        lock.with_name(f"{lock.name}.attrs").unlink(missing_ok=True)
    return _remove_unfinished(state, environment) or bool(stale)


def _remove_unfinished(state: Path, environment: str) -> bool:
    """Remove what was to become a lock when the disk was full, and say whether there was any.

    Pulumi takes it for a lock, cannot read it, and says "unexpected end of JSON input" of every update from then on.
    """
    unfinished = list(state.glob(f".pulumi/locks/**/{environment}/*.json.*.tmp"))
    if unfinished:
        time.sleep(_WRITTEN_WITHIN_SECONDS)  # for one that another Pulumi is writing just now
    left = [part for part in unfinished if part.exists()]
    for part in left:
        part.unlink(missing_ok=True)
    return bool(left)


def _is_pulumi(pid: int) -> bool:
    """Whether the process runs and is a Pulumi: the number may belong to another program by now."""
    try:
        return "pulumi" in Path(f"/proc/{pid}/exe").readlink().name
    except FileNotFoundError:
        return False
    except OSError:  # it runs as another user, so which program it is cannot be known
        return True
