"""Two pods whose clocks say different days: no call fails and no user moves.

Pods share their node's clock, which these tests leave alone. So the gateways are started with one of their own that is
off by what a file in each pod says (`tests/gateway/moved_clock.py`), and the files are changed under load.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.gateway.moved_clock import DAY, WITH_A_CLOCK_OF_ITS_OWN
from tests.live.faults.world import GATEWAYS, World, assert_right

_FOLDER, _FILE = "/clock", "offset"
_LOADED = "sluice_flags_loaded_timestamp_seconds"


@contextmanager
def clocks_of_their_own(world: World) -> Iterator[None]:
    """Run the gateways with clocks that can be moved, until the end of the block."""
    container = "/spec/template/spec/containers/0"
    patch = [
        {"op": "add", "path": "/spec/template/spec/volumes/-", "value": {"name": "clock", "emptyDir": {}}},
        {"op": "add", "path": f"{container}/volumeMounts/-", "value": {"name": "clock", "mountPath": _FOLDER}},
        {
            "op": "add",
            "path": f"{container}/command",
            "value": ["python3", "-c", WITH_A_CLOCK_OF_ITS_OWN, f"{_FOLDER}/{_FILE}"],
        },
    ]
    before = world.project.pods()
    world.kubectl("patch", "deployment", "gateway", "--type", "json", "--patch", json.dumps(patch))
    try:
        world.project.wait_for(lambda: not world.project.pods().keys() & before.keys(), seconds=60)
        world.calm()
        yield
    finally:
        world.kubectl("rollout", "undo", "deployment/gateway")
        world.kubectl("rollout", "status", "deployment/gateway", "--timeout=50s")
        world.calm()


def move(world: World, pod: str, seconds: float) -> None:
    """Set a pod's clock forth or back."""
    process = world.gateway_process(pod)
    Path(f"/proc/{process}/root{_FOLDER}/{_FILE}").write_text(str(seconds))


def test_pods_whose_clocks_differ_and_jump_fail_no_call_and_move_no_user(world: World) -> None:
    flags = world.flags()
    with clocks_of_their_own(world):
        ahead, behind = world.project.pods()
        with world.harm("one pod's clock 40 days ahead, the other's an hour behind, then back") as harm:
            move(world, ahead, 40 * DAY)
            move(world, behind, -3600.0)
            harm.stay(3)
            flags["harmless"] = True  # for both to take flags over, and to say when by their clocks
            world.put_flags(json.dumps(flags))
            world.project.wait_for(lambda: world.metric_of(ahead, _LOADED) - time.time() > 39 * DAY)
            world.project.wait_for(lambda: world.metric_of(behind, _LOADED) - time.time() < -3000)
            harm.stay(3)
            for pod in (ahead, behind):
                move(world, pod, 0.0)
            harm.stay(3)
        assert len(world.project.pods()) == GATEWAYS

    assert_right(harm)
