"""One agent's flag as flagd's JSON says it, checked and ready to evaluate.

Everything is checked when it is loaded, evaluation itself included, so that a request never meets a flag that cannot be
used. What the flag means (arms, models, weight) is read here; which user gets which arm is flagd's own arithmetic.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import OpenFeatureError
from openfeature.flag_evaluation import FlagResolutionDetails, Reason

from sluice.errors import SluiceError
from sluice.gateway.outcome import Arm

VALUE_FIELD = "models"


@dataclass(frozen=True, slots=True)
class AgentFlag:
    """A usable flag. `models` has the names of the models to ask, in order, for each arm that can be served."""

    agent: str
    weight_percent: int
    models: Mapping[Arm, tuple[str, ...]]
    evaluator: FlagdCore
    notes: tuple[str, ...]
    """What was set aside to make it usable, for the log."""


class FlagUnusable(SluiceError):
    """A flag that cannot decide for every user, or does not say what it does."""

    def __init__(self, agent: str, what: str) -> None:
        super().__init__(f"flags.{agent}: {what}")


def read_agent_flag(agent: str, document: object, known_models: Mapping[str, object]) -> AgentFlag:
    """Check the flag of `agent` and make it ready to evaluate.

    Models that are not in `known_models` are left out: flags change in place, and may name a model before the pods that
    know it have replaced this one. A candidate arm with no model left is served by the baseline, at weight 0.
    Raises FlagUnusable.
    """
    if not isinstance(document, dict):
        raise FlagUnusable(agent, "must be an object")
    models, notes = _models(agent, document, known_models)
    if Arm.BASELINE not in models:
        raise FlagUnusable(agent, "its baseline has no model that this gateway knows")
    if document.get("defaultVariant") != Arm.BASELINE:
        raise FlagUnusable(agent, "its defaultVariant must be baseline")
    weight = _weight(agent, document)
    targeting = document.get("targeting") or None
    if Arm.CANDIDATE not in models or document.get("state") == "DISABLED":
        weight, targeting = 0, None
    if targeting is not None:
        _check_shares(agent, targeting, weight)
    elif weight != 0:
        raise FlagUnusable(agent, f"its weight is {weight}, but it has no targeting")
    evaluator = _evaluator(agent, models, targeting, weight)
    return AgentFlag(agent, weight, models, evaluator, tuple(notes))


def _models(
    agent: str, document: Mapping[str, Any], known_models: Mapping[str, object]
) -> tuple[dict[Arm, tuple[str, ...]], list[str]]:
    variants = document.get("variants")
    if not isinstance(variants, dict) or not variants.keys() <= {Arm.CANDIDATE, Arm.BASELINE}:
        raise FlagUnusable(agent, "its variants must be candidate and baseline, or baseline alone")
    models: dict[Arm, tuple[str, ...]] = {}
    notes: list[str] = []
    for arm, value in variants.items():
        names = value.get(VALUE_FIELD) if isinstance(value, dict) else None
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise FlagUnusable(agent, f"variants.{arm}.{VALUE_FIELD} must be a list of models' names")
        known = tuple(name for name in names if name in known_models)
        notes += [
            f"flags.{agent}: {arm} leaves out {name!r}, which is not known" for name in names if name not in known
        ]
        if known:
            models[Arm(arm)] = known
        else:
            notes.append(f"flags.{agent}: {arm} has no known model")
    return models, notes


def _weight(agent: str, document: Mapping[str, Any]) -> int:
    metadata = document.get("metadata")
    weight = metadata.get("weight") if isinstance(metadata, dict) else None
    if not isinstance(weight, int) or isinstance(weight, bool) or not 0 <= weight <= 100:
        raise FlagUnusable(agent, "metadata.weight must be a whole number, 0 to 100")
    return weight


def _check_shares(agent: str, targeting: object, weight: int) -> None:
    """Refuse a draw that would move users when the weight grows: candidate's range first, total always 100."""
    fractional = targeting.get("fractional") if isinstance(targeting, dict) else None
    if fractional is None:  # a rule of another kind; the trial below says whether it can be evaluated
        return
    wanted = [[Arm.CANDIDATE, weight], [Arm.BASELINE, 100 - weight]]
    if not isinstance(fractional, list) or fractional[1:] != wanted:
        raise FlagUnusable(
            agent,
            f"targeting.fractional must end in {orjson.dumps(wanted).decode()}, as metadata.weight {weight} says",
        )


def _evaluator(agent: str, models: Mapping[Arm, tuple[str, ...]], targeting: object, weight: int) -> FlagdCore:
    flag: dict[str, object] = {
        "state": "ENABLED",
        "variants": {arm.value: {VALUE_FIELD: list(names)} for arm, names in models.items()},
        "defaultVariant": Arm.BASELINE,
        "metadata": {"weight": weight},
    }
    if targeting is not None:
        flag["targeting"] = targeting
    text = orjson.dumps({"flags": {agent: flag}}).decode()  # FlagdCore changes the dictionaries that it is given
    evaluator = FlagdCore()
    try:
        evaluator.set_flags(text)
        trial: FlagResolutionDetails[Any] = evaluator.resolve_object_value(agent, {}, EvaluationContext("trial"))
    except OpenFeatureError as error:
        raise FlagUnusable(agent, f"cannot be evaluated: {error.error_message or error.error_code}") from error
    except Exception as error:  # JSON logic raises whatever its operators do
        raise FlagUnusable(agent, f"cannot be evaluated: {type(error).__name__}") from error
    # flagd serves the default variant, without a word, where targeting gives no answer.
    if targeting is not None and trial.reason != Reason.TARGETING_MATCH:
        raise FlagUnusable(agent, "its targeting names no arm for a user")
    return evaluator
