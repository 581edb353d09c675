"""The gateway as Kubernetes runs it: ServiceAccount, Service and Deployment.

Nothing here depends on a rollout: a weight changes the flags alone, and the pods read them while they run. The flags
are mounted as a whole folder, because Kubernetes never updates a file that is mounted by subPath.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sluice.registry import Settings, Traces
from sluice.render import override
from sluice.render.cache import cache_url
from sluice.render.container_resources import resources
from sluice.render.kubernetes_object import (
    PROGRESS_DEADLINE_SECONDS,
    KubernetesObject,
    kubernetes_object,
    labels,
    restricted_container,
    restricted_pod,
    selector,
)

NAME = "gateway"
PORT = 8080
PORT_NAME = "http"
METRICS_PORT = 9090
FOLDER = "/etc/sluice"
API_ACCESS_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"
"""Where every Kubernetes client looks for a pod's token, by https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/."""

TOKEN_SECONDS = 3600
"""How long a token is good for; the kubelet brings a new one after four fifths of it."""

DRAIN_SECONDS = 15
"""How long a pod that is told to end answers on, so that whoever routes to it has looked elsewhere by then.

With 5 seconds, an overloaded node refused new connections until 11 seconds after a SIGTERM, shortly after its API
server had been away; with 15 none, on a less loaded one.
"""

_GRACE_TO_SPARE_SECONDS = 10
"""What Kubernetes gives beyond the time in which the gateway ends by itself."""

_PROBE_SECONDS = 5
"""How long an answer to a probe may take. With 2 seconds, on an overloaded node, the one gateway that was left answered
callers and two probes late; it was taken out of its Service, and everybody was refused."""

# What workers count, for the process beside them that adds it up: some hundred KiB each, of the pod's memory.
_COUNTS = {"name": "counts", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}}
_COUNTS_MOUNT = {"name": "counts", "mountPath": "/tmp"}  # noqa: S108 -- where Python's tempfile writes

_NAMESPACE_FIELD = {"apiVersion": "v1", "fieldPath": "metadata.namespace"}


def grace_seconds(settings: Settings) -> int:
    """Return how long a pod that is told to end may take: it answers on, ends what runs, and has some time to spare."""
    return DRAIN_SECONDS + settings.gateway.longest_request_seconds + _GRACE_TO_SPARE_SECONDS


def keys_secret(settings: Settings) -> str:
    """Return the name of the Secret with the providers' keys."""
    return f"provider-keys{_from_store(settings)}"


def callers_secret(settings: Settings) -> str:
    """Return the name of the Secret with the digests of callers' keys."""
    return f"caller-keys{_from_store(settings)}"


def _from_store(settings: Settings) -> str:
    # A name of its own: an environment that changes over has both until its new pods are ready, each with one writer.
    return "" if settings.secrets is None else "-from-store"


def gateway(
    settings: Settings, configuration: Sequence[KubernetesObject], flags: Sequence[str]
) -> tuple[KubernetesObject, ...]:
    """Render the gateway's objects around its configuration, which comes before what mounts it.

    `flags` are the names of the ConfigMaps with the flags.
    """
    deployment = _deployment(settings, configuration, flags)
    return (_service_account(settings), *configuration, _service(settings), deployment)


def _service_account(settings: Settings) -> KubernetesObject:
    return kubernetes_object(
        "v1",
        "ServiceAccount",
        NAME,
        namespace=settings.namespace,
        labels=labels(NAME, component="gateway"),
        automountServiceAccountToken=False,
    )


def _service(settings: Settings) -> KubernetesObject:
    """Render the Service; metrics are left out of it, because a NodePort Service opens every one of its ports."""
    port: dict[str, Any] = {"name": PORT_NAME, "port": PORT, "targetPort": PORT_NAME, "protocol": "TCP"}
    if settings.gateway.node_port is not None:
        port["nodePort"] = settings.gateway.node_port
    return kubernetes_object(
        "v1",
        "Service",
        NAME,
        namespace=settings.namespace,
        labels=labels(NAME, component="gateway"),
        spec={
            "type": "ClusterIP" if settings.gateway.node_port is None else "NodePort",
            "selector": selector(NAME),
            "ports": [port],
        },
    )


def _deployment(
    settings: Settings, configuration: Sequence[KubernetesObject], flags: Sequence[str]
) -> KubernetesObject:
    is_scaled = settings.gateway.autoscaling is not None
    made = kubernetes_object(
        "apps/v1",
        "Deployment",
        NAME,
        namespace=settings.namespace,
        labels=labels(NAME, component="gateway"),
        spec={
            # Where there is an autoscaler the number is its own: said here, every update would undo it.
            **({} if is_scaled else {"replicas": settings.gateway.replicas}),
            "revisionHistoryLimit": 3,
            "progressDeadlineSeconds": PROGRESS_DEADLINE_SECONDS,
            "selector": {"matchLabels": selector(NAME)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}},
            "template": {
                "metadata": {"labels": labels(NAME, component="gateway")},
                "spec": _pod(settings, configuration, flags),
            },
        },
    )
    return replace(made, first_replicas=settings.gateway.replicas) if is_scaled else made


