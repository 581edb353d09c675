"""Finds the scorer's weights from the fitting half of the labelled answers, and writes them as a module.

Least squares with a little ridge, so that features which say the same share their weight, and with signs held: a
feature that speaks for an answer never costs points. Ten weights and some 50 answers allow no more than that. Answers
that are spoilt (loops, echoes, refusals) are left out: what those cost is not fitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, fields

import numpy as np
from scipy.optimize import lsq_linear

from bench.scoring.labelled import Labelled
from sluice.gateway.scoring.features import Features, measure
from sluice.gateway.scoring.scores import Dimension

_RIDGE = 0.6
_AGAINST = {"hedging"}
_SPOILING = ("loops", "echo", "refusal")
_HEAD = '''"""The scorer's weights, in points of 10, as `python -m bench.scoring --fit` writes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sluice.gateway.scoring.scores import Dimension


@dataclass(frozen=True, slots=True)
class Weights:
    """What an answer has that nothing speaks for or against, and what each feature adds at its fullest."""

    base: float
    by_feature: tuple[float, ...]


# The order is that of Features.
WEIGHTS: Mapping[Dimension, Weights] = {
'''


def fitted_module(answers: Sequence[Labelled]) -> str:
    """Return the text of weights.py for these answers."""
    names = [field.name for field in fields(Features) if field.name not in _SPOILING]
    used, rows = [], []
    for one in answers:
        if not one.answer.strip():
            continue
        measured = measure(one.question, one.answer, expects=one.expects, empathetic=one.empathetic)
        if not any(getattr(measured, name) for name in _SPOILING):
            used.append(one)
            rows.append([1.0, *astuple(measured)[: len(names)]])
    least = [-np.inf, *(-np.inf if name in _AGAINST else 0.0 for name in names)]
    most = [np.inf, *(0.0 if name in _AGAINST else np.inf for name in names)]
    ridge = np.diag([0.0, *([_RIDGE] * len(names))])
    lines = [_HEAD]
    for dimension in Dimension:
        wanted = np.array([one.label.of(dimension) for one in used])
        found = lsq_linear(
            np.vstack([np.array(rows), ridge]), np.concatenate([wanted, np.zeros(len(ridge))]), bounds=(least, most)
        )
        base, *weights = (round(float(value), 2) + 0.0 for value in found.x)
        lines.append(f"    Dimension.{dimension.name}: Weights({base}, ({', '.join(map(str, weights))})),\n")
    return "".join([*lines, "}\n"])
