"""Numbers in sentences."""

from __future__ import annotations

import pytest

from sluice.rollout.numerals import evidence, two_digits


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.0, "0"),
        (1.1e-14, "0"),
        (0.00312, "0.0031"),
        (0.5, "0.5"),
        (4.23, "4.2"),
        (10.4, "10"),
        (99.6, "100"),
        (100.0, "100"),
        (683.0, "680"),
        (12_345.0, "12,000"),
        (-683.0, "-680"),
    ],
)
def test_two_digits_lead_and_no_exponent_follows(value: float, written: str) -> None:
    assert two_digits(value) == written


def test_evidence_beyond_doubt_is_no_number_of_a_hundred_digits() -> None:
    assert evidence(683.0) == "680"
    assert evidence(1.9e130) == "more than 1,000,000"
