from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.gateway.assignment import Assignment
from sluice.gateway.cache_key import BODY_LIMIT_BYTES, cache_key
from sluice.gateway.chat_request import parse_chat_request
from sluice.gateway.configuration import Model, Provider
from sluice.gateway.outcome import Arm

MESSAGE = {"role": "user", "content": "How do I reset my password?"}
BODY: dict[str, Any] = {"model": "qa", "user": "anna", "messages": [MESSAGE]}


def _key(
    body: Mapping[str, Any] | bytes,
    headers: Mapping[str, str] | None = None,
    *,
    arm: Arm = Arm.BASELINE,
    model: tuple[str, str, str] = ("gpt-4o", "gpt-4o", "openai"),
    caller: str | None = "web",
    across_users: bool = False,
) -> str | None:
    chat = parse_chat_request(body if isinstance(body, bytes) else json.dumps(body).encode())
    scope = {"headers": [(name.encode(), value.encode()) for name, value in (headers or {}).items()]}
    name, model_id, provider = model
    served_by = Model(name, model_id, Provider(provider, "http://127.0.0.1:9", "key"), 0.0, 0.0)
    return cache_key(chat, scope, Assignment(arm, (served_by,)), caller, across_users=across_users)


# What shapes an answer, and what does not: few values each, so that two requests often have much in common.
MATTERS = st.fixed_dictionaries(
    {
        "agent": st.sampled_from(["qa", "legal"]),
        "arm": st.sampled_from([Arm.CANDIDATE, Arm.BASELINE]),
        "model": st.sampled_from([("a", "id", "p"), ("b", "id", "p"), ("a", "id2", "p"), ("a", "id", "p2")]),
        "caller": st.sampled_from([None, "web", "anna"]),
        "user": st.sampled_from(["anna", "bert", "web"]),
        "beta": st.sampled_from(["", "one"]),
        "body": st.fixed_dictionaries(
            {"messages": st.sampled_from([[MESSAGE], [MESSAGE, MESSAGE], [{**MESSAGE, "name": "anna"}]])},
            optional={
                "temperature": st.just(0),
                "max_tokens": st.sampled_from([1, 2]),
                "seed": st.sampled_from([1, 2]),
                "response_format": st.just({"type": "json_object"}),
                "of_tomorrow": st.sampled_from([1, 1.5, "1", None, [1], {"a": 1, "b": 2}]),
            },
        ),
    }
)
HOW = st.fixed_dictionaries(
    {
        "stream": st.sampled_from([None, True, False]),
        "metadata": st.sampled_from([None, {"trace": "1"}, {"trace": "2"}]),
        "user_in_header": st.booleans(),
        "backwards": st.booleans(),
        "indent": st.sampled_from([None, 2]),
        "authorization": st.sampled_from(["Bearer made-1", "Bearer made-2"]),
    }
)


def _written(matters: Mapping[str, Any], how: Mapping[str, Any], *, across_users: bool) -> str | None:
    body = {"model": matters["agent"], **matters["body"]}
    headers = {"authorization": how["authorization"]}
    if matters["beta"]:
        headers["openai-beta"] = matters["beta"]
    if how["user_in_header"]:
        headers["x-user-id"] = matters["user"]
    else:
        body["user"] = matters["user"]
    if how["stream"] is not None:
        body["stream"] = how["stream"]
    if how["stream"]:
        body["stream_options"] = {"include_usage": True}
    if how["metadata"]:
        body["metadata"] = how["metadata"]
    text = json.dumps(_backwards(body) if how["backwards"] else body, indent=how["indent"])
    return _key(
        text.encode(),
        headers,
        arm=matters["arm"],
        model=matters["model"],
        caller=matters["caller"],
        across_users=across_users,
    )


def _in_one_order(matters: Mapping[str, Any]) -> str:
    return json.dumps(matters, sort_keys=True)


def _backwards(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _backwards(value[name]) for name in reversed(value)}
    return [_backwards(one) for one in value] if isinstance(value, list) else value


@given(
    one=MATTERS,
    other=MATTERS,
    changed=st.sampled_from([None, "agent", "arm", "model", "caller", "user", "beta", "body"]),
    how=HOW,
    other_how=HOW,
    across_users=st.booleans(),
)
def test_two_requests_share_an_answer_exactly_if_they_differ_in_nothing_that_matters(
    one: dict[str, Any],
    other: dict[str, Any],
    changed: str | None,
    how: dict[str, Any],
    other_how: dict[str, Any],
    across_users: bool,
) -> None:
    other = one if changed is None else {**one, changed: other[changed]}
    keys = _written(one, how, across_users=across_users), _written(other, other_how, across_users=across_users)
    assert all(key is not None and len(key) == 64 for key in keys)
    of_one_person = {"caller": None, "user": None} if across_users else {}
    same = _in_one_order({**one, **of_one_person}) == _in_one_order({**other, **of_one_person})
    assert (keys[0] == keys[1]) is same


@pytest.mark.parametrize(
    "fields",
    [
        {"temperature": 0.7},
        {"temperature": "hot"},
        {"n": 2},
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"functions": [{"name": "f"}]},
        {"web_search_options": {"search_context_size": "low"}},
        {"store": True},
        {"logprobs": True},
        {"messages": [MESSAGE, {"role": "assistant", "tool_calls": [{"id": "1"}]}]},
        {"messages": [MESSAGE, {"role": "tool", "tool_call_id": "1", "content": "42"}]},
        {"messages": [{**MESSAGE, "content": "x" * BODY_LIMIT_BYTES}]},
        {"messages": [json.loads("[" * 300 + "]" * 300)]},
        {"user": None},
        {"user": "  "},
    ],
)
def test_who_wants_an_answer_of_its_own_gets_one(fields: dict[str, Any]) -> None:
    assert _key(BODY) is not None
    assert _key({**BODY, **fields}) is None


@pytest.mark.parametrize("said", ["no-store", "no-cache", "max-age=0, No-Cache"])
def test_who_says_so_in_a_header_gets_an_answer_of_its_own(said: str) -> None:
    assert _key(BODY, {"cache-control": said}) is None
    assert _key(BODY, {"cache-control": "max-age=0"}) == _key(BODY)


@pytest.mark.parametrize("fields", [{"temperature": 0}, {"temperature": 0.0}, {"temperature": None}, {"n": 1}])
def test_who_asks_for_no_chance_may_get_a_kept_answer(fields: dict[str, Any]) -> None:
    assert _key({**BODY, **fields}) is not None


def test_a_teams_key_is_no_user() -> None:
    nobody = {**BODY, "user": None}
    assert _key(nobody, {"authorization": "Bearer made-key"}) is None
    assert _key(nobody, {"authorization": "Bearer made-key"}, across_users=True) is not None
    assert _key(nobody, {"x-user-id": "anna"}) == _key(BODY)


def test_a_question_that_readers_may_read_in_two_ways_is_never_shared_across_users() -> None:
    twice = b'{"model":"qa","messages":[{"role":"user","content":"a","content":"b"}]}'
    assert _key(twice.replace(b'"content":"a",', b""), across_users=True) is not None
    assert _key(twice, across_users=True) is None
