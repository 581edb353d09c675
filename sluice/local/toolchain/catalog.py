"""What can be built, at which versions, and in which order.

The order is that of `BUILD_ORDER`: the Kubernetes binary first, because the Pulumi provider after it shares hundreds of
its packages, compiled once in Go's own cache.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

MODULES = Path(__file__).resolve().parent / "modules"

KUBERNETES_VERSION = "1.33.3"
COREDNS_VERSION = "1.12.2"
PULUMI_VERSION = "3.250.0"
PULUMI_KUBERNETES_VERSION = "4.25.0"
PYTHON_HOST_VERSION = "3.79.0"
"""The newest release of Pulumi's Go SDK that still carries the Python language host; it serves a newer CLI and SDK."""
GITLEAKS_VERSION = "8.30.1"
KUBECONFORM_VERSION = "0.8.0"
ACTIONLINT_VERSION = "1.7.7"
KUBE_SCORE_VERSION = "1.20.0"
HELM_VERSION = "3.18.6"
PROMETHEUS_OPERATOR_VERSION = "0.85.0"
PROMETHEUS_VERSION = "3.5.0"
ALERTMANAGER_VERSION = "0.28.1"
"""Both as that operator has them by default."""
EXTERNAL_SECRETS_VERSION = "0.20.4"
TRAEFIK_VERSION = "3.6.12"
FLUX_VERSION = "1.7.3"
"""Of both controllers. The newest two of one minor release that the module proxy has whole, with all that they need."""
PROMETHEUS_ADAPTER_VERSION = "0.12.0"
METRICS_SERVER_VERSION = "0.7.1"
"""The one that prometheus-adapter is built with: they share Kubernetes' packages, compiled once."""


@dataclass(frozen=True, slots=True)
class ModuleFile:
    """A file that lies in a Go module and is needed as it is, not compiled."""

    module: str
    path: str
    json_version: str | None = None
    """Where given, the file is JSON and its `version` is set to this."""


@dataclass(frozen=True, slots=True, eq=False)
class GoTool:
    """A program built from `modules/NAME`, and what stands beside it in its folder of the cache."""

    name: str
    title: str
    binary: str
    package: str = "."
    variables: Mapping[str, str] = field(default_factory=dict)
    """Go string variables set by the linker: how a binary knows its version."""
    links: tuple[str, ...] = ()
    """Further names of the binary, which decides by its name what to be."""
    scripts: tuple[ModuleFile, ...] = ()
    """Files installed beside the binary, executable."""
    embedded: tuple[ModuleFile, ...] = ()
    """Files that must lie beside main.go while it is compiled."""
    narrowed: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Modules by the folder of `modules/NAME/instead` that stands in place of files of theirs. Empty where that folder
    itself stands for the package's own module."""
    disk_gib: float = field(default=0.1, repr=False)
    """What building it adds to Go's caches and to ours, as measured. It is no part of what is built."""

    @property
    def source(self) -> Path:
        """The folder with the tool's go.mod, go.sum and, for some, main.go."""
        return MODULES / self.name


@dataclass(frozen=True, slots=True, eq=False)
class Definitions:
    """Custom resource definitions by the kind that they define: each lies in a module that `modules/NAME` pins."""

    name: str
    title: str
    files: Mapping[str, ModuleFile]

    @property
    def source(self) -> Path:
        """The folder with the go.mod and go.sum that pin the modules."""
        return MODULES / self.name


_PROVIDER = "github.com/pulumi/pulumi-kubernetes/provider/v4"
_PULUMI_SDK = "github.com/pulumi/pulumi/sdk/v3"
_VERSION_VARIABLE = f"{_PULUMI_SDK}/go/common/version.Version"
_KUBERNETES_VARIABLE = "k8s.io/component-base/version"
_PROMETHEUS_VARIABLE = "github.com/prometheus/common/version.Version"

KUBE = GoTool(
    name="kube",
    disk_gib=5,
    title=f"Kubernetes {KUBERNETES_VERSION} with etcd",
    binary="kube",
    variables={
        f"{_KUBERNETES_VARIABLE}.gitVersion": f"v{KUBERNETES_VERSION}",
        f"{_KUBERNETES_VARIABLE}.gitMajor": KUBERNETES_VERSION.split(".")[0],
        f"{_KUBERNETES_VARIABLE}.gitMinor": KUBERNETES_VERSION.split(".")[1],
    },
    links=(
        "etcd",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-proxy",
        "kube-scheduler",
        "kubectl",
        "kubelet",
    ),
)

