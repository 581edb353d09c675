"""docs/environments.md: how the environments differ, written from their settings, so that it cannot lag behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from sluice.registry.cache_settings import EmbeddedCache, ExternalCache
from sluice.registry.cluster_settings import Grafana
from sluice.registry.environment import load_environment
from sluice.registry.prometheus_settings import EmbeddedPrometheus
from sluice.registry.settings import Settings, environments

_ORDER = ("dev", "staging", "production")


def environments_page(project: Path) -> str:
    """Write the page from the files of `project`. Raises InvalidRegistry where one of them is wrong."""
    names = sorted(
        environments(project), key=lambda name: (name not in _ORDER, _ORDER.index(name) if name in _ORDER else name)
    )
    settings = [load_environment(project, name).settings for name in names]
    rows = [f"| {title} | {' | '.join(map(tell, settings))} |" for title, tell in _ROWS.items()]
    head = [f"| | {' | '.join(f'`{name}`' for name in names)} |", "|---|" + "---|" * len(names)]
    return _HEAD + "\n".join([*head, *rows]) + "\n" + _REST


def _pods(settings: Settings) -> str:
    least, most = settings.gateway.replicas, settings.gateway.max_replicas
    return str(least) if settings.gateway.autoscaling is None else f"{least} to {most}"


def _more_pods(settings: Settings) -> str:
    wanted = settings.gateway.autoscaling
    if wanted is None:
        return "never"
    by_requests = f" or {wanted.requests_in_flight} requests in flight" if wanted.requests_in_flight else ""
    return f"at {wanted.cpu_percent} % of their CPU{by_requests}"


def _each_pod(settings: Settings) -> str:
    given = settings.gateway.resources
    workers = settings.gateway.workers
    times = f"{workers} workers, each " if workers > 1 else ""
    return f"{times}{given.cpu_request} CPU, {given.memory_limit}"


def _one_pod_away(settings: Settings) -> str:
    return "nobody answers for a moment" if settings.gateway.replicas == 1 else "one at a time, the others answer"


def _outside(settings: Settings) -> str:
    names = [f"https://{one.host}" for one in (settings.ingress, settings.route) if one is not None]
    if names:
        return ", ".join(dict.fromkeys(names))
    return "not" if settings.gateway.node_port is None else f"port {settings.gateway.node_port} of every node"


def _callers(settings: Settings) -> str:
    if settings.gateway.node_port is not None:
        return "everybody"
    return ", ".join(settings.network.callers_from) or "nobody"


def _providers(settings: Settings) -> str:
    asked = "made answers" if settings.stub_provider else "the real ones"
    return asked if settings.litellm is None else f"{asked}; by LiteLLM: {', '.join(settings.litellm.providers)}"


def _cache(settings: Settings) -> str:
    match settings.cache:
        case EmbeddedCache(_, memory):
            return f"embedded, {memory}, no disk"
        case ExternalCache(url):
            return f"`{url}`"
        case None:
            return "none"


def _watched_by(settings: Settings) -> str:
    return "prometheus-operator" if settings.monitoring.by_operator else "whoever reads the plain rules"


def _dashboards(settings: Settings) -> str:
    match settings.monitoring.grafana:
        case Grafana.SIDECAR:
            return "Grafana's sidecar"
        case Grafana.OPERATOR:
            return "grafana-operator"
        case Grafana.NONE:
            return "whoever takes the plain files"


def _keys(settings: Settings) -> str:
    if settings.secrets is None:
        return f"`Pulumi.{settings.environment}.yaml`, encrypted"
    return f"the {settings.secrets.store_kind} `{settings.secrets.store}`"


def _quota(settings: Settings) -> str:
    wanted = settings.quota
    return "none" if wanted is None else f"{wanted.pods} pods, {wanted.cpu} CPU, {wanted.memory}"


def _guard(settings: Settings) -> str:
    wanted = settings.guard
    return "nobody" if wanted is None else f"a guard, {wanted.replicas} of them"


def _report(settings: Settings) -> str:
    wanted = settings.report
    if wanted is None:
        return "nobody"
    to = [*(wanted.mail.to if wanted.mail else ()), *([f"`{wanted.post}`"] if wanted.post else [])]
    return f"{', '.join(to)}, at `{wanted.schedule}` UTC"


def _measured_by(settings: Settings) -> str:
    match settings.prometheus:
        case None:
            return "none"
        case EmbeddedPrometheus(keep=keep):
            return f"embedded, {keep}, no disk"
        case others:
            return f"`{others.url}`"


_ROWS: Mapping[str, Callable[[Settings], str]] = {
    "Namespace": lambda settings: f"`{settings.namespace}`",
    "Gateway pods": _pods,
    "More of them": _more_pods,
    "Each is given": _each_pod,
    "A node is drained": _one_pod_away,
    "Requests that run when a pod ends have": lambda settings: f"{settings.gateway.longest_request_seconds} s",
    "Providers": _providers,
    "Keys come from": _keys,
    "Redis": _cache,
    "Reached from outside": _outside,
    "Called from namespaces": _callers,
    "Metrics read from namespaces": lambda settings: ", ".join(settings.network.metrics_from) or "none",
    "Watched by": _watched_by,
    "Prometheus": _measured_by,
    "Dashboards found by": _dashboards,
    "Rolls back by itself": _guard,
    "Is sent a report": _report,
    "May set the override": lambda settings: ", ".join(settings.operators) or "whoever runs the cluster",
    "May review outputs": lambda settings: ", ".join(settings.reviewers) or "whoever runs the cluster",
    "All pods together": _quota,
    "`pulumi destroy`": lambda settings: "refused" if settings.protected else "destroys",
}

_HEAD = """\
# Environments

