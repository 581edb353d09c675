"""The caller's request: read whole, checked for what no request can lack, and kept as the bytes it came in.

The one thing replaced is the value of `model`, in place: a provider gets every other byte as the caller wrote it, down
to number formats, order and white space, which a parse and dump would not keep.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import orjson
from starlette.types import Receive, Scope

from sluice.gateway.caller import CallerLeft
from sluice.gateway.refusals import BodyEncoded, BodyNotJson, BodyTooLarge, FieldInvalid

BODY_LIMIT_BYTES = 4 * 1024**2

# In JSON, an unescaped `"model"` that follows a brace, a comma or white space and precedes a colon is a key, never the
# inside of a text, where its quotes would be escaped. At which depth it stands, the probe in `_split` finds out.
_MODEL_KEY = re.compile(rb'(?<=[{,\s])("model"\s*:\s*)("(?:[^"\\]|\\.)*")')
_MOST_KEYS_TRIED = 4
_PROBE = b'"probe":'


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A chat completion as asked. `user` is the body's own, if it has one."""

    agent: str
    user: str | None
    before_model: bytes
    after_model: bytes

    def body_for(self, model_id: str) -> bytes:
        """Return the body that asks `model_id`."""
        return b"".join((self.before_model, orjson.dumps(model_id), self.after_model))


async def read_chat_request(scope: Scope, receive: Receive) -> ChatRequest:
    """Read and check the body.

    Raises BodyTooLarge, BodyEncoded, BodyNotJson or FieldInvalid, and CallerLeft.
    """
    headers = dict(scope["headers"])
    encoding = headers.get(b"content-encoding", b"identity").decode("latin-1").lower()
    if encoding != "identity":
        raise BodyEncoded(encoding)
    return parse_chat_request(await _read_body(headers, receive))


def parse_chat_request(body: bytes) -> ChatRequest:
    """Check the body of a chat completion and find the place of its model.

    Raises BodyNotJson or FieldInvalid.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BodyNotJson(str(error)) from error
    if not isinstance(document, dict):
        raise BodyNotJson(f"this is a JSON {type(document).__name__}")
    agent = document.get("model")
    if not isinstance(agent, str) or not agent:
        raise FieldInvalid("model", "the name of an agent")
    messages = document.get("messages")
    if not isinstance(messages, list) or not messages:
        raise FieldInvalid("messages", "a list with at least one message")
    user = document.get("user")
    if not (user is None or isinstance(user, str)):
        raise FieldInvalid("user", "a text")
    before, after = _split(body, document)
    return ChatRequest(agent, user, before, after)


async def _read_body(headers: dict[bytes, bytes], receive: Receive) -> bytes:
    length = headers.get(b"content-length", b"0")
    if length.isdigit() and int(length) > BODY_LIMIT_BYTES:
        raise BodyTooLarge(BODY_LIMIT_BYTES)
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise CallerLeft
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > BODY_LIMIT_BYTES:
            raise BodyTooLarge(BODY_LIMIT_BYTES)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _split(body: bytes, document: dict[str, object]) -> tuple[bytes, bytes]:
    """Return what stands before and after the value of the top-level `model`.

    Each key that may be it is renamed for a probe: it is the one, and the only one, if the top level then has no
    `model` any more. That also finds a second `model`, however it is spelled; left in place it would let a caller
    name a model to those providers that read the first of two. Such a body is written anew instead.
    """
    for number, match in enumerate(_MODEL_KEY.finditer(body)):
        if number == _MOST_KEYS_TRIED:
            break
        probed = orjson.loads(b"".join((body[: match.start()], _PROBE, body[match.start(2) :])))
        if "model" not in probed:
            return body[: match.start(2)], body[match.end(2) :]
    rest = orjson.dumps({name: value for name, value in document.items() if name != "model"})
    return b'{"model":', b"," + rest[1:]