KUBERNETES_PROVIDER = GoTool(
    name="kubernetes-provider",
    disk_gib=5,
    title=f"Pulumi's Kubernetes provider {PULUMI_KUBERNETES_VERSION}",
    binary="pulumi-resource-kubernetes",
    variables={f"{_PROVIDER}/pkg/version.Version": PULUMI_KUBERNETES_VERSION},
    embedded=(
        ModuleFile(_PROVIDER, "cmd/pulumi-resource-kubernetes/schema.json", json_version=PULUMI_KUBERNETES_VERSION),
        ModuleFile(_PROVIDER, "cmd/pulumi-resource-kubernetes/terraform-mapping.json"),
    ),
)

PULUMI = GoTool(
    name="pulumi",
    disk_gib=3,
    title=f"Pulumi {PULUMI_VERSION}",
    binary="pulumi",
    package="github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
    variables={_VERSION_VARIABLE: f"v{PULUMI_VERSION}"},
)

PYTHON_HOST = GoTool(
    name="python-host",
    disk_gib=0.5,
    title=f"Pulumi's Python language host {PYTHON_HOST_VERSION}",
    binary="pulumi-language-python",
    package=f"{_PULUMI_SDK}/python/cmd/pulumi-language-python",
    variables={_VERSION_VARIABLE: f"v{PYTHON_HOST_VERSION}"},
    scripts=(
        ModuleFile(_PULUMI_SDK, "python/cmd/pulumi-language-python-exec"),
        ModuleFile(_PULUMI_SDK, "python/dist/pulumi-analyzer-policy-python"),
    ),
)

COREDNS = GoTool(name="coredns", title=f"coredns {COREDNS_VERSION}", binary="coredns", disk_gib=0.5)

PAUSE = GoTool(name="pause", title="the pods' pause program", binary="pause")

GITLEAKS = GoTool(
    name="gitleaks",
    disk_gib=0.5,
    title=f"gitleaks {GITLEAKS_VERSION}",
    binary="gitleaks",
    package="github.com/zricethezav/gitleaks/v8",
)
KUBE_SCORE = GoTool(
    name="kube-score",
    disk_gib=0.5,
    title=f"kube-score {KUBE_SCORE_VERSION}",
    binary="kube-score",
    package="github.com/zegl/kube-score/cmd/kube-score",
)
KUBECONFORM = GoTool(
    name="kubeconform",
    title=f"kubeconform {KUBECONFORM_VERSION}",
    binary="kubeconform",
    package="github.com/yannh/kubeconform/cmd/kubeconform",
)
ACTIONLINT = GoTool(
    name="actionlint",
    title=f"actionlint {ACTIONLINT_VERSION}",
    binary="actionlint",
    package="github.com/rhysd/actionlint/cmd/actionlint",
)

RULE_JUDGE = GoTool(
    name="rule-judge",
    disk_gib=1,
    title=f"the judge of rules that prometheus-operator {PROMETHEUS_OPERATOR_VERSION} holds",
    binary="rule-judge",
)

EXTERNAL_SECRETS = GoTool(
    name="external-secrets",
    disk_gib=1,
    title=f"the External Secrets Operator {EXTERNAL_SECRETS_VERSION}",
    binary="external-secrets",
    package="github.com/external-secrets/external-secrets",
)
"""The operator as it is, but for the clients of clouds: it knows Kubernetes and made values as stores. Only a live test
builds it."""

PROMETHEUS_OPERATOR = GoTool(
    name="prometheus-operator",
    disk_gib=1,
    title=f"prometheus-operator {PROMETHEUS_OPERATOR_VERSION}",
    binary="operator",
    package="github.com/prometheus-operator/prometheus-operator/cmd/operator",
)
"""Reads the rendered monitors, rules and routes as a cluster's own would. Only a live test builds it."""

CONFIG_RELOADER = GoTool(
    name="config-reloader",
    disk_gib=0.5,
    title=f"prometheus-operator's config-reloader {PROMETHEUS_OPERATOR_VERSION}",
    binary="prometheus-config-reloader",
    package="github.com/prometheus-operator/prometheus-operator/cmd/prometheus-config-reloader",
)
PROMETHEUS = GoTool(
    name="prometheus",
    disk_gib=1,
    title=f"Prometheus {PROMETHEUS_VERSION}",
    binary="prometheus",
    package="github.com/prometheus/prometheus/cmd/prometheus",
    variables={_PROMETHEUS_VARIABLE: PROMETHEUS_VERSION},
)
"""Without its pages, and finding pods by Kubernetes and DNS alone. Debian's cannot ask Kubernetes."""
ALERTMANAGER = GoTool(
    name="alertmanager",
    disk_gib=0.5,
    title=f"Alertmanager {ALERTMANAGER_VERSION}",
    binary="alertmanager",
    package="github.com/prometheus/alertmanager/cmd/alertmanager",
    variables={_PROMETHEUS_VARIABLE: ALERTMANAGER_VERSION},
)
"""With the two before, what the operator makes pods of. Only a live test builds them."""

