"""Counts the users of a rollout: each at its first request to an arm, and at its first failure of the rollout.

One user with a broken question fails again and again; so it is users that the gates count. No user is kept: what was
seen before is a string of bits for each rollout (`seen_before.py`), in Redis, so that a user whom two replicas answer
counts once; what this process has seen it does not ask again. While Redis is away a process counts by what it saw
itself. A rollout ends where its weight falls or its candidate is another, and then all of it is forgotten.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter

from sluice.gateway import log
from sluice.gateway.flags import Flags
from sluice.gateway.metrics import Record
from sluice.gateway.off_path import OffPath
from sluice.gateway.outcome import Arm, Outcome
from sluice.gateway.seen_before import EACH, Positions, SeenBefore, fingerprint, positions
from sluice.gateway.series import Series
from sluice.gateway.store import Script, SharedStore, StoreAway
from sluice.gateway.ticking import Ticking

PER_ROLLOUT, PER_STEP = "rollout", "step"
LOOK_SECONDS = 1.0
MOST_ROLLOUTS = 64
"""Rollouts that a process remembers by itself, each in 256 KiB; of others only Redis knows."""

_FAILURE = "failure"
_KEPT_SECONDS = 40 * 86400
_SAID_EVERY_SECONDS = 60.0
_WORK_BYTES = 512
_FAILED = (Outcome.ERROR, Outcome.FALLBACK)
_ALL = (1 << EACH) - 1

# Sets bits and answers which were set before: the first as 1, the second as 2 ... One text goes out and one number
# comes back; of a BITFIELD each part of each bit was written, and each answer read, by itself.
_SET_BITS = Script("""
local were, place = 0, 1
for bit in string.gmatch(ARGV[1], '%d+') do
  were = were + place * redis.call('SETBIT', KEYS[1], bit, 1)
  place = place * 2
