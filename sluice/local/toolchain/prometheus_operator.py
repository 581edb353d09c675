"""prometheus-operator and the definitions of its objects, for the test of an environment that it watches."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sluice.local.toolchain import go_build
from sluice.local.toolchain.catalog import PROMETHEUS_OPERATOR, ModuleFile
from sluice.progress import Progress

_DEFINITIONS = ModuleFile("github.com/prometheus-operator/prometheus-operator", "example/prometheus-operator-crd")


@dataclass(frozen=True, slots=True)
class PrometheusOperatorTools:
    """Where the operator's program is, and the folder of its custom resource definitions."""

    operator: Path
    definitions: Path


def ensure_prometheus_operator(cache: Path, progress: Progress) -> PrometheusOperatorTools:
    """Build what is missing. Raises what `go_build.build` raises."""
    built = go_build.build([PROMETHEUS_OPERATOR], cache, progress)
    return PrometheusOperatorTools(
        operator=built[PROMETHEUS_OPERATOR] / PROMETHEUS_OPERATOR.binary,
        definitions=go_build.module_file(PROMETHEUS_OPERATOR, _DEFINITIONS),
    )
