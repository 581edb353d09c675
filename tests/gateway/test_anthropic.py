from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.gateway.configuration import Model, Provider
from sluice.gateway.providers.anthropic import Anthropic, AnthropicStream
from sluice.gateway.providers.anthropic_request import translated
from sluice.gateway.providers.dialect import AnswerUnusable
from sluice.gateway.refusals import RequestUntranslatable
from sluice.gateway.usage import Usage

MODEL = Model("claude", "claude-x", Provider("anthropic", "http://127.0.0.1", "k", dialect="anthropic"), 0.003, 0.015)
CALL = {"id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": '{"a":1}'}}
FUNCTION = {"name": "look_up", "description": "Looks.", "parameters": {"type": "object"}}


def _asked(*messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return translated({"model": "qa", "messages": list(messages), **more}, "claude-x", "anthropic")


def test_a_conversation_with_tools_keeps_its_turns() -> None:
    body = _asked(
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": [{"type": "text", "text": "In English."}]},
        {"role": "user", "content": "Look."},
        {"role": "assistant", "content": "I look.", "tool_calls": [CALL, {**CALL, "id": "call_2"}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "found"},
        {"role": "tool", "tool_call_id": "call_2", "content": ""},
        {"role": "user", "content": "And?"},
    )
    use = {"type": "tool_use", "name": "look_up", "input": {"a": 1}}
    assert body == {
        "model": "claude-x",
        "max_tokens": 4096,
        "system": "Be brief.\n\nIn English.",
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Look."}]},
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": "I look."},
                    {**use, "id": "call_1"},
                    {**use, "id": "call_2"},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "call_1", "content": [{"type": "text", "text": "found"}]},
                    {"type": "tool_result", "tool_use_id": "call_2", "content": []},
                    {"type": "text", "text": "And?"},
                ],
            },
        ],
    }


def test_images_go_by_address_or_as_data() -> None:
    images = [
        {"type": "image_url", "image_url": {"url": url}} for url in ("https://e/x.png", "data:image/png;base64,QQ")
    ]
    (message,) = _asked({"role": "user", "content": images})["messages"]
    assert [block["source"] for block in message["content"]] == [
        {"type": "url", "url": "https://e/x.png"},
        {"type": "base64", "media_type": "image/png", "data": "QQ"},
    ]