SOURCE_CONTROLLER = GoTool(
    name="source-controller",
    disk_gib=2.5,
    title=f"Flux's source-controller {FLUX_VERSION}",
    binary="source-controller",
    package="github.com/fluxcd/source-controller",
)
KUSTOMIZE_CONTROLLER = GoTool(
    name="kustomize-controller",
    disk_gib=0.5,
    title=f"Flux's kustomize-controller {FLUX_VERSION}",
    binary="kustomize-controller",
    package="github.com/fluxcd/kustomize-controller",
)
"""With source-controller, what has a cluster follow git. Only a live test builds them."""

PROMETHEUS_ADAPTER = GoTool(
    name="prometheus-adapter",
    disk_gib=1,
    title=f"prometheus-adapter {PROMETHEUS_ADAPTER_VERSION}",
    binary="adapter",
    package="sigs.k8s.io/prometheus-adapter/cmd/adapter",
)
METRICS_SERVER = GoTool(
    name="metrics-server",
    title=f"metrics-server {METRICS_SERVER_VERSION}",
    binary="metrics-server",
    package="sigs.k8s.io/metrics-server/cmd/metrics-server",
)
"""What an autoscaler asks: the one for Prometheus' series, the other for CPU. Only a live test builds them."""

TRAEFIK = GoTool(
    name="traefik",
    disk_gib=2,
    title=f"Traefik {TRAEFIK_VERSION}",
    binary="traefik",
    package="github.com/traefik/traefik/v3/cmd/traefik",
    variables={"github.com/traefik/traefik/v3/pkg/version.Version": TRAEFIK_VERSION},
    narrowed={"lego": "github.com/go-acme/lego/v4", "traefik": "github.com/traefik/traefik/v3"},
)
"""A controller that serves an Ingress and a route as a cluster's own would. It has no client of any DNS hoster, nor
Amazon's: they are half of what it is compiled from. Only a live test builds it."""

JUDGES = (KUBE_SCORE, KUBECONFORM, GITLEAKS, RULE_JUDGE, ACTIONLINT)
"""What judges manifests, workflows and the history: nothing runs on them, and only the tests build them."""

HELM = GoTool(
    name="helm",
    disk_gib=1.5,
    title=f"helm {HELM_VERSION}",
    binary="helm",
    package="helm.sh/helm/v3/cmd/helm",
)
"""What `bench.deploy` is measured beside: nothing runs on it, and only the bench builds it."""

BUILD_ORDER = (
    KUBE,
    KUBERNETES_PROVIDER,
    PULUMI,
    PYTHON_HOST,
    COREDNS,
    PAUSE,
    *JUDGES,
    HELM,
    EXTERNAL_SECRETS,
    PROMETHEUS_OPERATOR,
    CONFIG_RELOADER,
    PROMETHEUS,
    ALERTMANAGER,
    SOURCE_CONTROLLER,
    KUSTOMIZE_CONTROLLER,
    PROMETHEUS_ADAPTER,
    METRICS_SERVER,
    TRAEFIK,
)

CRDS = Definitions(
    name="crds",
    title="the definitions of the kinds that others serve",
    files={
        "ExternalSecret": ModuleFile(
            "github.com/external-secrets/external-secrets", "config/crds/bases/external-secrets.io_externalsecrets.yaml"
        ),
        "GrafanaDashboard": ModuleFile(
            "github.com/grafana/grafana-operator/v5", "config/crd/bases/grafana.integreatly.org_grafanadashboards.yaml"
        ),
        "HTTPRoute": ModuleFile(
            "sigs.k8s.io/gateway-api", "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml"
        ),
        "PodMonitor": ModuleFile(
            "github.com/prometheus-operator/prometheus-operator",
            "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml",
        ),
        "PrometheusRule": ModuleFile(
            "github.com/prometheus-operator/prometheus-operator",
            "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
        ),
    },
)
"""Every kind beyond Kubernetes' own that we render: the tests hold it to its own definition."""
