from __future__ import annotations

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.gateway.chat_request import parse_chat_request
from sluice.gateway.refusals import BodyNotJson, BodyTooDeep, FieldInvalid
from tests.computing import loops

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.just("model"), inner, max_size=4),
    max_leaves=12,
)
REST = st.dictionaries(
    st.text().filter(lambda name: name not in {"model", "messages", "user", "stream"}), JSON, max_size=5
)


@given(before=REST, after=REST, agent=st.text(min_size=1), indent=st.sampled_from([None, 1]), ascii_only=st.booleans())
def test_every_byte_but_the_model_is_kept(
    before: dict[str, object], after: dict[str, object], agent: str, indent: int | None, ascii_only: bool
) -> None:
    rest = {name: value for name, value in after.items() if name not in before}
    document = {**before, "model": agent, "messages": [{"role": "user", "content": '{"model": "x"}'}], **rest}
    body = json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode()
    chat = parse_chat_request(body)
    assert chat.agent == agent
    written = json.dumps(agent, ensure_ascii=ascii_only).encode()
    assert chat.before_model + written + chat.after_model == body
    assert orjson.loads(chat.body_for("gpt-4o")) == {**orjson.loads(body), "model": "gpt-4o"}


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"qa","messages":[1],"seed":12345678901234567890123,"temperature":1.0,"top_p":1e-3}',
        b'{ "messages" : [1] ,\n\t"model"\n:\t"qa" , "x": "\xe6\x9d\x8e\\u674e" }',
        b'{"metadata":{"model":"inner","deeper":{"model":"inner"}},"messages":[1],"model":"qa"}',
        b'{"messages":[{"content":"say \\"model\\": \\"qa\\""}],"model":"\\u0071a"}',
    ],
)
def test_numbers_spaces_escapes_and_inner_models_are_kept(body: bytes) -> None:
    chat = parse_chat_request(body)
    assert chat.agent == "qa"
    assert body.startswith(chat.before_model)
    assert body.endswith(chat.after_model)
    assert body[len(chat.before_model) : -len(chat.after_model)] in {b'"qa"', b'"\\u0071a"'}


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"dear-model","model":"qa","messages":[1]}',
        b'{"mod\\u0065l":"dear-model","model":"qa","messages":[1]}',
        b'{"model":"dear-model","mod\\u0065l":"qa","messages":[1]}',
    ],
)
def test_a_second_model_does_not_reach_a_provider(body: bytes) -> None:
    sent = parse_chat_request(body).body_for("gpt-4o")
    assert sent == b'{"model":"gpt-4o","messages":[1]}'


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "must be a JSON object: "),
        (b"{", "must be a JSON object: unexpected end of data"),
        (b"\xff\xfe", "must be a JSON object: "),
        (b"[1]", "this is a JSON list"),
        (b'"qa"', "this is a JSON str"),
        (b'{"model":"\\ud800","messages":[1]}', "must be a JSON object: "),
    ],
)
def test_what_is_no_json_object_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(BodyNotJson, match=message):
        parse_chat_request(body)


MOST = 4 * 1024**2
HEAD = b'{"model":"qa","messages":['


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 5000,
        HEAD + b"[" * 2000 + b"]" * 2000 + b"]}",
        # Can be read, but not be written anew without its second model.
        HEAD + b"[" * 300 + b"]" * 300 + b'],"model":"qa"}',
        HEAD + b"[]," * 1_390_000 + b"1]}",
    ],
)
def test_lists_in_lists_and_masses_of_them_are_refused(body: bytes) -> None:
    with pytest.raises(BodyTooDeep, match="nested too deeply, or has too many lists"):
        parse_chat_request(body)


@pytest.mark.parametrize(
    "body",
    [
        HEAD + b'"' + b"words " * (MOST // 6 - 20) + b'"]}',
        b'{"messages":["' + b"words " * (MOST // 6 - 20) + b'"],"model":"qa"}',
        HEAD + b'"' + b"\\n" * (MOST // 2 - 50) + b'"]}',
        HEAD + b'"' + b"\\u0064" * (MOST // 6 - 20) + b'"]}',
        HEAD + b'"' + b'\\"model\\":' * (MOST // 10 - 20) + b'"]}',
        HEAD + b'{"model":"inner"},' * 30 + b'"' + b"words " * (MOST // 6 - 200) + b'"]}',
        b'{"model":"' + b"\\\\" * (MOST // 2 - 100) + b'","messages":[1],"model":"qa"}',
        HEAD + b"1]" + b" " * (MOST - 50) + b"}",
    ],
    ids=[
        "text",
        "model last",
        "escapes",
        "escaped letters",
        "quoted keys",
        "inner models",
        "long first model",
        "spaces",
    ],
)
def test_four_megabytes_do_not_hold_up_the_others(body: bytes) -> None:
    assert parse_chat_request(body).agent == "qa"
    # As long as 300,000 to 600,000 turns of a loop take; the search that went astray took ten million.
    assert loops(lambda: parse_chat_request(body)) < 3_000_000


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"messages": [1]}, "model"),
        ({"model": 3, "messages": [1]}, "model"),
        ({"model": "", "messages": [1]}, "model"),
        ({"model": "q" * 257, "messages": [1]}, "model"),
        ({"model": "qa", "messages": [1], "stream": "yes"}, "stream"),
        ({"model": "qa"}, "messages"),
        ({"model": "qa", "messages": []}, "messages"),
        ({"model": "qa", "messages": "hello"}, "messages"),
        ({"model": "qa", "messages": [1], "user": 7}, "user"),
        ({"model": "qa", "messages": [1], "user": ["u"]}, "user"),
    ],
)
def test_a_missing_or_wrong_field_is_named(document: dict[str, object], field: str) -> None:
    with pytest.raises(FieldInvalid, match=f"The field '{field}' must be") as refused:
        parse_chat_request(orjson.dumps(document))
    assert json.loads(refused.value.body())["error"]["param"] == field
