"""Applies and verifies environments for whoever follows git: what `sluice up` does, with nobody who looks at it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sluice.deploy.launch import declared_environment, engine_by_hand, launch
from sluice.deploy.status import Status, status
from sluice.deploy.target import Target
from sluice.progress import Progress


@dataclass(frozen=True, slots=True)
class Continuous:
    """Works on one cluster."""

    where: Target
    images_to: str | None
    progress: Progress

    def up(self, environment: str) -> str:
        """Make an environment what git says, have every agent asked, and say what changed. Raises as `launch` does."""
        return str(launch(environment, self.where, self.images_to, self.progress).update)

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