def _pod(settings: Settings, configuration: Sequence[KubernetesObject], flags: Sequence[str]) -> dict[str, Any]:
    return {
        "serviceAccountName": NAME,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": restricted_pod(),
        **({"priorityClassName": settings.gateway.priority_class} if settings.gateway.priority_class else {}),
        "terminationGracePeriodSeconds": grace_seconds(settings),
        **({"topologySpreadConstraints": spread(NAME)} if settings.gateway.max_replicas > 1 else {}),
        "containers": [_container(settings, flags)],
        "volumes": [
            {"name": "config", **in_one_folder(configuration)},
            *({"name": name, "configMap": {"name": name}} for name in flags),
            # 0440: the user gets at the keys by the pod's group alone.
            {"name": "keys", "secret": {"secretName": keys_secret(settings), "defaultMode": 0o440}},
            # The override is watched; the file stands in while the API server is away. Callers' keys are an
            # environment's own choice. A pod starts without either.
            {"name": "override", "configMap": {"name": override.NAME, "optional": True}},
            {
                "name": "callers",
                "secret": {"secretName": callers_secret(settings), "defaultMode": 0o440, "optional": True},
            },
            *([] if settings.ingress is None else [_certificate(settings.ingress.tls_secret)]),
            api_access(),
            *([_COUNTS] if settings.gateway.workers > 1 else []),
        ],
    }


def _certificate(secret: str) -> dict[str, Any]:
    """Return the public part of the Ingress' certificate, whose end the gateway shows. A pod starts without it."""
    items = [{"key": "tls.crt", "path": "tls.crt"}]
    return {"name": "certificate", "secret": {"secretName": secret, "items": items, "optional": True}}


def in_one_folder(config_maps: Sequence[KubernetesObject]) -> dict[str, Any]:
    """Return what mounts the files of one ConfigMap, or of several, as one folder."""
    if len(config_maps) == 1:
        return {"configMap": {"name": config_maps[0].name}}
    return {"projected": {"sources": [{"configMap": {"name": each.name}} for each in config_maps]}}


def spread(name: str) -> list[dict[str, Any]]:
    """Return the wish for pods in different zones and on different nodes; an update's pods are counted apart."""
    return [
        {
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": selector(name)},
            "matchLabelKeys": ["pod-template-hash"],
        }
        for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
    ]


def api_access() -> dict[str, Any]:
    """Return a volume by which a pod reaches the API server: a token for an hour, not the one mounted unasked."""
    return {
        "name": "api-access",
        "projected": {
            "defaultMode": 0o440,
            "sources": [
                {"serviceAccountToken": {"path": "token", "expirationSeconds": TOKEN_SECONDS}},
                {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": _NAMESPACE_FIELD}]}},
            ],
        },
    }


def _container(settings: Settings, flags: Sequence[str]) -> dict[str, Any]:
    certificate = () if settings.ingress is None else ("certificate",)
    return {
        "name": NAME,
        "image": settings.gateway.image,
        "imagePullPolicy": "IfNotPresent",
        "ports": [
            {"name": PORT_NAME, "containerPort": PORT, "protocol": "TCP"},
            {"name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP"},
        ],
        "env": _environment(settings, flags),
        # Ready takes configuration and flags; alive only the process. A pod that cannot read its flags must leave the
        # Service, but to restart it would not mend them.
        "startupProbe": _probe("/healthz", period_seconds=1, failures=30),
        "readinessProbe": _probe("/readyz", period_seconds=2, failures=2),
        "livenessProbe": _probe("/healthz", period_seconds=10, failures=3),
        "resources": resources(settings.gateway.resources, settings.gateway.workers),
        "securityContext": restricted_container(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            *(
                {"name": volume, "mountPath": f"{FOLDER}/{volume}", "readOnly": True}
                for volume in ("config", *flags, "keys", "override", "callers", *certificate)
            ),
            {"name": "api-access", "mountPath": API_ACCESS_FOLDER, "readOnly": True},
            *([_COUNTS_MOUNT] if settings.gateway.workers > 1 else []),
        ],
    }


def _environment(settings: Settings, flags: Sequence[str]) -> list[dict[str, str]]:
    """Return what the process is told beside its files: the shared store, how many share it, and how to end."""
    url = cache_url(settings)
    told = {
        **({} if url is None else {"SLUICE_REDIS_URL": url}),
        "SLUICE_REPLICAS": str(settings.gateway.max_replicas),
        "SLUICE_GATEWAY_DRAIN_SECONDS": str(DRAIN_SECONDS),
        "SLUICE_GATEWAY_FINISH_SECONDS": str(settings.gateway.longest_request_seconds),
        **({} if settings.gateway.workers == 1 else {"SLUICE_GATEWAY_WORKERS": str(settings.gateway.workers)}),
        **({} if settings.gateway.log_level == "info" else {"SLUICE_GATEWAY_LOG_LEVEL": settings.gateway.log_level}),
        **({} if settings.ingress is None else {"SLUICE_GATEWAY_CERTIFICATE": settings.ingress.tls_secret}),
        **({} if len(flags) == 1 else {"SLUICE_GATEWAY_FLAG_MAPS": str(len(flags))}),
        **_traces(settings.gateway.traces),
    }
    return [{"name": name, "value": value} for name, value in told.items()]


def _traces(traces: Traces | None) -> dict[str, str]:
    """Return where spans go, in OpenTelemetry's own words."""
    if traces is None:
        return {}
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": traces.endpoint, "OTEL_TRACES_SAMPLER_ARG": f"{traces.share:g}"}


def _probe(path: str, *, period_seconds: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": "http"},
        "periodSeconds": period_seconds,
        "timeoutSeconds": _PROBE_SECONDS,
        "failureThreshold": failures,
    }
