"""The panels that alerts lead to: the dashboard's uid and the panel's number in it, which never change.

Dashboards are rendered with these, so that the link in a page from last year still opens the right graph.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

OVERVIEW: Final = "sluice-overview"
AGENT: Final = "sluice-agent"
COST: Final = "sluice-cost"
OPERATIONS: Final = "sluice-operations"


class Panel(Enum):
    """A panel: the uid of its dashboard and its number there."""

    WEIGHT = (OVERVIEW, 1)
    OVERRIDE = (OVERVIEW, 2)
    QUALITY = (AGENT, 1)
    SPECIFICITY = (AGENT, 2)
    ERRORS = (AGENT, 3)
    FALLBACKS = (AGENT, 4)
    LATENCY = (AGENT, 5)
    REQUESTS = (AGENT, 6)
    REQUEST_COST = (AGENT, 7)
    REVIEW = (AGENT, 8)
    DAY_SPEND = (COST, 1)
    MONTH_SPEND = (COST, 2)
    MONTH_REQUESTS = (COST, 3)
    GATEWAY = (OPERATIONS, 1)
    GUARD = (OPERATIONS, 2)
    FLAGS = (OPERATIONS, 3)
    STORE = (OPERATIONS, 4)
    CERTIFICATES = (OPERATIONS, 5)
    KEYS = (OPERATIONS, 6)

    @property
    def dashboard(self) -> str:
        """The uid of the dashboard."""
        uid: str = self.value[0]
        return uid

    @property
    def number(self) -> int:
        """The panel's id within its dashboard."""
        number: int = self.value[1]
        return number
