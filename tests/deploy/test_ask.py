"""A question to an agent: what is sent, what the reply says and costs, and the sentence when there is none."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.deploy.ask import NoReply, UnknownAgent, _cost, ask
from sluice.deploy.cluster_access import ClusterAccess
from sluice.local.folders import PROJECT
from sluice.registry import Agent, Environment, Model, Price, Provider, Registry, load_environment
from tests.deploy.api_server import ApiServer

PROXY = "/api/v1/namespaces/sluice-dev/services/gateway:http/proxy/v1/chat/completions"
ARM = {"x-sluice-agent": "qa", "x-sluice-arm": "candidate", "x-sluice-model": "qa-20251031"}


@pytest.fixture(scope="module")
def dev() -> Environment:
    return load_environment(PROJECT, "dev")


def completion(text: str | None = "A test.", **usage: int) -> dict[str, Any]:
    return {
        "object": "chat.completion",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}}],
        **({"usage": usage} if usage else {}),
    }


def put(api: ApiServer, body: object, *, status: int = 200, headers: dict[str, str] = ARM) -> None:
    api.put(PROXY, body, method="POST", status=status, headers=headers)


def test_the_reply_says_who_answered_what_at_which_cost(
    api: ApiServer, access: ClusterAccess, dev: Environment
) -> None:
    put(api, completion(prompt_tokens=1000, completion_tokens=500, total_tokens=1500))

    reply = ask(access, dev, "qa", "Write a test.", "ada@example.com")

    assert (reply.agent, reply.user, reply.arm, reply.model) == ("qa", "ada@example.com", "candidate", "qa-20251031")
    assert reply.answer == "A test."
    assert reply.latency_ms > 0
    assert reply.cost_dollars == pytest.approx(0.0008 + 0.0004)


def test_the_agent_is_sent_as_the_model_and_the_user_beside_it(
    api: ApiServer, access: ClusterAccess, dev: Environment
) -> None:
    put(api, completion())

    ask(access, dev, "qa", "Was ist »höher«?", "ada@example.com")

    assert json.loads(api.requests[-1].body) == {
        "model": "qa",
        "user": "ada@example.com",
        "messages": [{"role": "user", "content": "Was ist »höher«?"}],
    }
    assert api.requests[-1].headers["cache-control"] == "no-cache"  # who answers now, not an hour ago


@pytest.mark.parametrize(
    "usage",
    [{}, {"usage": None}, {"usage": {}}, {"usage": {"completion_tokens": 12}}, {"usage": {"prompt_tokens": "12"}}],
)
def test_without_counted_tokens_the_cost_is_unknown_and_not_zero(
    usage: dict[str, Any], api: ApiServer, access: ClusterAccess, dev: Environment
) -> None:
    put(api, completion() | usage)

    assert ask(access, dev, "qa", "Hello", "ada").cost_dollars is None


def test_a_model_that_the_registry_does_not_know_any_more_has_no_price(
    api: ApiServer, access: ClusterAccess, dev: Environment
) -> None:
    put(api, completion(prompt_tokens=10, completion_tokens=10), headers=ARM | {"x-sluice-model": "qa-20240101"})

    reply = ask(access, dev, "qa", "Hello", "ada")

    assert (reply.model, reply.cost_dollars) == ("qa-20240101", None)


def registry(price: Price) -> Registry:
    return Registry(
        providers=MappingProxyType({"mistral": Provider("mistral", "https://api.mistral.ai/v1", "key", None)}),
        models=MappingProxyType({"m": Model("m", "mistral", "id", None, price, None, None)}),
        agents=MappingProxyType({"qa": Agent("qa", "tests", ("m",))}),
    )


TOKENS = st.integers(0, 10**7)
PRICES = st.floats(0, 1, allow_subnormal=False)


@given(TOKENS, TOKENS, PRICES, PRICES)
def test_each_direction_is_charged_at_its_own_price_a_thousand(
    sent: int, got: int, input_: float, output: float
) -> None:
    priced = registry(Price(input_, output))

    cost = _cost(priced, "m", {"prompt_tokens": sent, "completion_tokens": got})

    assert cost == pytest.approx(sent / 1000 * input_ + got / 1000 * output)


def test_an_agent_that_is_misspelt_gets_a_suggestion_and_no_request_is_sent(
    api: ApiServer, access: ClusterAccess, dev: Environment
) -> None:
    with pytest.raises(
        UnknownAgent,
        match=r"^there is no agent 'suport'; did you mean support\? "
        r"the agents are qa, content, legal, support, analyst$",
    ) as raised:
        ask(access, dev, "suport", "Hello", "ada")

    assert raised.value.exit_code == 2
    assert api.requests == []


def test_an_agent_like_no_other_gets_the_list_alone(access: ClusterAccess, dev: Environment) -> None:
    with pytest.raises(UnknownAgent, match=r"^there is no agent 'zzz'; the agents are qa, "):
        ask(access, dev, "zzz", "Hello", "ada")


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (429, {"error": {"message": "too many requests", "type": "limit"}}, "status 429: too many requests"),
        (502, {"error": {"message": "every model failed", "code": None}}, "status 502: every model failed"),
        (500, {"error": "it broke"}, 'status 500: {"error": "it broke"}'),
        (
            503,
            {"kind": "Status", "status": "Failure", "message": 'no endpoints available for service "gateway"'},
            'status 503: no endpoints available for service "gateway"',
        ),
        (502, "<html>Bad Gateway</html>\n", "status 502: <html>Bad Gateway</html>"),
        (500, ["a", "list"], 'status 500: ["a", "list"]'),
        (504, "", "status 504: no reason given"),
        (500, "x" * 5000, f"status 500: {'x' * 300}"),
    ],
)
def test_an_error_of_the_gateway_or_of_the_way_to_it_is_quoted(
    status: int, body: object, said: str, api: ApiServer, access: ClusterAccess, dev: Environment
) -> None:
    put(api, body, status=status)

    with pytest.raises(NoReply) as raised:
        ask(access, dev, "legal", "Hello", "ada")
    assert str(raised.value) == f"agent legal did not answer: {said}"
    assert raised.value.exit_code == 3


def test_an_answer_that_did_not_come_from_a_gateway_is_none(
    api: ApiServer, access: ClusterAccess, dev: Environment
) -> None:
    put(api, "It works!", headers={})

    with pytest.raises(NoReply, match=r"^agent qa did not answer: status 200: It works!$"):
        ask(access, dev, "qa", "Hello", "ada")


@pytest.mark.parametrize(
    "body",
    [
        '{"choices": [{"mess',
        {"choices": []},
        {"choices": [{"message": {}}]},
        {"choices": None},
        {"object": "chat.completion"},
        [],
        completion(None),
    ],
)
def test_a_completion_without_an_answer_is_none(
    body: object, api: ApiServer, access: ClusterAccess, dev: Environment
) -> None:
    put(api, body)

    with pytest.raises(NoReply, match=r"^agent qa did not answer: status 200: "):
        ask(access, dev, "qa", "Hello", "ada")


def test_a_gateway_that_does_not_say_its_model_is_none(api: ApiServer, access: ClusterAccess, dev: Environment) -> None:
    put(api, completion(), headers={"x-sluice-arm": "baseline"})

    with pytest.raises(NoReply, match=r"^agent qa did not answer: status 200: "):
        ask(access, dev, "qa", "Hello", "ada")


def test_an_empty_answer_is_an_answer(api: ApiServer, access: ClusterAccess, dev: Environment) -> None:
    put(api, completion(""))

    assert ask(access, dev, "qa", "Hello", "ada").answer == ""
