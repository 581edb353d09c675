"""Who may talk to whom: nothing, but for what is named here.

A NetworkPolicy knows addresses, not names, so the providers are every public address at their ports; what would narrow
that down to their names stands outside of Kubernetes' own API, and docs/environments.md says what. A cluster whose
network does not enforce policies, as the local one, takes these objects and ignores them.
"""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any, Final
from urllib.parse import urlsplit

from sluice.registry import (
    EmbeddedCache,
    EmbeddedPrometheus,
    ExternalCache,
    ExternalPrometheus,
    LiteLLM,
    Registry,
    ReportSettings,
    Settings,
)
from sluice.render import cache, guard, litellm, prometheus, report, stub_provider
from sluice.render.gateway import METRICS_PORT
from sluice.render.gateway import NAME as GATEWAY
from sluice.render.gateway import PORT as GATEWAY_PORT
from sluice.render.kubernetes_object import KubernetesObject, kubernetes_object, labels, selector

_DEFAULT_PORTS: Final = {"http": 80, "https": 443, "redis": 6379, "rediss": 6379, "smtp": 25, "smtps": 465}
_PRIVATE: Final = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
# Beside what is private: shared, loopback and link-local addresses; the last holds clouds' metadata.
_NOT_PUBLIC: Final = (*_PRIVATE, "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16")
_NOT_PUBLIC_6: Final = ("::1/128", "fc00::/7", "fe80::/10")
# Where a node answers for DNS itself: https://kubernetes.io/docs/tasks/administer-cluster/nodelocaldns/
_NODE_LOCAL_DNS: Final = "169.254.20.10/32"
# Stands for the addresses that LiteLLM knows by itself.
_SOMEWHERE_PUBLIC: Final = "https://provider.example.com"
_API_SERVER_PORTS: Final = (443, 6443)


def network(registry: Registry, settings: Settings) -> tuple[KubernetesObject, ...]:
    """Render a policy that forbids everything, and one for each part that allows what it needs."""
    policies = [
        _policy(settings, "default-deny", {}, ingress=[], egress=[]),
        _policy(
            settings,
            GATEWAY,
            selector(GATEWAY),
            ingress=_to_the_gateway(settings),
            egress=_from_the_gateway(registry, settings),
        ),
    ]
    gateway = [{"podSelector": {"matchLabels": selector(GATEWAY)}}]
    if isinstance(settings.cache, EmbeddedCache):
        policies.append(
            _policy(settings, cache.NAME, selector(cache.NAME), ingress=[_rule("from", gateway, cache.PORT)], egress=[])
        )
    if settings.stub_provider is not None:
        own = stub_provider.NAME
        # LiteLLM asks it too, where it stands for one of LiteLLM's providers.
        askers = [*gateway, *(_pods_of(litellm.NAME) if settings.litellm else [])]
        ingress = [_rule("from", askers, stub_provider.PORT)]
        policies.append(_policy(settings, own, selector(own), ingress=ingress, egress=[]))
    if settings.guard is not None and settings.prometheus is not None:
        policies.append(_of_the_guard(settings, settings.prometheus))
    if isinstance(settings.prometheus, EmbeddedPrometheus):
        policies.append(_of_prometheus(settings, settings.prometheus))
    if settings.report is not None and settings.prometheus is not None:
        policies.append(_of_the_report(settings, settings.report, settings.prometheus))
    if settings.litellm is not None:
        own = litellm.NAME
        ingress = [_rule("from", gateway, litellm.PORT)]
        egress = [_to_dns(), *_to_public_providers(settings, settings.litellm)]
        policies.append(_policy(settings, own, selector(own), ingress=ingress, egress=egress))
    return tuple(policies)


def _of_the_guard(settings: Settings, asked: EmbeddedPrometheus | ExternalPrometheus) -> KubernetesObject:
    scraped_by = _scrapers(settings)
    return _policy(
        settings,
        guard.NAME,
        selector(guard.NAME),
        ingress=[_rule("from", scraped_by, guard.PORT)] if scraped_by else [],
        egress=[*_to_the_cluster(settings), _to_prometheus(asked)],
    )