The table is written from `Pulumi.ENVIRONMENT.yaml` by `make docs`. What each setting means is in
[the reference](registry.md); hosts and groups of `example.com` and the like stand in for your own.

"""

_REST = """
## What every environment gets

A namespace in which Pod Security enforces `restricted`, at a named version; the gateway, with no right but to watch
the flags and the override; network policies; roles for the guard (`sluice-guard`), for people on call
(`sluice-operator`) and for those who review outputs (`sluice-reviewer`, held to one program by admission), and the
override itself. Images are named by digest, roots cannot be written, no container runs as root. Nothing of it grows
with the number of agents.

Where there is more than one pod: a disruption budget, and a wish for pods in different zones and on different nodes.
A wish and no demand, since pods beside each other answer better than pods that nobody can place. A pod that ends
still answers for 15 s, while Services look elsewhere, then finishes the requests that run; Kubernetes gives it 10 s
more than that.

## What the network lets through

In: callers from the namespaces of `callers_from`, metrics to those of `metrics_from` and to an embedded Prometheus.
Out: DNS, the API server, Redis and the providers. Everything else is refused in both directions.

- A NetworkPolicy knows addresses and no names. Providers are therefore every public address at port 443; private
  ranges and the clouds' metadata address are left out. To hold it to the providers' own names, put an egress gateway
  or the DNS rules of your network (Cilium, Calico Enterprise) beside these policies.
- `api_server` and `cache` narrow two more rules down to address ranges. Left out, the gateway reaches the ports 443
  and 6443 of every private address, and Redis' port anywhere.
- `sluice ask` and `sluice status` come by the API server's proxy. Where that is a pod (konnectivity), add its
  namespace, often `kube-system`, to `callers_from` and `metrics_from`.
- A network that does not enforce policies takes them and ignores them. The local cluster's bridge is one.

## What is optional

