"""What is made of Prometheus' samples, which are extrapolated and so no whole numbers."""

from __future__ import annotations

import pytest

from sluice.rollout.guard.samples import histogram

EDGES = (5.0, 10.0)


def buckets(*cumulated: float) -> list[tuple[dict[str, str], float]]:
    edges = ("5.0", "10.0", "+Inf")
    return [({"arm": "candidate", "le": edge}, value) for edge, value in zip(edges, cumulated, strict=True)]


def test_an_answer_that_is_extrapolated_to_more_has_no_more_points() -> None:
    found = histogram(EDGES, buckets(0.0, 1.4, 1.4), [({"arm": "candidate"}, 1.4 * 8.8)], "candidate")

    assert found is not None
    assert found.count == 1
    assert found.mean == pytest.approx(8.8)


def test_of_no_answers_there_is_no_mean_and_of_missing_series_no_histogram() -> None:
    empty = histogram(EDGES, buckets(0.0, 0.0, 0.0), [({"arm": "candidate"}, 0.0)], "candidate")

    assert empty is not None
    assert (empty.count, empty.mean) == (0, 0.0)
    assert histogram(EDGES, buckets(0.0, 1.0, 1.0), [], "candidate") is None
    assert histogram((5.0,), buckets(0.0, 1.0, 1.0), [({"arm": "candidate"}, 8.0)], "candidate") is None
