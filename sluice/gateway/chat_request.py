"""The caller's request, checked for what no request can lack, and kept as the bytes it came in.

The one thing replaced is the value of `model`, in place: a provider gets every other byte as the caller wrote it, down
to number formats, order and white space, which a parse and dump would not keep. How the bytes arrive is for
`request_body.py`.
"""

from __future__ import annotations

import gc
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from sluice.gateway.model_place import place_of_model
from sluice.gateway.refusals import BodyNotJson, BodyTooDeep, FieldInvalid

_LARGE_BYTES = 64 * 1024
_LONGEST_AGENT = 256
_MOST_BRACKETS = 250_000
"""A long conversation has thousands; 4 MB of empty lists would stop the process for a quarter of a second."""


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A chat completion as asked. `user` is the body's own, if it has one; `document` is not to be changed."""

    agent: str
    user: str | None
    streams: bool
    document: Mapping[str, Any]
    before_model: bytes
    after_model: bytes

    def body_for(self, model_id: str) -> bytes:
        """Return the body that asks `model_id`."""
        return b"".join((self.before_model, orjson.dumps(model_id), self.after_model))


def parse_chat_request(body: bytes) -> ChatRequest:
    """Check the body of a chat completion and find the place of its model.

    Raises BodyNotJson, BodyTooDeep or FieldInvalid.
    """
    document = _parsed(body)
    if not isinstance(document, dict):
        raise BodyNotJson(f"this is a JSON {type(document).__name__}")
    agent = document.get("model")
    if not isinstance(agent, str) or not 0 < len(agent) <= _LONGEST_AGENT:
        raise FieldInvalid("model", "the name of an agent")
    messages = document.get("messages")
    if not isinstance(messages, list) or not messages:
        raise FieldInvalid("messages", "a list with at least one message")
    user = document.get("user")
    if not (user is None or isinstance(user, str)):
        raise FieldInvalid("user", "a text")
    streams = document.get("stream")
    if not (streams is None or isinstance(streams, bool)):
        raise FieldInvalid("stream", "true or false")
    before, after = _split(body, document)
    return ChatRequest(agent, user, bool(streams), document, before, after)


def dumped(document: Mapping[str, Any]) -> bytes:
    """Write a document that was changed anew.

    Raises BodyTooDeep: what may be read is nested more deeply than what can be written.
    """
    try:
        return orjson.dumps(document)
    except orjson.JSONEncodeError as error:
        raise BodyTooDeep from error


def _parsed(body: bytes) -> object:
    # Parsing makes no garbage. Looking for some, again and again while millions of lists come into being, took ten
    # times as long as the parsing.
    large = len(body) > _LARGE_BYTES
    if large and body.count(b"[") + body.count(b"{") > _MOST_BRACKETS:
        raise BodyTooDeep
    paused = large and gc.isenabled()
    if paused:
        gc.disable()
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if "depth" in str(error) or "ecursion" in str(error):
            raise BodyTooDeep from error
        raise BodyNotJson(str(error)) from error
    finally:
        if paused:
            gc.enable()


def _split(body: bytes, document: dict[str, Any]) -> tuple[bytes, bytes]:
    """Return what stands before and after the value of the top-level `model`, or would, were the body written anew."""
    place = place_of_model(body)
    if place is not None:
        return body[: place[0]], body[place[1] :]
    rest = dumped({name: value for name, value in document.items() if name != "model"})
    return b'{"model":', b"," + rest[1:]
