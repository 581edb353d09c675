from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.gateway.marking import Notice, StreamMarking, mark_answer

TEXT = "AI-generated, requires legal review"
NOTICE = Notice(TEXT)


def whole(*messages: dict[str, Any]) -> bytes:
    choices = [{"index": index, "message": message, "finish_reason": "stop"} for index, message in enumerate(messages)]
    return json.dumps({"id": "c", "choices": choices, "usage": {"prompt_tokens": 1}}).encode()


def contents(body: bytes, field: str = "content") -> list[Any]:
    return [choice["message"][field] for choice in json.loads(body)["choices"]]


def event(delta: dict[str, Any], finish: str | None = None, index: int = 0, **more: Any) -> bytes:
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return f"data: {json.dumps({'id': 'c', 'model': 'm', 'choices': [choice], **more})}\n\n".encode()


DONE = b"data: [DONE]\n\n"


def run(*pieces: bytes) -> bytes:
    marking = StreamMarking(NOTICE)
    return b"".join([*map(marking.feed, pieces), marking.end()])


def said(stream: bytes, index: int = 0, field: str = "content") -> str:
    events = [json.loads(line[6:]) for line in stream.split(b"\n") if line.startswith(b"data: {")]
    choices = [choice for event in events for choice in event.get("choices", ()) if choice["index"] == index]
    return "".join(choice["delta"].get(field) or "" for choice in choices)


def test_a_text_ends_with_the_notice() -> None:
    assert contents(mark_answer(whole({"content": "Clause 7."}), NOTICE)) == [f"Clause 7.\n\n{TEXT}"]


def test_each_of_several_choices_carries_it() -> None:
    marked = mark_answer(whole({"content": "a"}, {"content": ""}, {"content": None}), NOTICE)
    assert contents(marked) == [f"a\n\n{TEXT}", f"\n\n{TEXT}", f"\n\n{TEXT}"]


@pytest.mark.parametrize("content", ['{"a": 1}', ' {\n "a": [1]}\n', "{}", '{"a":{"ai":"{"}}'])
def test_a_json_object_stays_one_and_gets_a_field(content: str) -> None:
    (marked,) = contents(mark_answer(whole({"content": content}), NOTICE))
    assert json.loads(marked) == {"ai_notice": TEXT, **json.loads(content)}


@pytest.mark.parametrize("content", ["{a set}", '{"a", "b"}', '{"a": 1} as asked', "[1]", "{{ name }}", "{"])
def test_what_only_looks_like_an_object_is_text(content: str) -> None:
    assert contents(mark_answer(whole({"content": content}), NOTICE)) == [f"{content}\n\n{TEXT}"]


def test_an_answer_that_carries_it_already_is_left_as_it_is() -> None:
    for content in (f"x\n\n{TEXT}", f"{TEXT}\n", json.dumps({"ai_notice": TEXT})):
        body = whole({"content": content})
        assert mark_answer(body, NOTICE) == body


def test_marking_twice_is_marking_once() -> None:
    once = mark_answer(whole({"content": "x"}, {"content": '{"a":1}'}), NOTICE)
    assert mark_answer(once, NOTICE) == once


def test_an_answer_that_only_calls_tools_is_left_as_it_is() -> None:
    body = whole({"content": None, "tool_calls": [{"id": "t"}]}, {"content": "", "function_call": {"name": "f"}})
    assert mark_answer(body, NOTICE) == body


def test_text_beside_tool_calls_is_marked() -> None:
    assert contents(mark_answer(whole({"content": "x", "tool_calls": [{"id": "t"}]}), NOTICE)) == [f"x\n\n{TEXT}"]


def test_a_refusal_of_the_model_is_marked_where_it_stands() -> None:
    marked = mark_answer(whole({"content": None, "refusal": "I cannot."}), NOTICE)
    assert contents(marked) == [None]
    assert contents(marked, "refusal") == [f"I cannot.\n\n{TEXT}"]


def test_an_answer_in_parts_gets_one_more() -> None:
    parts = [{"type": "thinking", "thinking": []}, {"type": "text", "text": "x"}]
    assert contents(mark_answer(whole({"content": parts}), NOTICE)) == [
        [*parts, {"type": "text", "text": f"\n\n{TEXT}"}]
    ]


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[1]", b'{"error": {"message":  "x"}}', b'{"choices": [1, {"message": 2}]}']
)
def test_what_is_no_completion_is_left_as_it_is(body: bytes) -> None:
    assert mark_answer(body, NOTICE) == body


