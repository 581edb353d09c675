"""How long each of many changes of a weight takes to every gateway, read from what the gateways say that they serve."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from tests.live.faults.world import World

_APART_SECONDS = 0.1
_STOP_SECONDS = 30.0


def served(agent: str) -> str:
    """Return the series of the weight that a gateway serves of an agent."""
    return f'sluice_rollout_weight{{agent="{agent}",kind="served"}}'


class ServedWeights:
    """Reads an agent's weight from each gateway, again and again, from `with` to its end.

    It must only grow meanwhile: then a gateway that has come to a weight has taken every change up to it.
    """

    def __init__(self, world: World, agent: str) -> None:
        self._world = world
        self._series = served(agent)
        self._seen: dict[str, list[tuple[float, float]]] = {pod: [] for pod in world.project.pods()}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read, name="served weights", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(_STOP_SECONDS)

    def has_come_to(self, weight: float) -> bool:
        """Return whether every gateway serves at least this weight."""
        return not math.isinf(self._moment(weight))

    def seconds_to_every_gateway(self, changes: Sequence[tuple[float, float]]) -> list[float]:
        """Return for each change, a weight and when it was begun to be set, how long it took to the last gateway."""
        return [self._moment(weight) - began for weight, began in changes]

    def _moment(self, weight: float) -> float:
        """Return when the last gateway was seen with at least this weight; infinity where one was not."""
        return max(
            min((at for at, seen in list(of_one) if seen >= weight), default=math.inf) for of_one in self._seen.values()
        )

    def _read(self) -> None:
        while not self._stop.wait(_APART_SECONDS):
            for pod, of_one in self._seen.items():
                weight = self._world.metric_of(pod, self._series)
                of_one.append((time.monotonic(), weight))
