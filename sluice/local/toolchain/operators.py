"""The operators of others and the definitions of their objects, for the tests of environments that have them.

Each is built from its own source as pinned in `modules/`, and runs beside the cluster as a process of the machine. The
definitions are those of the very release that is built. What serves metrics to autoscalers has none of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sluice.local.toolchain import go_build
from sluice.local.toolchain.catalog import (
    ALERTMANAGER,
    CONFIG_RELOADER,
    EXTERNAL_SECRETS,
    KUSTOMIZE_CONTROLLER,
    METRICS_SERVER,
    PROMETHEUS,
    PROMETHEUS_ADAPTER,
    PROMETHEUS_OPERATOR,
    SOURCE_CONTROLLER,
    TRAEFIK,
    GoTool,
    ModuleFile,
)
from sluice.progress import Progress

_OF_PROMETHEUS = ModuleFile("github.com/prometheus-operator/prometheus-operator", "example/prometheus-operator-crd")
_OF_FLUX = "config/crd/bases"
_OF_GATEWAYS = ModuleFile("sigs.k8s.io/gateway-api", "config/crd/standard")
_OF_SECRETS = ModuleFile(EXTERNAL_SECRETS.package, "config/crds/bases")


@dataclass(frozen=True, slots=True)
class OperatorTools:
    """Where an operator's program is, and the folder of its custom resource definitions."""

    operator: Path
    definitions: Path


@dataclass(frozen=True, slots=True)
class WatchingTools:
    """The programs that prometheus-operator runs in pods. Linked with nothing, each needs no other file in an image."""

    prometheus: Path
    alertmanager: Path
    config_reloader: Path


def ensure_prometheus_operator(cache: Path, progress: Progress) -> OperatorTools:
    """Build prometheus-operator where it is missing. Raises what `go_build.build` raises."""
    return _ensure(PROMETHEUS_OPERATOR, _OF_PROMETHEUS, cache, progress)


def ensure_watching(cache: Path, progress: Progress) -> WatchingTools:
    """Build what prometheus-operator runs in pods where it is missing. Raises what `go_build.build` raises."""
    built = go_build.build([CONFIG_RELOADER, PROMETHEUS, ALERTMANAGER], cache, progress)
    return WatchingTools(*(built[tool] / tool.binary for tool in (PROMETHEUS, ALERTMANAGER, CONFIG_RELOADER)))


def ensure_external_secrets(cache: Path, progress: Progress) -> OperatorTools:
    """Build the External Secrets Operator where it is missing. Raises what `go_build.build` raises."""
    return _ensure(EXTERNAL_SECRETS, _OF_SECRETS, cache, progress)


def ensure_source_controller(cache: Path, progress: Progress) -> OperatorTools:
    """Build Flux's source-controller, which reads git, where it is missing. Raises what `go_build.build` raises."""
    return _ensure(SOURCE_CONTROLLER, ModuleFile(SOURCE_CONTROLLER.package, _OF_FLUX), cache, progress)


def ensure_kustomize_controller(cache: Path, progress: Progress) -> OperatorTools:
    """Build Flux's kustomize-controller, which applies what the other has read. Raises what `go_build.build` raises."""
    return _ensure(KUSTOMIZE_CONTROLLER, ModuleFile(KUSTOMIZE_CONTROLLER.package, _OF_FLUX), cache, progress)


def ensure_prometheus_adapter(cache: Path, progress: Progress) -> Path:
    """Build prometheus-adapter where it is missing, and return the program. Raises what `go_build.build` raises."""
    return go_build.build([PROMETHEUS_ADAPTER], cache, progress)[PROMETHEUS_ADAPTER] / PROMETHEUS_ADAPTER.binary


def ensure_metrics_server(cache: Path, progress: Progress) -> Path:
    """Build metrics-server where it is missing, and return the program. Raises what `go_build.build` raises."""
    return go_build.build([METRICS_SERVER], cache, progress)[METRICS_SERVER] / METRICS_SERVER.binary


def ensure_traefik(cache: Path, progress: Progress) -> OperatorTools:
    """Build Traefik where it is missing, with the Gateway API's definitions. Raises what `go_build.build` raises."""
    return _ensure(TRAEFIK, _OF_GATEWAYS, cache, progress)


def _ensure(tool: GoTool, definitions: ModuleFile, cache: Path, progress: Progress) -> OperatorTools:
    built = go_build.build([tool], cache, progress)
    return OperatorTools(operator=built[tool] / tool.binary, definitions=go_build.module_file(tool, definitions))
