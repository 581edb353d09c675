"""The dials of the stub over HTTP, while it runs: see, set and reset them, and see what was asked.

Open to whoever reaches it, as nothing real is behind it. What is wrong in a request is said in one 400.
"""

from __future__ import annotations

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sluice.local.stub_provider.behaviour import Behaviour, Dials, DialsInvalid, read_dials
from sluice.local.stub_provider.request_log import RequestLog


class Controls:
    """The routes below /control."""

    def __init__(self, behaviour: Behaviour, log: RequestLog) -> None:
        self._behaviour = behaviour
        self._log = log

    def routes(self) -> list[Route]:
        """Return the routes, for a mount at /control."""
        return [
            Route("/models", self._show, methods=["GET"]),
            Route("/models/{model:path}", self._put, methods=["PUT"]),
            Route("/models/{model:path}", self._reset_one, methods=["DELETE"]),
            Route("/default", self._put_default, methods=["PUT"]),
            Route("/default", self._reset_default, methods=["DELETE"]),
            Route("/models", self._reset, methods=["DELETE"]),
            Route("/requests", self._show_requests, methods=["GET"]),
            Route("/requests", self._reset_requests, methods=["DELETE"]),
        ]

    async def _show(self, _request: Request) -> Response:
        return _json(self._behaviour.shown())

    async def _put(self, request: Request) -> Response:
        dials = await _dials(request)
        if isinstance(dials, Response):
            return dials
        self._behaviour.put(request.path_params["model"], dials)
        return _json(self._behaviour.shown())

    async def _put_default(self, request: Request) -> Response:
        dials = await _dials(request)
        if isinstance(dials, Response):
            return dials
        self._behaviour.put_default(dials)
        return _json(self._behaviour.shown())

    async def _reset_one(self, request: Request) -> Response:
        self._behaviour.reset(request.path_params["model"])
        return _json(self._behaviour.shown())

    async def _reset_default(self, _request: Request) -> Response:
        self._behaviour.put_default(Dials())
        return _json(self._behaviour.shown())

    async def _reset(self, _request: Request) -> Response:
        self._behaviour.reset()
        return _json(self._behaviour.shown())

    async def _show_requests(self, _request: Request) -> Response:
        return _json(self._log.shown())

    async def _reset_requests(self, _request: Request) -> Response:
        self._log.reset()
        return _json(self._log.shown())


async def _dials(request: Request) -> Dials | Response:
    try:
        return read_dials(orjson.loads(await request.body()))
    except orjson.JSONDecodeError as error:
        return _json({"error": f"the body is not JSON: {error}"}, status=400)
    except DialsInvalid as error:
        return _json({"error": str(error)}, status=400)


def _json(document: object, status: int = 200) -> Response:
    return Response(orjson.dumps(document), status, media_type="application/json")
