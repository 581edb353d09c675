"""Which program computes how long while a command runs: of the command, and of all that it starts."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from bench.measured import computing

_LOOK_EVERY_SECONDS = 0.05
_PROGRAMS = (
    ("pip list", "pip, which lists what the environment has, for plugins"),
    ("pulumi-language-python-exec", "the program: what should be"),
    ("pulumi-language-python", "the language host"),
    ("pulumi-resource-kubernetes", "the Kubernetes provider"),
    ("pulumi ", "pulumi: the engine, its state, its secrets"),
)


def computed(process: subprocess.Popen[str]) -> dict[str, float]:
    """Wait for a process that has just begun, and return the seconds that each program of it computed.

    They are looked at twenty times a second: what one does after the last look is missed.
    """
    seconds: dict[int, float] = {}
    names: dict[int, str] = {}
    while process.poll() is None:
        for pid, spent in _family(process.pid).items():
            if command := _command(pid):
                seconds[pid], names[pid] = spent, command
        time.sleep(_LOOK_EVERY_SECONDS)
    by_program: dict[str, float] = {}
    for pid, spent in seconds.items():
        program = _program(names[pid])
        by_program[program] = by_program.get(program, 0) + spent
    return by_program


def _family(ancestor: int) -> dict[int, float]:
    """Return what a process and its descendants have computed, by their ids."""
    spent: dict[int, float] = {}
    children: dict[int, list[int]] = {}
    for pid in [int(folder.name) for folder in Path("/proc").glob("[0-9]*")]:
        try:
            found = computing(pid)
        except OSError:  # it has ended
            continue
        spent[pid] = found.cpu_seconds
        children.setdefault(found.parent, []).append(pid)
    family = [ancestor]
    for pid in family:
        family += children.get(pid, ())
    return {pid: spent[pid] for pid in family if pid in spent}


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:  # it has ended
        return ""


def _program(command: str) -> str:
    return next((name for sign, name in _PROGRAMS if sign in command), "else")
