"""What happens to a chat completion, in order. This is the place to read first.

Each step is one module; what a step cannot do it raises as a refusal, which becomes the answer. Whatever the end,
the request is counted once.
"""

from __future__ import annotations

import time

from starlette.types import Receive, Scope, Send

from sluice.gateway import log
from sluice.gateway.afterwards import Afterwards, Followed
from sluice.gateway.assignment import Assigner
from sluice.gateway.authentication import CallerKeys
from sluice.gateway.cache import Cache
from sluice.gateway.caller import CallerLeft, UntilCallerLeaves
from sluice.gateway.chat_request import parse_chat_request
from sluice.gateway.configuration import Configuration
from sluice.gateway.failover import Failover
from sluice.gateway.marking import Notice
from sluice.gateway.metrics import Metrics, Record
from sluice.gateway.outcome import Outcome
from sluice.gateway.rates import Rates
from sluice.gateway.refusals import AgentUnknown, GatewayFault, Refusal
from sluice.gateway.relay import send_refusal, stream_out
from sluice.gateway.request_body import read_body
from sluice.gateway.request_line import request_line
from sluice.gateway.screening import Screening
from sluice.gateway.seats import Seats
from sluice.gateway.spend import Spend
from sluice.gateway.tracing import Tracing
from sluice.gateway.user_key import user_key


class ChatCompletions:
    """POST /v1/chat/completions, as an ASGI application."""

    def __init__(
        self,
        configuration: Configuration,
        caller_keys: CallerKeys,
        assigner: Assigner,
        cache: Cache,
        failover: Failover,
        metrics: Metrics,
        afterwards: Afterwards,
        seats: Seats,
        rates: Rates,
        spend: Spend,
        tracing: Tracing,
        *,
        body_timeout_seconds: float,
    ) -> None:
        self._configuration = configuration
        self._caller_keys = caller_keys
        self._notices = {
            agent.name: Notice(agent.watermark) for agent in configuration.agents.values() if agent.watermark
        }
        self._screening = Screening(configuration.agents, metrics)
        self._assigner = assigner
        self._cache = cache
        self._failover = failover
        self._metrics = metrics
        self._afterwards = afterwards
        self._seats = seats
        self._rates = rates
        self._spend = spend
        self._tracing = tracing
        self._body_seconds = body_timeout_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens, and count it."""
        began = time.perf_counter()
        record = Record()
        self._tracing.begin(scope, record)
        followed = self._afterwards.follow(record, send)
        try:
            async with self._seats:
                await self._serve(record, scope, receive, followed)
        except Refusal as refusal:
            record.outcome, record.why_failed = refusal.outcome, str(refusal)
            self._tell(refusal, record)
            await send_refusal(refusal, record, send)
        except CallerLeft:
            record.outcome = _outcome_of_leaving(record)
        except Exception as error:
            log.error("request failed", exception=error, agent=record.agent, arm=record.arm)
            if record.answer_began:
                raise  # the server cuts the connection, so that half an answer does not look like a whole one
            await send_refusal(GatewayFault(), record, send)
        finally:
            seconds = time.perf_counter() - began
            self._spend.count(record)
            self._metrics.count(record, seconds)
            log.request(request_line(record, seconds))
            self._tracing.end(scope, record)
            followed.end()  # off the path: users, score, review, capture

    async def _serve(self, record: Record, scope: Scope, receive: Receive, followed: Followed) -> None:
        # authenticate
        record.caller = self._caller_keys.authenticate(dict(scope["headers"]))

        chat = parse_chat_request(await read_body(scope, receive, self._body_seconds))
        if chat.agent not in self._configuration.agents:
            raise AgentUnknown(chat.agent, self._configuration.agents)
        record.agent = chat.agent
        followed.asked(chat)

        # limit
        await self._rates.admit(chat.agent, record.caller)

        # screen
        await self._screening.screen(self._configuration.agents[chat.agent], chat.document["messages"])

        # assign
        user = user_key(chat, scope)
        if user is None:
            self._metrics.count_without_user(chat.agent)
        assignment = self._spend.within_cap(chat.agent, self._assigner.assign(chat.agent, user))
        record.arm, record.model = assignment.arm, assignment.models[0]
        followed.drawn(user)

        # cache; what is kept is not marked yet
        notice = self._notices.get(chat.agent)
        found = await self._cache.find(chat, scope, assignment, record)
        if found.answer is not None:
            followed.given_again()
            record.outcome = await stream_out(found.answer, record, followed.send, notice)
            return

        async with (
            UntilCallerLeaves(receive),
            # call with failover
            self._failover.answer(assignment, chat, scope, record) as answer,
        ):
            # mark, stream out
            record.outcome = await stream_out(answer, record, followed.send, notice, found.overhear)
        if not followed.waits_for_a_person:
            self._cache.keep(found, record, streamed=chat.streams)

    @staticmethod
    def _tell(refusal: Refusal, record: Record) -> None:
        if refusal.outcome is Outcome.ERROR:
            model = record.model.name if record.model else None
            log.error(
                "request refused", agent=record.agent, arm=record.arm, model=model, code=refusal.code, what=str(refusal)
            )


def _outcome_of_leaving(record: Record) -> Outcome:
    """Who hangs up while an answer comes has seen enough; who hangs up before it gave up waiting."""
    if record.answer_began:
        return Outcome.FALLBACK if record.fell_back else Outcome.OK
    return Outcome.REJECTED if record.model is None else Outcome.ERROR
