"""Numbers in sentences: as people write them, never with an exponent."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

_LEAST: Final = 0.001
"""What is nearer to 0 is 0: the rest is rounding of the arithmetic."""

_BEYOND_DOUBT: Final = 1_000_000


def two_digits(value: float) -> str:
    """Write a number by its two leading digits: 0.31, 4.2, 680, 12,000."""
    return f"{Decimal(f'{value:.2g}'):,f}" if abs(value) >= _LEAST else "0"


def evidence(value: float) -> str:
    """Write how many times as likely something is; past a million the number says nothing more."""
    return two_digits(value) if value < _BEYOND_DOUBT else f"more than {_BEYOND_DOUBT:,}"
