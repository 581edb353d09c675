"""Spans as a collector gets them: from the SDK's in-memory exporter, and by OTLP over HTTP from a real process."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from sluice.gateway.process_settings import ProcessSettingInvalid, ProcessSettings
from sluice.gateway.tracing import OpenTelemetry
from tests.gateway.process import ASK
from tests.gateway.process import running as running_process

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"


class Traced:
    """What a gateway with spans in memory has made."""

    def __init__(self, running: Any) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        made = OpenTelemetry(provider)
        gateway = running.gateway
        gateway.tracing = gateway.starlette.routes[0].app._tracing = gateway._upstream._operations._tracing = made

    def spans(self, kind: SpanKind) -> list[ReadableSpan]:
        return [span for span in self._exporter.get_finished_spans() if span.kind is kind]


async def test_a_request_and_its_call_are_one_trace_with_the_callers_and_the_providers(
    start: Any, provider: Any, answer_with: Any, eventually: Any
) -> None:
    recording, url = provider
    body = (
        b'{"model":"gpt-4o","choices":[{"message":{"role":"assistant","content":"secret answer"}}],'
        b'"usage":{"prompt_tokens":7,"completion_tokens":3}}'
    )
    recording.respond = answer_with(200, body, (b"content-type", b"application/json"))
    running = await start(url)
    traced = Traced(running)
    ask = {"model": "qa", "user": "someone@example.com", "messages": [{"role": "user", "content": "secret question"}]}
    async with running.post(ask, traceparent=TRACEPARENT, tracestate="vendor=1") as response:
        assert response.status == 200
    await eventually(lambda: traced.spans(SpanKind.SERVER))
    (request,), (call,) = traced.spans(SpanKind.SERVER), traced.spans(SpanKind.CLIENT)
    assert request.context is not None
    assert call.context is not None
    assert request.parent is not None
    assert call.parent is not None
    assert f"{request.context.trace_id:032x}" == f"{call.context.trace_id:032x}" == TRACE
    assert f"{request.parent.span_id:016x}" == PARENT
    assert call.parent.span_id == request.context.span_id
    assert recording.header("traceparent") == f"00-{TRACE}-{call.context.span_id:016x}-01"
    assert recording.header("tracestate") == "vendor=1"
    assert (request.name, call.name) == ("POST /v1/chat/completions", "chat gpt-4o")
    assert request.attributes is not None
    assert request.attributes["sluice.agent"] == "qa"
    assert request.attributes["http.response.status_code"] == 200
    assert dict(call.attributes or {}) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.model": "gpt-4o",
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 3,
        "server.address": "127.0.0.1",
        "server.port": int(url.rpartition(":")[2]),
    }
    told = f"{request.to_json()}{call.to_json()}"
    assert "secret" not in told
    assert "someone@example.com" not in told


async def test_each_attempt_of_a_request_that_fails_over_has_its_span_and_its_count(
    start: Any, stub: str, eventually: Any
) -> None:
    running = await start(stub)
    running.mounted.write_flags(qa=100)
    running.refresh()
    traced = Traced(running)
    candidate = "ft:open-mistral-7b:5010731d:20251031:ecc3829c"
    async with running.client.put(f"{stub}/control/models/{candidate}", json={"error_rate": 1, "error_status": 503}):
        pass
    async with running.post(
        {"model": "qa", "user": "u", "messages": [{"role": "user", "content": "hello"}]}
    ) as response:
        assert response.status == 200
    await eventually(lambda: traced.spans(SpanKind.SERVER))
    failed, answered = traced.spans(SpanKind.CLIENT)
    assert failed.status.status_code is StatusCode.ERROR
    assert (failed.attributes or {})["error.type"] == "503"
    assert answered.status.status_code is StatusCode.UNSET
    labels = {"gen_ai_operation_name": "chat", "gen_ai_provider_name": "mistral_ai"}
    labels |= {"gen_ai_request_model": candidate, "gen_ai_response_model": candidate}
    name = "gen_ai_client_operation_duration_seconds_count"
    assert running.metric(name, **labels, error_type="503") == 1
    assert running.metric(name, **labels, error_type="") == 0


async def test_without_a_collector_the_callers_trace_goes_on_as_it_came_and_nothing_is_imported(
    start: Any, provider: Any
) -> None:
    recording, url = provider
    running = await start(url)
    async with running.post(ASK, traceparent=TRACEPARENT):
        pass
    assert recording.header("traceparent") == TRACEPARENT
    unwanted = "[name for name in sys.modules if 'opentelemetry.sdk.trace' in name or 'opentelemetry.exporter' in name]"
    code = f"import sys, sluice.gateway.app; print({unwanted})"
    ran = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[]"


@asynccontextmanager
async def collector(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[ResourceSpans]]:
    """A collector that the processes started meanwhile are told of, and what it was sent."""
    received: list[ResourceSpans] = []

    async def take(request: web.Request) -> web.Response:
        received.extend(ExportTraceServiceRequest.FromString(await request.read()).resource_spans)
        return web.Response()

    app = web.Application()
    app.router.add_post("/v1/traces", take)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{runner.addresses[0][1]}")
        yield received
    finally:
        await runner.cleanup()


def spans_of(received: list[ResourceSpans]) -> list[Span]:
    return [span for resource in received for scope in resource.scope_spans for span in scope.spans]


async def asked_and_ended(path: Path, *headers: dict[str, str]) -> None:
    """Start a gateway, ask it once with each of the headers, and have it end."""
    async with running_process(path, DRAIN_SECONDS="0") as process, aiohttp.ClientSession() as session:
        for each in headers:
            async with session.post(f"{process.url}/v1/chat/completions", json=ASK, headers=each) as response:
                assert response.status == 200
        process.process.terminate()
        async with asyncio.timeout(60):
            assert await process.process.wait() == 0


async def test_a_process_sends_its_spans_to_a_collector_and_the_last_of_them_when_it_stops(
    mounted: Any, stub: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounted.write_configuration(stub)

    async with collector(monkeypatch) as received:
        await asked_and_ended(mounted.path, {})

    assert sorted(span.name for span in spans_of(received)) == ["POST /v1/chat/completions", "chat gpt-4o"]
    said = {attribute.key: attribute.value.string_value for attribute in received[0].resource.attributes}
    assert (said["service.name"], said["deployment.environment.name"]) == ("sluice-gateway", "dev")


async def test_of_a_share_of_nothing_only_what_a_caller_samples_is_sent_and_of_a_whole_all_but_what_it_does_not(
    mounted: Any, stub: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounted.write_configuration(stub)
    sampled, left_out = {"traceparent": TRACEPARENT}, {"traceparent": f"00-{'7' * 32}-{PARENT}-00"}
    sent = {}

    for share in ("0", "1"):
        monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", share)
        async with collector(monkeypatch) as received:
            await asked_and_ended(mounted.path, {}, sampled, left_out)
        sent[share] = {span.trace_id.hex() for span in spans_of(received)}

    assert sent["0"] == {TRACE}
    assert TRACE in sent["1"]
    assert "7" * 32 not in sent["1"]
    assert len(sent["1"]) == 2, "the caller's, and that of the request without one"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317"}, "OTEL_EXPORTER_OTLP_ENDPOINT: .* is not an address"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_TRACES_SAMPLER_ARG": "10%"}, "is not a share"),
        ({"SLUICE_GATEWAY_LOG_LEVEL": "loud"}, "LOG_LEVEL: 'loud' is not one of debug, info, warning, error"),
    ],
)
def test_a_setting_that_is_wrong_is_named(settings: dict[str, str], message: str) -> None:
    with pytest.raises(ProcessSettingInvalid, match=message):
        ProcessSettings.from_environment(settings)
