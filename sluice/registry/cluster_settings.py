"""What an environment asks of its cluster: how many pods, who reaches them, by which name, and how much they may take.

Each is a part of the settings that an environment may leave out; what it then gets is said beside the field.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True)
class Autoscaling:
    """Between `replicas` and `max_replicas` pods, by CPU and, where metrics reach Kubernetes, by requests in flight."""

    max_replicas: int
    cpu_percent: int = 70
    requests_in_flight: int | None = None


@dataclass(frozen=True, slots=True)
class Network:
    """Who reaches the gateway, and what it reaches beside DNS, its cache and its providers.

    Namespaces are names; `api_server` and `cache` hold address ranges, as `10.0.0.1/32`. An empty `api_server` means
    every private address, an empty `cache` every address, each at the ports that they have.
    """

    callers_from: tuple[str, ...] = ()
    metrics_from: tuple[str, ...] = ("monitoring",)
    api_server: tuple[str, ...] = ()
    cache: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ingress:
    """The name at which the gateway answers outside the cluster, with the Secret that holds its certificate.

    `annotations` are what its controller, or cert-manager, reads on the object.
    """

    host: str
    tls_secret: str
    ingress_class: str | None = None
    controller_namespace: str | None = None
    annotations: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Route:
    """The name at which a Gateway of the cluster's lets callers in, by its listener with the certificate.

    `proxy_namespace` is where the pods run that carry its traffic; left out, they run where the Gateway is.
    """

    host: str
    gateway: str
    gateway_namespace: str
    listener: str
    proxy_namespace: str | None = None

    @property
    def comes_from(self) -> str:
        """The namespace that its traffic comes from."""
        return self.proxy_namespace or self.gateway_namespace


class Grafana(StrEnum):
    """Who brings dashboards into Grafana: its sidecar or its operator, out of the cluster, or somebody by hand."""

    SIDECAR = "sidecar"
    OPERATOR = "operator"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Monitoring:
    """Who watches: `by_operator`, whether the cluster has prometheus-operator and its kinds of objects.

    `runbooks` and `dashboards` are the addresses that alerts lead to, `labels` those by which a Prometheus finds its
    rules and monitors, `grafana_labels` those by which Grafana's operator finds its Grafana.
    """

    by_operator: bool = False
    runbooks: str = "https://git.example.com/sluice/docs/runbooks"
    dashboards: str = "https://grafana.example.com"
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    slack_channel: str = "#sluice"
    grafana: Grafana = Grafana.NONE
    grafana_labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({"dashboards": "grafana"}))


@dataclass(frozen=True, slots=True)
class Quota:
    """All that the environment's pods may ask for together, as Kubernetes quantities."""

    pods: int
    cpu: str
    memory: str


def autoscaling_of(body: Mapping[str, Any] | None) -> Autoscaling | None:
    """Build a gateway's `autoscaling`, None where it is left out."""
    return None if body is None else Autoscaling(**body)


def network_of(body: Mapping[str, Any]) -> Network:
    """Build `sluice:network`; what is left out has its default."""
    return Network(**{name: tuple(values) for name, values in body.items()})


def ingress_of(body: Mapping[str, Any] | None) -> Ingress | None:
    """Build `sluice:ingress`, None where it is left out."""
    if body is None:
        return None
    annotations = MappingProxyType(dict(body.get("annotations", {})))
    return Ingress(**{**body, "annotations": annotations})


def route_of(body: Mapping[str, Any] | None) -> Route | None:
    """Build `sluice:route`, None where it is left out."""
    return None if body is None else Route(**body)


def monitoring_of(body: Mapping[str, Any]) -> Monitoring:
    """Build `sluice:monitoring`; what is left out has its default."""
    rest = dict(body)
    by_operator = rest.pop("by", None) == "operator"
    if "grafana" in rest:
        rest["grafana"] = Grafana(rest["grafana"])
    for name in ("labels", "grafana_labels"):
        if name in rest:
            rest[name] = MappingProxyType(dict(rest[name]))
    return Monitoring(by_operator=by_operator, **rest)


def quota_of(body: Mapping[str, Any] | None) -> Quota | None:
    """Build `sluice:quota`, None where it is left out."""
    return None if body is None else Quota(**body)
