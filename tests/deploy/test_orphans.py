"""Helpers of Pulumi whose caller was killed are ended, and no other process is."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sluice.deploy import orphans
from sluice.deploy.orphans import end_orphaned_helpers


@pytest.fixture
def started(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[..., int]:
    """Start `sleep` under a name, as an orphan or as a child of this process, and return its process id."""

    def start(name: str, *, orphan: bool) -> int:
        program = tmp_path / name
        shutil.copy("/bin/sleep", program)
        code = (
            "import subprocess, sys; print(subprocess.Popen(sys.argv[1:], start_new_session=True, "
            "stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).pid, flush=True)"
        )
        if orphan:
            pid = int(
                subprocess.run([sys.executable, "-c", code, program, "60"], capture_output=True, check=True).stdout
            )
        else:
            pid = subprocess.Popen([program, "60"]).pid
        request.addfinalizer(lambda: _end(pid))
        return pid

    return start


def _end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def _reaper(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("PPid:"))


def test_a_helper_whose_caller_is_gone_is_ended(
    started: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = started("pulumi-resource-made", orphan=True)
    # Where a service manager of the person's session adopts orphans, it stands for the init process here.
    monkeypatch.setattr(orphans, "_INIT", _reaper(pid))

    assert end_orphaned_helpers(tmp_path) == (pid,)

    while _runs(pid):
        time.sleep(0.01)


def test_a_helper_in_use_and_programs_of_other_names_or_places_go_on(
    started: Callable[..., int], tmp_path: Path
) -> None:
    in_use = started("pulumi-language-made", orphan=False)
    other_name = started("pulumi", orphan=True)

    assert end_orphaned_helpers(tmp_path) == ()
    assert _runs(in_use)
    assert _runs(other_name)


def test_a_helper_of_another_pulumi_goes_on(started: Callable[..., int], tmp_path: Path) -> None:
    pid = started("pulumi-resource-made", orphan=True)

    assert end_orphaned_helpers(tmp_path / "elsewhere") == ()
    assert _runs(pid)
