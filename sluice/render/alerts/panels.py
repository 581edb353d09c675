"""The panels of the dashboards: the dashboard's uid and the panel's number in it, which never change.

Alerts lead to them and dashboards are rendered with them, so that the link in a page from last year still opens the
right graph.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

OVERVIEW: Final = "sluice-overview"
AGENT: Final = "sluice-agent"
COST: Final = "sluice-cost"
OPERATIONS: Final = "sluice-operations"

CHOOSING_AGENTS: Final = frozenset({OVERVIEW, AGENT})
"""The dashboards on which people choose an agent; the others are of all of them."""


class Panel(Enum):
    """A panel: the uid of its dashboard and its number there."""

    WEIGHT = (OVERVIEW, 1)
    OVERRIDE = (OVERVIEW, 2)
    CANDIDATES = (OVERVIEW, 3)
    COMPARISON = (OVERVIEW, 4)
    VERDICTS = (OVERVIEW, 5)
    FIRING = (OVERVIEW, 6)
    TRAFFIC = (OVERVIEW, 7)
    QUALITY = (AGENT, 1)
    SPECIFICITY = (AGENT, 2)
    ERRORS = (AGENT, 3)
    FALLBACKS = (AGENT, 4)
    LATENCY = (AGENT, 5)
    REQUESTS = (AGENT, 6)
    REQUEST_COST = (AGENT, 7)
    REVIEW = (AGENT, 8)
    DROP = (AGENT, 9)
    LATE = (AGENT, 10)
    DIMENSIONS = (AGENT, 11)
    AGENT_WEIGHT = (AGENT, 12)
    SAVING = (AGENT, 13)
    USERS = (AGENT, 14)
    DAY_SPEND = (COST, 1)
    MONTH_SPEND = (COST, 2)
    MONTH_REQUESTS = (COST, 3)
    CAP = (COST, 4)
    SAVED = (COST, 5)
    SAVINGS = (COST, 6)
    AGENTS_SPEND = (COST, 7)
    ARMS_SPEND = (COST, 8)
    TOKENS = (COST, 9)
    GATEWAY = (OPERATIONS, 1)
    GUARD = (OPERATIONS, 2)
    FLAGS = (OPERATIONS, 3)
    STORE = (OPERATIONS, 4)
    CERTIFICATES = (OPERATIONS, 5)
    KEYS = (OPERATIONS, 6)
    PROVIDERS = (OPERATIONS, 7)
    MODEL_FAILURES = (OPERATIONS, 8)
    REFUSED = (OPERATIONS, 9)
    MEMORY = (OPERATIONS, 10)
    PROCESSOR = (OPERATIONS, 11)
    AFTER_ANSWERS = (OPERATIONS, 12)
    CACHE = (OPERATIONS, 13)

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
