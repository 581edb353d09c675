"""Asks a provider: the request's body for one model, with the gateway's key, over pooled connections.

A provider's own errors are answers like others. What never became an answer is raised as the refusal that the caller
gets. Which model is asked, and what happens after a failure, is for others to decide.
"""

from __future__ import annotations

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
from sluice.gateway.refusals import (
    KeyMissing,
    ProviderAnswerUnusable,
    ProviderRefusedKey,
    ProviderTooSlow,
    ProviderUnreachable,
    Refusal,
)

ANSWER_LIMIT_BYTES = 32 * 1024**2

# What may go to a provider is listed, not what may not: a header nobody thought of (a cookie, a user's name, another
# service's key) must not leave the house. Authorization is ours alone.
_FORWARDED_REQUEST_HEADERS = frozenset(
    {
        b"accept",
        b"anthropic-beta",
        b"anthropic-version",
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


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider answered: `body` whole, or None while it is a stream of events to be read by `chunks`."""

    provider: Provider
    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes | None
    _response: aiohttp.ClientResponse
    _silence_seconds: float

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give the stream's pieces as they come.

        Raises ProviderUnreachable or ProviderTooSlow where it breaks.
        """
        try:
            async for chunk in self._response.content.iter_any():
                yield chunk
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _refusal(self.provider, error, self._silence_seconds) from error

    def close(self) -> None:
        """Give the connection back, or close it if there is more to come: that stops the provider's work."""
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()


class Upstream:
    """All providers. `open` and `close` frame its use, inside the running loop."""

    def __init__(self, keys: KeyRing, *, connect_timeout_seconds: float, silence_timeout_seconds: float) -> None:
        self._keys = keys
        self._connect_seconds = connect_timeout_seconds
        self._silence_seconds = silence_timeout_seconds
        self._addresses: dict[str, URL] = {}
        self._session: aiohttp.ClientSession | None = None

    def open(self) -> None:
        """Make the pool of connections."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),  # requests wait at the provider, not in a queue nobody sees
            cookie_jar=aiohttp.DummyCookieJar(),  # a provider's cookie for one caller is none of another's
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=self._connect_seconds, sock_read=self._silence_seconds
            ),
            # Pieces of a compressed stream would wait for each other.
            headers={"Accept-Encoding": "identity"},
        )

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    async def call(self, model: Model, chat: ChatRequest, scope: Scope) -> Answer:
        """Ask `model` and return its answer, read whole unless it is a stream of events.

        Raises KeyMissing, ProviderUnreachable, ProviderTooSlow, ProviderRefusedKey or ProviderAnswerUnusable.
        """
        assert self._session is not None, "open() comes first"  # noqa: S101
        provider = model.provider
        key = self._keys.get(provider.key)
        if key is None:
            raise KeyMissing(provider.name)
        headers = [
            (name.decode("ascii"), value.decode("latin-1"))
            for name, value in scope["headers"]
            if name in _FORWARDED_REQUEST_HEADERS and not _UNSENDABLE.search(value)
        ]
        headers.append(("authorization", f"Bearer {key}"))
        try:
            response = await self._session.post(
                self._address(provider), data=chat.body_for(model.id), headers=headers, allow_redirects=False
            )
            return await self._answer(provider, response)
        except (aiohttp.ClientError, TimeoutError) as error:
            seconds = (
                self._connect_seconds if isinstance(error, aiohttp.ConnectionTimeoutError) else self._silence_seconds
            )
            raise _refusal(provider, error, seconds) from error

    async def _answer(self, provider: Provider, response: aiohttp.ClientResponse) -> Answer:
        try:
            if response.status in (401, 403):
                raise ProviderRefusedKey(provider.name, response.status)
            if response.status < 200 or 300 <= response.status < 400 or response.status > 599:
                raise ProviderAnswerUnusable(provider.name, f"its status is {response.status}")
            streams = response.status < 300 and response.content_type == "text/event-stream"
            body = None if streams else await _read(provider, response)
        except BaseException:
            response.close()
            raise
        headers = tuple((name.lower(), value) for name, value in response.raw_headers)
        return Answer(provider, response.status, headers, body, response, self._silence_seconds)

    def _address(self, provider: Provider) -> URL:
        address = self._addresses.get(provider.name)
        if address is None:
            address = self._addresses[provider.name] = URL(f"{provider.api}/chat/completions")
        return address


async def _read(provider: Provider, response: aiohttp.ClientResponse) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > ANSWER_LIMIT_BYTES:
            raise ProviderAnswerUnusable(provider.name, f"it is larger than {ANSWER_LIMIT_BYTES // 1024**2} MiB")
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _refusal(provider: Provider, error: Exception, seconds: float) -> Refusal:
    """Say what happened without the address, which is not the caller's to know."""
    if isinstance(error, TimeoutError):
        return ProviderTooSlow(provider.name, seconds)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return ProviderUnreachable(provider.name, "no connection (its name cannot be resolved)")
    if isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno
        return ProviderUnreachable(
            provider.name, f"no connection ({os.strerror(number) if number and number > 0 else type(error).__name__})"
        )
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientPayloadError | aiohttp.ClientOSError):
        return ProviderUnreachable(provider.name, "the connection broke off")
    return ProviderUnreachable(provider.name, type(error).__name__)