def _of_the_report(
    settings: Settings, wanted: ReportSettings, asked: EmbeddedPrometheus | ExternalPrometheus
) -> KubernetesObject:
    takers = [wanted.mail.server if wanted.mail else None, wanted.post]
    egress = [_to_dns(), _to_prometheus(asked), *(_towards(url) for url in takers if url)]
    return _policy(settings, report.NAME, selector(report.NAME), ingress=[], egress=egress)


def _to_prometheus(asked: EmbeddedPrometheus | ExternalPrometheus) -> dict[str, Any]:
    own = isinstance(asked, EmbeddedPrometheus)
    return _rule("to", _pods_of(prometheus.NAME), prometheus.PORT) if own else _towards(asked.url)


def _of_prometheus(settings: Settings, own: EmbeddedPrometheus) -> KubernetesObject:
    """Let guard and report ask it, and people by the API server's proxy, which comes from wherever that server is."""
    people = [_block(cidr) for cidr in settings.network.api_server or _PRIVATE]
    askers = [*_pods_of(guard.NAME), *(_pods_of(report.NAME) if settings.report else [])]
    scraped = [_rule("to", _pods_of(name), port) for name, port in prometheus.scraped(settings).items()]
    return _policy(
        settings,
        prometheus.NAME,
        selector(prometheus.NAME),
        ingress=[_rule("from", [*askers, *people], prometheus.PORT)],
        egress=[_to_dns(), *scraped, *([_towards(own.alertmanager)] if own.alertmanager else [])],
    )


def _scrapers(settings: Settings) -> list[dict[str, Any]]:
    """Return who reads metrics: the namespaces that the settings name, and an embedded Prometheus."""
    own = _pods_of(prometheus.NAME) if isinstance(settings.prometheus, EmbeddedPrometheus) else []
    named = settings.network.metrics_from
    return [*([_namespaces(*named)] if named else []), *own]


def _towards(url: str) -> dict[str, Any]:
    """Allow what is at an address of the settings: a number, the pods of a Service's namespace, or what is public."""
    host, port = _address(url)
    place = _place(host)
    peers = [_block(f"{host}/32")] if _is_address(host) else [{"podSelector": {}}] if place == "." else _peers(place)
    return _rule("to", peers, port)


def _is_address(host: str) -> bool:
    try:
        return bool(IPv4Address(host))
    except ValueError:
        return False


def _to_the_gateway(settings: Settings) -> list[dict[str, Any]]:
    wanted = settings.network
    rules = []
    if settings.gateway.node_port is not None:
        # What comes in by a node's port comes from addresses that nobody knows beforehand.
        rules.append({"ports": [_port(GATEWAY_PORT)]})
    else:
        controller = settings.ingress.controller_namespace if settings.ingress else None
        proxy = settings.route.comes_from if settings.route else None
        callers = dict.fromkeys([*wanted.callers_from, *filter(None, (controller, proxy))])
        if callers:
            rules.append(_rule("from", [_namespaces(*callers)], GATEWAY_PORT))
    scraped_by = _scrapers(settings)
    if scraped_by:
        rules.append(_rule("from", scraped_by, METRICS_PORT))
    return rules


def _from_the_gateway(registry: Registry, settings: Settings) -> list[dict[str, Any]]:
    return [
        *_to_the_cluster(settings),
        *_to_the_cache(settings),
        *_to_the_providers(registry, settings),
        *_to_litellm(settings),
        *_to_the_collector(settings),
    ]


def _to_the_cluster(settings: Settings) -> list[dict[str, Any]]:
    """Allow names to be looked up, and the API server to be asked."""
    api_server = settings.network.api_server or _PRIVATE
    return [
        _to_dns(),
        _rule("to", [_block(cidr) for cidr in api_server], *_API_SERVER_PORTS),
    ]


def _to_the_cache(settings: Settings) -> list[dict[str, Any]]:
    match settings.cache:
        case None:
            return []
        case EmbeddedCache():
            return [_rule("to", [{"podSelector": {"matchLabels": selector(cache.NAME)}}], cache.PORT)]
        case ExternalCache(url):
            ranges = [_block(cidr) for cidr in settings.network.cache]
            return [_rule("to", ranges, _address(url)[1]) if ranges else {"ports": [_port(_address(url)[1])]}]


