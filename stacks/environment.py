"""One environment: reads what git says of it, has it rendered, and hands each part to its component.

A mistake in the registry or the settings ends the program with the sentence that names its place, before Pulumi has
made anything.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pulumi
import pulumi_kubernetes

from components.access import Access, AccessArgs
from components.admission import Admission, AdmissionArgs
from components.alerts import Alerts, AlertsArgs
from components.availability import Availability, AvailabilityArgs
from components.cache import Cache, CacheArgs
from components.caller_keys import CallerKeys, CallerKeysArgs
from components.dashboards import Dashboards, DashboardsArgs
from components.environment_namespace import EnvironmentNamespace, EnvironmentNamespaceArgs
from components.external_secrets import ExternalSecrets, ExternalSecretsArgs
from components.flags import Flags, FlagsArgs
from components.gateway import Gateway, GatewayArgs
from components.guard import Guard, GuardArgs
from components.ingress import Ingress, IngressArgs
from components.litellm import LiteLLM, LiteLLMArgs
from components.network import Network, NetworkArgs
from components.override import Override, OverrideArgs
from components.prometheus import Prometheus, PrometheusArgs
from components.provider_keys import ProviderKeys, ProviderKeysArgs
from components.quotas import Quotas, QuotasArgs
from components.report import Report, ReportArgs
from components.stub_provider import StubProvider, StubProviderArgs
from sluice.errors import SluiceError
from sluice.registry import Settings, image_variable, is_named, load_environment
from sluice.render import Rendered, render
from stacks.caller_digests import caller_digests
from stacks.provider_key_values import provider_key_values

_EMBEDDED = ("cache", "prometheus")
"""The parts that an environment may have of its own or of others."""


class ImageNotNamed(SluiceError):
    """The settings still hold the digest of zeros that stands for no image at all."""

    def __init__(self, environment: str, setting: str) -> None:
        super().__init__(
            f"Pulumi.{environment}.yaml: config.{setting}: no image is named yet (its digest is all zeros); "
            "write the digest of the image in your registry, or use `sluice up`, which builds one"
        )


def deploy() -> None:
    """Declare every resource of the stack's environment. Raises `pulumi.RunError` with the sentence of a mistake."""
    environment = pulumi.get_stack()
    try:
        settings, rendered = _wanted(Path.cwd(), environment)
        wanted_keys = () if rendered.external_secrets else rendered.provider_keys.keys
        keys = provider_key_values(wanted_keys, environment)
    except SluiceError as error:
        raise pulumi.RunError(str(error)) from None
    cluster = pulumi_kubernetes.Provider(
        "cluster",
        context=os.environ.get("SLUICE_CONTEXT"),
        # Flags and keys are read while pods run: they change in place and keep their names.
        enable_config_map_mutable=True,
        enable_secret_mutable=True,
    )
    here = pulumi.ResourceOptions(provider=cluster)
    namespace_args = EnvironmentNamespaceArgs(rendered.namespace, settings.protected)
    namespace = EnvironmentNamespace("namespace", namespace_args, here).name
    Admission("admission", AdmissionArgs(rendered.admission), here)
    Network("network", NetworkArgs(rendered.network, namespace), here)
    _declare_keys(rendered, namespace, keys, here)
    Flags("flags", FlagsArgs(rendered.flags, namespace), here)
    Override("override", OverrideArgs(rendered.override, namespace, settings.protected), here)
    Access("access", AccessArgs(rendered.access, namespace), here)
    gateway = Gateway("gateway", GatewayArgs(rendered.gateway, namespace, _url(settings)), here)
    _declare_what_is_switched_on(rendered, namespace, here)
    pulumi.export("url", gateway.url)
    pulumi.export("namespace", namespace)


def _declare_keys(
    rendered: Rendered,
    namespace: pulumi.Output[str],
    keys: Mapping[str, pulumi.Output[str]],
    here: pulumi.ResourceOptions,
) -> None:
    if rendered.external_secrets:
        ExternalSecrets("external-secrets", ExternalSecretsArgs(rendered.external_secrets, namespace), here)
    else:
        ProviderKeys("provider-keys", ProviderKeysArgs(rendered.provider_keys, namespace, keys), here)
    if rendered.caller_keys:
        digests = caller_digests(rendered.caller_keys.keys)
        CallerKeys("caller-keys", CallerKeysArgs(rendered.caller_keys, namespace, digests), here)


def _declare_what_is_switched_on(
    rendered: Rendered, namespace: pulumi.Output[str], here: pulumi.ResourceOptions
) -> None:
    if rendered.reviewing:
        Admission("reviewing", AdmissionArgs(rendered.reviewing), here)
    if rendered.quotas:
        Quotas("quotas", QuotasArgs(rendered.quotas, namespace), here)
    if rendered.cache:
        Cache("cache", CacheArgs(rendered.cache, namespace), here)
    if rendered.stub_provider:
        StubProvider("stub-provider", StubProviderArgs(rendered.stub_provider, namespace), here)
    if rendered.litellm:
        LiteLLM("litellm", LiteLLMArgs(rendered.litellm, namespace), here)
    if rendered.availability:
        Availability("availability", AvailabilityArgs(rendered.availability, namespace), here)
    if rendered.ingress:
        Ingress("ingress", IngressArgs(rendered.ingress, namespace), here)
    _declare_what_watches(rendered, namespace, here)


def _declare_what_watches(rendered: Rendered, namespace: pulumi.Output[str], here: pulumi.ResourceOptions) -> None:
    if rendered.prometheus:
        Prometheus("prometheus", PrometheusArgs(rendered.prometheus, namespace), here)
    if rendered.guard:
        Guard("guard", GuardArgs(rendered.guard, namespace), here)
    if rendered.alerts:
        Alerts("alerts", AlertsArgs(rendered.alerts, namespace), here)
    if rendered.report:
        Report("report", ReportArgs(rendered.report, namespace), here)
    if rendered.dashboards:
        Dashboards("dashboards", DashboardsArgs(rendered.dashboards, namespace), here)


def _wanted(project: Path, environment: str) -> tuple[Settings, Rendered]:
    declared = load_environment(project, environment)
    # What was built on this machine stands in place of an image that git does not name; never of one that it does.
    unnamed = [part for part, image in declared.settings.images.items() if not is_named(image)]
    settings = declared.settings.with_images(**{part: _built(environment, part) for part in unnamed})
    return settings, render(declared.registry, declared.rollout, settings)


def _built(environment: str, which: str) -> str:
    image = os.environ.get(image_variable(which))
    if not image:
        raise ImageNotNamed(environment, f"sluice:{which}.{'embedded.' if which in _EMBEDDED else ''}image")
    return image


def _url(settings: Settings) -> str:
    # Only who started the cluster knows where its NodePorts answer: the local one's do on this machine.
    address = os.environ.get("SLUICE_NODE_PORTS_AT")
    if settings.gateway.node_port is not None and address:
        return f"http://{address}:{settings.gateway.node_port}"
    return f"http://gateway.{settings.namespace}.svc:8080"
