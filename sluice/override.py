"""The override as it stands in its ConfigMap: who sent which agent to which weight at most, and why.

The gateway obeys it, `sluice rollback` and the guard write it, and people do at a shell. So it is read the same way by
all of them, and generously: whoever writes something that cannot be read wanted an agent stopped, and it is stopped.
This module imports nothing but the standard library, because the gateway's image holds little else of sluice.

A key is an agent's name, or `all`. A value is a whole number, `0`, or a JSON object:
`{"weight": 0, "by": "guard", "reason": "errors above 5 %", "evidence": "...", "at": "2025-11-06T10:00:00Z"}`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

NAME = "override"
"""What the ConfigMap is called, in every environment's namespace."""

ALL = "all"
"""The key that holds for every agent; an agent of that name cannot be told from all of them."""

_WHOLE_NUMBER = re.compile(r"[0-9]{1,3}")


@dataclass(frozen=True, slots=True)
class Override:
    """One entry: the highest weight that is allowed, in percent of an agent's users, and who says so."""

    weight_percent: int
    by: str = ""
    reason: str = ""
    evidence: str = ""
    at: str = ""
    """When it was set, in RFC 3339."""
    unreadable_because: str = ""
    """Why the weight is 0 although nobody wrote that; empty where the value could be read."""

    @property
    def text(self) -> str:
        """The value as it is written: what nobody said is left out."""
        said = {"by": self.by, "reason": self.reason, "evidence": self.evidence, "at": self.at}
        return json.dumps({"weight": self.weight_percent} | {name: value for name, value in said.items() if value})


@dataclass(frozen=True, slots=True)
class Overrides:
    """Every entry by its key. Where there is none, everything is allowed."""

    entries: Mapping[str, Override]

    def allowed_percent(self, agent: str) -> int:
        """Return the highest weight that the agent may have: the smaller of its own entry and that of all."""
        return min((entry.weight_percent for entry in self._of(agent)), default=100)

    def is_active(self, agent: str) -> bool:
        """Say whether the agent is overridden, by its own entry or by that of all, at whatever weight."""
        return bool(self._of(agent))

    def _of(self, agent: str) -> list[Override]:
        return [self.entries[key] for key in (agent, ALL) if key in self.entries]


def read_overrides(data: Mapping[str, str]) -> Overrides:
    """Read the data of the ConfigMap. Never raises: what cannot be read is an entry of weight 0."""
    return Overrides({key: read_override(text) for key, text in data.items()})


def read_override(text: str) -> Override:
    """Read one value. Never raises: what cannot be read is weight 0 and says why."""
    text = text.strip()
    if _WHOLE_NUMBER.fullmatch(text):
        fields: object = {"weight": int(text)}
    else:
        try:
            fields = json.loads(text)
        except (ValueError, RecursionError):
            return Override(0, unreadable_because='is neither a whole number nor JSON; write 0, or {"weight": 0}')
    weight = fields.get("weight") if isinstance(fields, dict) else None
    if not isinstance(fields, dict) or not isinstance(weight, int) or isinstance(weight, bool):
        return Override(0, unreadable_because="has no `weight` that is a whole number, 0 to 100")
    if not 0 <= weight <= 100:
        return Override(0, unreadable_because="has a weight that is not in 0 to 100")
    said = {name: value for name in ("by", "reason", "evidence", "at") if isinstance(value := fields.get(name), str)}
    return Override(weight, **said)


def moment(at: datetime | None = None) -> str:
    """Return a moment, this one by default, as an override writes it: to the microsecond, so that no two are equal.

    A gateway that lost its API server believes the mounted file only for what it was not told before, and an override
    equal to an earlier one would look like that one come late.
    """
    return f"{at or datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def read_moment(text: str) -> datetime | None:
    """Read a moment that somebody may have written by hand, by UTC where it says no zone; None where it is none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
