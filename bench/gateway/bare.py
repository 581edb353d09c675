"""`python -m bench.gateway.bare`: as little as a gateway in Python can do, for what a machine makes of that.

It draws an arm as flagd does, forwards the body by aiohttp's client and counts for Prometheus, on Starlette and
uvicorn: no key, no limit, no cache, no fall-back, no log. What ours takes longer is what all of those cost.
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import orjson
import uvicorn
from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext
from prometheus_client import Counter, Histogram
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

PORT, STUB = "SLUICE_BENCH_PORT", "SLUICE_BENCH_STUB"
_ARMS = ["candidate", "baseline"]
_FLAG = {
    "state": "ENABLED",
    "variants": {arm: {"models": ["gpt-4o"]} for arm in _ARMS},
    "defaultVariant": "baseline",
    "targeting": {"fractional": [{"var": "targetingKey"}, [_ARMS[0], 10], [_ARMS[1], 90]]},
}


def create_app(stub: str) -> Starlette:
    """Make the app; what it is asked it asks of the provider at `stub`."""
    flags = FlagdCore()
    flags.set_flags(orjson.dumps({"flags": {"qa": _FLAG}}).decode())
    requests, seconds = Counter("bare_requests", "Requests.", ["variant"]), Histogram("bare_seconds", "Their time.")
    headers = {"Authorization": "Bearer made-for-the-benchmark", "Content-Type": "application/json"}

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with aiohttp.ClientSession(headers=headers) as session:
            app.state.session = session
            yield

    async def chat(request: Request) -> Response:
        began = time.perf_counter()
        document = orjson.loads(await request.body())
        drawn = flags.resolve_object_value("qa", {}, EvaluationContext(document["user"]))
        assert isinstance(drawn.value, dict)
        document["model"] = drawn.value["models"][0]
        body = orjson.dumps(document)
        async with request.app.state.session.post(f"{stub}/openai/v1/chat/completions", data=body) as answer:
            said = await answer.read()
        requests.labels(drawn.variant).inc()
        seconds.observe(time.perf_counter() - began)
        return Response(said, answer.status, media_type="application/json")

    async def ready(_request: Request) -> Response:
        return PlainTextResponse("ready\n")

    routes = [Route("/v1/chat/completions", chat, methods=["POST"]), Route("/readyz", ready)]
    return Starlette(routes=routes, lifespan=lifespan)


if __name__ == "__main__":
    uvicorn.run(
        create_app(os.environ[STUB]), host="127.0.0.1", port=int(os.environ[PORT]), log_level="error", access_log=False
    )
