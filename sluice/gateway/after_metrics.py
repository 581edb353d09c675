"""What is counted of answers after they were given: their scores, and how many were handed to a person."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from sluice.gateway.outcome import Arm
from sluice.gateway.scoring.scores import Dimension, Scores

# Limits of the registry (7, 7.5, 8, 8.5) are edges. Means come from the sum and the count.
SCORE_BUCKETS = (1, 2, 3, 4, 5, 6, 7, 7.5, 8, 8.5, 9, 10)


class AfterMetrics:
    """The metrics of one gateway; the series of every agent exist from the start."""

    def __init__(self, agents: Iterable[str], registry: CollectorRegistry) -> None:
        self._score = Histogram(
            "sluice_quality_score",
            "Points of 10 that answers got from the built-in scorer.",
            ["agent", "arm", "dimension"],
            buckets=SCORE_BUCKETS,
            registry=registry,
        )
        self._handed_over = Counter(
            "sluice_hand_over", "Answers that a person should take over.", ["agent"], registry=registry
        )
        self._review_pending = Gauge(
            "sluice_review_pending",
            "Outputs that wait for a person, over all replicas.",
            ["agent"],
            multiprocess_mode="mostrecent",
            registry=registry,
        )
        for agent in agents:
            self._handed_over.labels(agent)
            self._review_pending.labels(agent)
            for arm in (Arm.CANDIDATE, Arm.BASELINE):
                for dimension in Dimension:
                    self._score.labels(agent, arm, dimension)

    def scored(self, agent: str, arm: Arm, scores: Scores) -> None:
        """Count the scores of an answer."""
        for dimension, points in scores.items():
            self._score.labels(agent, arm, dimension).observe(points)

    def handed_over(self, agent: str) -> None:
        """Count an answer below the agent's limit."""
        self._handed_over.labels(agent).inc()

    def review_pending(self, agent: str, outputs: int) -> None:
        """Say how many outputs of an agent wait."""
        self._review_pending.labels(agent).set(outputs)
