"""The guard as Kubernetes runs it, where an environment has one: what it writes to, what it is told, its Deployment.

The Lease and the ConfigMap of facts are declared without content, as the override is: the guard may then change these
two objects and make none. Its configuration is named by its content, and holds nothing that a rollout changes.
"""

from __future__ import annotations

from typing import Any

from sluice.registry import GuardSettings, Registry, Resources, Settings
from sluice.registry.building import sections_of
from sluice.render.availability import disruption_budget
from sluice.render.container_resources import resources
from sluice.render.dealt_out import configuration_maps, dealt_out
from sluice.render.following import KEPT, OTHERS_WRITE
from sluice.render.gateway import API_ACCESS_FOLDER, api_access, in_one_folder, spread
from sluice.render.kubernetes_object import (
    PROGRESS_DEADLINE_SECONDS,
    KubernetesObject,
    kubernetes_object,
    labels,
    restricted_container,
    restricted_pod,
    selector,
)

NAME = "sluice-guard"
NAME_PREFIX = "guard-config"
FACTS = "rollbacks"
"""The ConfigMap in which the facts of each automatic rollback are kept for its post-mortem."""

PORT = 9090
_VERSION = 2
_SHARED = ("agents", "models")
"""What is dealt out where one ConfigMap does not hold it."""


def guard(registry: Registry, settings: Settings) -> tuple[KubernetesObject, ...]:
    """Render the guard's objects, none where the environment has no guard."""
    if settings.guard is None:
        return ()
    configurations = _configuration(registry, settings)
    disruption = () if settings.guard.replicas == 1 else (disruption_budget(settings, NAME, component="guard"),)
    return (
        _written_while_running("coordination.k8s.io/v1", "Lease", NAME, settings),
        _written_while_running("v1", "ConfigMap", FACTS, settings),
        *configurations,
        _deployment(settings, settings.guard, configurations),
        *disruption,
    )


def _written_while_running(api_version: str, kind: str, name: str, settings: Settings) -> KubernetesObject:
    named = labels(NAME, component="guard")
    left_alone = {**OTHERS_WRITE, **KEPT}
    return kubernetes_object(
        api_version, kind, name, namespace=settings.namespace, labels=named, annotations=left_alone
    )


def _configuration(registry: Registry, settings: Settings) -> tuple[KubernetesObject, ...]:
    """Render `guard.json`, and what of it has no room in one ConfigMap as `guard-1.json` and so on."""
    asked = settings.prometheus
    assert asked is not None  # noqa: S101 - the settings' schema asks for one beside a guard
    sections = sections_of(registry)
    texts = dealt_out(
        {
            "version": _VERSION,
            "environment": settings.environment,
            "namespace": settings.namespace,
            "prometheus": asked.url,
            "match": asked.match,
            "registry": {name: section for name, section in sections.items() if name not in _SHARED},
            **{name: sections[name] for name in _SHARED},
        },
        _SHARED,
    )
    named = labels(NAME, component="configuration")
    return configuration_maps(NAME_PREFIX, "guard", texts, settings.namespace, named)


def _deployment(
    settings: Settings, wanted: GuardSettings, configuration: tuple[KubernetesObject, ...]
) -> KubernetesObject:
    named = labels(NAME, component="guard")
    return kubernetes_object(
        "apps/v1",
        "Deployment",
        NAME,
        namespace=settings.namespace,
        labels=named,
        spec={
            "replicas": wanted.replicas,
            "revisionHistoryLimit": 3,
            "progressDeadlineSeconds": PROGRESS_DEADLINE_SECONDS,
            "selector": {"matchLabels": selector(NAME)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": {
                "metadata": {"labels": labels(NAME, component="guard")},
                "spec": {
                    "serviceAccountName": NAME,
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "securityContext": restricted_pod(),
                    "terminationGracePeriodSeconds": 30,
                    **({"topologySpreadConstraints": spread(NAME)} if wanted.replicas > 1 else {}),
                    "containers": [_container(wanted)],
                    "volumes": [{"name": "config", **in_one_folder(configuration)}, api_access()],
                },
            },
        },
    )


def _container(wanted: GuardSettings) -> dict[str, Any]:
    # Alive is one whose ticks go on, ready one that hears the API server, whether it acts or stands by.
    lives = {"httpGet": {"path": "/healthz", "port": "metrics"}, "timeoutSeconds": 2}
    ready = {"httpGet": {"path": "/readyz", "port": "metrics"}, "timeoutSeconds": 2}
    return {
        "name": NAME,
        "image": wanted.image,
        "imagePullPolicy": "IfNotPresent",
        "ports": [{"name": "metrics", "containerPort": PORT, "protocol": "TCP"}],
        "startupProbe": {**lives, "periodSeconds": 1, "failureThreshold": 30},
        "readinessProbe": {**ready, "periodSeconds": 5, "failureThreshold": 2},
        "livenessProbe": {**lives, "periodSeconds": 20, "failureThreshold": 3},
        "resources": resources(Resources(cpu_request="50m", memory_request="128Mi", memory_limit="128Mi")),
        "securityContext": restricted_container(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "config", "mountPath": "/etc/sluice/guard", "readOnly": True},
            {"name": "api-access", "mountPath": API_ACCESS_FOLDER, "readOnly": True},
        ],
    }
