"""Asks one model of one provider: the request in its dialect, with the gateway's key, over pooled connections.

What comes back is an answer in OpenAI's shape, a provider's own errors among them, or the refusal that the caller gets
if nobody else is asked. A stream counts as an answer from its first piece of content on. Which model is asked, and what
happens after a failure, is for `failover.py`.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
from starlette.types import Scope
from yarl import URL

from sluice.gateway.chat_request import ChatRequest
from sluice.gateway.configuration import Model, Provider
from sluice.gateway.keys import KeyRing
from sluice.gateway.operations import Operation, Operations, error_of_status
from sluice.gateway.providers import DIALECTS, StreamReader
from sluice.gateway.providers.dialect import AnswerUnusable
from sluice.gateway.refusals import (
    KeyMissing,
    ProviderAnswerUnusable,
    ProviderRefusedKey,
    ProviderTooSlow,
    ProviderUnreachable,
    Refusal,
)
from sluice.gateway.tracing import TRACE_HEADERS
from sluice.gateway.usage import Usage, estimated_usage

ANSWER_LIMIT_BYTES = 32 * 1024**2
_LIMIT_BEFORE_CONTENT_BYTES = 1024**2

# What may go to a provider is listed, not what may not: a header nobody thought of (a cookie, a user's name, another
# service's key) must not leave the house. Authorization is ours alone.
_FORWARDED_REQUEST_HEADERS = frozenset(
    {
        b"accept",
        b"anthropic-beta",
        b"content-type",
        b"idempotency-key",
        b"openai-beta",
        b"traceparent",
        b"tracestate",
        b"user-agent",
        b"x-request-id",
    }
)
# What may not stand in a header (RFC 9110, 5.5). Servers let some of it in; to send it on would be an error of ours.
_UNSENDABLE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_JSON = (b"content-type", b"application/json")


@dataclass(slots=True)
class Answer:
    """What a provider answered: `body` whole, or None while it is a stream of events to be read by `chunks`."""

    model: Model
    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes | None
    stated_usage: Usage | None
    _chat: ChatRequest
    _operation: Operation
    _response: aiohttp.ClientResponse
    _silence_seconds: float
    _reader: StreamReader | None = None
    _begun: bytes = b""
    broke: bool = False
    """A stream that did not come to its end."""

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give the stream's events as they come.

        Raises ProviderUnreachable, ProviderTooSlow or ProviderAnswerUnusable where it breaks.
        """
        assert self._reader is not None, "only a stream has chunks"  # noqa: S101
        try:
            yield self._begun
            async for chunk in self._response.content.iter_any():
                events = self._reader.feed(chunk)
                if events:
                    yield events
            rest = self._reader.finish()
            if rest:
                yield rest
        except (aiohttp.ClientError, TimeoutError, AnswerUnusable) as error:
            self.broke = True
            raise _refusal(self.model.provider, error, self._silence_seconds) from error

    def usage(self) -> Usage | None:
        """Return what the answer took, as far as it came."""
        if self._reader is None:
            return self.stated_usage
        return self._reader.usage or estimated_usage(self._chat.document["messages"], self._reader.events)

    def close(self) -> None:
        """Give the connection back, or close it if there is more to come: that stops the provider's work."""
        self._operation.end(self.usage(), "stream_broke" if self.broke else error_of_status(self.status))
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()


