"""Whether a candidate is as good as its baseline, in plain words, and how sure that is: by the gates' own functions.

What only a rollout waits for, time and papers and budget, is left out: here the question is the candidate itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sluice.rollout import conditions
from sluice.rollout.errors import errors
from sluice.rollout.latency import latency
from sluice.rollout.numerals import evidence as in_words
from sluice.rollout.quality import quality
from sluice.rollout.report.material import Run
from sluice.rollout.verdict import Action, Gate, Reason
from sluice.rollout.view import View, contradictions, view_of

_GATES: tuple[tuple[Gate, Callable[[View], Iterator[Reason]]], ...] = (
    (Gate.QUALITY, quality),
    (Gate.ERRORS, errors),
    (Gate.LATENCY, latency),
    (Gate.COST, conditions.cost),
)


class Compared(StrEnum):
    """How a candidate compares with its baseline."""

    BETTER = "better"
    AS_GOOD = "as good"
    WORSE = "worse"
    OPEN = "not told yet"
    CHEAP = "as cheap as wanted"
    DEAR = "dearer than wanted"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class OfGate:
    """What one gate says: in a word, how strong that is, and the gates' own sentences."""

    gate: Gate
    compared: Compared
    strength: str
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A candidate beside its baseline, over one way up. `weights_percent` are the first and the last of it."""

    candidate: str
    baseline: str
    began: datetime
    ended: datetime | None
    weights_percent: tuple[int, int]
    compared: Compared
    verdict: str
    gates: tuple[OfGate, ...]


def compare(run: Run) -> Comparison:
    """Compare a candidate with its baseline over its last way up."""
    view = view_of(run.case)
    wrong = tuple(
        Reason(Gate.MEASUREMENTS, Action.HOLD, f"what was measured cannot be: {one}") for one in contradictions(view)
    )
    gates = tuple(_of_gate(gate, wrong or tuple(ask(view)), view) for gate, ask in _GATES)
    periods = run.case.measurements.periods
    weights = (periods[0].weight_percent, periods[-1].weight_percent) if periods else (0, 0)
    compared = _together(gates)
    verdict = _verdict(compared, gates)
    return Comparison(run.case.candidate, run.case.baseline, run.began, run.ended, weights, compared, verdict, gates)


def _of_gate(gate: Gate, reasons: tuple[Reason, ...], view: View) -> OfGate:
    said = {number.name: number.value for reason in reasons for number in reason.numbers}
    actions = {reason.action for reason in reasons}
    if not said:
        return OfGate(gate, Compared.NOT_MEASURED, "", reasons)
    if Action.ROLLBACK in actions:
        return OfGate(gate, Compared.WORSE, _of_harm(said) or "enough to end a rollout", reasons)
    if gate is Gate.COST:
        return OfGate(gate, Compared.DEAR if Action.HOLD in actions else Compared.CHEAP, "as counted", reasons)
    if Action.HOLD in actions:
        harm = _of_harm(said)
        return OfGate(gate, Compared.OPEN, f"too little for either; {harm}" if harm else "too little", reasons)
    sure = f"sure at {100 * (1 - view.case.judgement.promotion):g} %"
    better = said.get("most_percent", 0.0) < 0
    strength = "as counted" if gate is Gate.LATENCY else sure
    return OfGate(gate, Compared.BETTER if better else Compared.AS_GOOD, strength, reasons)


def _of_harm(said: dict[str, float]) -> str:
    """Say how strong the evidence of harm is, beside what a rollback asks for."""
    evidence, needed = said.get("evidence"), said.get("evidence_needed")
    if evidence is None or needed is None:
        return ""
    part = math.log(max(evidence, 1.0)) / math.log(needed)
    words = ((2.0, "beyond doubt"), (1.0, "enough to end a rollout"), (0.5, "a suspicion"), (0.1, "weak"))
    word = next((word for least, word in words if part >= least), "none")
    return f"evidence of harm {word}: {in_words(evidence)} to 1, asked are {needed:,.0f}"


def _together(gates: Sequence[OfGate]) -> Compared:
    found = [one.compared for one in gates if one.gate is not Gate.COST]
    for decides in (Compared.WORSE, Compared.NOT_MEASURED, Compared.OPEN):
        if decides in found:
            return decides
    return Compared.BETTER if Compared.BETTER in found else Compared.AS_GOOD


def _verdict(compared: Compared, gates: Sequence[OfGate]) -> str:
    of = {each: [str(one.gate) for one in gates if one.compared is each] for each in Compared}
    also = " It costs more than it was meant to." if of[Compared.DEAR] else ""
    if compared is Compared.WORSE:
        return f"Worse than its baseline: {_listed(of[compared])}."
    if compared is Compared.NOT_MEASURED:
        return f"Cannot be compared: {_listed(of[compared])} could not be judged."
    if compared is Compared.OPEN:
        return f"Not told apart from its baseline yet: {_listed(of[compared])}.{also}"
    if compared is Compared.BETTER:
        return f"Better than its baseline in {_listed(of[compared])}, and as good in the rest.{also}"
    return f"As good as its baseline in quality, errors and latency.{also}"


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
