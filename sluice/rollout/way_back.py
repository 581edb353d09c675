"""The edit of a rollout file that sends users back to the baseline: one agent's, or everybody's.

The record of a rollback and the request that brings it to everybody write the same, so that what one of them left is
nothing to do for the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Final

from sluice.registry.editing import Edit
from sluice.registry.places import Steps

EVERYBODY: Final[Mapping[Steps, Edit]] = MappingProxyType({("enabled",): False})
"""The kill switch: no agent's users get a candidate, and each keeps its weight for later."""


def way_back(agent: str, weight_percent: int, today: date, *, is_dated: bool) -> dict[Steps, Edit]:
    """Return what gives nobody the candidate of `agent`; nothing where nobody gets it, as another day is no change."""
    if not weight_percent:
        return {}
    at: Steps = ("agents", agent)
    edits: dict[Steps, Edit] = {(*at, "weight"): 0}
    if is_dated:
        edits[*at, "since"] = today
    return edits
