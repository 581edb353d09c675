"""LiteLLM as Kubernetes runs it, in the environments that have it: one more upstream behind the gateway.

It asks the providers that the settings name, in their own dialects; towards the gateway it speaks OpenAI's. It has no
database, tries nothing twice and leaves no model alone: failing over and breaking are the gateway's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sluice.registry import LITELLM_KEY, LiteLLM, Registry, Settings
from sluice.render.availability import disruption_budget
from sluice.render.configuration_map import configuration_map, named_by_content
from sluice.render.container_resources import resources
from sluice.render.gateway import DRAIN_SECONDS, FOLDER, grace_seconds, keys_secret, spread
from sluice.render.json_text import json_text
from sluice.render.kubernetes_object import (
    PROGRESS_DEADLINE_SECONDS,
    KubernetesObject,
    kubernetes_object,
    labels,
    restricted_container,
    restricted_pod,
    selector,
)

NAME = "litellm"
PORT = 4000
URL = f"http://{NAME}:{PORT}/v1"
CONFIGURATION_PREFIX = "litellm-config"

_CONFIGURATION_FILE = "litellm.yaml"


def litellm(registry: Registry, settings: Settings) -> tuple[KubernetesObject, ...]:
    """Render LiteLLM's objects, none where every provider is asked by the gateway itself."""
    if settings.litellm is None:
        return ()
    configuration = _configuration(registry, settings, settings.litellm)
    keys = (LITELLM_KEY, *dict.fromkeys(registry.providers[name].key for name in settings.litellm.providers))
    return (
        kubernetes_object(
            "v1",
            "ServiceAccount",
            NAME,
            namespace=settings.namespace,
            labels=_labels(),
            automountServiceAccountToken=False,
        ),
        configuration,
        _service(settings),
        _deployment(settings, settings.litellm, configuration, keys),
        *(() if settings.litellm.replicas == 1 else (disruption_budget(settings, NAME),)),
    )


def _configuration(registry: Registry, settings: Settings, own: LiteLLM) -> KubernetesObject:
    """Render its configuration, named by its content, because LiteLLM reads it at its start alone. JSON is YAML."""
    text = json_text(
        {
            "model_list": list(_models(registry, settings, own)),
            "litellm_settings": {
                "telemetry": False,
                "turn_off_message_logging": True,
                "request_timeout": settings.gateway.longest_request_seconds,
                "num_retries": 0,
            },
            "router_settings": {"num_retries": 0, "disable_cooldowns": True},
            "general_settings": {"master_key": "os.environ/LITELLM_MASTER_KEY"},
        }
    )
    name = named_by_content(CONFIGURATION_PREFIX, [text])
    return configuration_map(name, {_CONFIGURATION_FILE: text}, settings.namespace, _labels())


def _models(registry: Registry, settings: Settings, own: LiteLLM) -> Iterator[dict[str, Any]]:
    """Render each model by its name in the registry: two providers may call theirs the same."""
    for name, model in registry.models.items():
        if model.provider in own.providers:
            address = settings.provider_addresses.get(model.provider)
            yield {
                "model_name": name,
                "litellm_params": {
                    "model": f"{own.providers[model.provider]}/{model.id}",
                    "api_key": f"os.environ/{registry.providers[model.provider].key}",
                    **({} if address is None else {"api_base": address}),
                },
            }


def _service(settings: Settings) -> KubernetesObject:
    return kubernetes_object(
        "v1",
        "Service",
        NAME,
        namespace=settings.namespace,
        labels=_labels(),
        spec={
            "type": "ClusterIP",
            "selector": selector(NAME),
            "ports": [{"name": "http", "port": PORT, "targetPort": "http", "protocol": "TCP"}],
        },
    )


def _deployment(
    settings: Settings, own: LiteLLM, configuration: KubernetesObject, keys: tuple[str, ...]
) -> KubernetesObject:
    files = [{"key": key, "path": key} for key in keys]
    return kubernetes_object(
        "apps/v1",
        "Deployment",
        NAME,
        namespace=settings.namespace,
        labels=_labels(),
        spec={
            "replicas": own.replicas,
            "revisionHistoryLimit": 3,
            "progressDeadlineSeconds": PROGRESS_DEADLINE_SECONDS,
            "selector": {"matchLabels": selector(NAME)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}},
            "template": {
                "metadata": {"labels": _labels()},
                "spec": {
                    "serviceAccountName": NAME,
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "securityContext": restricted_pod(),
                    "terminationGracePeriodSeconds": grace_seconds(settings),
                    **({"topologySpreadConstraints": spread(NAME)} if own.replicas > 1 else {}),
                    "containers": [_container(settings, own)],
                    "volumes": [
                        {"name": "config", "configMap": {"name": configuration.name}},
                        # It asks for a folder for temporary files before it does anything, and keeps nothing there.
                        {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
                        # The keys of its own providers alone; 0440: the user gets at them by the pod's group.
                        {
                            "name": "keys",
                            "secret": {"secretName": keys_secret(settings), "defaultMode": 0o440, "items": files},
                        },
                    ],
                },
            },
        },
    )


def _container(settings: Settings, own: LiteLLM) -> dict[str, Any]:
    return {
        "name": NAME,
        "image": own.image,
        "imagePullPolicy": "IfNotPresent",
        "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
        "env": [{"name": "SLUICE_LITELLM_FINISH_SECONDS", "value": str(settings.gateway.longest_request_seconds)}],
        # It takes seconds of CPU to start, of which a small request gives it few.
        "startupProbe": _probe("/health/readiness", period_seconds=2, failures=60),
        "readinessProbe": _probe("/health/readiness", period_seconds=5, failures=2),
        "livenessProbe": _probe("/health/liveliness", period_seconds=20, failures=3),
        # It stops listening as soon as it is told to end: by then, nobody should be sent to it any more.
        "lifecycle": {"preStop": {"sleep": {"seconds": DRAIN_SECONDS}}},
        "resources": resources(own.resources),
        "securityContext": restricted_container(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            *({"name": volume, "mountPath": f"{FOLDER}/{volume}", "readOnly": True} for volume in ("config", "keys")),
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the pod's own
        ],
    }


def _labels() -> dict[str, str]:
    return labels(NAME, component="provider")


def _probe(path: str, *, period_seconds: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": "http"},
        "periodSeconds": period_seconds,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    }
