"""Applies and verifies environments for whoever follows git: what `sluice up` does, with nobody who looks at it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from sluice.deploy.cluster_access import ClusterUnreachable
from sluice.deploy.follower import follower
from sluice.deploy.launch import SERVED_WITHIN_SECONDS, ask_every_agent, declared_environment, engine_by_hand, launch
from sluice.deploy.served import wait_until_served
from sluice.deploy.status import Status, status
from sluice.deploy.target import Target
from sluice.progress import Progress
from sluice.registry import Environment

FOLLOWED_WITHIN_SECONDS = 600.0
"""How long whoever follows git may take for a commit: as long as between two of its rounds."""

_LOOK_EVERY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Continuous:
    """Works on one cluster."""

    where: Target
    images_to: str | None
    progress: Progress

    def up(self, environment: str) -> str:
        """Make an environment what git says, have every agent asked, and say what changed. Raises as `launch` does.

        Where another follows git for it, that one does it, and is waited for: `verify` then tells what it did not.
        """
        declared = declared_environment(environment)
        if self._is_followed(declared):
            return self._wait_for_follower(declared)
        return str(launch(environment, self.where, self.images_to, self.progress).update)

    def _is_followed(self, declared: Environment) -> bool:
        try:
            found = follower(self.where.connect(), declared.settings.namespace)
        except ClusterUnreachable:
            return False  # the local cluster is started by an update, and of any other the update says why
        return found is not None and not found.is_stopped

    def _wait_for_follower(self, declared: Environment) -> str:
        """Return what the follower says of itself, once the cluster is what git says, or not within some minutes.

        Nobody is asked where it is not: an agent that does not answer would hide why, which `verify` then says. Raises
        `ClusterUnreachable` where the cluster does not answer at the end either.
        """
        access = self.where.connect()
        ends = time.monotonic() + FOLLOWED_WITHIN_SECONDS
        while True:
            is_over = time.monotonic() >= ends
            try:
                found = status(access, declared)
            except ClusterUnreachable:
                if is_over:
                    raise
            else:
                if not any(complaints(found)):
                    break
                if is_over:
                    return str(found.follower)
            time.sleep(_LOOK_EVERY_SECONDS)
        if not wait_until_served(access, declared, patience_seconds=SERVED_WITHIN_SECONDS):
            self.progress.say("  not every pod of the gateway is led to by its Service yet: it may not answer")
        ask_every_agent(access, declared)
        return str(found.follower)

    def verify(self, environment: str) -> tuple[str, ...]:
        """Return what is not as git says. An override that holds a weight down is the guard's, and no complaint."""
        return tuple(complaints(self.look(environment)))

    def look(self, environment: str) -> Status:
        """Look at an environment. Raises ClusterUnreachable."""
        return status(self.where.connect(), declared_environment(environment))

    def preview(self, environment: str) -> str:
        """Say what an update would do, by Pulumi's preview. Raises as `Engine.up` does."""
        update = engine_by_hand(environment, self.where, self.progress).preview(self.progress)
        return "\n".join([str(update), *update.named()])


def complaints(found: Status) -> Iterator[str]:
    """Yield what is wrong with an environment, but for what an override makes so."""
    if not found.is_there:
        yield f"nothing of {found.environment} is in this cluster"
        return
    silent = [pod for pod, answers in found.pods.items() if not answers]
    if silent or not found.pods:
        yield f"no answer from {', '.join(silent) or 'any gateway pod'}"
    for agent in found.agents:
        allowed = min(agent.wanted_percent, agent.allowed_percent)
        if found.pods and agent.served_percent != (allowed,):
            served = " and ".join(f"{weight:g} %" for weight in agent.served_percent) or "nothing"
            yield f"{agent.agent}: {served} served, {allowed} % wanted"
    yield from found.complaints
    if found.follower and found.follower.trouble:
        yield str(found.follower)
    yield from (f"drift: {difference}" for difference in found.differences)
