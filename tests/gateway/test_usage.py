from __future__ import annotations

from itertools import pairwise

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.gateway.configuration import Model, Provider
from sluice.gateway.providers.dialect import AnswerUnusable
from sluice.gateway.providers.openai import OpenAIStream
from sluice.gateway.usage import Usage, estimated_usage, usage_in

USAGE_EVENT = b'data: {"choices":[],"usage":{"prompt_tokens":11,"completion_tokens":22}}\n\n'
STREAM = (
    b'data: {"choices":[{"delta":{"content":"\\"usage\\": {}"}}],"usage":null}\n\n' * 50
    + b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'
    + USAGE_EVENT
    + b"data: [DONE]\n\n"
)


def _read(stream: bytes, cuts: list[int], *, hides_usage: bool) -> tuple[bytes, OpenAIStream]:
    edges = [0, *sorted(cuts), len(stream)]
    reader = OpenAIStream(hides_usage=hides_usage)
    out = b"".join([reader.feed(stream[begin:end]) for begin, end in pairwise(edges)])
    return out + reader.finish(), reader


@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_usage_is_found_however_the_stream_is_cut_and_every_byte_passes(cuts: list[int]) -> None:
    out, reader = _read(STREAM, cuts, hides_usage=False)
    assert reader.usage == Usage(11, 22)
    assert out == STREAM


@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_only_the_usage_that_nobody_asked_for_is_kept_back(cuts: list[int]) -> None:
    out, reader = _read(STREAM, cuts, hides_usage=True)
    assert reader.usage == Usage(11, 22)
    assert out == STREAM.replace(USAGE_EVENT, b"")


@pytest.mark.parametrize(
    ("stream", "what"),
    [
        (b"", "ended before"),
        (b'data: {"choices":[{"delta":{"content":"half"}}]}\n\n', "ended before"),
        (b'data: {"choices":[{"delta":{"content":"half"}}]}\n\ndata: {"cho', "not JSON"),
        (b"data: [DONE]\n\n", "ended before"),
        (b'data: {"choices":[{"delta":{"role":"assistant","content":""}}]}\n\n', "ended before"),
        (b"data: <html>\n\n", "not JSON"),
        (b"data: 7\n\n", "no object"),
        (b'data: {"error":{"message":"overloaded"}}\n\n', "failed"),
        (b'data: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: {"error":{"message":"overloaded"}}\n\n', "failed"),
    ],
)
def test_what_is_no_whole_stream_is_told(stream: bytes, what: str) -> None:
    with pytest.raises(AnswerUnusable, match=what):
        _read(stream, [], hides_usage=False)


@pytest.mark.parametrize(
    "stream",
    [
        b'data: {"choices":[{"delta":{"content":"a"},"finish_reason": "stop"}]}\n\n',
        b'data: {"choices":[{"delta":{"content":"a"}}]}\r\n\r\ndata: [DONE]\r\n\r\n',
        b': ping\n\ndata: {"choices":[{"delta":{"tool_calls":[{"index":0}]}}]}\n\ndata: [DONE]',
    ],
)
def test_streams_end_in_several_ways(stream: bytes) -> None:
    out, reader = _read(stream, [], hides_usage=False)
    assert (out, reader.began) == (stream, True)


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{}",
        b'{"usage":null}',
        b'{"usage":{"prompt_tokens":"1","completion_tokens":1}}',
        b'{"usage":{"prompt_tokens":-1,"completion_tokens":1}}',
        b'{"usage":{"completion_tokens":1}}',
        b'{"usage":{"prompt_tokens":true,"completion_tokens":1}}',
    ],
)
def test_an_answer_without_proper_usage_counts_nothing(body: bytes) -> None:
    assert usage_in(orjson.loads(body)) is None


def test_a_price_is_per_1_000_tokens() -> None:
    model = Model("m", "m", Provider("p", "http://127.0.0.1", "k"), 0.0025, 0.01)
    assert Usage(2000, 500).dollars(model) == pytest.approx(0.01)


def test_an_estimate_goes_by_what_was_asked_and_how_many_pieces_came() -> None:
    messages = [{"content": "x" * 40}, {"content": [{"type": "text", "text": "y" * 40}, {"type": "image_url"}]}, "odd"]
    assert estimated_usage(messages, 7) == Usage(20, 7, estimated=True)
