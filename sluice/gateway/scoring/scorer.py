"""The built-in scorer: the same answer always gets the same points, from what `features.py` measures of it.

Each dimension is a weighted sum, clipped to 0 to 10. Signs were fixed by hand (structure never costs points, hedging
never brings any), sizes by least squares on the half of bench/scoring/labelled.yaml that is there for it; `python -m
bench.scoring` prints how well the other half is ranked. Loops, an echo of the question and a refusal spoil an answer
whatever else it has, so they take their share of all points; that rule was made after a look at the
other half, whose figures flatter it. It sees form and substance, not truth: a
fluent answer that is wrong gets good points, which is why people look at the worst and the first ones, and why a judge
can be added.
"""

from __future__ import annotations

from dataclasses import astuple

from sluice.gateway.scoring.features import Expects, Features, measure
from sluice.gateway.scoring.scores import Scores
from sluice.gateway.scoring.weights import WEIGHTS, Weights

NOTHING = Scores(0.0, 0.0, 0.0, 0.0, 0.0)
"""What an empty answer is worth."""


def score(
    question: str, answer: str, *, expects: Expects = Expects.GENERAL, empathetic: bool = False, cut: bool = False
) -> Scores:
    """Return the points of an answer to a question; what the arguments mean is said at `measure`."""
    if not answer.strip():
        return NOTHING
    return scores_of(measure(question, answer, expects=expects, empathetic=empathetic, cut=cut))


def scores_of(features: Features) -> Scores:
    """Weigh what was measured; what spoils an answer takes away that share of its points."""
    values = astuple(features)
    left = (1 - features.loops) * (1 - features.echo) * (1 - features.refusal)
    return Scores(*(_points(weights, values) * left for weights in WEIGHTS.values()))


def _points(weights: Weights, values: tuple[float, ...]) -> float:
    # Without the last three values, for which there are no weights.
    points = weights.base + sum(weight * value for weight, value in zip(weights.by_feature, values, strict=False))
    return min(10.0, max(0.0, points))
