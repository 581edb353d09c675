"""Stopping the local cluster leaves nothing behind, and starting it again finds what was there.

These tests come last, and only where nobody used the cluster before the tests did: they stop it.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from sluice.local.folders import cache_folder, state_folder
from tests.live.project import LiveProject


@pytest.fixture
def stoppable(project: LiveProject, cluster_ran_before: bool) -> LiveProject:
    if cluster_ran_before:
        pytest.skip("the local cluster is in use: `make down` first, to run this test too")
    return project


def printed_by(*command: str) -> str:
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True).stdout


def left_behind() -> dict[str, list[str]]:
    """Return what a cluster in our state folder, or our network, would show up as."""
    state = str(state_folder())
    processes = [
        " ".join(arguments)
        for folder in Path("/proc").glob("[0-9]*")
        if (arguments := _command_line(folder))
        and any(ours in argument for argument in arguments for ours in (state, str(cache_folder())))
    ]
    return {
        "processes": processes,
        "mounts": [line for line in Path("/proc/mounts").read_text().splitlines() if state in line],
        "links": [
            line for line in printed_by("ip", "-brief", "link").splitlines() if line.startswith(("sluice", "veth"))
        ],
        "rules": [
            line
            for line in printed_by("iptables-save").splitlines()
            if any(name in line for name in ("KUBE-", "CNI-", "SLUICE-"))
        ],
    }


def _command_line(folder: Path) -> list[str]:
    try:
        return folder.joinpath("cmdline").read_text(errors="replace").split("\0")
    except OSError:
        return []


def test_down_leaves_nothing_and_the_next_up_finds_what_was_there(stoppable: LiveProject) -> None:
    stoppable.up()
    arms = stoppable.arms("qa", [f"user-{number}" for number in range(50)])
    assert all(left_behind().values()), "a cluster that runs is seen by what looks for it"

    ran = stoppable.sluice("down", "live")

    assert ran.exit_code == 0, ran.stderr
    assert left_behind() == {kind: [] for kind in left_behind()}
    assert set(stoppable.up()["changes"]) == {"same"}
    assert stoppable.arms("qa", arms) == arms
