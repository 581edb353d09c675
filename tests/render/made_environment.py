"""A small environment to render: two agents, one of them with a candidate."""

from __future__ import annotations

from pathlib import Path

from hypothesis import strategies as st

from sluice.registry import (
    LADDER,
    Agent,
    AgentRollout,
    EmbeddedCache,
    GatewaySettings,
    Model,
    Price,
    Provider,
    Registry,
    Resources,
    Rollout,
    Settings,
    StubProviderSettings,
)
from sluice.render import KubernetesObject, Rendered

PROJECT = Path(__file__).parent.parent.parent

DIGEST = "sha256:" + "0" * 64

REGISTRY = Registry(
    providers={"mistral": Provider("mistral", "https://api.mistral.ai/v1", "mistral-api-key", 5)},
    models={
        name: Model(name, "mistral", f"ft:{name}", None, Price(0.0008, 0.0016), None, None)
        for name in ("qa-1", "qa-2", "gpt-4o")
    },
    agents={"qa": Agent("qa", "unit tests", ("gpt-4o",)), "legal": Agent("legal", "clauses", ("gpt-4o",))},
)

SETTINGS = Settings(
    environment="dev",
    namespace="sluice-dev",
    gateway=GatewaySettings(f"sluice.local/gateway@{DIGEST}", 2, None, Resources()),
    stub_provider=StubProviderSettings(f"sluice.local/stub-provider@{DIGEST}"),
    provider_addresses={},
    keys_set=(),
    cache=EmbeddedCache(f"sluice.local/cache@{DIGEST}", "64Mi"),
)


def rollout(weight: int = 10, *, enabled: bool = True, candidate: str | None = "qa-1") -> Rollout:
    return Rollout(
        "dev",
        enabled,
        {
            "qa": AgentRollout("qa", candidate, weight if candidate else 0, None, ("gpt-4o",)),
            "legal": AgentRollout("legal", None, 0, None, ("gpt-4o",)),
        },
    )


def only(rendered: Rendered, kind: str, name: str) -> KubernetesObject:
    (found,) = [item for item in rendered.objects() if item.kind == kind and item.name.startswith(name)]
    return found


rollouts = st.builds(
    rollout, st.sampled_from([0, *LADDER]), enabled=st.booleans(), candidate=st.sampled_from(["qa-1", "qa-2", None])
)