- `autoscaling` looks at CPU always, and takes metrics-server. `requests_in_flight` takes an adapter that brings
  `sluice_requests_in_flight` to the custom metrics API, by [one rule](#what-an-autoscaler-asks-for). While one of the
  two metrics is missing, the other still adds pods, and none are taken away; without both, their number stays as it is.
- With `autoscaling`, `pulumi up` makes the gateway with the least of its pods and never says a number again. What is
  in `manifests/` says none, as Flux and Argo CD want it: what applies it for the first time makes one pod, and the
  autoscaler the others within 15 s.
- `autoscaling` may be switched on while an environment serves: `pulumi up` leaves the number of pods alone from then
  on. Where something else applies `manifests/`, the field that goes away makes it one pod for a moment: have that
  ignore the gateway's `spec.replicas` first (Argo CD: `ignoreDifferences` and `RespectIgnoreDifferences=true`).
- `priority_class` names a PriorityClass of the cluster's; none is made here, for it belongs to all namespaces.
- `secrets: {from: external, ...}` takes the External Secrets Operator (`external-secrets.io/v1`) and a store's object;
  [architecture.md](architecture.md#secrets) says what changes.
- `monitoring` by `operator` takes prometheus-operator's kinds in the cluster, or the update fails. Its Prometheus must
  find objects by the `labels` (`podMonitorSelector`, `ruleSelector`) in this namespace (`podMonitorNamespaceSelector`,
  `ruleNamespaceSelector`). Its Alertmanager reads its routes from a Secret of its own namespace, and not from the
  ConfigMap `alertmanager` here: `sluice render ENV --alertmanager FILE`, then `kubectl -n monitoring create secret
  generic sluice-routes --from-file=alertmanager.yaml=FILE`, and `configSecret: sluice-routes` in its spec. The two keys
  are in a Secret `sluice` beside it (`pagerduty-routing-key`, `slack-webhook`), with `secrets: [sluice]`.
- `monitoring`'s `grafana` by `sidecar` takes a Grafana whose sidecar looks into this namespace; by `operator` the kinds
  of grafana-operator, and a Grafana with the `grafana_labels`. [dashboards.md](dashboards.md) says more.
- `prometheus` is `embedded` where no one else measures, as in `dev`: one pod of 256 MiB, with the rules. It keeps a day
  in a folder that goes with the pod, and a change of rules replaces the pod: it is no place for a production's history.
  `alertmanager` in it names whom it tells. With `prometheus` and `guard` taken out, `sluice up` brings neither.
- `ingress` takes a controller and a Secret with the certificate, by hand or by cert-manager. `route` is the same by the
  Gateway API: an HTTPRoute at a Gateway of the cluster's. [More below](#callers-from-outside).
- `litellm` runs LiteLLM's proxy behind the gateway, for providers that speak neither OpenAI's dialect nor Anthropic's.

## What an autoscaler asks for

CPU comes by metrics-server. Requests in flight, which each gateway pod says of itself, come by prometheus-adapter with
this rule; their series must have the labels `namespace` and `pod`, as prometheus-operator gives them. The embedded
Prometheus knows no pod by its name, so there it is CPU alone.

```yaml
rules:
  - seriesQuery: sluice_requests_in_flight{namespace!="",pod!=""}
    resources: {overrides: {namespace: {resource: namespace}, pod: {resource: pod}}}
    metricsQuery: sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)
```

## Callers from outside

```yaml
  sluice:ingress:
    host: llm.example.com
    tls_secret: gateway-tls                # made by cert-manager for the annotation below, or by hand
    ingress_class: nginx
    controller_namespace: ingress-nginx    # what the network policy lets in
    annotations:
      cert-manager.io/cluster-issuer: letsencrypt
      nginx.ingress.kubernetes.io/proxy-body-size: 4m
      nginx.ingress.kubernetes.io/proxy-read-timeout: "130"
```

Outside are the paths below `/v1` alone, at the one host: metrics have a port of their own, which no Service names, and
health has other paths. Gateway pods see the certificate's public part and show when it ends; one that is gone or broken
pages. A route's certificate is the Gateway's, whose listener must admit routes from this namespace (`allowedRoutes`).
Both may stand side by side, to move from one to the other. An update waits until a controller says that it serves them,
and fails after 100 s where none does.

A controller must take bodies of 4 MiB, wait `longest_request_seconds` (120, unless set) for an answer's next byte, hand
on a stream as it comes, and turn away what comes without TLS. By their documentation:

- ingress-nginx: the two annotations above; it takes 1 MiB and waits 60 s else. It redirects to TLS and buffers no
  answer by itself.
- Traefik: `traefik.ingress.kubernetes.io/router.entrypoints: websecure` and `.../router.tls: "true"`, or it answers
  without TLS too; and in its own arguments `ingressEndpoint` with an address or a `publishedService`, else no Ingress
  ever counts as served. It does not look at a route's `timeouts`.
- Envoy Gateway, Istio and others by the Gateway API: nothing. The route says `longest_request_seconds`, and they cut
  what takes longer, whole streams too.
- AWS' load balancer controller, all below `alb.ingress.kubernetes.io/`: `target-type: ip`, `healthcheck-path: /readyz`,
  `listen-ports: '[{"HTTPS":443}]'` and `load-balancer-attributes: idle_timeout.timeout_seconds=130`, 60 else. It shows
  a certificate of ACM's: put the public part of it into `tls_secret`, or the alert finds it missing. It comes from no
  namespace, so add a NetworkPolicy of your own for its addresses; policies add up.
- GKE's: a BackendConfig (Ingress) or a GCPBackendPolicy and a HealthCheckPolicy (route) with `timeoutSec: 130`, 30
  else, which cuts whole streams, and `/readyz`; for its addresses the same as above.

Traefik is the one that is tried here, with both objects, streams of more than a minute, a rotated certificate and an
ending pod (`tests/live/test_ingress.py`); the others are by their documentation alone.

## LiteLLM, where there is one

```yaml
  sluice:litellm:
    image: registry.example.com/sluice/litellm@sha256:...   # podman build --target litellm; `sluice up` builds it too
    providers: {cohere: cohere}                             # by its name in models.yaml, what LiteLLM calls it
    replicas: 2
```

- The gateway asks it as one more provider, of OpenAI's dialect, with the key `sluice:litellm-master-key`: make one, and
  set it by `sluice secrets set`. Arms, fail-over, limits and prices are the gateway's. LiteLLM tries once.
- It has no database and stands behind a list of what it may answer: `POST /v1/chat/completions` in OpenAI's fields, and
  the kubelet's probes. Keys, users, models, the user interface and every other path are 404 before LiteLLM sees them,
  also with its key. The network policy lets the gateway in, nobody else, and it out to DNS and its providers.
- Its pod has the keys of its own providers as files, and reads them once: after a rotation,
  `kubectl rollout restart deployment/litellm`. No pod of it is away before the next is ready.
- 1.106.2 by hash, without the packages that it starts and answers without (`requirements/litellm-image.lock`). One pod
  takes 370 MiB and answers thirty to a hundred requests a second: it is for what cannot be asked directly.
- Rehearse it: a provider's own ways with a dialect are LiteLLM's, and are tested here with Anthropic's alone. Its image
  (463 MB) runs in the local cluster by `make operators`: an agent answers through two pods of it, as user 10001, on a
  root that cannot be written, without a token or a capability; at their Service all but the chat is 404, also with
  the key.

## Adding one

1. `Pulumi.NAME.yaml`: copy the nearest one; its namespace is its own.
2. `registry/rollouts/NAME.yaml`: `enabled`, and the agents with their candidates.
3. The keys: `sluice secrets list NAME` says which are asked for, `sluice secrets set NAME KEY` sets one.
4. `sluice validate`, `sluice render NAME`, `make docs`, and the pull request.

`pulumi destroy` of a protected one stops at its preview, before anything is gone; with `--skip-preview` it would take
all but the override and the namespace. To take all away: `sluice:protected: false`, `pulumi up`, then
`pulumi destroy`. The override goes with it.
"""
