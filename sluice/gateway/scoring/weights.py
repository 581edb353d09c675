"""The scorer's weights, in points of 10, as `python -m bench.scoring --fit` writes them."""

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
    Dimension.OVERALL: Weights(-2.61, (1.26, 2.4, 3.34, 2.16, 0.64, 0.0, 1.58, 0.54, 1.18, -0.46)),
    Dimension.QUALITY: Weights(-2.91, (1.36, 2.44, 3.24, 2.32, 0.52, 0.0, 1.58, 0.48, 1.21, -0.33)),
    Dimension.RELEVANCE: Weights(-0.32, (1.52, 3.69, 1.74, 1.17, 0.39, 0.0, 0.83, 0.74, 0.97, 0.0)),
    Dimension.FORMAT: Weights(-2.02, (0.0, 2.16, 4.14, 3.7, 0.2, 0.78, 0.92, 0.41, 0.0, -0.56)),
    Dimension.SPECIFICITY: Weights(-0.33, (1.13, 0.91, 3.8, 0.29, 0.21, 0.0, 2.1, 0.87, 1.11, -1.12)),
}
