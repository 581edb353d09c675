"""What follows an answer: its user is counted, it is scored, reviewed, handed over to a person, and kept if it failed.

A request is followed from its beginning, because what is sampled must not depend on what came of it. Everything that
can wait until after the answer goes to `off_path.py`; before it only what a header must say: that a person will look
at it, or should take over.
"""

from __future__ import annotations

import asyncio
import time

from prometheus_client import CollectorRegistry
from starlette.types import Send

from sluice.gateway.after_metrics import AfterMetrics
from sluice.gateway.aftercare import Aftercare
from sluice.gateway.chat_request import ChatRequest
from sluice.gateway.configuration import Configuration
from sluice.gateway.flags import Flags
from sluice.gateway.heard import Headers, Heard, text_of
from sluice.gateway.judge import Judge
from sluice.gateway.keeping import Keeping, Served, new_id
from sluice.gateway.metrics import Record
from sluice.gateway.off_path import OffPath
from sluice.gateway.outcome import Arm, Outcome
from sluice.gateway.scoring.features import Expects
from sluice.gateway.scoring.sampling import Sampling
from sluice.gateway.scoring.scorer import score
from sluice.gateway.scoring.scores import Scores
from sluice.gateway.store import SharedStore
from sluice.gateway.users import Users

QUESTION_CHARACTERS = 16 * 1024

_FAILED = frozenset({"error", "fallback"})

_SHORT_CHARACTERS = 2 * 1024
"""What is scored within a millisecond, and so on the loop; a thread for it would cost more than it takes."""


class Afterwards:
    """Follows the requests of one gateway."""

    def __init__(
        self,
        configuration: Configuration,
        flags: Flags,
        off_path: OffPath,
        store: SharedStore,
        judge: Judge,
        registry: CollectorRegistry,
    ) -> None:
        self.off_path = off_path
        self.users = Users(configuration.agents, flags, store, off_path, registry)
        self.metrics = AfterMetrics(configuration.agents, registry)
        self._flags = flags
        self._judge = judge
        self._rules = {agent.name: agent.aftercare for agent in configuration.agents.values()}
        fine_tuned = frozenset(model.name for model in configuration.models.values() if model.fine_tuned)
        self.keeping = Keeping(self._rules, fine_tuned, store, self.metrics, off_path)
        self._sampling = {name: Sampling(rule.share, rule.per_second) for name, rule in self._rules.items()}
        self._judging = {
            name: Sampling(rule.judge.share, rule.per_second) for name, rule in self._rules.items() if rule.judge
        }

    def follow(self, record: Record, send: Send) -> Followed:
        """Begin to follow a request whose answer goes out by `send`."""
        return Followed(self, record, Heard(send))

    def rule(self, agent: str) -> Aftercare:
        """Return what holds for an agent of the configuration."""
        return self._rules[agent]

    def takes(self, agent: str) -> bool:
        """Draw whether the answer to a request that has just come is to be scored."""
        return self._sampling[agent].takes()

    def takes_for_judge(self, agent: str) -> bool:
        """Draw whether an answer that is scored is to be judged too, as blindly."""
        sampling = self._judging.get(agent)
        return sampling is not None and sampling.takes()

    async def judge(self, served: Served) -> None:
        """Have a model judge an answer that was given."""
        flag = self._flags.flag(served.agent)
        await self._judge.look_at(served, flag.candidate if flag is not None else None)

    async def review_due(self, record: Record) -> str | None:
        """Return the id under which the answer that is about to be given waits for a person, if it does."""
        flag = self._flags.flag(record.agent)
        arm = record.arm
        if flag is not None and arm is Arm.CANDIDATE and (record.model is None or record.model.name != flag.candidate):
            arm = Arm.BASELINE  # a fall-back's output is none of the candidate's
        return await self.keeping.review_due(record.agent, arm, flag)

    async def score(self, served: Served) -> Scores:
        """Score an answer, on the loop where that is quick."""
        if len(served.question) + len(served.answer) <= _SHORT_CHARACTERS:
            return scored(served, self._rules[served.agent])
        return await asyncio.to_thread(scored, served, self._rules[served.agent])

    async def look_at(self, served: Served, scores: Scores | None, *, sampled: bool) -> None:
        """Score an answer that was given, count it, and hand it over where it is too poor. `scores` are known ones."""
        if scores is None:
            scores = await self.score(served)
        if sampled and served.outcome is Outcome.OK:
            self.metrics.scored(served.agent, served.arm, scores)
            await self.keeping.keep_if_worst(served, scores.overall)
        below = self._rules[served.agent].hand_over_below
        if below is not None and scores.overall < below:
            self.metrics.handed_over(served.agent)
            reason = f"its score of {scores.overall:.1f} is below {below:g}: a person should take over"
            await self.keeping.put_review(new_id(served.agent), served, reason)


