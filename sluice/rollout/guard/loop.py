"""The loop that rolls back by itself: looks, has every rollout judged, and lowers what does harm.

It keeps no state. What holds stands in the override, what is noted is made from it, and what is judged is measured anew
each round; so a guard may be killed at any line and the next one goes on. It only ever lowers a weight, to 0, and
leaves an entry alone that is as low. Where it cannot see, nothing moves, and it says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from sluice.errors import SluiceError
from sluice.override import ALL, UNKNOWN, Override, Overrides, moment, read_moment, read_override
from sluice.rollout.cluster import Cluster
from sluice.rollout.guard.metrics import GuardMetrics
from sluice.rollout.guard.notes import COMPONENT, Facts, facts_key, note_ended, note_event, noted, write_facts
from sluice.rollout.override_map import OverrideMap, lower, read_override_map
from sluice.rollout.wanted import Wanted, read_wanted

BY = "guard"
_ALL_FROM = 3
"""So many agents at once, if they are half of those that have users on candidates, are no candidates' fault."""

_MOST_A_MINUTE = 6
"""Beyond so many writes in a minute, one for all takes their place."""

_TOGETHER = timedelta(minutes=10)
_AFTER_RESUME = timedelta(seconds=60)
"""A person has just looked: what they lifted is left to them for so long."""

_MOST_LOOKED_AT_AGAIN = 20
"""So many suspects are looked at between two rounds: each costs some 16 queries, one after another. More wait."""

_MOST_REASON_CHARACTERS = 300
_MOST_EVIDENCE_CHARACTERS = 1500


@dataclass(frozen=True, slots=True)
class Watched:
    """One agent that has users on its candidate. `resumed_at` is since when alone it may be judged, None for ever."""

    agent: str
    candidate: str
    weight_percent: int
    resumed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Ruling:
    """What was judged of one agent: `action` in the gates' words, why, the numbers, and a record to judge it again.

    One that is suspect may do harm, and there is too little to be sure: it is worth another look soon.
    """

    action: str
    reason: str
    evidence: str
    record: str
    is_rollback: bool
    held_candidate: str = ""
    """The candidate that an override would hold alone, where the registry lets another end it; empty for every one."""
    is_suspect: bool = False


class CannotSee(SluiceError):
    """What there is to judge by could not be had at all."""


class Court(Protocol):
    """Measures and judges: the gates, with Prometheus before them."""

    def judge(self, watched: Watched, now: datetime) -> Ruling:
        """Judge one agent by what had been measured at `now`. Raises `CannotSee`."""


@dataclass(frozen=True, slots=True)
class _Due:
    key: str
    entry: Override
    record: str


