"""One agent's flag as flagd's JSON says it, checked and ready to evaluate.

Everything is checked when it is loaded, evaluation itself included, so that a request never meets a flag that cannot be
used. What the flag means (arms, models, weight) is read here; which user gets which arm is flagd's own arithmetic.
Only one form of targeting is taken, the one that `sluice render` writes: any other could draw users anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
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
    wanted_percent: int
    """What the flag says: its weight, 0 where it is disabled."""
    served_percent: int
    """What is drawn by: less than wanted where an override allows less, 0 where no model of the candidate is known."""
    models: Mapping[Arm, tuple[str, ...]]
    salt: str
    """What stands before the user's key in the draw; empty without a candidate."""
    evaluator: FlagdCore
    notes: tuple[str, ...]
    """What was set aside to make it usable, for the log."""
    candidate: str | None = None
    since: date | None = None
    """When the candidate's rollout began here: what a review's days are counted from."""

    def at_most(self, allowed_percent: int) -> AgentFlag:
        """Return the flag with no more than a share of the users on the candidate."""
        served = min(self.wanted_percent if Arm.CANDIDATE in self.models else 0, allowed_percent)
        if served == self.served_percent:
            return self
        return replace(self, served_percent=served, evaluator=_evaluator(self.agent, self.models, self.salt, served))


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
    if document.get("state") not in ("ENABLED", "DISABLED"):
        raise FlagUnusable(agent, "its state must be ENABLED or DISABLED")
    weight = _weight(agent, document)
    salt = _salt(agent, document, weight)
    wanted = weight if document["state"] == "ENABLED" else 0
    served = wanted if Arm.CANDIDATE in models else 0
    evaluator = _evaluator(agent, models, salt, served)
    candidate, since = _candidate(document), _since(agent, document)
    return AgentFlag(agent, wanted, served, models, salt, evaluator, tuple(notes), candidate, since)


def _candidate(document: Mapping[str, Any]) -> str | None:
    candidate = document["metadata"].get("candidate")
    return candidate if isinstance(candidate, str) else None


def _since(agent: str, document: Mapping[str, Any]) -> date | None:
    since = document["metadata"].get("since")
    if since is None:
        return None
    try:
        return date.fromisoformat(since)
    except (TypeError, ValueError):
        raise FlagUnusable(agent, "metadata.since must be a day such as 2025-11-06") from None


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


def _salt(agent: str, document: Mapping[str, Any], weight: int) -> str:
    """Check the targeting, which must be the one that never moves a user when the weight grows, and return its salt.

    Candidate's range first, total always 100, and drawn by agent, candidate and user: a salt without the agent would
    put the same users on every candidate, a constant all of them at once.
    """
    targeting = document.get("targeting") or None
    if targeting is None:
        if weight != 0:
            raise FlagUnusable(agent, f"its weight is {weight}, but it has no targeting")
        return ""
    candidate = document["metadata"].get("candidate")
    if not isinstance(candidate, str) or not candidate:
        raise FlagUnusable(agent, "metadata.candidate must name the candidate that its targeting draws for")
    salt = f"{agent}/{candidate}/"
    wanted = _targeting(salt, weight)
    if targeting != wanted:
        said = f"metadata.weight {weight} and metadata.candidate {candidate} say"
        raise FlagUnusable(agent, f"targeting must be {orjson.dumps(wanted).decode()}, as {said}")
    return salt


def _targeting(salt: str, weight: int) -> dict[str, Any]:
    key = {"cat": [salt, {"var": "targetingKey"}]}
    return {"fractional": [key, [Arm.CANDIDATE, weight], [Arm.BASELINE, 100 - weight]]}


def _evaluator(agent: str, models: Mapping[Arm, tuple[str, ...]], salt: str, weight: int) -> FlagdCore:
    flag: dict[str, object] = {
        "state": "ENABLED",
        "variants": {arm.value: {VALUE_FIELD: list(names)} for arm, names in models.items()},
        "defaultVariant": Arm.BASELINE,
    }
    if weight > 0:
        flag["targeting"] = _targeting(salt, weight)
    text = orjson.dumps({"flags": {agent: flag}}).decode()  # FlagdCore changes the dictionaries that it is given
    evaluator = FlagdCore()
    try:
        evaluator.set_flags(text)
        trial: FlagResolutionDetails[Any] = evaluator.resolve_object_value(agent, {}, EvaluationContext("trial"))
    except OpenFeatureError as error:
        raise FlagUnusable(agent, f"cannot be evaluated: {error.error_message or error.error_code}") from error
    # flagd serves the default variant, without a word, where targeting gives no answer.
    if weight > 0 and trial.reason != Reason.TARGETING_MATCH:
        raise FlagUnusable(agent, "its targeting names no arm for a user")
    return evaluator
