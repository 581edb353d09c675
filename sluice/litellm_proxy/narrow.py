"""Lets through to LiteLLM what the gateway sends and the kubelet asks, and nothing else.

LiteLLM serves hundreds of paths beside the chat: keys, users, teams, models, spend, a user interface, passes to any
path of a provider. Some can be switched off, most by an enterprise licence alone, so none of them is reached: what is
not named here is 404 before LiteLLM sees it. A field of a body that is not one of OpenAI's is refused too, because
LiteLLM takes orders by such fields: `mock_response` has it answer what the caller says, and made failures would drive
a rollout.
"""

from __future__ import annotations

import hmac
import json
from typing import Final

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CHAT: Final = ("POST", "/v1/chat/completions")
HEALTH: Final = (("GET", "/health/liveliness"), ("GET", "/health/readiness"))

FIELDS: Final = frozenset(
    {
        "audio",
        "frequency_penalty",
        "function_call",
        "functions",
        "logit_bias",
        "logprobs",
        "max_completion_tokens",
        "max_tokens",
        "messages",
        "metadata",
        "modalities",
        "model",
        "n",
        "parallel_tool_calls",
        "prediction",
        "presence_penalty",
        "prompt_cache_key",
        "reasoning_effort",
        "response_format",
        "safety_identifier",
        "seed",
        "service_tier",
        "stop",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "user",
        "verbosity",
        "web_search_options",
    }
)
"""The fields of OpenAI's chat API: https://platform.openai.com/docs/api-reference/chat/create."""

_TAKES_ORDERS: Final = frozenset({"metadata"})
"""Those of them that LiteLLM reads for settings of its own, and that no provider needs for an answer: left out."""

_MOST_BYTES: Final = 32 * 2**20


class Narrow:
    """An ASGI application around LiteLLM's, for whoever has its key."""

    def __init__(self, litellm: ASGIApp, key: str) -> None:
        self._litellm = litellm
        self._authorization = f"Bearer {key}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what is not let through, and hand on the rest."""
        if scope["type"] == "lifespan" or _asked(scope) in HEALTH:
            await self._litellm(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif _asked(scope) == CHAT:
            if self._has_the_key(scope):
                await self._chat(scope, receive, send)
            else:
                await _refusal(401, "the key is not the one of this LiteLLM")(scope, receive, send)
        else:
            await _refusal(404, "nothing is here but the chat API")(scope, receive, send)

    def _has_the_key(self, scope: Scope) -> bool:
        sent = [value for name, value in scope["headers"] if name == b"authorization"]
        return len(sent) == 1 and hmac.compare_digest(sent[0], self._authorization)

    async def _chat(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = _checked(await _whole(receive))
        except _Refused as refused:
            await _refusal(refused.status, str(refused))(scope, receive, send)
            return
        length = str(len(body)).encode()
        headers = [pair for pair in scope["headers"] if pair[0] not in (b"content-length", b"transfer-encoding")]
        narrowed = {**scope, "headers": [*headers, (b"content-length", length)], "query_string": b""}
        told = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def replay() -> Message:
            # After the body, whoever asks waits for the caller to leave.
            return next(told, None) or await receive()

        await self._litellm(narrowed, replay, send)


class _Refused(Exception):
    def __init__(self, status: int, why: str) -> None:
        self.status = status
        super().__init__(why)


async def _whole(receive: Receive) -> bytes:
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Refused(400, "the body did not arrive whole")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > _MOST_BYTES:
            raise _Refused(413, f"the body has more than {_MOST_BYTES} bytes")
        if not message.get("more_body", False):
            return b"".join(parts)


def _checked(body: bytes) -> bytes:
    """Return the body as LiteLLM may see it: written anew, so that both read the same of a field that stands twice."""
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        raise _Refused(400, "the body is no JSON") from None
    if not isinstance(asked, dict):
        raise _Refused(400, "the body is no JSON object")
    strange = sorted(asked.keys() - FIELDS)
    if strange:
        raise _Refused(400, f"{json.dumps(strange[0][:60])} is no field of OpenAI's chat API")
    return json.dumps({name: value for name, value in asked.items() if name not in _TAKES_ORDERS}).encode()


def _asked(scope: Scope) -> tuple[str, str]:
    return (scope.get("method", ""), scope["path"]) if scope["type"] == "http" else ("", "")


def _refusal(status: int, why: str) -> JSONResponse:
    error = {"message": why, "type": "invalid_request_error", "param": None, "code": None}
    return JSONResponse({"error": error}, status_code=status)
