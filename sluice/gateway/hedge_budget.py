"""How many requests of an agent may be hedged: one in twenty, and a few at once after a quiet time.

Were every slow request asked of a second model, a provider that is slow altogether would double the load and the bill
just when the others are asked most. One in twenty is the share that Dean and Barroso give (The Tail at Scale,
Communications of the ACM, 2013): it takes away the tail, and that is all hedging is for.
"""

from __future__ import annotations

REQUESTS_FOR_A_HEDGE = 20
MOST_SAVED = 5
"""Hedges that a process begins with, and that a quiet agent saves up."""
_MOST_REQUESTS = MOST_SAVED * REQUESTS_FOR_A_HEDGE


class HedgeBudget:
    """The hedges that one agent may still make in one process, whichever arm asks for them."""

    def __init__(self) -> None:
        self._requests = _MOST_REQUESTS

    def earn(self) -> None:
        """Note a request."""
        self._requests = min(self._requests + 1, _MOST_REQUESTS)

    def take(self) -> bool:
        """Return whether a hedge may be made; if so, it is counted as made."""
        if self._requests < REQUESTS_FOR_A_HEDGE:
            return False
        self._requests -= REQUESTS_FOR_A_HEDGE
        return True

    def give_back(self) -> None:
        """Undo `take`: the hedge was not made."""
        self._requests = min(self._requests + REQUESTS_FOR_A_HEDGE, _MOST_REQUESTS)
