"""LiteLLM behind the gateway: the settings of an environment some of whose providers speak a dialect of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sluice.registry.resources import Resources, resources_of

LITELLM_KEY = "litellm-master-key"
"""The encrypted setting with the key that the gateway sends to LiteLLM."""

_GIVEN = Resources(cpu_request="250m", memory_request="768Mi", memory_limit="768Mi")
"""By measure: one process takes 370 MB before its first request."""


@dataclass(frozen=True, slots=True)
class LiteLLM:
    """LiteLLM's proxy as one more upstream: `providers` holds, by provider of the registry, what LiteLLM calls it."""

    image: str
    providers: Mapping[str, str]
    replicas: int = 1
    resources: Resources = _GIVEN


def litellm_of(body: Mapping[str, Any] | None) -> LiteLLM | None:
    """Build `sluice:litellm`, None where it is left out."""
    if body is None:
        return None
    return LiteLLM(
        image=body["image"],
        providers=MappingProxyType(dict(body["providers"])),
        replicas=int(body.get("replicas", 1)),
        resources=resources_of(body.get("resources", {}), _GIVEN),
    )
