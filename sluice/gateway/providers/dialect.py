"""The seam between the gateway and what a provider speaks: requests go out and answers come in through it.

Everything inside of it is OpenAI's. A dialect does no input or output of its own and keeps nothing between requests; a
stream has a reader of its own.
"""

from __future__ import annotations

from typing import Protocol

import orjson

from sluice.gateway.chat_request import ChatRequest
from sluice.gateway.configuration import Model
from sluice.gateway.usage import Usage


class AnswerUnusable(Exception):
    """What came is not an answer: garbage, an error in the middle, an end before the end. Its text says what."""


def error_of(status: int, kind: str = "api_error", message: str | None = None) -> bytes:
    """Return the body of an error in OpenAI's shape; without a message, that of a provider which gave no reason."""
    said = message or f"The provider answered with status {status}."
    return orjson.dumps({"error": {"message": said, "type": kind, "param": None, "code": kind}})


class StreamReader(Protocol):
    """Reads one stream of events as it comes, and gives it out as OpenAI's."""

    @property
    def began(self) -> bool:
        """Whether something of the answer itself has come: a text, a tool call, or why it has ended."""

    @property
    def usage(self) -> Usage | None:
        """What the provider has said about tokens so far."""

    @property
    def events(self) -> int:
        """How many events with a piece of the answer have come."""

    def feed(self, chunk: bytes) -> bytes:
        """Take a piece, wherever it was cut, and return whole events for the caller. Raises AnswerUnusable."""

    def finish(self) -> bytes:
        """Return what is left when the provider has ended. Raises AnswerUnusable where the answer has not."""


class Dialect(Protocol):
    """How one kind of provider is asked and understood."""

    path: str
    """What is appended to a provider's address."""

    def headers(self, key: str) -> tuple[tuple[str, str], ...]:
        """Return the headers that a request needs, the key's among them."""

    def request(self, chat: ChatRequest, model: Model) -> bytes:
        """Return the body that asks `model`. Raises a Refusal where it cannot be asked this."""

    def answer(self, body: bytes, model: Model) -> tuple[bytes, Usage | None]:
        """Return the body of a good answer as OpenAI's, and its usage. Raises AnswerUnusable."""

    def error(self, status: int, body: bytes) -> bytes:
        """Return the body of an error as OpenAI's: JSON, whatever came."""

    def reader(self, chat: ChatRequest, model: Model) -> StreamReader:
        """Return what reads the stream that answers `chat`."""
