"""Ends the helpers of Pulumi that a killed `pulumi` left running: each waits for a caller that is gone.

Helpers are the providers, the language host and the policy analyzers, which Pulumi starts as processes of their own.
"""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

_INIT = 1
_HELPERS = ("pulumi-resource-", "pulumi-language-", "pulumi-analyzer-")


def end_orphaned_helpers(*folders: Path) -> tuple[int, ...]:
    """End the helpers whose program lies below one of the folders and whose parent is gone; return their process ids.

    A helper that is in use is a child of the `pulumi` that uses it; one whose parent is the init process is not.
    """
    ended = []
    for folder in Path("/proc").glob("[0-9]*"):
        program = _program(folder)
        ours = program.name.startswith(_HELPERS) and any(map(program.is_relative_to, folders))
        if ours and _parent(folder) == _INIT:
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
