"""Which arm serves a user, and which models are asked in which order.

The draw is flagd's, over agent, candidate and user key: the same on every replica, after every restart, and for every
weight, so that a user on the candidate stays there while the weight grows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from openfeature.evaluation_context import EvaluationContext

from sluice.gateway import log
from sluice.gateway.agent_flag import VALUE_FIELD
from sluice.gateway.configuration import Configuration, Model
from sluice.gateway.flags import Flags
from sluice.gateway.outcome import Arm
from sluice.gateway.refusals import FlagsMissing


@dataclass(frozen=True, slots=True)
class Assignment:
    """The arm, and the models that stand behind it, at least one."""

    arm: Arm
    models: tuple[Model, ...]


class Assigner:
    """Assigns by the flags in force at the moment of the request."""

    def __init__(self, configuration: Configuration, flags: Flags) -> None:
        self._configuration = configuration
        self._flags = flags

    def assign(self, agent: str, user_key: str | None) -> Assignment:
        """Return the arm of the user; without one, the baseline.

        Raises FlagsMissing while the agent has no flag.
        """
        flag = self._flags.flag(agent)
        if flag is None:
            raise FlagsMissing(agent)
        if user_key is None:
            return self._assignment(Arm.BASELINE, flag.models[Arm.BASELINE])
        # The provider itself: OpenFeature's client around it, which looks for hooks, took longer than the evaluation.
        try:
            details = self._flags.resolve_object_details(agent, {}, EvaluationContext(user_key))
        except Exception as error:  # noqa: BLE001 -- whatever goes wrong in it, the baseline can answer
            log.error("flag not evaluated", agent=agent, exception=error)
            return self._assignment(Arm.BASELINE, flag.models[Arm.BASELINE])
        if not isinstance(details.value, Mapping):
            log.error("flag not evaluated", agent=agent, code=str(details.error_code))
            return self._assignment(Arm.BASELINE, flag.models[Arm.BASELINE])
        # Arm and models both come from the evaluation: the flag held above may have been replaced since.
        arm = Arm.CANDIDATE if details.variant == Arm.CANDIDATE else Arm.BASELINE
        return self._assignment(arm, cast("Sequence[str]", details.value[VALUE_FIELD]))

    def _assignment(self, arm: Arm, names: Sequence[str]) -> Assignment:
        return Assignment(arm, tuple(self._configuration.models[name] for name in names))
