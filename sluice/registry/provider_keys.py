"""The names of the providers' keys that an environment must hold a value for. The values are Pulumi's alone to read."""

from __future__ import annotations

from collections.abc import Iterable

from sluice.errors import SluiceError
from sluice.registry.litellm_settings import LITELLM_KEY
from sluice.registry.model import Registry
from sluice.registry.settings import Settings


class KeysNotSet(SluiceError):
    """An environment has no value for some of its providers' keys."""

    def __init__(self, environment: str, names: Iterable[str]) -> None:
        commands = "\n".join(f"  sluice secrets set {environment} {name}" for name in names)
        super().__init__(
            f"Pulumi.{environment}.yaml: no value is set for a provider's key; "
            f"set each one (it is asked for, and stored encrypted):\n{commands}"
        )


def require_keys(registry: Registry, settings: Settings) -> None:
    """Check that the settings hold an encrypted value for the key of each provider. Raises `KeysNotSet`.

    What a store holds is not known here: where keys come from one, the update itself waits until they have come.
    """
    if settings.secrets is not None:
        return
    wanted = dict.fromkeys(provider.key for provider in registry.providers.values())
    if settings.litellm is not None:
        wanted[LITELLM_KEY] = None
    missing = [key for key in wanted if key not in settings.keys_set]
    if missing:
        raise KeysNotSet(settings.environment, missing)
