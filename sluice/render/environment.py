"""Puts together everything that should exist in one environment."""

from __future__ import annotations

from dataclasses import dataclass

from sluice.registry import LITELLM_KEY, REDIS_PASSWORD, Registry, Rollout, Settings
from sluice.render.access import access
from sluice.render.admission import admission, reviewing
from sluice.render.alerts import alerts
from sluice.render.availability import availability
from sluice.render.cache import cache
from sluice.render.dashboards import dashboards
from sluice.render.external_secrets import external_secrets
from sluice.render.flags import flags
from sluice.render.gateway import callers_secret, gateway, keys_secret
from sluice.render.gateway_configuration import gateway_configuration
from sluice.render.guard import guard
from sluice.render.http_route import http_route
from sluice.render.ingress import ingress
from sluice.render.kubernetes_object import KubernetesObject, SecretReference, labels
from sluice.render.litellm import litellm
from sluice.render.namespace import namespace
from sluice.render.network import network
from sluice.render.override import override
from sluice.render.prometheus import prometheus
from sluice.render.quotas import quotas
from sluice.render.report import report
from sluice.render.stub_provider import stub_provider


@dataclass(frozen=True, slots=True)
class Rendered:
    """What should exist in one environment, grouped as it is made. Of secrets there is a reference and no value."""

    environment: str
    namespace: KubernetesObject
    admission: tuple[KubernetesObject, ...]
    reviewing: tuple[KubernetesObject, ...]
    flags: tuple[KubernetesObject, ...]
    override: KubernetesObject
    access: tuple[KubernetesObject, ...]
    cache: tuple[KubernetesObject, ...]
    gateway: tuple[KubernetesObject, ...]
    guard: tuple[KubernetesObject, ...]
    prometheus: tuple[KubernetesObject, ...]
    report: tuple[KubernetesObject, ...]
    availability: tuple[KubernetesObject, ...]
    ingress: tuple[KubernetesObject, ...]
    network: tuple[KubernetesObject, ...]
    quotas: tuple[KubernetesObject, ...]
    alerts: tuple[KubernetesObject, ...]
    dashboards: tuple[KubernetesObject, ...]
    stub_provider: tuple[KubernetesObject, ...]
    litellm: tuple[KubernetesObject, ...]
    external_secrets: tuple[KubernetesObject, ...]
    """What brings the two Secrets where they come from a store; empty where Pulumi makes them."""
    provider_keys: SecretReference
    caller_keys: SecretReference | None
    """The Secret of callers' keys that Pulumi makes, None where a store has them."""

    def objects(self) -> tuple[KubernetesObject, ...]:
        """Return every object, those that others need first."""
        return (
            self.namespace,
            *self.admission,
            *self.reviewing,
            *self.quotas,
            *self.network,
            *self.flags,
            self.override,
            *self.access,
            *self.external_secrets,
            *self.cache,
            *self.stub_provider,
            *self.prometheus,
            *self.guard,
            *self.report,
            *self.litellm,
            *self.gateway,
            *self.availability,
            *self.ingress,
            *self.alerts,
            *self.dashboards,
        )


def render(registry: Registry, rollout: Rollout, settings: Settings) -> Rendered:
    """Render an environment: the same values in, the same objects out, with no look at the clock or the machine."""
    keys = dict.fromkeys(provider.key for provider in registry.providers.values())
    # A Redis of others may want a password; one that is set lies beside the keys.
    if _has_redis_password(settings):
        keys[REDIS_PASSWORD] = None
    # By this one the gateway is known to LiteLLM.
    keys |= dict.fromkeys([LITELLM_KEY] if settings.litellm else [])
    name = keys_secret(settings)
    provider_keys = SecretReference(name, settings.namespace, tuple(keys), labels(name, component="gateway"))
    of_flags = flags(rollout, settings.namespace)
    names = tuple(config_map.name for config_map in of_flags)
    return Rendered(
        environment=settings.environment,
        namespace=namespace(settings),
        admission=admission(settings),
        reviewing=reviewing(settings),
        flags=of_flags,
        override=override(settings),
        access=access(settings, names),
        cache=cache(settings),
        availability=availability(settings),
        ingress=(*ingress(settings), *http_route(settings)),
        network=network(registry, settings),
        quotas=quotas(settings),
        alerts=alerts(settings),
        dashboards=dashboards(settings),
        gateway=gateway(settings, gateway_configuration(registry, settings), names),
        guard=guard(registry, settings),
        prometheus=prometheus(settings),
        report=report(registry, rollout, settings),
        stub_provider=stub_provider(settings),
        litellm=litellm(registry, settings),
        caller_keys=_caller_keys(settings),
        external_secrets=external_secrets(settings, provider_keys, callers_secret(settings)),
        provider_keys=provider_keys,
    )


def _has_redis_password(settings: Settings) -> bool:
    if settings.secrets is not None:
        return settings.secrets.redis_password
    return REDIS_PASSWORD in settings.keys_set


def _caller_keys(settings: Settings) -> SecretReference | None:
    if settings.secrets is not None:
        return None
    # Where no team has a key it is empty, and not missing: what a pod had mounted of it would stay.
    name = callers_secret(settings)
    return SecretReference(name, settings.namespace, settings.teams or (), labels(name, component="gateway"))
