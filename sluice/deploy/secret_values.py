"""The keys that an environment asks for: which they are, whether they are set, and the setting of one.

A value comes in from its owner and goes into Pulumi's encrypted configuration. It is never printed, is in no error, and
reaches other programs by their standard input alone: arguments can be read by everybody on the machine.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import ClassVar

from sluice.deploy.engine import Engine, require_passphrase
from sluice.deploy.launch import declared_environment
from sluice.errors import AnswerIsNo, SluiceError
from sluice.local.folders import PROJECT, cache_folder
from sluice.local.toolchain import ensure_pulumi
from sluice.progress import Progress
from sluice.registry import LITELLM_KEY, REDIS_PASSWORD, Environment, ExternalCache

SHORTEST_KEY = 12
LONGEST_VALUE = 8192

# What may stand in a header after "Bearer ": the gateway takes no other key.
_KEY = re.compile(r"[\x21-\x7e]+")
_PASSWORD = re.compile(r"[^\x00-\x1f\x7f]+")
_STAND_IN = re.compile(
    r"<.*>|\$\{?\w+\}?|(.)\1*|(your|my|the)[-_. ].*|change[-_ ]?me.*|(xxx|todo|example|placeholder).*", re.IGNORECASE
)


class SecretNotAskedFor(SluiceError):
    """No provider of the registry, and no cache of the environment, has a key of that name."""

    exit_code: ClassVar[int] = 2

    def __init__(self, name: str, environment: str, known: Sequence[str]) -> None:
        near = get_close_matches(name, known, n=1)
        # What is like none of them may be a key that was typed in the name's place.
        what, meant = (repr(name), f"did you mean {near[0]}? ") if near else ("key of that name", "")
        super().__init__(f"{environment} asks for no {what}; {meant}it asks for {', '.join(known)}")


class SecretUnusable(AnswerIsNo):
    """A value that cannot be the key. The sentence says why without any part of it."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"the value for {name} {why}; nothing was changed")


class SecretsAreInStore(AnswerIsNo):
    """The environment's keys come from a store, which its own tools write."""

    def __init__(self, environment: str, name: str, where: str, namespace: str) -> None:
        super().__init__(
            f"Pulumi.{environment}.yaml: the keys of {environment} come from a store; write {name} there ({where}). "
            f"The External Secrets Operator brings it, at once by `kubectl -n {namespace} annotate externalsecret "
            "provider-keys-from-store force-sync=$(date +%s) --overwrite`"
        )


@dataclass(frozen=True, slots=True)
class WantedSecret:
    """A key that an environment asks for.

    `providers` is empty where Redis asks for it, and `litellm` where the gateway is known by it to LiteLLM.
    """

    name: str
    providers: tuple[str, ...]
    is_set: bool | None
    """None where a store has it, which is not asked here."""
    place: str
    """Where its value is."""


def wanted_secrets(declared: Environment) -> tuple[WantedSecret, ...]:
    """Return what an environment asks for, in the registry's order; no passphrase is needed for that."""
    settings = declared.settings
    providers: dict[str, list[str]] = {}
    for provider in declared.registry.providers.values():
        providers.setdefault(provider.key, []).append(provider.name)
    if isinstance(settings.cache, ExternalCache) or REDIS_PASSWORD in settings.keys_set:
        providers.setdefault(REDIS_PASSWORD, [])
    if settings.litellm:
        providers.setdefault(LITELLM_KEY, ["litellm"])
    return tuple(_wanted(declared, name, tuple(of)) for name, of in providers.items())


def wanted_secret(environment: str, name: str) -> tuple[Environment, WantedSecret]:
    """Return one of them, which Pulumi's configuration is to hold.

    Raises `UnknownEnvironment`, `InvalidRegistry`, `SecretNotAskedFor` or `SecretsAreInStore`.
    """
    declared = declared_environment(environment)
    known = {wanted.name: wanted for wanted in wanted_secrets(declared)}
    if name not in known:
        raise SecretNotAskedFor(name, environment, tuple(known))
    if known[name].is_set is None:
        raise SecretsAreInStore(environment, name, known[name].place, declared.settings.namespace)
    return declared, known[name]


def check_value(wanted: WantedSecret, value: str) -> None:
    """Check that a value can be the key. Raises `SecretUnusable`."""
    if not value:
        raise SecretUnusable(wanted.name, "is empty")
    if len(value) > LONGEST_VALUE:
        raise SecretUnusable(wanted.name, f"has more than {LONGEST_VALUE} characters")
    if "\n" in value:
        raise SecretUnusable(wanted.name, "has several lines; give the key alone")
    if not wanted.providers:
        if not _PASSWORD.fullmatch(value):
            raise SecretUnusable(wanted.name, "has control characters")
        return
    if not _KEY.fullmatch(value):
        raise SecretUnusable(wanted.name, "has spaces or characters that a header cannot carry; give the key alone")
    if value[0] == value[-1] and value[0] in "\"'`":
        raise SecretUnusable(wanted.name, "is in quotes, which would be part of it")
    if _STAND_IN.fullmatch(value):
        raise SecretUnusable(wanted.name, "stands in for a key and is none")
    if len(value) < SHORTEST_KEY:
        raise SecretUnusable(wanted.name, f"has fewer than {SHORTEST_KEY} characters, and is no whole key")


def set_secret(environment: str, name: str, value: str, progress: Progress) -> bool:
    """Encrypt a value into Pulumi.ENVIRONMENT.yaml, and say whether that changed it; the next update brings it.

    Raises as `wanted_secret` and `check_value` do, `MissingPassphrase` or `PulumiFailed`.
    """
    _, wanted = wanted_secret(environment, name)
    check_value(wanted, value)
    require_passphrase(environment)
    setting = f"sluice:{name}"
    with tempfile.TemporaryDirectory(prefix="sluice-") as state:
        # The settings are a file: to change them takes Pulumi and the passphrase, and neither a cluster nor its state.
        engine = Engine(ensure_pulumi(cache_folder(), progress), PROJECT, environment, Path(state), {})
        # The same value, encrypted anew, would be a change in git that is none.
        if wanted.is_set and engine.configured(setting, progress) == value:
            return False
        engine.configure_secret(setting, value, progress)
    return True


def _wanted(declared: Environment, name: str, providers: tuple[str, ...]) -> WantedSecret:
    settings = declared.settings
    if settings.secrets is None:
        place = f"Pulumi.{settings.environment}.yaml"
        return WantedSecret(name, providers, name in settings.keys_set, place)
    at = settings.secrets.place_of(name)
    entry = f"entry {at['key']}{', property ' + at['property'] if 'property' in at else ''}"
    return WantedSecret(name, providers, None, f"{settings.secrets.store_kind} {settings.secrets.store}, {entry}")