class Upstream:
    """All providers. `open` and `close` frame its use, inside the running loop."""

    def __init__(
        self, keys: KeyRing, operations: Operations, *, connect_timeout_seconds: float, silence_timeout_seconds: float
    ) -> None:
        self._keys = keys
        self._operations = operations
        self._connect_seconds = connect_timeout_seconds
        self._silence_seconds = silence_timeout_seconds
        self._addresses: dict[str, URL] = {}
        self._pooled: aiohttp.ClientSession | None = None
        self._fresh: aiohttp.ClientSession | None = None

    def open(self) -> None:
        """Make the pool of connections, and what makes a new one each time."""
        self._pooled = self._session(aiohttp.TCPConnector(limit=0))  # no queue here that nobody sees
        self._fresh = self._session(aiohttp.TCPConnector(limit=0, force_close=True))

    async def close(self) -> None:
        """Close every connection."""
        for session in (self._pooled, self._fresh):
            if session is not None:
                await session.close()

    async def call(self, model: Model, chat: ChatRequest, scope: Scope) -> Answer:
        """Ask `model` and return its answer, read whole, or up to its first piece of content if it is a stream.

        Raises KeyMissing, ProviderUnreachable, ProviderTooSlow, ProviderRefusedKey or ProviderAnswerUnusable, and
        what the dialect refuses to ask.
        """
        provider = model.provider
        key = self._keys.get(provider.key)
        if key is None:
            raise KeyMissing(provider.name)
        operation = self._operations.begin(model, scope)
        try:
            return await self._call(model, key, chat, scope, operation)
        except BaseException as error:
            operation.end(error_type=_error_type(error))
            raise

    async def _call(self, model: Model, key: str, chat: ChatRequest, scope: Scope, operation: Operation) -> Answer:
        try:
            return await self._ask(model, key, chat, scope, operation)
        except ProviderRefusedKey:
            # While keys are replaced, the old one may be refused before the new one was read.
            other = await self._keys.another(model.provider.key, refused=key)
            if other is None:
                raise
            return await self._ask(model, other, chat, scope, operation)

    async def _ask(self, model: Model, key: str, chat: ChatRequest, scope: Scope, operation: Operation) -> Answer:
        provider = model.provider
        dialect = DIALECTS[provider.dialect]
        traced = operation.headers()
        headers = [
            (name.decode("ascii"), value.decode("latin-1"))
            for name, value in scope["headers"]
            if name in _FORWARDED_REQUEST_HEADERS
            and not (traced and name in TRACE_HEADERS)
            and not _UNSENDABLE.search(value)
        ]
        headers += traced.items()
        headers += dialect.headers(key)
        body = dialect.request(chat, model)
        try:
            response = await self._post(self._address(provider, dialect.path), body, headers)
            try:
                return await self._answer(model, chat, response, operation)
            except BaseException:
                response.close()
                raise
        except (aiohttp.ClientError, TimeoutError, AnswerUnusable) as error:
            seconds = (
                self._connect_seconds if isinstance(error, aiohttp.ConnectionTimeoutError) else self._silence_seconds
            )
            raise _refusal(provider, error, seconds) from error

    async def _post(self, address: URL, body: bytes, headers: list[tuple[str, str]]) -> aiohttp.ClientResponse:
        assert self._pooled is not None and self._fresh is not None, "open() comes first"  # noqa: S101, PT018
        try:
            return await self._pooled.post(address, data=body, headers=headers, allow_redirects=False)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            if isinstance(error, aiohttp.ClientConnectorError | TimeoutError):
                raise
            # A kept connection that the provider was just closing: it has answered nothing, so it may be asked once
            # more, on a connection that is certainly new.
            return await self._fresh.post(address, data=body, headers=headers, allow_redirects=False)

    async def _answer(
        self, model: Model, chat: ChatRequest, response: aiohttp.ClientResponse, operation: Operation
    ) -> Answer:
        provider, status = model.provider, response.status
        if status in (401, 403):
            raise ProviderRefusedKey(provider.name, status)
        if status < 200 or 300 <= status < 400 or status > 599:
            raise AnswerUnusable(f"its status is {status}")
        dialect = DIALECTS[provider.dialect]
        headers = tuple((name.lower(), value) for name, value in response.raw_headers if not _UNSENDABLE.search(value))
        streams = response.content_type == "text/event-stream"
        if status < 300 and streams != chat.streams:
            raise AnswerUnusable("it is a stream, unasked" if streams else "it is no stream of events")
        if status < 300 and streams:
            reader = dialect.reader(chat, model)
            begun = await _beginning(response, reader)
            return Answer(
                model, status, headers, None, None, chat, operation, response, self._silence_seconds, reader, begun
            )
        body = await _read(response)
        usage = None
        if status < 300:
            body, usage = dialect.answer(body, model)
        else:
            body = dialect.error(status, body)
            headers = (*(pair for pair in headers if pair[0] != b"content-type"), _JSON)
        return Answer(model, status, headers, body, usage, chat, operation, response, self._silence_seconds)

    def _session(self, connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),  # a provider's cookie for one caller is none of another's
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=self._connect_seconds, sock_read=self._silence_seconds
            ),
            # Pieces of a compressed stream would wait for each other.
            headers={"Accept-Encoding": "identity"},
        )

    def _address(self, provider: Provider, path: str) -> URL:
        address = self._addresses.get(provider.name)
        if address is None:
            address = self._addresses[provider.name] = URL(f"{provider.api}{path}")
        return address


def _error_type(error: BaseException) -> str:
    if isinstance(error, Refusal):
        return error.code
    return "cancelled" if isinstance(error, asyncio.CancelledError) else "_OTHER"  # its time is up, or its caller left


async def _beginning(response: aiohttp.ClientResponse, reader: StreamReader) -> bytes:
    """Return what comes up to the first piece of content: until then, another model can still be asked instead."""
    begun = b""
    async for chunk in response.content.iter_any():
        begun += reader.feed(chunk)
        if reader.began:
            return begun
        if len(begun) > _LIMIT_BEFORE_CONTENT_BYTES:
            raise AnswerUnusable("its stream has no content")
    return begun + reader.finish()


async def _read(response: aiohttp.ClientResponse) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > ANSWER_LIMIT_BYTES:
            raise AnswerUnusable(f"it is larger than {ANSWER_LIMIT_BYTES // 1024**2} MiB")
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _refusal(provider: Provider, error: Exception, seconds: float) -> Refusal:
    """Say what happened without the address, which is not the caller's to know."""
    if isinstance(error, AnswerUnusable):
        return ProviderAnswerUnusable(provider.name, str(error))
    if isinstance(error, TimeoutError):
        return ProviderTooSlow(provider.name, seconds)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return ProviderUnreachable(provider.name, "no connection (its name cannot be resolved)")
    if isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno
        what = os.strerror(number) if number and number > 0 else type(error).__name__
        return ProviderUnreachable(provider.name, f"no connection ({what})")
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientPayloadError | aiohttp.ClientOSError):
        return ProviderUnreachable(provider.name, "the connection broke off")
    return ProviderUnreachable(provider.name, type(error).__name__)
