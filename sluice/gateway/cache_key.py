"""Which requests may be answered by an answer given before, and what two of them must have in common for it.

All that shapes an answer is in the key: who serves, who asks, and the body but for what only says how it is delivered.
A user is who the request names; a team's key alone stands for many people, who must not see each other's answers.
"""

from __future__ import annotations

import json
from hashlib import sha256

import orjson
from starlette.types import Scope

from sluice.gateway.assignment import Assignment
from sluice.gateway.chat_request import ChatRequest
from sluice.gateway.user_key import named_user

BODY_LIMIT_BYTES = 64 * 1024
_FORM = 1
"""Of what is kept. Another number, and nothing kept before is found."""

_NOT_IN_KEY = frozenset({"model", "user", "metadata", "stream", "stream_options"})
_SHAPING_HEADERS = (b"anthropic-beta", b"openai-beta")
# What does something else beside answering, asks for what is new, or wants more than a text.
_NEVER_WITH = ("tools", "functions", "web_search_options", "store", "logprobs")
_TOOL_ROLES = ("tool", "function")
_FRESH = (b"no-store", b"no-cache")
_MOST_OBJECTS = 2000
"""What is looked through for names that stand twice within a millisecond."""


def cache_key(
    chat: ChatRequest, scope: Scope, assignment: Assignment, caller: str | None, *, across_users: bool
) -> str | None:
    """Return the key of a request's answer, 64 hexadecimal digits; None where the request wants an answer of its own.

    `caller` is the team whose key came with it: the same name in two teams is two users.
    """
    user = named_user(chat, scope)
    if not across_users and user is None:
        return None
    if len(chat.before_model) + len(chat.after_model) > BODY_LIMIT_BYTES or _wants_its_own(chat, scope):
        return None
    if across_users and _is_ambiguous(chat):
        return None
    model = assignment.models[0]
    served_by = [chat.agent, assignment.arm, model.name, model.provider.name, model.id]
    asked_by = None if across_users else [caller, user]
    headers = [[name.decode(), value.hex()] for name, value in scope["headers"] if name in _SHAPING_HEADERS]
    body = {name: value for name, value in chat.document.items() if name not in _NOT_IN_KEY}
    try:
        whole = orjson.dumps([_FORM, served_by, asked_by, headers, body], option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        return None  # nested more deeply than can be written
    return sha256(whole).hexdigest()


def _wants_its_own(chat: ChatRequest, scope: Scope) -> bool:
    document = chat.document
    temperature = document.get("temperature")
    return (
        any(document.get(name) for name in _NEVER_WITH)
        or document.get("n") not in (None, 1)
        # Who sets one above 0 asks for chance. Who leaves it out asks for whatever the model does.
        or (temperature is not None and temperature != 0)
        or any(_is_of_a_tool(message) for message in document["messages"])
        or any(
            name == b"cache-control" and any(word in value.lower() for word in _FRESH)
            for name, value in scope["headers"]
        )
    )


def _is_of_a_tool(message: object) -> bool:
    return isinstance(message, dict) and (message.get("role") in _TOOL_ROLES or bool(message.get("tool_calls")))


def _is_ambiguous(chat: ChatRequest) -> bool:
    """Whether an object of the body has a name twice: which one counts is every reader's own choice.

    A user could have the question that a provider reads answered to others, whose question is the one read here.
    """
    body = chat.body_for("")
    if body.count(b"{") > _MOST_OBJECTS:
        return True
    try:
        json.loads(body, object_pairs_hook=_no_name_twice)
    except (_NameTwice, RecursionError):
        return True
    return False


class _NameTwice(Exception):
    pass


def _no_name_twice(pairs: list[tuple[str, object]]) -> None:
    if len(dict(pairs)) != len(pairs):
        raise _NameTwice
