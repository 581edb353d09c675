"""A bounded memory of who was seen before: a Bloom filter, which a Redis can hold as a string of bits.

It never takes an old thing for a new one. It takes a new one for old in 1 of 1,000 cases with 100,000 things in it, of
100 with 200,000, of 10 with 450,000 (Bloom, "Space/time trade-offs in hash coding with allowable errors", 1970); then
what should be counted is not, and never is a thing counted twice. No thing can be read out of it.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

BITS = 1 << 21
BYTES = BITS // 8
_LAST_BIT = BITS - 1

EACH = 4
"""Bits that stand for a thing."""
Positions = tuple[int, int, int, int]
Fingerprint = tuple[int, int]
"""Of somebody: two numbers that are the same in every process."""


def fingerprint(name: str) -> Fingerprint:
    """Return the fingerprint of a name: the one hash that a request costs."""
    digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:], "big")


def positions(of: Fingerprint, *mark: str) -> Positions:
    """Return which bits stand for somebody's having a mark, such as a failure.

    The four come from two hashes (Kirsch and Mitzenmacher, "Less hashing, same performance", 2006).
    """
    salt = _salt(mark)
    first, step = of[0] ^ salt, (of[1] + salt) | 1
    return (
        first & _LAST_BIT,
        (first + step) & _LAST_BIT,
        (first + 2 * step) & _LAST_BIT,
        (first + 3 * step) & _LAST_BIT,
    )


@lru_cache(maxsize=1024)
def _salt(mark: tuple[str, ...]) -> int:
    return int.from_bytes(blake2b("\0".join(mark).encode(), digest_size=8).digest(), "big")


class SeenBefore:
    """The filter as one process has it."""

    def __init__(self) -> None:
        self._bits = bytearray(BYTES)

    def has(self, at: Positions) -> bool:
        """Say whether a thing was seen."""
        bits = self._bits
        for bit in at:  # noqa: SIM110 - a generator takes as long again, and every request asks twice
            if not bits[bit >> 3] & (1 << (bit & 7)):
                return False
        return True

    def add(self, at: Positions) -> None:
        """Take note that a thing was seen."""
        for bit in at:
            self._bits[bit >> 3] |= 1 << (bit & 7)