def test_a_stream_gets_one_more_piece_before_its_end_and_the_rest_passes_byte_by_byte() -> None:
    events = [event({"role": "assistant", "content": ""}), event({"content": "Clause"}), event({"content": " 7."})]
    last = [event({}, "stop"), event({}, None, usage={"prompt_tokens": 1}).replace(b"[{", b"[").replace(b"}]", b"]")]
    last = [last[0], b'data: {"id":"c","choices":[],"usage":{"prompt_tokens":1}}\n\n', DONE]
    marked = run(*events, *last)
    assert said(marked) == f"Clause 7.\n\n{TEXT}"
    (added,) = [line for line in marked.split(b"\n\n") if TEXT.encode() in line]
    assert marked == b"".join(events) + added + b"\n\n" + b"".join(last)
    assert json.loads(added[6:]) == {
        "id": "c",
        "model": "m",
        "choices": [{"index": 0, "delta": {"content": f"\n\n{TEXT}"}, "finish_reason": None}],
    }


def test_the_notice_stands_behind_text_that_comes_with_the_end() -> None:
    marked = run(event({"content": "Clause"}), event({"content": " 7."}, "stop"), DONE)
    assert said(marked) == f"Clause 7.\n\n{TEXT}"
    assert marked.count(b"data:") == 3


def test_each_choice_of_a_stream_is_marked_once() -> None:
    marked = run(
        event({"content": "a"}, index=0),
        event({"content": "b"}, index=1),
        event({}, "stop", index=1),
        event({}, "length", index=0),
        event({}, "stop", index=0),
        DONE,
    )
    assert [said(marked, 0), said(marked, 1)] == [f"a\n\n{TEXT}", f"b\n\n{TEXT}"]


@pytest.mark.parametrize(
    ("ends", "as_text"),
    [
        ([DONE], True),
        ([], True),
        ([b"data: "], True),
        ([b'data: {"error":{"message":"broke"}}\n\n'], True),
    ],
)
def test_a_stream_that_does_not_come_to_its_end_is_marked_all_the_same(ends: list[bytes], as_text: bool) -> None:
    marked = run(event({"content": "Cla"}), *ends)
    assert said(marked) == f"Cla\n\n{TEXT}"


def test_a_stream_of_tool_calls_is_left_as_it_is() -> None:
    events = [event({"role": "assistant", "content": None}), event({"tool_calls": [{"index": 0}]})]
    events += [event({}, "tool_calls"), DONE]
    assert run(*events) == b"".join(events)


def test_a_streamed_refusal_is_marked_where_it_stands() -> None:
    assert said(run(event({"refusal": "No."}), event({}, "stop"), DONE), field="refusal") == f"No.\n\n{TEXT}"


def test_a_stream_that_carries_it_already_is_left_as_it_is() -> None:
    events = [event({"content": "x\n\nAI-generated, requires"}), event({"content": " legal review"})]
    events += [event({}, "stop"), DONE]
    assert run(*events) == b"".join(events)


def test_comments_names_and_line_ends_of_a_stream_pass() -> None:
    events = [b": ping\r\n\r\n", b'event: x\r\ndata: {"choices":[]}\r\n\r\n', b"data: nothing of ours\n\n"]
    assert run(*events) == b"".join(events)


def test_a_line_without_an_end_is_not_kept_forever() -> None:
    marking = StreamMarking(NOTICE)
    assert sum(len(marking.feed(b"x" * 1024**2)) for _ in range(10)) >= 5 * 1024**2


TEXTS = st.one_of(
    st.text(max_size=30),
    st.dictionaries(st.text(max_size=4), st.integers() | st.text(max_size=4), max_size=3).map(json.dumps),
    st.dictionaries(st.text(max_size=4), st.integers(), max_size=3).map(lambda value: json.dumps(value, indent=2)),
)


@given(TEXTS, st.lists(st.integers(1, 9), max_size=8), st.lists(st.integers(1, 200), max_size=12))
def test_however_a_stream_is_cut_it_says_what_was_said_and_the_notice(
    text: str, words: list[int], cuts: list[int]
) -> None:
    stream = b"".join(event({"content": piece}) for piece in _cut(text, words)) + event({}, "stop") + DONE
    marked = said(run(*_cut(stream, cuts)))
    try:
        is_object = isinstance(json.loads(text), dict)
    except ValueError:
        is_object = False
    if is_object:
        assert json.loads(marked) == {"ai_notice": TEXT, **json.loads(text)}
    else:
        assert TEXT in marked
        assert marked.endswith(TEXT) or marked.lstrip().startswith('{"ai_notice"')


def _cut(whole: Any, lengths: list[int]) -> list[Any]:
    pieces, at = [], 0
    for length in lengths:
        pieces.append(whole[at : at + length])
        at += length
    return [*pieces, whole[at:]]


@pytest.mark.parametrize(
    ("text", "header"),
    [
        (TEXT, TEXT.encode()),
        ("Von KI erzeugt \u2013 prüfen", b"Von KI erzeugt %E2%80%93 pr%C3%BCfen"),
        ("100 % made\nby a machine", b"100 %25 made%0Aby a machine"),
    ],
)
def test_the_header_says_it_in_what_a_header_can_carry(text: str, header: bytes) -> None:
    assert Notice(text).header == (b"x-sluice-notice", header)
