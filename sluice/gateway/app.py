"""The gateway as an ASGI application: its routes, and what lives as long as it does.

`Gateway` puts the parts together; nothing else does. Health, models and refusals of unknown routes are here
because they are a few lines each; chat is `pipeline.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

import orjson
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from sluice.gateway.afterwards import Afterwards
from sluice.gateway.assignment import Assigner
from sluice.gateway.authentication import CallerKeys, CallerUnknown
from sluice.gateway.breaker import Breaker
from sluice.gateway.breaker_sharing import BreakerSharing
from sluice.gateway.cache import Cache
from sluice.gateway.certificate import Certificate
from sluice.gateway.cluster_watch import ClusterWatch
from sluice.gateway.configuration import Configuration
from sluice.gateway.failover import Failover
from sluice.gateway.flags import Flags
from sluice.gateway.judge import Judge
from sluice.gateway.key_ages import KeyAges
from sluice.gateway.keys import KeyRing
from sluice.gateway.live_flags import LiveFlags
from sluice.gateway.metrics import Metrics
from sluice.gateway.off_path import OffPath
from sluice.gateway.operations import Operations
from sluice.gateway.outcome import Arm
from sluice.gateway.pipeline import ChatCompletions
from sluice.gateway.process_settings import ProcessSettings
from sluice.gateway.rates import Rates
from sluice.gateway.refusals import MethodNotAllowed, Refusal, RouteUnknown
from sluice.gateway.request_id import WithRequestId
from sluice.gateway.seats import Seats
from sluice.gateway.spend import Spend
from sluice.gateway.store import SharedStore, connect
from sluice.gateway.thresholds import show_thresholds, thresholds_named
from sluice.gateway.tracing import ROUTE, tracing
from sluice.gateway.upstream import Upstream
from sluice.gateway.watched_file import refresh_forever

_FIRST_ANSWER_SECONDS = 2.0
"""How long a start waits for the API server to say what flags and override are."""

_OFF_PATH_SECONDS = 5.0
"""The longest that what follows the last answers may take: with the drain it stays below a pod's time to end."""


# Its client refuses a list of models without these.
_FOR_MISTRALS_CLIENT = {"type": "base", "capabilities": {"completion_chat": True, "function_calling": True}}


