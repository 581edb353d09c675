"""The Prometheus of an environment that has it embedded: one pod that scrapes gateway and guard, and knows the rules.

It takes the place of the cluster's own where there is none, as on a laptop: it keeps a day in a folder that goes with
the pod, and is asked by its API alone. It finds pods by DNS: that takes no right at the API
server, and Debian's build knows no other way. What it scrapes gets the labels by which rules and queries go: the
namespace, and as the pod its address.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from sluice.registry import EmbeddedPrometheus, Resources, Settings
from sluice.registry.prometheus_settings import EMBEDDED_NAME, EMBEDDED_PORT, SCRAPED_EVERY_SECONDS
from sluice.render import guard
from sluice.render.alerts import rules_text
from sluice.render.configuration_map import configuration_map, named_by_content
from sluice.render.container_resources import resources
from sluice.render.gateway import METRICS_PORT
from sluice.render.gateway import NAME as GATEWAY
from sluice.render.kubernetes_object import (
    KubernetesObject,
    kubernetes_object,
    labels,
    restricted_container,
    selector,
)
from sluice.render.single_pod import single_pod
from sluice.render.yaml_text import yaml_text

NAME: Final = EMBEDDED_NAME
PORT: Final = EMBEDDED_PORT
PORT_NAME: Final = "web"
NAME_PREFIX: Final = "prometheus-config"

_FOLDER = "/etc/prometheus"
_DATA = "/prometheus"
_DATA_SIZE = "256MB"
# Beside the samples there is what is not yet in a block, and a log of it.
_DISK = "512Mi"


def prometheus(settings: Settings) -> tuple[KubernetesObject, ...]:
    """Render the embedded Prometheus' objects, none where the environment's is elsewhere or there is none."""
    own = settings.prometheus
    if not isinstance(own, EmbeddedPrometheus):
        return ()
    found_by = tuple(_found_by(name, settings) for name in scraped(settings))
    configuration = _configuration(settings, own)
    pod = single_pod(
        NAME,
        _container(own),
        namespace=settings.namespace,
        component="monitoring",
        port_name=PORT_NAME,
        port=PORT,
        volumes=[
            {"name": "config", "configMap": {"name": configuration.name}},
            {"name": "data", "emptyDir": {"sizeLimit": _DISK}},
        ],
    )
    return (*found_by, configuration, *pod)


def scraped(settings: Settings) -> dict[str, int]:
    """Return the ports of the metrics by the name that the labels of their pods say."""
    return {GATEWAY: METRICS_PORT, **({} if settings.guard is None else {guard.NAME: guard.PORT})}


def _found_by(name: str, settings: Settings) -> KubernetesObject:
    """Render the Service that has DNS know each pod, ready or not: the gateway's own leaves the metrics' port out."""
    return kubernetes_object(
        "v1",
        "Service",
        f"{name}-metrics",
        namespace=settings.namespace,
        labels=labels(f"{name}-metrics", component="monitoring"),
        spec={
            "type": "ClusterIP",
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": selector(name),
            "ports": [{"name": "metrics", "port": scraped(settings)[name], "targetPort": "metrics", "protocol": "TCP"}],
        },
    )


def _configuration(settings: Settings, own: EmbeddedPrometheus) -> KubernetesObject:
    data = {"prometheus.yaml": yaml_text({**_scraping(settings), **_telling(own)}), "rules.yaml": rules_text(settings)}
    name = named_by_content(NAME_PREFIX, data.values())
    return configuration_map(name, data, settings.namespace, labels(NAME, component="configuration"))


def _scraping(settings: Settings) -> dict[str, Any]:
    return {
        "global": {"scrape_interval": f"{SCRAPED_EVERY_SECONDS}s", "evaluation_interval": "30s"},
        "rule_files": [f"{_FOLDER}/rules.yaml"],
        "scrape_configs": [
            {
                "job_name": name,
                "dns_sd_configs": [
                    {
                        "names": [f"{name}-metrics.{settings.namespace}.svc"],
                        "type": "A",
                        "port": port,
                        "refresh_interval": "5s",
                    }
                ],
                "relabel_configs": [
                    {"target_label": "namespace", "replacement": settings.namespace},
                    # DNS says no pod's name: its address tells it from the others, as `kubectl get pods -o wide` shows.
                    {"source_labels": ["__address__"], "regex": "(.+):[0-9]+", "target_label": "pod"},
                ],
            }
            for name, port in scraped(settings).items()
        ],
    }


def _telling(own: EmbeddedPrometheus) -> dict[str, Any]:
    if own.alertmanager is None:
        return {}
    address = urlsplit(own.alertmanager)
    told = {"scheme": address.scheme, "static_configs": [{"targets": [address.netloc]}]}
    return {"alerting": {"alertmanagers": [told]}}


def _container(own: EmbeddedPrometheus) -> dict[str, Any]:
    given = Resources(cpu_request="50m", memory_request=own.memory, memory_limit=own.memory)
    # One that reads its log of samples anew is not ready, and to restart it would have it begin again.
    lives = {"httpGet": {"path": "/-/healthy", "port": PORT_NAME}, "timeoutSeconds": 2}
    ready = {"httpGet": {"path": "/-/ready", "port": PORT_NAME}, "timeoutSeconds": 2}
    return {
        "name": NAME,
        "image": own.image,
        "imagePullPolicy": "IfNotPresent",
        "args": [
            f"--config.file={_FOLDER}/prometheus.yaml",
            f"--web.listen-address=:{PORT}",
            f"--storage.tsdb.path={_DATA}",
            f"--storage.tsdb.retention.time={own.keep}",
            f"--storage.tsdb.retention.size={_DATA_SIZE}",
        ],
        "ports": [{"name": PORT_NAME, "containerPort": PORT, "protocol": "TCP"}],
        "startupProbe": {**lives, "periodSeconds": 1, "failureThreshold": 30},
        "readinessProbe": {**ready, "periodSeconds": 5, "failureThreshold": 2},
        "livenessProbe": {**lives, "periodSeconds": 20, "failureThreshold": 3},
        "resources": resources(given, disk=_DISK),
        "securityContext": restricted_container(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "config", "mountPath": _FOLDER, "readOnly": True},
            {"name": "data", "mountPath": _DATA},
        ],
    }
