"""The providers' API keys of an environment, from Pulumi's encrypted configuration."""

from __future__ import annotations

from collections.abc import Iterable

import pulumi

from sluice.registry import KeysNotSet


def provider_key_values(names: Iterable[str], environment: str) -> dict[str, pulumi.Output[str]]:
    """Return each key's value as a Pulumi secret. Raises `KeysNotSet`, naming all that are missing."""
    config = pulumi.Config("sluice")
    values = {name: config.get_secret(name) for name in names}
    missing = [name for name, value in values.items() if value is None]
    if missing:
        raise KeysNotSet(environment, missing)
    return {name: value for name, value in values.items() if value is not None}
