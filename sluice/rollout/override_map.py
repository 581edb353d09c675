"""Writes the override into its ConfigMap: one entry lowered or lifted, and never anybody else's undone.

Each write says which version it was decided on, so that of two at once the second looks again. A key is patched by
itself, and so two agents' entries set at once are both kept. What was lifted is noted on the same object in the same
write: nobody can lift an override and leave no trace, and the guard reads there since when it may judge anew.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from sluice.errors import AnswerIsNo, SluiceError
from sluice.override import ALL, NAME, Override, Overrides, read_override, read_overrides
from sluice.rollout.cluster import MERGE_PATCH, Cluster, ClusterRefused, parsed, refused

LIFTED = "sluice/lifted"
"""The annotation with the last overrides that were lifted, the newest first, as JSON."""

_KEPT_LIFTED = 20
_MOST_LIFTED_BYTES = 200_000
"""Kubernetes refuses an object whose annotations have more than 262,144 bytes in all, and others may write some too."""

_MOST_CHARACTERS = 2_000
"""Of each text that is noted: one character takes up to 14 bytes, an emoji that is escaped twice. A guard writes fewer,
and it tells its entries apart by all they say."""
_FEWEST_CHARACTERS = 40
"""Of each where that is too much, as for an entry that goes on to say many others."""

_MOST_SAID_CHARACTERS = 300
"""Of another's reason, in a sentence of ours."""

_ATTEMPTS = 12
_LONGEST_PAUSE_SECONDS = 1.0
_PATIENCE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Lifted:
    """One override that was lifted: which, by whom, why, when, and what it said."""

    key: str
    by: str
    reason: str
    at: str
    was: str

    def concerns(self, agent: str, named: str | None) -> bool:
        """Say whether it held an agent whose rollout names this candidate, None for none."""
        if self.key == ALL:
            return True
        return self.key == agent and any(one.holds(named) for one in read_override(self.was).each)