@pytest.mark.parametrize(
    ("given_fields", "wanted"),
    [
        ({"max_tokens": 7}, {"max_tokens": 7}),
        ({"max_completion_tokens": 8, "max_tokens": 7}, {"max_tokens": 8}),
        ({"temperature": 1.7}, {"temperature": 1}),
        ({"stop": "END"}, {"stop_sequences": ["END"]}),
        ({"stop": ["A", "B"]}, {"stop_sequences": ["A", "B"]}),
        ({"stream": True}, {"stream": True}),
        ({"tools": [{"function": FUNCTION}]}, {"tool_choice": {"type": "auto"}}),
        ({"tools": [{"function": FUNCTION}], "tool_choice": "required"}, {"tool_choice": {"type": "any"}}),
        (
            {"tools": [{"function": FUNCTION}], "parallel_tool_calls": False},
            {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        ),
        (
            {"tools": [{"function": FUNCTION}], "tool_choice": {"type": "function", "function": {"name": "look_up"}}},
            {"tool_choice": {"type": "tool", "name": "look_up"}},
        ),
    ],
)
def test_each_field_has_its_counterpart(given_fields: dict[str, Any], wanted: dict[str, Any]) -> None:
    body = _asked({"role": "user", "content": "x"}, **given_fields)
    assert {name: body[name] for name in wanted} == wanted


def test_json_is_asked_for_in_words_and_by_its_schema() -> None:
    schema = {"type": "object", "required": ["a"]}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    assert '"required":["a"]' in _asked({"role": "user", "content": "x"}, response_format=form)["system"]
    assert (
        "one JSON object" in _asked({"role": "user", "content": "x"}, response_format={"type": "json_object"})["system"]
    )


@pytest.mark.parametrize(
    ("message", "fields", "named"),
    [
        ({"role": "user", "content": "x"}, {"n": 2}, "'n'"),
        ({"role": "user", "content": "x"}, {"logprobs": True}, "'logprobs'"),
        ({"role": "user", "content": [{"type": "input_audio"}]}, {}, "input_audio"),
        (
            {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{"}}]},
            {},
            "tool_calls",
        ),
        ({"role": "function", "content": "x"}, {}, "messages.role"),
        ({"role": "user", "content": "x"}, {"tools": [{}]}, "'tools'"),
    ],
)
def test_what_cannot_be_asked_is_refused(message: dict[str, Any], fields: dict[str, Any], named: str) -> None:
    with pytest.raises(RequestUntranslatable, match=named):
        _asked(message, **fields)


def _sse(*events: dict[str, Any]) -> bytes:
    return b"".join(b"event: %s\ndata: %s\n\n" % (e["type"].encode(), json.dumps(e).encode()) for e in events)


def _read_all(reader: AnthropicStream, stream: bytes) -> bytes:
    return reader.feed(stream) + reader.finish()


STREAM = _sse(
    {
        "type": "message_start",
        "message": {"id": "m1", "model": "claude-x", "usage": {"input_tokens": 11, "output_tokens": 1}},
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "ü"}},
    {"type": "content_block_stop", "index": 0},
    {
        "type": "content_block_start",
        "index": 1,
        "content_block": {"type": "tool_use", "id": "t1", "name": "f", "input": {}},
    },
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"a"'}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": ":1}"}},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 22}},
    {"type": "message_stop"},
)


@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_a_stream_with_a_tool_call_is_openais_however_it_is_cut(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    reader = AnthropicStream(MODEL, shows_usage=True)
    out = b"".join([reader.feed(STREAM[begin:end]) for begin, end in pairwise(edges)]) + reader.finish()
    events = [event.removeprefix("data: ") for event in out.decode().split("\n\n") if event]
    assert events.pop() == "[DONE]"
    chunks = [json.loads(event) for event in events]
    assert chunks.pop()["usage"] == {"prompt_tokens": 11, "completion_tokens": 22, "total_tokens": 33}
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas == [
        {"role": "assistant", "content": ""},
        {"content": "ü"},
        {"tool_calls": [{"index": 0, "id": "t1", "type": "function", "function": {"name": "f", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"a"'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]},
        {},
    ]
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"
    assert reader.usage == Usage(11, 22)


@pytest.mark.parametrize(
    ("stream", "what"),
    [
        (STREAM[: STREAM.index(b"event: message_stop")], "ended before"),
        (_sse({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}), "failed"),
        (b"data: {}\n\n", "none of the API's"),
        (b"data: <html>\n\n", "none of the API's"),
        (
            _sse(
                {"type": "content_block_delta", "index": 9, "delta": {"type": "input_json_delta", "partial_json": ""}}
            ),
            "none",
        ),
    ],
)
def test_what_is_no_whole_stream_is_told(stream: bytes, what: str) -> None:
    reader = AnthropicStream(MODEL, shows_usage=False)
    with pytest.raises(AnswerUnusable, match=what):
        _read_all(reader, stream)


@pytest.mark.parametrize(
    ("stop", "finish"),
    [("end_turn", "stop"), ("stop_sequence", "stop"), ("max_tokens", "length"), ("refusal", "content_filter")],
)
def test_why_an_answer_ended_has_openais_word(stop: str, finish: str) -> None:
    message = {"id": "m", "content": [{"type": "text", "text": "a"}], "stop_reason": stop, "usage": {"input_tokens": 1}}
    body, usage = Anthropic().answer(json.dumps(message).encode(), MODEL)
    assert json.loads(body)["choices"][0]["finish_reason"] == finish
    assert usage is None


def test_tool_calls_and_cached_input_are_kept() -> None:
    usage = {"input_tokens": 5, "cache_read_input_tokens": 10, "cache_creation_input_tokens": 20, "output_tokens": 3}
    block = {"type": "tool_use", "id": "t", "name": "f", "input": {"a": [1]}}
    message = {"id": "m", "content": [block], "stop_reason": "tool_use", "usage": usage}
    body, counted = Anthropic().answer(json.dumps(message).encode(), MODEL)
    (choice,) = json.loads(body)["choices"]
    assert choice["message"]["content"] is None
    assert choice["message"]["tool_calls"] == [
        {"id": "t", "type": "function", "function": {"name": "f", "arguments": '{"a":[1]}'}}
    ]
    assert counted == Usage(35, 3)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"content":[]}'])
def test_garbage_is_no_answer(body: bytes) -> None:
    with pytest.raises(AnswerUnusable, match="it is "):
        Anthropic().answer(body, MODEL)


@pytest.mark.parametrize("body", [b"<html>", b"{}", b"[]", b'{"error":"x"}'])
def test_an_error_that_is_none_of_the_apis_still_has_a_shape(body: bytes) -> None:
    error = json.loads(Anthropic().error(502, body))["error"]
    assert error == {
        "message": "The provider answered with status 502.",
        "type": "api_error",
        "param": None,
        "code": "api_error",
    }
