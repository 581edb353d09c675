"""What a line of weights says: when the candidate's last way up began and ended, and what happened meanwhile.

Samples are five minutes apart, so a moment read from them is up to five minutes late. What people and the guard wrote
of an override says it to the second, and by whom.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from sluice.override import ALL
from sluice.rollout.report.material import AgentMaterial, Material, Note, Samples

_SAME = timedelta(minutes=11)
"""A note and a change of the line so far apart are one event: a sample each five minutes, and a scrape before it."""


class EventKind(StrEnum):
    """What happened to an agent's weight."""

    STEP = "step"
    LOWERED = "lowered"
    OVERRIDE = "override"
    RESUMED = "resumed"
    ENDED = "ended"
    """Another candidate ended an override, by the registry's rule: nobody lifted it."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event; `text` is for people."""

    at: datetime
    agent: str
    kind: EventKind
    text: str


@dataclass(frozen=True, slots=True)
class Way:
    """One way up: when it got which weight, and when it ended, None where it goes on."""

    changes: tuple[tuple[datetime, int], ...]
    ended: datetime | None


def last_way(served: Samples) -> Way | None:
    """Return the last way up of a candidate; what falls begins anew, as for the guard. None where nobody was on it."""
    changes: list[tuple[datetime, int]] = []
    ended: datetime | None = None
    last = 0
    for at, value in served:
        weight = round(value)
        if weight == last:
            continue
        if weight == 0:
            ended = at
        else:
            if weight < last or ended is not None:
                changes = []
            changes.append((at, weight))
            ended = None
        last = weight
    return Way(tuple(changes), ended) if changes else None


def events_of(material: Material, agent: AgentMaterial) -> tuple[Event, ...]:
    """Return what happened to an agent in the time of the report, the oldest first."""
    notes = [note for note in material.notes or () if note.key in (agent.agent, ALL)]
    seen = [*_steps(agent), *_overrides(agent, notes)]
    seen += [_of_note(agent.agent, note) for note in notes]
    return tuple(sorted((one for one in seen if material.since <= one.at <= material.until), key=lambda one: one.at))


def _steps(agent: AgentMaterial) -> Iterator[Event]:
    for at, before, after in _changes(agent.weights.get("wanted", ())):
        kind = EventKind.STEP if after > before else EventKind.LOWERED
        yield Event(at, agent.agent, kind, f"git: {before} to {after} %")


def _overrides(agent: AgentMaterial, notes: Sequence[Note]) -> Iterator[Event]:
    """Say when an override began or ended, where nobody wrote it down."""
    for at, _, after in _changes(agent.overridden):
        began = after > 0
        if any(note.lifted is not began and abs(note.at - at) <= _SAME for note in notes):
            continue
        held = [note for note in notes if note.candidate and note.at <= at and not _was_lifted(note, notes, at)]
        if held and began:
            said = "override holds again: the candidate that it is for is back"
            yield Event(at, agent.agent, EventKind.OVERRIDE, said)
        elif held:
            candidate = max(held, key=lambda note: note.at).candidate
            said = f"override for {candidate} ended by another candidate, not by a person"
            yield Event(at, agent.agent, EventKind.ENDED, said)
        else:
            kind, said = (EventKind.OVERRIDE, "set") if began else (EventKind.RESUMED, "lifted")
            yield Event(at, agent.agent, kind, f"override {said}; by whom and why is not known")


def _was_lifted(note: Note, notes: Sequence[Note], by: datetime) -> bool:
    """Say whether a person had lifted what a note is of, by a moment: then it explains nothing that came later."""
    return any(one.lifted and one.key == note.key and note.at < one.at <= by for one in notes)


def _of_note(agent: str, note: Note) -> Event:
    kind, said = (EventKind.RESUMED, "lifted") if note.lifted else (EventKind.OVERRIDE, "set")
    whose = " of all agents" if note.key == ALL else ""
    by = f" by {note.by}" if note.by else ""
    why = f": {note.reason}" if note.reason else ""
    return Event(note.at, agent, kind, f"override{whose} {said}{by}{why}")


def _changes(samples: Samples) -> Iterator[tuple[datetime, int, int]]:
    for (_, before), (at, after) in pairwise(samples):
        if round(before) != round(after):
            yield at, round(before), round(after)
