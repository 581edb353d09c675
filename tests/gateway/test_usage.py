from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.gateway.configuration import Model, Provider
from sluice.gateway.usage import StreamUsage, Usage, usage_of_answer

STREAM = (
    b'data: {"choices":[{"delta":{"content":"\\"usage\\": {}"}}],"usage":null}\n\n' * 50
    + b'data: {"choices":[],"usage":{"prompt_tokens":11,"completion_tokens":22}}\n\ndata: [DONE]\n\n'
)


@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_usage_is_found_however_the_stream_is_cut(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    usage = StreamUsage()
    for begin, end in pairwise(edges):
        usage.feed(STREAM[begin:end])
    assert usage.found() == Usage(11, 22)


def test_a_long_stream_is_not_kept() -> None:
    usage = StreamUsage()
    for _ in range(2000):
        usage.feed(b'data: {"choices":[{"delta":{"content":"word"}}]}\n\n' * 10)
    usage.feed(STREAM)
    assert usage.found() == Usage(11, 22)
    assert len(usage._tail) < 100_000


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
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
    assert usage_of_answer(body) is None


def test_a_price_is_per_1_000_tokens() -> None:
    model = Model("m", "m", Provider("p", "http://127.0.0.1", "k"), 0.0025, 0.01)
    assert Usage(2000, 500).dollars(model) == pytest.approx(0.01)
