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
    named = named_user(chat, scope)
    if named is not None:
        return named
    scheme, _, key = dict(scope["headers"]).get(b"authorization", b"").partition(b" ")
    key = key.strip()
    if scheme.lower() == b"bearer" and key:
        return f"key:{hashlib.sha256(key).hexdigest()}"
    return None


def named_user(chat: ChatRequest, scope: Scope) -> str | None:
    """Return the user that a request names by itself; a key that it came with may be many users'."""
    if chat.user and not chat.user.isspace():
        return chat.user
    named = _text(dict(scope["headers"]).get(b"x-user-id", b""))
    return named if named and not named.isspace() else None


def _text(value: bytes) -> str:
    # The same name in a header and in a body is the same user, so a header is UTF-8 where it can be.
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")