class Gateway:
    """One gateway: `app` answers, `metrics` counts, and `draining` may be set to take it out of service.

    `starlette` is the part of `app` that is no chat. `redis` stands in place of the one that the settings name.
    """

    def __init__(
        self,
        configuration: Configuration,
        settings: ProcessSettings,
        redis: Redis | None = None,
        metrics: CollectorRegistry | None = None,
    ) -> None:
        self.configuration = configuration
        goals = thresholds_named("p95_goal_seconds", configuration.thresholds)
        self.metrics = Metrics(configuration.agents, metrics, configuration.models, goals)
        show_thresholds(configuration.thresholds, self.metrics.registry)
        self.draining = False
        self.flags = Flags(configuration, self.metrics)
        self.live_flags = LiveFlags(settings.folder, self.flags, self.metrics, settings.flag_maps)
        self._watch = ClusterWatch(settings.cluster, self.live_flags) if settings.cluster else None
        if redis is None and settings.redis_url is not None:
            redis = connect(settings.redis_url, settings.folder / "keys" / "redis-password")
        self.store = SharedStore(configuration.environment, redis, self.metrics.registry)
        self.spend = Spend(configuration, self.store, self.metrics)
        self.keys = KeyRing(
            settings.folder / "keys",
            {name: provider.key for name, provider in configuration.providers.items()},
            self.metrics.registry,
        )
        self._certificate = (
            Certificate(settings.folder / "certificate" / "tls.crt", settings.certificate, self.metrics.registry)
            if settings.certificate
            else None
        )
        self._key_ages = KeyAges(self.keys, self.store, self.metrics.registry)
        self.tracing = tracing(settings.traces, configuration.environment)
        self._upstream = Upstream(
            self.keys,
            Operations(configuration.models.values(), self.tracing, self.metrics.registry),
            connect_timeout_seconds=settings.connect_timeout_seconds,
            silence_timeout_seconds=settings.silence_timeout_seconds,
        )
        rates = Rates(configuration, self.store, self.metrics, settings.replicas)
        self.breaker = Breaker()
        self._sharing = BreakerSharing(self.breaker, self.store, self._show_breaker)
        assigner = Assigner(configuration, self.flags)
        self.off_path = OffPath(self.metrics.registry)
        judge = Judge(
            configuration,
            self._upstream,
            rates,
            self.spend,
            self.off_path,
            self.metrics.registry,
            replicas=settings.replicas,
        )
        self.afterwards = Afterwards(configuration, self.flags, self.off_path, self.store, judge, self.metrics.registry)
        self.caller_keys = CallerKeys(settings.folder / "callers", configuration.callers)
        chat = ChatCompletions(
            configuration,
            self.caller_keys,
            assigner,
            Cache(configuration, self.store, self.off_path, self.metrics.registry),
            Failover(configuration, self._upstream, self.breaker, rates, self.metrics),
            self.metrics,
            self.afterwards,
            Seats(configuration.limits.at_once, configuration.limits.waiting, self.metrics),
            rates,
            self.spend,
            self.tracing,
            body_timeout_seconds=settings.body_timeout_seconds,
        )
        self.starlette = Starlette(
            routes=[
                Route(ROUTE, chat, methods=["POST"]),  # for other methods to be refused as such
                Route("/v1/models", self._models, methods=["GET"]),
                Route("/healthz", self._healthz, methods=["GET"]),
                Route("/readyz", self._readyz, methods=["GET"]),
            ],
            exception_handlers={HTTPException: _refuse_route},
            lifespan=self._lifespan,
        )
        self.starlette.router.redirect_slashes = False
        self.app: ASGIApp = WithRequestId(_ChatFirst(chat, self.starlette))

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        refreshes = [self.keys.refresh, self.caller_keys.refresh, self.live_flags.refresh]
        if self._certificate is not None:
            refreshes.append(self._certificate.refresh)
        for refresh in refreshes:
            refresh()
        await self.store.open()
        await self.spend.open()
        self._upstream.open()
        self.off_path.open()
        self._sharing.open()
        self._key_ages.open()
        await self.afterwards.users.open()
        tasks = [
            asyncio.create_task(refresh_forever(refreshes)),
            asyncio.create_task(self.afterwards.keeping.refresh_forever()),
        ]
        if self._watch is not None:
            tasks.append(asyncio.create_task(self._watch.run()))
            # A container that starts again in its pod finds what was mounted a minute ago: ask before answering by it.
            await self._watch.first_answers(_FIRST_ANSWER_SECONDS)
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            for task in tasks:
                with suppress(asyncio.CancelledError):
                    await task
            await self._sharing.close()
            await self._key_ages.close()
            await self.afterwards.users.close()
            await self.off_path.close(_OFF_PATH_SECONDS)
            await self.afterwards.keeping.refresh()
            await self._upstream.close()
            await self.tracing.close()
            await self.spend.close()
            await self.store.close()

    def _show_breaker(self) -> None:
        for agent in self.configuration.agents:
            flag = self.flags.flag(agent)
            if flag is not None:
                models = flag.models.get(Arm.CANDIDATE) or flag.models[Arm.BASELINE]
                self.metrics.breaker_open(agent, self.breaker.is_open(models[0]))

    async def _models(self, request: Request) -> Response:
        try:
            self.caller_keys.authenticate(dict(request.scope["headers"]))
        except CallerUnknown as refusal:
            return _refusal(refusal, {name.decode(): value.decode() for name, value in refusal.headers()})
        agents = self.configuration.agents.values()
        listed = [
            {
                "id": agent.name,
                "object": "model",
                "created": 0,
                "owned_by": "sluice",
                "description": agent.summary,
                **_FOR_MISTRALS_CLIENT,
            }
            for agent in agents
        ]
        return Response(orjson.dumps({"object": "list", "data": listed}), media_type="application/json")

    async def _healthz(self, _request: Request) -> Response:
        return PlainTextResponse("alive\n")

    async def _readyz(self, _request: Request) -> Response:
        if self.draining:
            return PlainTextResponse("not ready: shutting down\n", status_code=503)
        if self.flags.not_loaded_because:
            return PlainTextResponse(f"not ready: flags: {self.flags.not_loaded_because}\n", status_code=503)
        return PlainTextResponse("ready\n")


class _ChatFirst:
    """Hands chat completions to the pipeline at once: Starlette's layers would take a part of every request."""

    def __init__(self, chat: ASGIApp, others: ASGIApp) -> None:
        self._chat = chat
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        is_chat = scope["type"] == "http" and scope["path"] == ROUTE and scope["method"] == "POST"
        await (self._chat if is_chat else self._others)(scope, receive, send)


async def _refuse_route(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    kind = MethodNotAllowed if status == MethodNotAllowed.status else RouteUnknown
    refusal = kind(request.method, request.url.path)
    headers = error.headers if isinstance(error, HTTPException) else None
    return _refusal(refusal, headers)


def _refusal(refusal: Refusal, headers: Mapping[str, str] | None) -> Response:
    return Response(refusal.body(), refusal.status, headers, media_type="application/json")
