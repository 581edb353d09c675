"""The gateway's configuration: every agent, model and provider, in a ConfigMap named by its content.

It is read once at start; a change is a new name, and so restarts the pods. Whatever a rollout changes stands in the
flags instead, which are read while running.
"""

from __future__ import annotations

import hashlib
from typing import Any

from sluice.registry import Registry, Settings
from sluice.render.json_text import json_text
from sluice.render.kubernetes_object import KubernetesObject, kubernetes_object, labels

NAME_PREFIX = "gateway-config"
DATA_KEY = "gateway.json"


def gateway_configuration(registry: Registry, settings: Settings) -> KubernetesObject:
    """Render the configuration; an address in the settings stands in place of the registry's."""
    text = json_text(_content(registry, settings))
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return kubernetes_object(
        "v1",
        "ConfigMap",
        f"{NAME_PREFIX}-{digest}",
        namespace=settings.namespace,
        labels=labels("gateway", component="configuration"),
        immutable=True,
        data={DATA_KEY: text},
    )


def _content(registry: Registry, settings: Settings) -> dict[str, Any]:
    return {
        "version": 1,
        "environment": settings.environment,
        "agents": {name: {"summary": agent.summary} for name, agent in registry.agents.items()},
        "models": {
            name: {
                "provider": model.provider,
                "id": model.id,
                "price": {"input": model.price.input_per_1k_tokens, "output": model.price.output_per_1k_tokens},
            }
            for name, model in registry.models.items()
        },
        "providers": {
            name: {"api": settings.provider_addresses.get(name, provider.api), "key": provider.key}
            for name, provider in registry.providers.items()
        },
    }
