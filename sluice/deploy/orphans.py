"""Ends Pulumi's plugins that a killed `pulumi` left running: each holds 100 MiB and waits for a caller that is gone."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path


def end_orphaned_plugins(home: Path) -> tuple[int, ...]:
    """End the plugins below a Pulumi home that have lost their parent, and return their process ids.

    A plugin that is in use is a child of the `pulumi` that uses it; one whose parent is the init process is not.
    """
    ended = []
    for folder in Path("/proc").glob("[0-9]*"):
        if _program(folder).is_relative_to(home / "plugins") and _parent(folder) == 1:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(folder.name), signal.SIGTERM)
                ended.append(int(folder.name))
    return tuple(ended)


def _program(folder: Path) -> Path:
    try:
        return folder.joinpath("exe").readlink()
    except OSError:  # it ended, or it is a thread of the kernel's
        return Path("/")


def _parent(folder: Path) -> int | None:
    try:
        status = folder.joinpath("status").read_text()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("PPid:")), None)
