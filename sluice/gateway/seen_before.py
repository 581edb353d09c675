"""A bounded memory of what was seen before: a Bloom filter, which a Redis can hold as a string of bits.

It never takes an old thing for a new one. It takes a new one for old in 1 of 1,000 cases with 100,000 things in it, of
100 with 200,000, of 10 with 450,000 (Bloom, "Space/time trade-offs in hash coding with allowable errors", 1970); then
what should be counted is not, and never is a thing counted twice. No thing can be read out of it.
"""

from __future__ import annotations

from hashlib import blake2b

BITS = 1 << 21
BYTES = BITS // 8
_HASHES = 4

Positions = tuple[int, ...]


def positions(*parts: str) -> Positions:
    """Return which bits stand for a thing that these parts name, in every process alike."""
    digest = blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=4 * _HASHES).digest()
    return tuple(int.from_bytes(digest[at : at + 4], "big") % BITS for at in range(0, len(digest), 4))


class SeenBefore:
    """The filter as one process has it."""

    def __init__(self) -> None:
        self._bits = bytearray(BYTES)

    def has(self, at: Positions) -> bool:
        """Say whether a thing was seen."""
        return all(self._bits[bit >> 3] & (1 << (bit & 7)) for bit in at)

    def add(self, at: Positions) -> None:
        """Take note that a thing was seen."""
        for bit in at:
            self._bits[bit >> 3] |= 1 << (bit & 7)
