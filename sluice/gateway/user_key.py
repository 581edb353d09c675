"""Which user a request is for: the key that the arm is drawn by, in a documented order.

The body's `user`; else the header X-User-Id; else the caller's bearer key, hashed. The first that is there and is not
blank is taken exactly as it is, case and spaces included, because a key written differently is another draw. A request
with none of them has no user: it is never drawn at random.
"""

from __future__ import annotations

import hashlib

from starlette.types import Scope

from sluice.gateway.chat_request import ChatRequest


def user_key(chat: ChatRequest, scope: Scope) -> str | None:
    """Return the key of the request's user, or None where it names none."""
    if chat.user and not chat.user.isspace():
        return chat.user
    headers = dict(scope["headers"])
    named = _text(headers.get(b"x-user-id", b""))
    if named and not named.isspace():
        return named
    scheme, _, key = headers.get(b"authorization", b"").partition(b" ")
    key = key.strip()
    if scheme.lower() == b"bearer" and key:
        return f"key:{hashlib.sha256(key).hexdigest()}"
    return None


def _text(value: bytes) -> str:
    # The same name in a header and in a body is the same user, so a header is UTF-8 where it can be.
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")
