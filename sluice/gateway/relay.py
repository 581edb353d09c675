"""Hands a provider's answer to the caller: status, headers and body as they are, a stream piece by piece as it comes.

Headers are added that say who served: x-sluice-agent, x-sluice-arm, x-sluice-model, x-sluice-cache where the answer may
be one that was kept, and x-sluice-outcome where it is not the model that should have answered. A stream that breaks
ends with an event in the shape of OpenAI's errors, because its status has long been sent.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Protocol

from starlette.types import Send

from sluice.gateway import log
from sluice.gateway.configuration import Model
from sluice.gateway.marking import Notice, StreamMarking, mark_answer
from sluice.gateway.metrics import Record
from sluice.gateway.outcome import Outcome, outcome_of_status
from sluice.gateway.refusals import Refusal
from sluice.gateway.usage import Usage

# RFC 9110, 7.6.1, and what is true of the provider's connection, encoding, origin or account but not of ours.
_DROPPED_ANSWER_HEADERS = frozenset(
    {
        b"alt-svc",
        b"anthropic-organization-id",
        b"connection",
        b"content-encoding",
        b"content-length",
        b"date",
        b"keep-alive",
        b"openai-organization",
        b"openai-project",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"server",
        b"set-cookie",
        b"strict-transport-security",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)


class Answer(Protocol):
    """What is handed on: `body` whole, or None while it is a stream of events to be read by `chunks`."""

    @property
    def model(self) -> Model:
        """Who answered."""

    @property
    def status(self) -> int:
        """The HTTP status."""

    @property
    def headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """The answer's headers, their names in small letters."""

    @property
    def body(self) -> bytes | None:
        """All of it, where it is whole."""

    def chunks(self) -> AsyncIterator[bytes]:
        """Give the stream's events as they come. Raises a Refusal where it breaks."""

    def usage(self) -> Usage | None:
        """Return what the answer took, as far as it came."""


async def stream_out(
    answer: Answer,
    record: Record,
    send: Send,
    notice: Notice | None = None,
    overhear: Callable[[bytes], None] | None = None,
) -> Outcome:
    """Send the answer, with the agent's notice on it, note its usage in `record`, and return how the request ended.

    `overhear` gets each piece as the provider gave it, without the notice.
    """
    headers = _answer_headers(answer) + served_by(record)
    if notice is not None and answer.status < 300:
        headers.append(notice.header)
    if answer.body is not None:
        record.usage = answer.usage()
        if overhear is not None:
            overhear(answer.body)
        body = answer.body
        if notice is not None and answer.status < 300:
            body = mark_answer(body, notice)
        headers.append((b"content-length", b"%d" % len(body)))
        await _start(answer.status, headers, record, send)
        await send({"type": "http.response.body", "body": body})
        return _outcome(answer, record)
    await _start(answer.status, headers, record, send)
    marking = StreamMarking(notice) if notice is not None else None
    try:
        async for chunk in answer.chunks():
            if overhear is not None:
                overhear(chunk)
            marked = marking.feed(chunk) if marking else chunk
            if marked:
                await send({"type": "http.response.body", "body": marked, "more_body": True})
        await send({"type": "http.response.body", "body": marking.end() if marking else b""})
        return _outcome(answer, record)
    except Refusal as refusal:
        log.error("stream broke", agent=record.agent, arm=record.arm, model=answer.model.name, what=str(refusal))
        last = marking.end() if marking else b""
        await send({"type": "http.response.body", "body": last + b"data: " + refusal.body() + b"\n\n"})
        return refusal.outcome
    finally:
        record.usage = answer.usage()


async def send_refusal(refusal: Refusal, record: Record, send: Send) -> None:
    """Send the gateway's own answer."""
    body = refusal.body()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    headers += [*refusal.headers(), *served_by(record)]
    if refusal.closes_connection:
        headers.append((b"connection", b"close"))
    await _start(refusal.status, headers, record, send)
    await send({"type": "http.response.body", "body": body})


def served_by(record: Record) -> list[tuple[bytes, bytes]]:
    """Return the headers that say who served, as far as it was decided."""
    if record.model is None:
        return []
    headers = [
        (b"x-sluice-agent", record.agent.encode()),
        (b"x-sluice-arm", record.arm.encode()),
        (b"x-sluice-model", record.model.name.encode()),
    ]
    if record.cache is not None:
        headers.append((b"x-sluice-cache", record.cache.encode()))
    if record.fell_back:
        headers.append((b"x-sluice-outcome", Outcome.FALLBACK.encode()))
    return headers


def _outcome(answer: Answer, record: Record) -> Outcome:
    outcome = outcome_of_status(answer.status)
    return Outcome.FALLBACK if outcome is Outcome.OK and record.fell_back else outcome


async def _start(status: int, headers: list[tuple[bytes, bytes]], record: Record, send: Send) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    # Not before: where the server refuses a header, nothing was sent, and the caller can still be told what happened.
    record.answer_began = True
    record.status = status


def _answer_headers(answer: Answer) -> list[tuple[bytes, bytes]]:
    # A header that Connection names is meant for the next hop alone.
    named = {
        token.strip().lower() for name, value in answer.headers if name == b"connection" for token in value.split(b",")
    }
    return [
        (name, value)
        for name, value in answer.headers
        if name not in _DROPPED_ANSWER_HEADERS and name not in named and not name.startswith(b"x-sluice-")
    ]
