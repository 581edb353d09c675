"""Callers change over to new keys, and the old ones end, while they ask: no call is refused that should not be."""

from __future__ import annotations

import time
import urllib.error
import urllib.request

from tests.live.faults.world import World, assert_right, edit
from tests.live.project import URL, LiveProject

_TEAM = "load"
_ROUTES = 20
"""So many new connections that each of two pods is surely among those that take them."""


def issued_key(project: LiveProject) -> str:
    """Return a new key of the team, as a person gets one."""
    ran = project.sluice("callers", "issue", _TEAM, "--env", "live")
    assert ran.exit_code == 0, ran.stderr
    return ran.stdout.strip()


def statuses(key: str) -> set[int]:
    """Return what the pods answer to a key, each asked over a connection of its own."""
    return {_status(key) for _ in range(_ROUTES)}


def _status(key: str) -> int:
    request = urllib.request.Request(f"{URL}/v1/models", headers={"authorization": f"Bearer {key}"})
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_callers_keys_are_rotated_twice_and_the_first_ends_with_no_call_refused(world: World) -> None:
    project = world.project
    settings = project.folder / "Pulumi.live.yaml"
    kept = settings.read_text()
    keys = [issued_key(project)]
    try:
        edit(settings, "callers: open", "callers: required")
        project.up(SLUICE_API_KEY=keys[0])
        project.wait_for(lambda: statuses(keys[0]) == {200})
        pods = project.pods()
        with world.harm("callers' keys rotated twice", key=keys[0]) as harm:
            began = time.monotonic()
            for _ in range(2):
                keys.append(issued_key(project))
                project.up(SLUICE_API_KEY=keys[-2])
                project.wait_for(lambda: statuses(keys[-1]) == {200}, seconds=90)
                harm.load.key = keys[-1]
            project.wait_for(lambda: statuses(keys[0]) == {401}, seconds=90)
            harm.note = (
                f"the first key was refused {time.monotonic() - began:.0f} s after the first of two updates began"
            )
        assert statuses(keys[1]) == {200}, "the newest two are good"
        assert project.pods() == pods
    finally:
        settings.write_text(kept)
        project.up(SLUICE_API_KEY=keys[-1])  # a pod that is ending still asks for one

    assert_right(harm)
