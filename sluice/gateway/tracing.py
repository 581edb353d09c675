"""Spans of requests and of the calls to providers, by OpenTelemetry's conventions, where a collector is named.

Without one nothing of OpenTelemetry is imported and a request pays for nothing; a caller's `traceparent` then goes to
the provider as it came. Batches are sent by a thread of their own, and what a collector does not take is lost, never
waited for. A span holds what the log line of a request does: no text of a message, no user, no key.
"""

from __future__ import annotations

import asyncio
import re
import threading
from typing import TYPE_CHECKING, Any

from starlette.types import Scope

from sluice.gateway.configuration import Model
from sluice.gateway.metrics import Record
from sluice.gateway.outcome import Outcome
from sluice.gateway.process_settings import TraceSettings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, StatusCode

SERVICE = "sluice-gateway"
ROUTE = "/v1/chat/completions"
_SPAN_KEY = "sluice.span"
_CLOSE_SECONDS = 3.0

# https://www.w3.org/TR/trace-context/#traceparent-header
_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")
TRACE_HEADERS = (b"traceparent", b"tracestate")
_NO_TRACE = "0" * 32


class Tracing:
    """No spans. What is asked of it for each request is all that a process without a collector does."""

    def begin(self, scope: Scope, record: Record) -> None:
        """Begin a request's span, and note its trace."""
        for name, value in scope["headers"]:
            if name == b"traceparent":
                found = _TRACEPARENT.fullmatch(value)
                if found is not None and found[1] != _NO_TRACE.encode():
                    record.trace_id = found[1].decode()
                return

    def end(self, scope: Scope, record: Record) -> None:
        """End a request's span."""

    def call(self, scope: Scope, model: Model) -> ProviderSpan | None:
        """Begin the span of a call to a provider."""
        del scope, model
        return None

    async def close(self) -> None:
        """Send what was not sent yet."""


class ProviderSpan:
    """The span of one call to a provider."""

    __slots__ = ("_error", "_span", "headers")

    def __init__(self, span: Span, headers: dict[str, str], error: StatusCode) -> None:
        self._span = span
        self._error = error
        self.headers = headers
        """What makes the provider's own spans children of this one."""

    def end(self, attributes: dict[str, str | int], error_type: str) -> None:
        """End it with what is known now; an `error_type` of "" is none."""
        if self._span.is_recording():
            self._span.set_attributes(attributes)
            if error_type:
                self._span.set_attribute("error.type", error_type)
                self._span.set_status(self._error)
        self._span.end()


class OpenTelemetry(Tracing):
    """Spans through OpenTelemetry's SDK, by `provider`."""

    def __init__(self, provider: TracerProvider) -> None:
        from opentelemetry.trace import SpanKind, StatusCode, set_span_in_context
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider = provider
        self._tracer = provider.get_tracer(SERVICE)
        self._propagator = TraceContextTextMapPropagator()
        self._within = set_span_in_context
        self._server, self._client = SpanKind.SERVER, SpanKind.CLIENT
        self._error = StatusCode.ERROR

    def begin(self, scope: Scope, record: Record) -> None:
        """Begin a request's span, a child of its caller's where it has one."""
        carrier = {name.decode(): value.decode("latin-1") for name, value in scope["headers"] if name in TRACE_HEADERS}
        span = self._tracer.start_span(
            f"POST {ROUTE}",
            self._propagator.extract(carrier) if carrier else None,
            kind=self._server,
            attributes={"http.request.method": "POST", "http.route": ROUTE, "url.path": ROUTE, "url.scheme": "http"},
        )
        scope[_SPAN_KEY] = span
        record.trace_id = f"{span.get_span_context().trace_id:032x}"

    def end(self, scope: Scope, record: Record) -> None:
        """End a request's span with how it ended."""
        span: Span = scope[_SPAN_KEY]
        if span.is_recording():
            attributes: dict[str, Any] = {
                "sluice.agent": record.agent,
                "sluice.arm": record.arm,
                "sluice.outcome": record.outcome,
                "sluice.model": record.model.name if record.model else None,
                "sluice.caller": record.caller,
                "http.response.status_code": record.status or None,
            }
            span.set_attributes(
                {
                    name: str(value) if isinstance(value, str) else value
                    for name, value in attributes.items()
                    if value is not None
                }
            )
            if record.outcome is Outcome.ERROR:
                span.set_attribute("error.type", str(record.status or "_OTHER"))
                span.set_status(self._error)
        span.end()

    def call(self, scope: Scope, model: Model) -> ProviderSpan | None:
        """Begin the span of a call to a provider, a child of the request's."""
        parent = scope.get(_SPAN_KEY)
        context = self._within(parent) if parent is not None else None
        span = self._tracer.start_span(f"chat {model.id}", context, kind=self._client)
        headers: dict[str, str] = {}
        self._propagator.inject(headers, self._within(span))
        return ProviderSpan(span, headers, self._error)

    async def close(self) -> None:
        """Send what was not sent yet, for a few seconds at most."""
        sending = threading.Thread(target=self._provider.shutdown, daemon=True)
        sending.start()
        ends = asyncio.get_running_loop().time() + _CLOSE_SECONDS
        while sending.is_alive() and asyncio.get_running_loop().time() < ends:
            await asyncio.sleep(0.02)


def tracing(settings: TraceSettings | None, environment: str) -> Tracing:
    """Return what makes the spans of a gateway in `environment`; without settings, none."""
    if settings is None:
        return Tracing()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio

    provider = TracerProvider(
        sampler=ParentBasedTraceIdRatio(settings.share),
        resource=Resource.create({"service.name": SERVICE, "deployment.environment.name": environment}),
        shutdown_on_exit=False,
    )
    exporter = OTLPSpanExporter(endpoint=f"{settings.endpoint.rstrip('/')}/v1/traces", timeout=_CLOSE_SECONDS)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return OpenTelemetry(provider)
