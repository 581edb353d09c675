"""Decides which answers wait for a person and which queries are kept, and writes them where replicas share them.

Texts are redacted before anything else happens to them. Without the shared store each replica counts a candidate's
first outputs by itself, so that rather more than fewer are reviewed, and what it could not write waits in its backlog.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sluice.gateway import log
from sluice.gateway.after_metrics import AfterMetrics
from sluice.gateway.aftercare import Aftercare
from sluice.gateway.agent_flag import AgentFlag
from sluice.gateway.backlog import Backlog
from sluice.gateway.capture import TEXT_CHARACTERS, Capture, KeptQuery, WorstSoFar
from sluice.gateway.off_path import OffPath
from sluice.gateway.outcome import Arm, Outcome
from sluice.gateway.redaction import redact
from sluice.gateway.review import ReviewItem, ReviewQueue
from sluice.gateway.store import SharedStore, StoreAway

REFRESH_SECONDS = 5.0
_SHORT_CHARACTERS = 2 * 1024


@dataclass(frozen=True, slots=True)
class Served:
    """A question, what was answered, and by whom. `why` says what failed, where something did."""

    agent: str
    arm: Arm
    model: str
    outcome: Outcome
    question: str
    answer: str
    wants_json: bool
    cut: bool
    at_seconds: float
    why: str = ""

    @property
    def size_bytes(self) -> int:
        """What it holds of memory, roughly."""
        return len(self.question) + len(self.answer) + 512


class Keeping:
    """What one replica keeps of its answers. `fine_tuned` has the names of the models that were."""

    def __init__(
        self,
        rules: Mapping[str, Aftercare],
        fine_tuned: Collection[str],
        store: SharedStore,
        metrics: AfterMetrics,
        off_path: OffPath,
    ) -> None:
        self._rules = rules
        self._fine_tuned = fine_tuned
        self._queue = ReviewQueue(store)
        self._capture = Capture(store)
        self._metrics = metrics
        self._backlog = Backlog()
        self._off_path = off_path
        self._worst = {agent: WorstSoFar(rule.worst_queries) for agent, rule in rules.items()}
        self._outputs: dict[tuple[str, str], int] = {}

    async def review_due(self, agent: str, arm: Arm, flag: AgentFlag | None, now: datetime | None = None) -> str | None:
        """Return the id under which an output that is about to be given waits for a person, None where it need not."""
        rule = self._rules[agent].review
        if rule is None or flag is None:
            return None
        if rule.days is not None:
            if flag.since is None:  # nobody says from when to count: after a graduation, review goes on
                return new_id(agent) if self._serves_fine_tuned(flag) else None
            today = (now or datetime.now(UTC)).date()
            return new_id(agent) if today < flag.since + timedelta(days=rule.days) else None
        if arm is not Arm.CANDIDATE or flag.candidate is None or rule.first_outputs is None:
            return None
        number = await self._count_output(agent, flag.candidate, rule.first_outputs)
        return new_id(agent) if number <= rule.first_outputs else None

    async def put_review(self, item_id: str, served: Served, reason: str) -> None:
        """Put an output into the queue of those that wait for a person."""
        rule = self._rules[served.agent].review
        question, answer = (
            await redacted(served.question, self._off_path),
            await redacted(served.answer, self._off_path),
        )
        item = ReviewItem(
            id=item_id,
            agent=served.agent,
            arm=served.arm,
            model=served.model,
            reason=reason,
            reviewed_by=rule.by if rule is not None else "a person",
            at_seconds=served.at_seconds,
            question=question,
            answer=answer,
        )
        await self._backlog.write(lambda: self._queue.put(item))

    async def keep_failed(self, served: Served) -> None:
        """Keep a query that failed, for whoever looks into it."""
        query = await self._kept(served, None)
        most = self._rules[served.agent].failed_queries
        await self._backlog.write(lambda: self._capture.keep_failed(query, most))

    async def keep_if_worst(self, served: Served, score: float) -> None:
        """Keep a query whose answer is among the worst of its day."""
        if not self._worst[served.agent].takes(score, served.at_seconds):
            return
        query = await self._kept(served, score)
        most = self._rules[served.agent].worst_queries
        await self._backlog.write(lambda: self._capture.keep_worst(query, most))

    async def refresh_forever(self) -> None:
        """Write what waits and read how much is pending over all replicas, until cancelled."""
        while True:
            try:
                await self.refresh()
            except Exception as error:  # noqa: BLE001 -- the loop must outlive whatever the store answers
                log.error("review queue not read", exception=error)
            await asyncio.sleep(REFRESH_SECONDS)

    async def refresh(self) -> None:
        """Write what waits and read how much is pending."""
        await self._backlog.flush()
        with suppress(StoreAway):  # then the last number stands
            for agent, pending in (await self._queue.pending(self._rules)).items():
                self._metrics.review_pending(agent, pending)

    def _serves_fine_tuned(self, flag: AgentFlag) -> bool:
        arms = (Arm.CANDIDATE, Arm.BASELINE) if flag.served_percent else (Arm.BASELINE,)
        return any(flag.models[arm][0] in self._fine_tuned for arm in arms)

    async def _count_output(self, agent: str, candidate: str, limit: int) -> int:
        seen = self._outputs.get((agent, candidate), 0)
        if seen >= limit:  # so that only a candidate's first requests ask the store
            return seen + 1
        try:
            number = await self._queue.count_output(agent, candidate)
        except StoreAway:
            number = seen + 1
        self._outputs = {(agent, candidate): number, **{key: n for key, n in self._outputs.items() if key[0] != agent}}
        return number

    async def _kept(self, served: Served, score: float | None) -> KeptQuery:
        return KeptQuery(
            agent=served.agent,
            arm=served.arm,
            model=served.model,
            outcome=served.outcome,
            why=redact(served.why[:500]),
            at_seconds=served.at_seconds,
            question=(await redacted(served.question, self._off_path))[:TEXT_CHARACTERS],
            answer=(await redacted(served.answer, self._off_path))[:TEXT_CHARACTERS],
            score=score,
        )


def new_id(agent: str) -> str:
    """Make an id that nobody can guess and that says whose it is."""
    return f"{agent}-{secrets.token_hex(8)}"


async def redacted(text: str, off_path: OffPath) -> str:
    """Redact a text in its turn, a long one in a thread."""
    return await off_path.computed(lambda: redact(text), on_loop=len(text) <= _SHORT_CHARACTERS)
