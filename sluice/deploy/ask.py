"""Asks an agent a question through the gateway of an environment, as a user, and says who answered at what cost."""

from __future__ import annotations

import json
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, ClassVar

from sluice.deploy.cluster_access import Answer, ClusterAccess
from sluice.errors import SluiceError
from sluice.registry import Environment, Registry

_PATIENCE_SECONDS = 60.0
_SERVICE = "gateway:http"
_NO_KEPT_ANSWER = {"cache-control": "no-cache"}
"""Who asks here wants to know who answers now."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: who answered (`arm`, `model`), what, in how many milliseconds, for how many dollars."""

    agent: str
    user: str
    arm: str
    model: str
    answer: str
    latency_ms: float
    cost_dollars: float | None
    """None where the provider did not say how many tokens it counted, or the registry has no price of the model."""


class UnknownAgent(SluiceError):
    """The registry has no agent of that name."""

    exit_code: ClassVar[int] = 2

    def __init__(self, agent: str, registry: Registry) -> None:
        near = get_close_matches(agent, registry.agents, n=1)
        meant = f"did you mean {near[0]}? " if near else ""
        super().__init__(f"there is no agent {agent!r}; {meant}the agents are {', '.join(registry.agents)}")


class NoReply(SluiceError):
    """The gateway, or the API server on the way to it, answered with an error."""

    def __init__(self, agent: str, answer: Answer) -> None:
        self.status = answer.status
        super().__init__(f"agent {agent} did not answer: status {answer.status}: {_message(answer)}")


def ask(
    cluster: ClusterAccess, environment: Environment, agent: str, text: str, user: str, key: str | None = None
) -> Reply:
    """Send `text` to `agent` as `user`, with the key of a team where one is needed, and return the reply.

    Raises `UnknownAgent`, `NoReply` or `ClusterUnreachable`.
    """
    registry = environment.registry
    if agent not in registry.agents:
        raise UnknownAgent(agent, registry)
    body = {"model": agent, "user": user, "messages": [{"role": "user", "content": text}]}
    answer = cluster.post_to_service(
        environment.settings.namespace,
        _SERVICE,
        "/v1/chat/completions",
        body,
        # Not as authorization, which the API server takes for itself.
        _NO_KEPT_ANSWER | ({"x-api-key": key} if key else {}),
        timeout_seconds=_PATIENCE_SECONDS,
    )
    return reply_of(registry, agent, user, answer)


def reply_of(registry: Registry, agent: str, user: str, answer: Answer) -> Reply:
    """Read what a gateway answered. Raises `NoReply`."""
    arm, model = answer.headers.get("x-sluice-arm"), answer.headers.get("x-sluice-model")
    completion, said = _completion(answer)
    if answer.status != 200 or arm is None or model is None or said is None:
        raise NoReply(agent, answer)
    return Reply(
        agent=agent,
        user=user,
        arm=arm,
        model=model,
        answer=said,
        latency_ms=round(answer.milliseconds, 1),
        cost_dollars=_cost(registry, model, completion.get("usage")),
    )


def _completion(answer: Answer) -> tuple[dict[str, Any], str | None]:
    """Return a completion and what it says; what it says is None where the body is no completion, or one of no text."""
    try:
        completion = json.loads(answer.body)
        said = completion["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError):
        return {}, None
    return completion, said if isinstance(said, str) else None


def _cost(registry: Registry, model: str, usage: object) -> float | None:
    # The gateway that answered may be older than this registry, and a provider's usage is what the provider made of it.
    if model not in registry.models or not isinstance(usage, dict):
        return None
    sent, generated = usage.get("prompt_tokens"), usage.get("completion_tokens", 0)
    if not isinstance(sent, int) or not isinstance(generated, int):
        return None
    price = registry.models[model].price
    return (sent * price.input_per_1k_tokens + generated * price.output_per_1k_tokens) / 1000


def _message(answer: Answer) -> str:
    """Find the sentence in an error of OpenAI's dialect, in one of Kubernetes, or in plain text."""
    try:
        body = json.loads(answer.body)
        error = body.get("error", body)
        return str(error["message"])
    except (ValueError, KeyError, AttributeError, TypeError):
        return answer.body.decode(errors="replace").strip()[:300] or "no reason given"