end
return were
""")


@dataclass(frozen=True, slots=True)
class _Rollout:
    agent: str
    candidate: str
    weight_percent: int

    def goes_on_as(self, later: _Rollout | None) -> bool:
        """Say whether `later` is this rollout still: of the same candidate, and no lower."""
        return (
            later is not None and later.candidate == self.candidate and later.weight_percent >= self.weight_percent > 0
        )


class Users:
    """The users of every agent's rollout, as one process counts them. `open` and `close` frame its use."""

    def __init__(
        self, agents: Iterable[str], flags: Flags, store: SharedStore, off_path: OffPath, registry: CollectorRegistry
    ) -> None:
        self._agents = tuple(agents)
        self._flags = flags
        self._store = store
        self._off_path = off_path
        self._seen: OrderedDict[tuple[str, str], SeenBefore] = OrderedDict()
        self._rollouts: dict[str, _Rollout | None] = {}
        self._said_again_at: dict[tuple[str, str], float] = {}
        self._ticking = Ticking(self._tick, LOOK_SECONDS, rests_first=True)
        users = Counter(
            "sluice_users",
            "Users at their first request to an arm: of the rollout, and of its step.",
            ["agent", "arm", "per"],
            registry=registry,
        )
        failing = Counter(
            "sluice_failing_users",
            "Users at their first failure of the rollout, by the arm that failed them.",
            ["agent", "arm"],
            registry=registry,
        )
        self._users, self._failing = Series(users), Series(failing)
        for agent in self._agents:
            for arm in (Arm.CANDIDATE, Arm.BASELINE):
                failing.labels(agent, arm)
                for per in (PER_ROLLOUT, PER_STEP):
                    users.labels(agent, arm, per)

    def count(self, record: Record, user: str | None) -> None:
        """Count the user of a request that has ended, if a rollout runs and somebody was drawn."""
        rollout = self._rollout(record.agent)
        if rollout is None or not rollout.weight_percent or user is None or record.arm is Arm.NONE:
            return
        if record.outcome is Outcome.REJECTED:
            return
        arm, who = record.arm, fingerprint(user)
        marks = {
            PER_ROLLOUT: positions(who, PER_ROLLOUT, arm),
            PER_STEP: positions(who, PER_STEP, str(rollout.weight_percent), arm),
        }
        if record.outcome in _FAILED:
            # Not by arm: who failed on the baseline and is moved to the candidate is no more news than who stayed.
            marks[_FAILURE] = positions(who, _FAILURE)
        seen = self._filter(rollout)
        new = {kind: at for kind, at in marks.items() if not seen.has(at)}
        if new:
            self._off_path.add("users", _WORK_BYTES, lambda: self._count_new(rollout, arm, new))

    def look(self) -> None:
        """Forget the rollouts that have ended since the last look."""
        for agent in self._agents:
            is_first, before, now = agent not in self._rollouts, self._rollouts.get(agent), self._rollout(agent)
            self._rollouts[agent] = now
            if before is not None and before.weight_percent and not before.goes_on_as(now):
                self._forget(before)
            elif is_first and now is not None and not now.weight_percent:
                self._forget(now)  # it may have ended while no process looked

    async def open(self) -> None:
        """Begin to look which rollouts run."""
        self.look()
        self._ticking.open()

    async def close(self) -> None:
        """Look no longer."""
        await self._ticking.close()

    async def _tick(self) -> None:
        self.look()

    async def _count_new(self, rollout: _Rollout, arm: Arm, new: dict[str, Positions]) -> None:
        """Count what nobody has seen yet. Two requests of one user may both come here: the second finds it there."""
        seen = self._filter(rollout)
        mine = {kind: at for kind, at in new.items() if not seen.has(at)}
        for at in mine.values():
            seen.add(at)
        for kind in await self._new_to_all(rollout, mine) if mine else ():
            labels = (rollout.agent, arm)
            series = self._failing[labels] if kind == _FAILURE else self._users[*labels, kind]
            series.inc()

    async def _new_to_all(self, rollout: _Rollout, marks: dict[str, Positions]) -> list[str]:
        """Set marks for all replicas, in one step, and return those that none had set."""
        key = self._store.key("users", *self._key(rollout))
        bits = " ".join(str(bit) for at in marks.values() for bit in at)
        try:
            were = int(await self._store.evaluate(_SET_BITS, [key], [bits]))
        except StoreAway:
            return list(marks)
        new = [kind for number, kind in enumerate(marks) if were >> EACH * number & _ALL != _ALL]
        if new:
            await self._keep_longer(rollout, key)
        return new

    async def _keep_longer(self, rollout: _Rollout, key: str) -> None:
        """Say how long a rollout's bits are kept, where this process has not for a minute."""
        which = self._key(rollout)
        if time.monotonic() < self._said_again_at.get(which, 0.0):
            return
        with suppress(StoreAway):
            await self._store.ask("EXPIRE", key, _KEPT_SECONDS)
            self._said_again_at[which] = time.monotonic() + _SAID_EVERY_SECONDS

    def _forget(self, rollout: _Rollout) -> None:
        self._seen.pop(self._key(rollout), None)
        self._said_again_at.pop(self._key(rollout), None)
        self._off_path.add("users", _WORK_BYTES, lambda: self._forget_shared(rollout), important=True)

    async def _forget_shared(self, rollout: _Rollout) -> None:
        with suppress(StoreAway):
            await self._store.ask("UNLINK", self._store.key("users", *self._key(rollout)))
            log.info("users of a rollout that ended are forgotten", agent=rollout.agent, candidate=rollout.candidate)

    def _filter(self, rollout: _Rollout) -> SeenBefore:
        key = self._key(rollout)
        seen = self._seen.get(key)
        if seen is None:
            seen = self._seen[key] = SeenBefore()
            if len(self._seen) > MOST_ROLLOUTS:
                self._seen.popitem(last=False)
        self._seen.move_to_end(key)
        return seen

    def _rollout(self, agent: str) -> _Rollout | None:
        flag = self._flags.flag(agent)
        if flag is None or flag.candidate is None:
            return None
        return _Rollout(agent, flag.candidate, flag.served_percent)

    @staticmethod
    def _key(rollout: _Rollout) -> tuple[str, str]:
        return rollout.agent, rollout.candidate