@dataclass(frozen=True, slots=True)
class OverrideMap:
    """The ConfigMap as it was read: `version` tells it from every other state of it."""

    version: str
    overrides: Overrides
    lifted: tuple[Lifted, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """What came of a write: the entry that is there now, None for none, the one before, and whether it changed."""

    key: str
    entry: Override | None
    before: Override | None
    made: bool


@dataclass(frozen=True, slots=True)
class _Write:
    """What to send, and the entry that is there once it was taken."""

    patch: dict[str, Any]
    entry: Override | None


class NoOverrideMap(SluiceError):
    """The environment has no ConfigMap to write to."""

    def __init__(self, namespace: str) -> None:
        super().__init__(
            f"namespace {namespace}: there is no ConfigMap {NAME}, so nothing can be overridden; `sluice up` makes it"
        )


class NeverQuiet(SluiceError):
    """Somebody else changed the ConfigMap between each look and the write that followed."""

    def __init__(self, namespace: str) -> None:
        super().__init__(
            f"namespace {namespace}: ConfigMap {NAME} was changed by others {_ATTEMPTS} times in a row; "
            "see who writes it: kubectl get configmap override --show-managed-fields --output yaml"
        )


class ChangedMeanwhile(AnswerIsNo):
    """The entry to lift is not the one that was looked at: what it holds, nobody has judged."""

    def __init__(self, key: str, entry: Override) -> None:
        by, why = _said(entry.by) or "somebody", _said(entry.reason or entry.unreadable_because)
        super().__init__(
            f"not lifted: the override of {key} was changed meanwhile, by {by}{f': {why}' if why else ''}; "
            "run the command again to see what it holds"
        )


def read_override_map(cluster: Cluster, namespace: str) -> OverrideMap:
    """Read the ConfigMap. Raises `NoOverrideMap`, `ClusterRefused`, and what the cluster's `ask` does."""
    answer = cluster.ask("GET", _path(namespace))
    if answer.status == 404:
        raise NoOverrideMap(namespace)
    found = parsed(answer) if answer.status == 200 else None
    metadata = found.get("metadata") if found else None
    # A login page's JSON has no version: what it says of overrides is nothing.
    if not found or not isinstance(metadata, dict) or "resourceVersion" not in metadata:
        raise refused(f"ConfigMap {NAME} cannot be read", answer)
    texts = {key: value for key, value in (found.get("data") or {}).items() if isinstance(value, str)}
    return OverrideMap(
        str(metadata["resourceVersion"]),
        read_overrides(texts),
        _read_lifted((metadata.get("annotations") or {}).get(LIFTED, "")),
    )


def lower(
    cluster: Cluster,
    namespace: str,
    key: str,
    entry: Override,
    *,
    manager: str,
    pause: Callable[[float], None] = time.sleep,
) -> Change:
    """Allow `key`, an agent or all, no more than `entry` says. An entry as low is left alone.

    One that is as low but says neither who nor why, as a patch by hand may, is replaced by one that does; and one that
    holds another candidate is replaced by one that goes on to say so. `manager` names the writer in the object's own
    record.
    """

    def decide(now: OverrideMap) -> _Write | Change:
        holds = now.overrides.entries.get(key)
        for one in holds.each if holds else ():
            if one.covers(entry) and (one.by or one.reason):
                return Change(key, one, one, made=False)
        new = entry.over(holds)
        return _Write({"data": {key: new.text}}, new)

    return _written(cluster, namespace, key, decide, manager, pause)


def lift(
    cluster: Cluster,
    namespace: str,
    key: str,
    entry: Override,
    *,
    by: str,
    reason: str,
    at: str,
    manager: str,
    pause: Callable[[float], None] = time.sleep,
) -> Change:
    """Take away `entry` of `key`, and note who did, why, and what it said, long texts shortened.

    `entry` is the one that the caller looked at. Without any nothing changes; another is left, and `ChangedMeanwhile`
    is raised: a guard may have set it since, for a candidate that nobody knew to do harm.
    """

    def decide(now: OverrideMap) -> _Write | Change:
        holds = now.overrides.entries.get(key)
        if holds is None:
            return Change(key, None, None, made=False)
        if holds != entry:
            raise ChangedMeanwhile(key, holds)
        noted = _kept_text((_noted(Lifted(key, by, reason, at, ""), holds), *now.lifted))
        return _Write({"data": {key: None}, "metadata": {"annotations": {LIFTED: noted}}}, None)

    return _written(cluster, namespace, key, decide, manager, pause)


def _written(
    cluster: Cluster,
    namespace: str,
    key: str,
    decide: Callable[[OverrideMap], _Write | Change],
    manager: str,
    pause: Callable[[float], None],
) -> Change:
    before: Override | None = None
    wrote: _Write | None = None
    failure: SluiceError = NeverQuiet(namespace)
    began = time.monotonic()
    for attempt in range(_ATTEMPTS):
        try:
            now = read_override_map(cluster, namespace)
            holds = now.overrides.entries.get(key)
            if wrote and holds == wrote.entry:  # the answer to an earlier attempt was lost, the write was not
                return Change(key, holds, before, made=True)
            decided = decide(now)
            if isinstance(decided, Change):
                return decided
            before, wrote = holds, decided
            decided.patch.setdefault("metadata", {})["resourceVersion"] = now.version
            answer = cluster.ask(
                "PATCH", _path(namespace), decided.patch, content_type=MERGE_PATCH, query={"fieldManager": manager}
            )
            if answer.status == 200:
                return Change(key, decided.entry, holds, made=True)
            failure = (
                NeverQuiet(namespace)
                if answer.status == 409
                else refused(f"ConfigMap {NAME} cannot be changed", answer)
            )
        except SluiceError as error:
            failure = error
        if not _is_worth_another_attempt(failure) or time.monotonic() - began > _PATIENCE_SECONDS:
            break
        pause(min(_LONGEST_PAUSE_SECONDS, 0.02 * 2**attempt) * random.uniform(0.5, 1))  # noqa: S311 - no secret
    raise failure


def _is_worth_another_attempt(failure: SluiceError) -> bool:
    """Say whether the same may work in a moment: not where the API server understood and said no."""
    if isinstance(failure, ClusterRefused):
        return failure.status == 429 or failure.status >= 500
    return not isinstance(failure, NoOverrideMap | ChangedMeanwhile)


def _path(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps/{NAME}"


def _noted(lifted: Lifted, was: Override) -> Lifted:
    """Return what is noted of an entry that is lifted, so short that it fits: whatever it says, it can be lifted.

    Texts are cut first; where that is not enough, those left out that nothing is decided by. Of the hundred others that
    an entry may go on to say, all find room then.
    """
    lifted = replace(lifted, by=_cut(lifted.by, _MOST_CHARACTERS), reason=_cut(lifted.reason, _MOST_CHARACTERS))
    first, *earlier = (_cut_entry(one, _MOST_CHARACTERS) for one in was.each)
    noted = replace(lifted, was=replace(first, earlier=tuple(earlier)).text)
    if len(_lifted_text((noted,))) <= _MOST_LIFTED_BYTES:
        return noted
    first, *earlier = (replace(_cut_entry(one, _FEWEST_CHARACTERS), reason="", evidence="") for one in was.each)
    return replace(lifted, was=replace(first, earlier=tuple(earlier)).text)


def _cut_entry(entry: Override, most: int) -> Override:
    by, reason, evidence, at = (_cut(text, most) for text in (entry.by, entry.reason, entry.evidence, entry.at))
    return replace(entry, by=by, reason=reason, evidence=evidence, at=at)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}…"


def _said(text: str) -> str:
    """Return a text of others as part of a sentence: on one line, and nothing that a terminal would obey."""
    line = "".join(character for character in " ".join(text.split()) if character.isprintable())
    return _cut(line, _MOST_SAID_CHARACTERS)


def _kept_text(lifted: tuple[Lifted, ...]) -> str:
    """Return the note of the last that were lifted: as many as find room, the newest in any case."""
    kept = lifted[:_KEPT_LIFTED]
    while len(kept) > 1 and len(_lifted_text(kept)) > _MOST_LIFTED_BYTES:
        kept = kept[:-1]
    return _lifted_text(kept)


def _lifted_text(lifted: tuple[Lifted, ...]) -> str:
    """Write it in ASCII alone, so that a character is a byte."""
    return json.dumps(
        [{"key": one.key, "by": one.by, "reason": one.reason, "at": one.at, "was": one.was} for one in lifted]
    )


def _read_lifted(text: str) -> tuple[Lifted, ...]:
    """Read the note; one that a person has spoilt is no reason not to roll back."""
    try:
        found = json.loads(text)
        return tuple(Lifted(*(str(one[name]) for name in ("key", "by", "reason", "at", "was"))) for one in found)
    except (ValueError, TypeError, KeyError, RecursionError):
        return ()