class Followed:
    """One request from its beginning to its end. Its answer is sent by `send`."""

    def __init__(self, afterwards: Afterwards, record: Record, heard: Heard) -> None:
        self._afterwards = afterwards
        self._record = record
        self._chat: ChatRequest | None = None
        self._sampled = False
        self._judged = False
        self._scores: Scores | None = None
        self._review_id: str | None = None
        self._user: str | None = None
        self.waits_for_a_person = False
        """Whether a person is to look at the answer, or to take over, as its head said."""
        self.send = heard

    def asked(self, chat: ChatRequest) -> None:
        """Take the request, whose agent is known, and draw whether its answer is scored."""
        self._chat = chat
        self._sampled = self._afterwards.takes(chat.agent)
        self._judged = self._sampled and self._afterwards.takes_for_judge(chat.agent)
        rule = self._afterwards.rule(chat.agent)
        if rule.hand_over_below is not None or rule.review is not None:
            self.send.listen(self._decide, needs_body=rule.hand_over_below is not None)
        elif self._sampled:
            self.send.listen()

    def drawn(self, user: str | None) -> None:
        """Take whom the arm was drawn for, None where the request names nobody."""
        self._user = user

    def given_again(self) -> None:
        """Take note that a kept answer is given: it was scored, and judged, when it was new."""
        self._sampled = self._judged = False

    def end(self) -> None:
        """Hand on what is to be done now that the request has ended."""
        if self._chat is None:
            return
        self._afterwards.users.count(self._record, self._user)
        rule = self._afterwards.rule(self._chat.agent)
        off_path, keeping = self._afterwards.off_path, self._afterwards.keeping
        if self._review_id is not None:
            review_id, output = self._review_id, self._served()
            reason = "review of all outputs" if rule.review and rule.review.days else "review of first outputs"
            off_path.add(
                "review",
                output.size_bytes,
                lambda: keeping.put_review(review_id, output, reason),
                important=True,
            )
        if self._record.outcome in _FAILED:
            failed = self._served()
            off_path.add("capture", failed.size_bytes, lambda: keeping.keep_failed(failed))
        if (self._sampled or rule.hand_over_below is not None) and self._answered():
            served, scores, sampled = self._served(), self._scores, self._sampled
            off_path.add("score", served.size_bytes, lambda: self._afterwards.look_at(served, scores, sampled=sampled))
            if self._judged and served.outcome is Outcome.OK:
                off_path.add("judge", served.size_bytes, lambda: self._afterwards.judge(served))

    async def _decide(self, heard: Heard) -> Headers:
        """Say what the caller must know before the answer: that it waits for a person, or that one should take over."""
        headers: Headers = []
        self._review_id = await self._afterwards.review_due(self._record)
        if self._review_id is not None:
            headers += [(b"x-sluice-review", b"pending"), (b"x-sluice-review-id", self._review_id.encode())]
        below = self._afterwards.rule(self._record.agent).hand_over_below
        if below is not None and not heard.streams and not heard.has_tool_calls:
            self._scores = await self._afterwards.score(self._served())
            if self._scores.overall < below:
                headers.append((b"x-sluice-hand-over", b"true"))
        self.waits_for_a_person = bool(headers)
        return headers

    def _answered(self) -> bool:
        """Whether there is an answer to look at: a whole one, in words."""
        heard = self.send
        return heard.good and heard.ended and not heard.has_tool_calls and self._record.outcome is not Outcome.ERROR

    def _served(self) -> Served:
        assert self._chat is not None  # noqa: S101 -- only what was asked is served
        record, heard = self._record, self.send
        return Served(
            agent=record.agent,
            arm=record.arm,
            model=record.model.name if record.model else "",
            outcome=record.outcome,
            question=question_of(self._chat),
            answer=heard.text,
            wants_json=_wants_json(self._chat),
            cut=heard.finish_reason == "length",
            at_seconds=time.time(),
            why=record.why_failed or (f"status {heard.status}" if heard.status >= 300 else ""),
        )


def scored(served: Served, rule: Aftercare) -> Scores:
    """Score an answer by the built-in scorer."""
    expects = Expects.JSON if served.wants_json else rule.expects
    return score(served.question, served.answer, expects=expects, empathetic=rule.empathetic, cut=served.cut)


def question_of(chat: ChatRequest) -> str:
    """Return what the user asked last, the end of it where it is long."""
    for message in reversed(chat.document["messages"]):
        if isinstance(message, dict) and message.get("role") == "user":
            return text_of(message.get("content"))[-QUESTION_CHARACTERS:]
    return ""


def _wants_json(chat: ChatRequest) -> bool:
    form = chat.document.get("response_format")
    return isinstance(form, dict) and form.get("type") in ("json_object", "json_schema")
