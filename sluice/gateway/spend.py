"""What was spent, by agent and in all, this UTC day and month, counted by all replicas together and across restarts.

A request only adds to what this replica has not told yet; once a second that goes to Redis, and what the others spent
comes back. Each batch has a number, so that one whose answer was lost is not counted twice. What a replica knows it
states again with each batch: a Redis that forgot everything hears it from those who remember. A process that is killed
loses what it had not told: a second's worth, or what was spent since Redis went away.

The budgets are for fine-tuned models alone. From the month's cap on, their requests go where `budgets.month.at_cap`
says. Days and months end by Redis' clock: this process' own is asked before Redis ever answered, and never afterwards.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from prometheus_client import Gauge

from sluice.gateway import log
from sluice.gateway.assignment import Assignment
from sluice.gateway.configuration import Configuration, Model
from sluice.gateway.limit_settings import AtCap, Budgets
from sluice.gateway.limited import CapSpent
from sluice.gateway.metrics import Metrics, Record
from sluice.gateway.outcome import Arm
from sluice.gateway.store import Script, SharedStore, StoreAway
from sluice.gateway.ticking import Ticking

FLUSH_SECONDS = 1.0
ALL = "all"
_FINE_TUNED = "/fine_tuned"
_JUDGE = "/judge"
_DAY_KEPT_SECONDS = 40 * 86400
_MONTH_KEPT_SECONDS = 400 * 86400
_FIELDS_RESTATED = 50
"""How many fields beside those that changed go with each batch: in turn, all of them."""

_SCRIPT = Script("""
local fresh = tonumber(redis.call('GET', KEYS[3]) or '0') < tonumber(ARGV[1])
local answer = redis.call('TIME')
for i = 4, #ARGV, 4 do
  for k = 1, 2 do
    local field, known, spent = ARGV[i], ARGV[i + k], ARGV[i + 3]
    local counted = tonumber(redis.call('HGET', KEYS[k], field) or '0')
    if counted < tonumber(known) then redis.call('HSET', KEYS[k], field, known) end
    if fresh and tonumber(spent) > 0 then redis.call('HINCRBYFLOAT', KEYS[k], field, spent) end
    answer[#answer + 1] = redis.call('HGET', KEYS[k], field) or '0'
  end
end
redis.call('SET', KEYS[3], ARGV[1], 'EX', ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[2])
redis.call('EXPIRE', KEYS[2], ARGV[3])
return answer
""")

Dollars = dict[str, float]


@dataclass(slots=True)
class _Batch:
    """What was spent on one day and is not known to be told; once it was sent, `number` says so."""

    day: str
    spent: Dollars = field(default_factory=dict)
    number: int = 0

    def add(self, name: str, dollars: float) -> None:
        """Add to what was spent under a name."""
        self.spent[name] = self.spent.get(name, 0.0) + dollars


class Spend:
    """The spend of one environment as this replica knows it. `open` and `close` frame its use."""

    def __init__(self, configuration: Configuration, store: SharedStore, metrics: Metrics) -> None:
        self._store = store
        self._metrics = metrics
        self._budgets: Budgets = configuration.budgets
        self._fields = [name + kind for name in (ALL, *configuration.agents) for kind in ("", _FINE_TUNED)]
        self._fields += [agent.name + _JUDGE for agent in configuration.agents.values() if agent.aftercare.judge]
        self._restated = 0
        self._replica = uuid.uuid4().hex
        self._number = 0
        self._known: dict[str, Dollars] = {}  # by day or month
        self._batches: list[_Batch] = []  # of past days and sent ones first
        self._clock_offset = time.time() - time.monotonic()
        self._today = (0, "1970-01-01")
        self._ticking = Ticking(self._tick, FLUSH_SECONDS, rests_first=True)
        self._gauge = Gauge(
            "sluice_spend_dollars",
            "What was spent this UTC day or month, by all replicas: on all models, fine-tuned ones, an agent's judge.",
            ["agent", "window", "models"],
            multiprocess_mode="mostrecent",
            registry=metrics.registry,
        )

    def count(self, record: Record) -> None:
        """Count what a request that has ended cost, if a model answered it."""
        if record.usage is not None and record.model is not None:
            self.add(record.agent, record.model, record.usage.dollars(record.model))

    def add(self, agent: str, model: Model, dollars: float, *, judging: bool = False) -> None:
        """Count what a request of `agent` cost, or the judging of an answer to one."""
        if dollars <= 0:
            return
        day = self._day()
        batch = self._batches[-1] if self._batches else None
        if batch is None or batch.number or batch.day != day:
            batch = _Batch(day)
            self._batches.append(batch)
        for name in (ALL, agent):
            for kind in ("", _FINE_TUNED) if model.fine_tuned else ("",):
                batch.add(name + kind, dollars)
        if judging:
            batch.add(agent + _JUDGE, dollars)

    def total(self, period: str, name: str = ALL, *, fine_tuned: bool = False) -> float:
        """Return the dollars of a day (2026-11-21) or month (2026-11), what is not told yet included."""
        of = name + _FINE_TUNED * fine_tuned
        untold = sum(batch.spent.get(of, 0.0) for batch in self._batches if batch.day.startswith(period))
        return self._known.get(period, {}).get(of, 0.0) + untold

    def judged_today(self, agent: str) -> float:
        """Return the dollars that the judge of `agent` cost this day."""
        return self.total(self._day(), agent + _JUDGE)

    @property
    def shared(self) -> bool:
        """Whether replicas tell each other what they spend."""
        return self._store.up

    @property
    def capped(self) -> bool:
        """Whether this month's cap for fine-tuned models is spent."""
        cap = self._budgets.month_cap_dollars
        return cap is not None and self.total(self._day()[:7], fine_tuned=True) >= cap

    def within_cap(self, agent: str, assignment: Assignment) -> Assignment:
        """Return the assignment without its fine-tuned models, once the cap is spent; the baseline's arm then.

        Raises CapSpent where the registry wants that instead, or no other model is left.
        """
        if not self.capped:
            return assignment
        models = tuple(model for model in assignment.models if not model.fine_tuned)
        rejects = self._budgets.at_cap is AtCap.REJECT and assignment.models[0].fine_tuned
        if rejects or not models:
            self._metrics.count_limited(agent, CapSpent.limit)
            raise CapSpent(agent, self._budgets.month_cap_dollars or 0.0, self._seconds_to_next_month())
        first_is_left_out = assignment.models[0].fine_tuned
        return Assignment(Arm.BASELINE if first_is_left_out else assignment.arm, models)

    async def open(self) -> None:
        """Learn what was spent before, and begin to tell what is."""
        await self._flush()
        self._ticking.open()

    async def close(self) -> None:
        """Tell the rest, if Redis hears it."""
        await self._ticking.close()
        await self._flush()
        untold = sum(batch.spent.get(ALL, 0.0) for batch in self._batches)
        if untold:
            log.warning("stopped with spend untold", dollars=round(untold, 6))

    async def _tick(self) -> None:
        try:
            await self._flush()
        except Exception as error:  # noqa: BLE001 -- counting must outlive whatever one batch does
            log.error("spend not told", exception=error)

    async def _flush(self) -> None:
        """Tell every batch, the oldest first; without one, an empty one brings what the others spent."""
        batches = list(self._batches) or [_Batch(self._day())]
        with suppress(StoreAway):
            for batch in batches:
                await self._tell(batch)
                if batch in self._batches:
                    self._batches.remove(batch)
        self._show()

    async def _tell(self, batch: _Batch) -> None:
        if not batch.number:
            self._number += 1
            batch.number = self._number
        month = batch.day[:7]
        names = [*batch.spent, *self._restating(batch)]
        keys = [self._store.key("spend", batch.day), self._store.key("spend", month)]
        keys.append(self._store.key("spend", "told", self._replica))
        arguments = [str(batch.number), str(_DAY_KEPT_SECONDS), str(_MONTH_KEPT_SECONDS)]
        for name in names:
            known = (self._known.get(period, {}).get(name, 0.0) for period in (batch.day, month))
            arguments += [name, *map(_shown, known), _shown(batch.spent.get(name, 0.0))]
        seconds, micros, *totals = await self._store.evaluate(_SCRIPT, keys, arguments)
        self._clock_offset = int(seconds) + int(micros) / 1e6 - time.monotonic()
        for number, name in enumerate(names):
            self._known.setdefault(batch.day, {})[name] = float(totals[2 * number])
            self._known.setdefault(month, {})[name] = float(totals[2 * number + 1])

    def _restating(self, batch: _Batch) -> Iterable[str]:
        fixed = [ALL, ALL + _FINE_TUNED]
        turn = (self._fields * 2)[self._restated : self._restated + min(_FIELDS_RESTATED, len(self._fields))]
        self._restated = (self._restated + len(turn)) % len(self._fields)
        return [name for name in dict.fromkeys([*fixed, *turn]) if name not in batch.spent]

    def _show(self) -> None:
        day = self._day()
        kept = {day, day[:7]} | {period for batch in self._batches for period in (batch.day, batch.day[:7])}
        self._known = {period: dollars for period, dollars in self._known.items() if period in kept}
        for name in self._fields:
            agent, _, models = name.partition("/")
            for window, period in (("day", day), ("month", day[:7])):
                self._gauge.labels(agent, window, models or "all").set(self.total(period, name))

    def _now(self) -> datetime:
        return datetime.fromtimestamp(time.monotonic() + self._clock_offset, UTC)

    def _day(self) -> str:
        number = int((time.monotonic() + self._clock_offset) // 86400)
        if number != self._today[0]:  # written out once a day: every request asks, several times
            self._today = (number, f"{datetime.fromtimestamp(number * 86400, UTC):%Y-%m-%d}")
        return self._today[1]

    def _seconds_to_next_month(self) -> float:
        now = self._now()
        first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        begins = first.replace(year=now.year + now.month // 12, month=now.month % 12 + 1)
        return (begins - now).total_seconds()


def _shown(dollars: float) -> str:
    return f"{dollars:.10f}"
