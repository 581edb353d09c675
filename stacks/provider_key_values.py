"""The providers' API keys of an environment, from Pulumi's encrypted configuration."""

from __future__ import annotations

from collections.abc import Iterable

import pulumi

from sluice.errors import SluiceError


class KeysNotSet(SluiceError):
    """An environment has no value for some of its providers' keys."""

    def __init__(self, environment: str, names: Iterable[str]) -> None:
        commands = "\n".join(f"  pulumi config set --secret sluice:{name} --stack {environment}" for name in names)
        super().__init__(
            f"Pulumi.{environment}.yaml: no value is set for a provider's key; "
            f"set each one (it is asked for, and stored encrypted):\n{commands}"
        )


def provider_key_values(names: Iterable[str], environment: str) -> dict[str, pulumi.Output[str]]:
    """Return each key's value as a Pulumi secret. Raises `KeysNotSet`, naming all that are missing."""
    config = pulumi.Config("sluice")
    values = {name: config.get_secret(name) for name in names}
    missing = [name for name, value in values.items() if value is None]
    if missing:
        raise KeysNotSet(environment, missing)
    return {name: value for name, value in values.items() if value is not None}