def _to_the_providers(registry: Registry, settings: Settings) -> list[dict[str, Any]]:
    """Allow the port of each provider that the gateway itself asks."""
    behind_litellm = settings.litellm.providers if settings.litellm else {}
    asked = {name: one.api for name, one in registry.providers.items() if name not in behind_litellm}
    return _to_addresses([settings.provider_addresses.get(name, api) for name, api in asked.items()])


def _to_public_providers(settings: Settings, own: LiteLLM) -> list[dict[str, Any]]:
    """Allow what LiteLLM asks: the addresses that the settings give its providers, or its own, which are public."""
    return _to_addresses([settings.provider_addresses.get(name, _SOMEWHERE_PUBLIC) for name in own.providers])


def _to_litellm(settings: Settings) -> list[dict[str, Any]]:
    if settings.litellm is None:
        return []
    return [_rule("to", [{"podSelector": {"matchLabels": selector(litellm.NAME)}}], litellm.PORT)]


def _to_dns() -> dict[str, Any]:
    return {"to": [_namespaces("kube-system"), _block(_NODE_LOCAL_DNS)], "ports": [_port(53, "UDP"), _port(53)]}


def _to_addresses(addresses: list[str]) -> list[dict[str, Any]]:
    """Allow each address's port: to the namespace of a Service, to the stub provider, or to every public address."""
    ports: dict[str, set[int]] = {}
    for host, port in map(_address, addresses):
        ports.setdefault(_place(host), set()).add(port)
    return [_rule("to", _peers(place), *sorted(found)) for place, found in sorted(ports.items())]


def _to_the_collector(settings: Settings) -> list[dict[str, Any]]:
    """Allow the port of the collector of traces: at a Service's pods, or at any public address."""
    if settings.gateway.traces is None:
        return []
    host, port = _address(settings.gateway.traces.endpoint)
    place = _place(host)
    return [_rule("to", [{"podSelector": {}}] if place == "." else _peers(place), port)]


def _place(host: str) -> str:
    """Return the namespace of a Service's host, `.` for the environment's own, and nothing for a public host."""
    name, _, rest = host.partition(".")
    if not rest:
        return "."
    namespace, _, domain = rest.partition(".")
    return namespace if name and domain.split(".")[0] == "svc" else ""


def _peers(place: str) -> list[dict[str, Any]]:
    match place:
        case "":
            return [_block("0.0.0.0/0", *_NOT_PUBLIC), _block("::/0", *_NOT_PUBLIC_6)]
        case ".":
            return [{"podSelector": {"matchLabels": selector(stub_provider.NAME)}}]
        case namespace:
            return [_namespaces(namespace)]


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or _DEFAULT_PORTS[parts.scheme]


def _pods_of(name: str) -> list[dict[str, Any]]:
    return [{"podSelector": {"matchLabels": selector(name)}}]


def _namespaces(*names: str) -> dict[str, Any]:
    # Kubernetes itself puts this label on every namespace.
    wanted = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": list(names)}
    return {"namespaceSelector": {"matchExpressions": [wanted]}}


def _block(cidr: str, *without: str) -> dict[str, Any]:
    return {"ipBlock": {"cidr": cidr, **({"except": list(without)} if without else {})}}


def _rule(direction: str, peers: list[dict[str, Any]], *ports: int) -> dict[str, Any]:
    return {direction: peers, "ports": [_port(port) for port in ports]}


def _port(port: int, protocol: str = "TCP") -> dict[str, Any]:
    return {"port": port, "protocol": protocol}


def _policy(
    settings: Settings,
    name: str,
    pods: dict[str, str],
    *,
    ingress: list[dict[str, Any]],
    egress: list[dict[str, Any]],
) -> KubernetesObject:
    return kubernetes_object(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        name,
        namespace=settings.namespace,
        labels=labels(name, component="network"),
        spec={
            "podSelector": {"matchLabels": pods} if pods else {},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": ingress,
            "egress": egress,
        },
    )
