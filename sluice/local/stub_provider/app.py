"""The stub provider as an ASGI application: the chat API below each provider's prefix, and the controls.

The prefixes are the ends of the addresses in an environment's settings; what is behind them is one and the same.
"""

from __future__ import annotations

import time
from itertools import count

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sluice.local.stub_provider.behaviour import Behaviour
from sluice.local.stub_provider.chat import ChatCompletions, bearer_key
from sluice.local.stub_provider.controls import Controls
from sluice.local.stub_provider.messages import Messages
from sluice.local.stub_provider.refusals import StubRefusal
from sluice.local.stub_provider.request_log import RequestLog

PREFIXES = ("/mistral/v1", "/openai/v1", "/anthropic/v1", "/v1")


def create_app() -> Starlette:
    """Make a stub with every dial at its default."""
    behaviour, log = Behaviour(), RequestLog()
    chat, messages = WithOwnId(ChatCompletions(behaviour, log)), WithOwnId(Messages(behaviour, log))
    started = int(time.time())

    async def models(request: Request) -> Response:
        bearer_key(request)
        known = {*log.models(), *behaviour.named()}
        listed = [
            {"id": name, "object": "model", "created": started, "owned_by": "sluice-stub"}
            for name in sorted(known)
            if behaviour.dials(name).exists
        ]
        return Response(orjson.dumps({"object": "list", "data": listed}), media_type="application/json")

    async def healthz(_request: Request) -> Response:
        return PlainTextResponse("alive\n")

    routes: list[BaseRoute] = [Route("/healthz", healthz), Mount("/control", routes=Controls(behaviour, log).routes())]
    for prefix in PREFIXES:
        routes.append(Route(f"{prefix}/messages", messages, methods=["POST"]))
        routes.append(Route(f"{prefix}/chat/completions", chat, methods=["POST"]))
        routes.append(Route(f"{prefix}/models", models, methods=["GET"]))
    return Starlette(routes=routes, exception_handlers={StubRefusal: _refused, HTTPException: _no_route})


class WithOwnId:
    """Gives every answer an id of the provider's own, as providers do."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._numbers = count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        own = b"stub-%d" % next(self._numbers)

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", own)]
            await send(message)

        await self._app(scope, receive, send_with_id)


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, StubRefusal)  # noqa: S101 -- registered for this class alone
    return Response(error.body(), error.status, media_type="application/json")


async def _no_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 -- registered for this class alone
    message = f"Unknown request: {request.method} {request.url.path}."
    refusal = StubRefusal(error.status_code, "invalid_request_error", "unknown_url", message)
    return Response(refusal.body(), refusal.status, error.headers, media_type="application/json")
