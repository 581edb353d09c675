"""The override as it stands in its ConfigMap: who sent which agent to which weight at most, and why.

The gateway obeys it, `sluice rollback` and the guard write it, and people do at a shell. So it is read the same way by
all of them, and generously: whoever writes something that cannot be read wanted an agent stopped, and it is stopped.
This module imports nothing but the standard library, because the gateway's image holds little else of sluice.

A key is an agent's name, or `all`. A value is a whole number, `0`, or a JSON object:
`{"weight": 0, "by": "guard", "reason": "errors above 5 %", "evidence": "...", "at": "2025-11-06T10:00:00Z"}`.

An agent's entry that says `"candidate": "qa-20251031"` too holds while the agent's flag names that one: the registry
lets another end it (`override_ends: new_candidate`). Should the old one come back, it holds again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

NAME = "override"
"""What the ConfigMap is called, in every environment's namespace."""

ALL = "all"
"""The key that holds for every agent; an agent of that name cannot be told from all of them."""

UNKNOWN = ""
"""What a flag names that could not be read: then every entry holds."""

_MOST_EARLIER = 8
"""So many candidates that fell one after another are remembered; the next entry holds every one."""

_TEXTS = ("by", "reason", "evidence", "at", "candidate")
"""The fields of an entry that are texts."""

_WHOLE_NUMBER = re.compile(r"[0-9]{1,3}")
_NAME_OF_A_MODEL = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?")

_MOST_READ = 100
"""Earlier entries of one entry that are read; sluice writes no more than eight."""


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
    candidate: str = ""
    """The candidate that it holds alone; empty where it holds every one."""
    earlier: tuple[Override, ...] = ()
    """What it replaced and does not cover, the newest first: each of them holds as before."""

    @property
    def text(self) -> str:
        """The value as it is written: what nobody said is left out."""
        earlier = {"earlier": [one._fields() for one in self.earlier]} if self.earlier else {}
        return json.dumps(self._fields() | earlier)

    @property
    def each(self) -> tuple[Override, ...]:
        """The entry by itself, and those it replaced and does not cover."""
        return (replace(self, earlier=()) if self.earlier else self, *self.earlier)

    def holds(self, named: str | None) -> bool:
        """Say whether the entry by itself holds an agent whose flag names this candidate, None for none."""
        return not self.candidate or named in (UNKNOWN, self.candidate)

    def covers(self, other: Override) -> bool:
        """Say whether nothing is allowed by this entry by itself that the other does not allow."""
        return self.weight_percent <= other.weight_percent and self.candidate in ("", other.candidate)

    def over(self, replaced: Override | None) -> Override:
        """Return the entry as it takes the place of another: what it does not cover of it goes on to hold."""
        left = tuple(_readable(one) for one in (replaced.each if replaced else ()) if not self.covers(one))
        if len(left) <= _MOST_EARLIER:
            return replace(self, earlier=left)
        return replace(self, weight_percent=min(one.weight_percent for one in (self, *left)), candidate="", earlier=())

    def why_ended(self, named: str | None) -> str:
        """Say why the entry by itself does not hold an agent whose flag names this candidate, as a sentence's end."""
        now = f"names {named}" if named else "names no candidate"
        return f"was for {self.candidate} and no longer holds, since the rollout {now}: the registry's rule ends it"

    def _fields(self) -> dict[str, Any]:
        said = {name: _writable(value) for name in _TEXTS if (value := getattr(self, name))}
        return {"weight": self.weight_percent} | said


@dataclass(frozen=True, slots=True)
class Overrides:
    """Every entry by its key. Where there is none, everything is allowed.

    `named` is the candidate that the agent's flag names, None where it names none.
    """

    entries: Mapping[str, Override]

    def holding(self, agent: str, named: str | None = UNKNOWN) -> tuple[tuple[str, Override], ...]:
        """Return what holds an agent, by key, and each by itself."""
        own = self.entries[agent].each if agent in self.entries and agent != ALL else ()
        of_all = self.entries[ALL].each if ALL in self.entries else ()
        return (*((agent, one) for one in own if one.holds(named)), *((ALL, one) for one in of_all))

    def ended(self, agent: str, named: str | None) -> tuple[Override, ...]:
        """Return what the agent's own entry says of other candidates, each by itself: it does not hold."""
        own = self.entries[agent].each if agent in self.entries and agent != ALL else ()
        return tuple(one for one in own if not one.holds(named))

    def allowed_percent(self, agent: str, named: str | None = UNKNOWN) -> int:
        """Return the highest weight that the agent may have: the smallest of all that holds it."""
        return min((entry.weight_percent for _, entry in self.holding(agent, named)), default=100)

    def is_active(self, agent: str, named: str | None = UNKNOWN) -> bool:
        """Say whether the agent is overridden, by its own entry or by that of all, at whatever weight."""
        return bool(self.holding(agent, named))


