"""Each call to a provider, counted by OpenTelemetry's conventions for generative AI, and traced where that is on.

A request that fails over is several operations; an answer from the cache is none. Names, labels and buckets are those
of https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-metrics/, as Prometheus spells them.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from http import HTTPStatus

from prometheus_client import CollectorRegistry, Histogram
from starlette.types import Scope
from yarl import URL

from sluice.gateway.configuration import Model
from sluice.gateway.series import Series
from sluice.gateway.tracing import ProviderSpan, Tracing
from sluice.gateway.usage import Usage

_DURATION_BUCKETS_SECONDS = tuple(0.01 * 2**power for power in range(14))
_TOKEN_BUCKETS = tuple(4**power for power in range(14))
_OPERATION = "chat"
_OTHER = "_OTHER"
"""What the conventions call a value that is not among the expected ones."""

_STATUSES = frozenset(int(status) for status in HTTPStatus)

# The conventions' own names of providers, where they are not the registry's.
_PROVIDERS = {"mistral": "mistral_ai"}

_LABELS = ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "gen_ai_response_model")


class Operations:
    """The operations of one gateway; the series of every model exist from the start."""

    def __init__(self, models: Iterable[Model], tracing: Tracing, registry: CollectorRegistry) -> None:
        models = list(models)
        self._tracing = tracing
        self._ids = frozenset(model.id for model in models)
        self._duration = Histogram(
            "gen_ai_client_operation_duration_seconds",
            "Calls to providers, streams to their last byte. error_type is a status, a refusal's code, or nothing.",
            [*_LABELS, "error_type"],
            buckets=_DURATION_BUCKETS_SECONDS,
            registry=registry,
        )
        self._tokens = Histogram(
            "gen_ai_client_token_usage",
            "Tokens of a call to a provider, as it counted them.",
            [*_LABELS, "gen_ai_token_type"],
            buckets=_TOKEN_BUCKETS,
            registry=registry,
        )
        self._durations, self._token_counts = Series(self._duration), Series(self._tokens)
        for model in models:
            labels = (_OPERATION, provider_name(model), model.id, model.id)
            self._duration.labels(*labels, "")
            for kind in ("input", "output"):
                self._tokens.labels(*labels, kind)

    def begin(self, model: Model, scope: Scope) -> Operation:
        """Begin a call to a model's provider."""
        return Operation(self, model, self._tracing.call(scope, model))

    def count(self, model: Model, answered_by: str, seconds: float, usage: Usage | None, error_type: str) -> None:
        """Count a call that has ended."""
        labels = (_OPERATION, provider_name(model), model.id, answered_by if answered_by in self._ids else _OTHER)
        self._durations[*labels, error_type].observe(seconds)
        if usage is not None and not usage.estimated:
            self._token_counts[*labels, "input"].observe(usage.input_tokens)
            self._token_counts[*labels, "output"].observe(usage.output_tokens)


class Operation:
    """One call to a provider, from its begin to its one end."""

    __slots__ = ("_began", "_ended", "_model", "_operations", "_span")

    def __init__(self, operations: Operations, model: Model, span: ProviderSpan | None) -> None:
        self._operations = operations
        self._model = model
        self._span = span
        self._began = time.perf_counter()
        self._ended = False

    def headers(self) -> dict[str, str]:
        """Return what goes to the provider in place of the caller's own trace; nothing where tracing is off."""
        return self._span.headers if self._span is not None else {}

    def end(self, usage: Usage | None = None, error_type: str = "") -> None:
        """End it, the first time; `error_type` is "" for a success."""
        if self._ended:
            return
        self._ended = True
        model = self._model
        answered_by = (usage.model if usage is not None else None) or model.id
        self._operations.count(model, answered_by, time.perf_counter() - self._began, usage, error_type)
        if self._span is not None:
            self._span.end(_attributes(model, answered_by, usage), error_type)


def error_of_status(status: int) -> str:
    """Return the error that an answer's status stands for, "" for none."""
    if status < 400:
        return ""
    return str(status) if status in _STATUSES else _OTHER


def provider_name(model: Model) -> str:
    """Return what the conventions call the model's provider."""
    return _PROVIDERS.get(model.provider.name, model.provider.name)


def _attributes(model: Model, answered_by: str, usage: Usage | None) -> dict[str, str | int]:
    address = URL(model.provider.api)
    attributes: dict[str, str | int] = {
        "gen_ai.operation.name": _OPERATION,
        "gen_ai.provider.name": provider_name(model),
        "gen_ai.request.model": model.id,
        "gen_ai.response.model": answered_by,
        "server.address": address.host or "",
        "server.port": address.port or 443,
    }
    if usage is not None:
        attributes["gen_ai.usage.input_tokens"] = usage.input_tokens
        attributes["gen_ai.usage.output_tokens"] = usage.output_tokens
    return attributes
