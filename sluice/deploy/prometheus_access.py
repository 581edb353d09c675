"""The way to an environment's Prometheus from a person's machine.

One that answers at a Service's name is asked by the API server's proxy, with the rights of the person's kubeconfig, so
that no port need be opened; any other at its address.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar
from urllib.parse import urlsplit

from sluice.deploy.cluster_access import ClusterAccess, ClusterUnreachable
from sluice.errors import SluiceError
from sluice.registry import Settings
from sluice.rollout.guard.in_cluster import Heard, NotHeard
from sluice.rollout.guard.prometheus import PATIENCE_SECONDS, Prometheus, Send

_DEFAULT_PORTS = {"http": 80, "https": 443}
# Prometheus ends a query after PATIENCE_SECONDS and says so: that answer is waited for.
_PROXY_PATIENCE_SECONDS = PATIENCE_SECONDS + 2


class NoPrometheus(SluiceError):
    """Neither the settings nor the person names a Prometheus."""

    exit_code: ClassVar[int] = 2

    def __init__(self, environment: str) -> None:
        super().__init__(
            f"Pulumi.{environment}.yaml: config.sluice:prometheus: there is none to ask; name one there, "
            "or by --prometheus"
        )


def prometheus_of(access: ClusterAccess, settings: Settings, instead: str | None = None) -> Prometheus:
    """Return the Prometheus of an environment, or the one at the address `instead`, which is asked directly.

    Nothing is asked yet. Raises `NoPrometheus`; each query raises `CannotSee` where there is no answer.
    """
    if instead is not None:
        return Prometheus(instead.rstrip("/"))
    if settings.prometheus is None:
        raise NoPrometheus(settings.environment)
    url = settings.prometheus.url
    proxied = _proxied(url, settings.namespace)
    return Prometheus(url, send=_by_the_api_server(access, proxied) if proxied else None)


def match_of(settings: Settings) -> str:
    """Return what narrows queries down to the environment, as PromQL's braces have it; empty where nothing must."""
    if settings.prometheus is None:
        return f'namespace="{settings.namespace}"'
    return settings.prometheus.match


def _proxied(url: str, namespace: str) -> str | None:
    """Return the path of the API server at which a Service's address answers, None for any other address."""
    parts = urlsplit(url)
    name, _, rest = (parts.hostname or "").partition(".")
    if rest:
        namespace, _, domain = rest.partition(".")
        if domain not in ("svc", "svc.cluster.local"):
            return None
    scheme = "https:" if parts.scheme == "https" else ""
    port = parts.port or _DEFAULT_PORTS[parts.scheme]
    return f"/api/v1/namespaces/{namespace}/services/{scheme}{name}:{port}/proxy{parts.path}"


def _by_the_api_server(access: ClusterAccess, proxied: str) -> Send:
    def send(path: str, form: Mapping[str, str]) -> Heard:
        try:
            # A GET, because reading is a right of its own at the proxy (services/proxy: get).
            answer = access.ask("GET", f"{proxied}{path}", query=form, timeout_seconds=_PROXY_PATIENCE_SECONDS)
        except ClusterUnreachable as error:
            raise NotHeard(str(error)) from None
        return Heard(answer.status, answer.body)

    return send