def read_overrides(data: Mapping[str, str]) -> Overrides:
    """Read the data of the ConfigMap. Never raises: what cannot be read is an entry of weight 0."""
    return Overrides(
        {key: _of_all(read_override(text)) if key == ALL else read_override(text) for key, text in data.items()}
    )


def read_override(text: str) -> Override:
    """Read one value. Never raises: what cannot be read is weight 0 and says why."""
    text = text.strip()
    if _WHOLE_NUMBER.fullmatch(text):
        return _read_fields({"weight": int(text)})
    try:
        fields = json.loads(text, object_pairs_hook=_each_once)
    except _SaidTwice as fault:
        return Override(0, unreadable_because=str(fault))
    except (ValueError, RecursionError):
        return Override(0, unreadable_because='is neither a whole number nor JSON; write 0, or {"weight": 0}')
    entry, earlier = _read_fields(fields), _earlier_of(fields)
    if len(earlier) > _MOST_READ:
        return Override(0, unreadable_because=f"has more than {_MOST_READ} earlier entries")
    return replace(entry, earlier=tuple(map(_read_fields, earlier))) if earlier else entry


class _SaidTwice(ValueError):
    """An object has a field twice: which of both was meant cannot be known."""


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise _SaidTwice("says a field twice")
    return fields


def _earlier_of(fields: object) -> list[object]:
    """Return the earlier entries of an entry, and theirs; one that is not even a list is one that cannot be read."""
    found: list[object] = []
    looked_at = [fields]
    while looked_at and len(found) <= _MOST_READ:
        one = looked_at.pop()
        earlier = one.get("earlier", []) if isinstance(one, dict) else []
        earlier = earlier if isinstance(earlier, list) else [earlier]
        found += earlier
        looked_at += earlier
    return found


def _readable(entry: Override) -> Override:
    """Return an entry as it is read once it was written: what could not be read says so as its reason."""
    return replace(entry, reason=entry.reason or entry.unreadable_because, unreadable_because="")


def _of_all(entry: Override) -> Override:
    """Return the entry of all: no rollout of one agent ends it."""
    return replace(entry, candidate="", earlier=tuple(replace(one, candidate="") for one in entry.earlier))


def _read_fields(fields: object) -> Override:
    """Read one entry by itself. A candidate that is no name of a model is none, so that the entry holds every one."""
    weight = fields.get("weight") if isinstance(fields, dict) else None
    if not isinstance(fields, dict) or not isinstance(weight, int) or isinstance(weight, bool):
        return Override(0, unreadable_because="has no `weight` that is a whole number, 0 to 100")
    if not 0 <= weight <= 100:
        return Override(0, unreadable_because="has a weight that is not in 0 to 100")
    said = {name: _writable(value) for name, value in fields.items() if isinstance(value, str)}
    by, reason, evidence, at, candidate = (said.get(name, "") for name in _TEXTS)
    is_name = _NAME_OF_A_MODEL.fullmatch(candidate := candidate.strip()) is not None
    return Override(weight, by, reason, evidence, at, candidate=candidate if is_name else "")


def _writable(text: str) -> str:
    """Return a text without half characters, which JSON can spell and no file, log or terminal can take."""
    return text.encode("utf-8", "replace").decode("utf-8")


def moment(at: datetime | None = None) -> str:
    """Return a moment, this one by default, as an override writes it: to the microsecond, so that no two are equal.

    A gateway that lost its API server believes the mounted file only for what it was not told before, and an override
    equal to an earlier one would look like that one come late.
    """
    return f"{at or datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def read_moment(text: str) -> datetime | None:
    """Read a moment that somebody may have written by hand, by UTC where it says no zone; None where it is none.

    One before 1970 or after 9000 is none either: it may be added to and moved to another zone, which fails at the ends.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    if not 1970 <= found.year <= 9000:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