@dataclass(slots=True)
class Guard:
    """One guard of one environment. `may_act` is asked before every write; `say` writes a line of the log."""

    cluster: Cluster
    environment: str
    namespace: str
    court: Court
    metrics: GuardMetrics
    may_act: Callable[[], bool]
    say: Callable[[str, Mapping[str, str]], None]
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    pause: Callable[[float], None] = lambda _: None
    rulings: dict[str, Ruling] = field(default_factory=dict)
    """What was judged last."""
    is_blind: bool = False
    """Whether something could not be asked in the last round."""
    _records: dict[str, str] = field(default_factory=dict)
    _ended: set[tuple[str, str | None]] = field(default_factory=set)
    _written: list[datetime] = field(default_factory=list)

    def round(self) -> None:
        """Look once, judge, and do what follows. Raises nothing: what fails is counted, said, and tried again."""
        self._look()

    def look_again(self) -> None:
        """Do as in a round, but judge suspects alone, those first that could not be sent back, and not too many.

        Every other agent stands as it was judged last. One that was not, as Prometheus was in trouble, waits.
        """
        first = sorted(self.suspects, key=lambda agent: (not self.rulings[agent].is_rollback, agent))
        self._look(frozenset(first[:_MOST_LOOKED_AT_AGAIN]))

    @property
    def suspects(self) -> frozenset[str]:
        """The agents that may do harm, by the last look: it was not sure, or could not send them back."""
        return frozenset(agent for agent, ruling in self.rulings.items() if ruling.is_suspect or ruling.is_rollback)

    def _look(self, only: frozenset[str] | None = None) -> None:
        stood, suspects = self.rulings, self.suspects
        self.rulings, self.is_blind = {}, False
        try:
            now, wanted = read_override_map(self.cluster, self.namespace), read_wanted(self.cluster, self.namespace)
        except SluiceError as error:
            self._failed("cluster", error)
            return
        watched = self._watched(now, wanted)
        asked = [one for one in watched if only is None or one.agent in only]
        judged = self._judged(asked)
        sees = len(judged) == len(asked)
        if only is None or not sees:
            self.metrics.sees.set(sees)
        if only is not None:
            # Where Prometheus is in trouble, suspects that were not asked are none until the next round either.
            left = {agent for agent in stood if agent not in (only if sees else suspects)}
            self.rulings = {one.agent: stood[one.agent] for one in watched if one.agent in left}
        self.rulings |= judged
        self.metrics.verdicts((agent, ruling.action) for agent, ruling in self.rulings.items())
        due = self._due(watched, judged, now)
        for one in due:
            self._set(one)
        self._note(wanted, again=bool(due), seen=now)
        self._say_ended(wanted, now.overrides)
        self.metrics.heartbeat.set(self.now().timestamp())

    def _watched(self, now: OverrideMap, wanted: Mapping[str, Wanted]) -> list[Watched]:
        """Return the agents whose candidates have users: no override holds them at 0, and no person just lifted one."""
        found = []
        for one in wanted.values():
            weight = min(one.weight_percent, now.overrides.allowed_percent(one.agent, one.candidate))
            if weight == 0 or one.candidate is None:
                continue
            resumed = _resumed_at(now, one.agent, one.candidate)
            if resumed is None or self.now() - resumed >= _AFTER_RESUME:
                found.append(Watched(one.agent, one.candidate, weight, resumed))
        return found

    def _judged(self, asked: Iterable[Watched]) -> dict[str, Ruling]:
        rulings: dict[str, Ruling] = {}
        for one in asked:
            try:
                rulings[one.agent] = self.court.judge(one, self.now())
            except CannotSee as error:
                self._failed("measure", error)
                break  # what does not answer once is not asked for every agent
        return rulings

    def _due(self, watched: Sequence[Watched], rulings: Mapping[str, Ruling], now: OverrideMap) -> list[_Due]:
        """Decide what to set: an entry for each agent, or one for all where that is what happened."""
        bad = {agent: ruling for agent, ruling in rulings.items() if ruling.is_rollback}
        if not bad:
            return []
        lately = [
            key
            for key, entry in now.overrides.entries.items()
            if entry.by == BY
            and key != ALL
            and (at := read_moment(entry.at))
            and self.now() - at < _TOGETHER
            and key not in bad
        ]
        together = len(bad) + len(lately)
        concerned = {*lately, *(one.agent for one in watched)}
        self._written = [at for at in self._written if self.now() - at < timedelta(minutes=1)]
        is_everybody = together >= _ALL_FROM and 2 * together >= len(concerned)
        if is_everybody or len(bad) + len(self._written) > _MOST_A_MINUTE:
            names = sorted([*bad, *lately])
            reason = f"{together} agents went bad within {_TOGETHER.seconds // 60} minutes: {', '.join(names)}"
            evidence = "; ".join(f"{agent}: {ruling.reason}" for agent, ruling in bad.items())
            return [_Due(ALL, self._entry(reason, evidence), _together(bad.values()))]
        return [
            _Due(agent, self._entry(ruling.reason, ruling.evidence, ruling.held_candidate), ruling.record)
            for agent, ruling in bad.items()
        ]

    def _set(self, due: _Due) -> None:
        if not self.may_act():
            self.say("not set, for this guard does not act", {"agent": due.key})
            return
        try:
            change = lower(self.cluster, self.namespace, due.key, due.entry, manager=COMPONENT, pause=self.pause)
        except SluiceError as error:
            self._failed("override", error)
            return
        if change.made:
            self._written.append(self.now())
            self._records[facts_key(due.key, due.entry)] = due.record
            self.metrics.rollbacks.labels(due.key).inc()
            self.say("rolled back", {"agent": due.key, "reason": due.entry.reason, "evidence": due.entry.evidence})

    def _note(self, wanted: Mapping[str, Wanted], *, again: bool, seen: OverrideMap) -> None:
        """Finish every rollback of a guard's that holds, this one's or another's: its Event, then its facts."""
        try:
            now = read_override_map(self.cluster, self.namespace) if again else seen
            entries = now.overrides.entries
            self.metrics.rolled_back(key for key in entries if self._is_held(key, now.overrides, wanted))
            # One that a person lifted within seconds, or another candidate ended, is noted all the same.
            lifted = [(one.key, read_override(one.was)) for one in now.lifted]
            ours = [(key, one) for key, entry in (*entries.items(), *lifted) for one in entry.each if one.by == BY]
            done = noted(self.cluster, self.namespace) if ours else frozenset()
        except SluiceError as error:
            self._failed("facts", error)
            return
        keep = {facts_key(key, entry) for key, entry in ours}
        for key, entry in ours:
            if facts_key(key, entry) in done or not self.may_act():
                continue
            stage = "event"
            try:
                note_event(self.cluster, self.namespace, key, entry)
                stage = "facts"
                record = self._record(key, entry, wanted, now)
                weights = {agent: one.weight_percent for agent, one in wanted.items() if entry.holds(one.candidate)}
                facts = Facts(self.environment, key, entry, weights, record)
                write_facts(self.cluster, self.namespace, facts, keep)
            except SluiceError as error:
                self._failed(stage, error)

    def _is_held(self, key: str, overrides: Overrides, wanted: Mapping[str, Wanted]) -> bool:
        """Say whether an entry of a guard's holds its key, an agent or all."""
        return any(held == key and entry.by == BY for held, entry in overrides.holding(key, _named(wanted, key)))

    def _say_ended(self, wanted: Mapping[str, Wanted], overrides: Overrides) -> None:
        """Say of each entry that another candidate ended it, by the registry's rule and by nobody's hand.

        Each guard says so once. Its Event is made anew where the API server keeps an earlier guard's no longer.
        """
        ended = {
            (facts_key(key, entry), _named(wanted, key)): (key, entry)
            for key in overrides.entries
            for entry in overrides.ended(key, _named(wanted, key))
        }
        self._ended.intersection_update(ended)
        for (known, named), (key, entry) in ended.items():
            if (known, named) in self._ended or not self.may_act():
                continue
            try:
                note_ended(self.cluster, self.namespace, key, entry, named)
            except SluiceError as error:
                self._failed("event", error)
                return
            self._ended.add((known, named))
            self.say("override ended by the registry's rule", {"agent": key, "why": entry.why_ended(named)})

    def _record(self, key: str, entry: Override, wanted: Mapping[str, Wanted], now: OverrideMap) -> str:
        """Return the judgement; after another guard's end, that of the same moment, which is the same judgement."""
        known = self._records.pop(facts_key(key, entry), None)
        at = read_moment(entry.at)
        if known is not None or at is None:
            return known or ""
        if not entry.holds(_named(wanted, key)):
            return ""  # the rollout that was judged is over, and its weight is not known any more
        try:
            if key != ALL:
                ruling = self._judged_at(at, wanted.get(key), now)
                return ruling.record if ruling else ""
            # Of all, those went bad that have users and were not held one by one already.
            held = {
                agent
                for agent, one in wanted.items()
                for key, _ in now.overrides.holding(agent, one.candidate)
                if key == agent
            }
            left = [one for name, one in wanted.items() if one.weight_percent and name not in held]
            rulings = [self._judged_at(at, one, now) for one in left]
        except CannotSee:
            return ""  # what does not answer once is not asked for every agent, and a part is no judgement
        bad = [ruling for ruling in rulings if ruling is not None and ruling.is_rollback]
        return _together(bad) if bad else ""

    def _judged_at(self, at: datetime, one: Wanted | None, now: OverrideMap) -> Ruling | None:
        if one is None or one.candidate is None:
            return None
        resumed = _resumed_at(now, one.agent, one.candidate, before=at)
        return self.court.judge(Watched(one.agent, one.candidate, one.weight_percent, resumed), at)

    def _entry(self, reason: str, evidence: str, candidate: str = "") -> Override:
        short, numbers = reason[:_MOST_REASON_CHARACTERS], evidence[:_MOST_EVIDENCE_CHARACTERS]
        return Override(0, by=BY, reason=short, evidence=numbers, at=moment(self.now()), candidate=candidate)

    def _failed(self, stage: str, error: SluiceError) -> None:
        self.is_blind = True
        self.metrics.failures.labels(stage).inc()
        self.say("could not", {"stage": stage, "why": str(error)})


def _named(wanted: Mapping[str, Wanted], key: str) -> str | None:
    """Return the candidate that the flag of a key names; of a key without a flag it is not known."""
    return wanted[key].candidate if key in wanted else UNKNOWN


def _resumed_at(now: OverrideMap, agent: str, candidate: str | None, before: datetime | None = None) -> datetime | None:
    """Return when a person last lifted what held an agent's candidate, before a moment where one is given."""
    lifted = (read_moment(each.at) for each in now.lifted if each.concerns(agent, candidate))
    return max((at for at in lifted if at is not None and (before is None or at < before)), default=None)


def _together(rulings: Iterable[Ruling]) -> str:
    """Write the records of several judgements as one."""
    return "[" + ",".join(ruling.record for ruling in rulings if ruling.record) + "]"
