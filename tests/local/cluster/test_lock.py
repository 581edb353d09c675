from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sluice.local.cluster import lock
from sluice.local.cluster.errors import Busy

HOLD = """
import sys, time
from pathlib import Path
from sluice.local.cluster import lock
with lock.held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_one_is_told_who_holds_it_and_a_dead_holder_blocks_nobody(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    child = subprocess.Popen([sys.executable, "-c", HOLD, path], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        with pytest.raises(Busy, match=f"started or stopped by pid {child.pid}: wait") as caught, lock.held(path):
            pass
        assert caught.value.exit_code == 3
    finally:
        child.kill()
        child.communicate()
    with lock.held(path):
        assert path.read_text().strip().isdigit()


def test_it_is_free_again_after_an_error_inside(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with pytest.raises(ZeroDivisionError, match="division"), lock.held(path):
        raise ZeroDivisionError("division")
    with lock.held(path):
        pass
