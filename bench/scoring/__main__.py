"""`python -m bench.scoring`: rank correlation with the labels, on the half that set no weights, and cost.

That half is no blind test: it was looked at once while the scorer was made, as labelled.yaml says.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from bench.scoring.labelled import Labelled, read_labelled
from sluice.gateway.scoring.scorer import score
from sluice.gateway.scoring.scores import Dimension, Scores

_WEIGHTS = Path(__file__).resolve().parent.parent.parent / "sluice" / "gateway" / "scoring" / "weights.py"
LEAST_CORRELATION = 0.7
_HAND_OVER_BELOW = 7.0


def scored(answers: Sequence[Labelled]) -> list[Scores]:
    """Score answers as the gateway does."""
    return [score(one.question, one.answer, expects=one.expects, empathetic=one.empathetic) for one in answers]


def correlation(answers: Sequence[Labelled], scores: Sequence[Scores], dimension: Dimension) -> float:
    """Return Spearman's rank correlation of scores and labels."""
    labels = [one.label.of(dimension) for one in answers]
    return float(spearmanr([one.of(dimension) for one in scores], labels).statistic)


def main() -> int:
    """Print, and return 1 where the ranking of the held-out half is too poor."""
    parser = argparse.ArgumentParser(prog="python -m bench.scoring", description=__doc__)
    parser.add_argument("--fit", action="store_true", help="find the weights anew and write them first")
    parser.add_argument("--show", action="store_true", help="print every held-out answer with both scores")
    if (options := parser.parse_args()).fit:
        from bench.scoring.fit import fitted_module

        _WEIGHTS.write_text(fitted_module([one for one in read_labelled() if not one.held_out]), encoding="utf-8")
        subprocess.run([sys.executable, "-m", "ruff", "format", "--quiet", str(_WEIGHTS)], check=True)
        return subprocess.run([sys.executable, "-m", "bench.scoring"], check=False).returncode
    answers = read_labelled()
    held = [one for one in answers if one.held_out]
    fit = [one for one in answers if not one.held_out]
    held_scores, fit_scores = scored(held), scored(fit)
    print(
        f"Spearman's rank correlation with the authors' own labels ({len(held)} answers held out, {len(fit)} fitted)\n"
    )
    print(f"{'dimension':14}{'held out':>10}{'fitted':>10}{'mean error':>12}")
    for dimension in Dimension:
        error = np.mean(
            [abs(one.label.of(dimension) - got.of(dimension)) for one, got in zip(held, held_scores, strict=True)]
        )
        print(
            f"{dimension:14}{correlation(held, held_scores, dimension):10.2f}"
            f"{correlation(fit, fit_scores, dimension):10.2f}{error:12.2f}"
        )
    _print_hand_over(held + fit, held_scores + fit_scores)
    if options.show:
        for one, got in zip(held, held_scores, strict=True):
            print(f"{one.agent:8} label {one.label.overall:4.1f} scored {got.overall:4.1f}  {one.answer[:70]!r}")
    _print_cost(answers)
    return 0 if correlation(held, held_scores, Dimension.OVERALL) >= LEAST_CORRELATION else 1


def _print_hand_over(answers: Sequence[Labelled], scores: Sequence[Scores]) -> None:
    both = [
        (one.label.overall < _HAND_OVER_BELOW, got.overall < _HAND_OVER_BELOW)
        for one, got in zip(answers, scores, strict=True)
    ]
    low = sum(label for label, _ in both)
    print(
        f"\nbelow {_HAND_OVER_BELOW:g}, as a hand-over asks: {sum(a and b for a, b in both)} of {low} found, "
        f"{sum(b and not a for a, b in both)} of the {len(both) - low} others named too"
    )


def _print_cost(answers: Sequence[Labelled]) -> None:
    began, rounds = time.perf_counter(), 0
    while time.perf_counter() - began < 1.0:
        scored(answers)
        rounds += 1
    each = (time.perf_counter() - began) / rounds / len(answers)
    longest = "A sentence with 12 words, one `name` and a Number 3.5, again. " * 400
    began = time.perf_counter()
    score("How many words does a sentence have?", longest)
    long_one = (time.perf_counter() - began) * 1e3
    print(f"\ncost: {each * 1e6:.0f} microseconds an answer; {long_one:.1f} ms one of {len(longest)} characters")


if __name__ == "__main__":
    sys.exit(main())
