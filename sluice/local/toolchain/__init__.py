"""The programs that sluice runs: found on the PATH where they fit, built from source where they are missing.

What is built comes from the go.mod and go.sum files in `modules/`, into a cache keyed by their content, so that two
machines run the same programs and a second run builds nothing.
"""

from sluice.local.toolchain.judges import JudgeTools, definition, ensure_judges
from sluice.local.toolchain.kubernetes import KubernetesTools, ensure_kubernetes
from sluice.local.toolchain.operators import (
    OperatorTools,
    WatchingTools,
    ensure_external_secrets,
    ensure_kustomize_controller,
    ensure_metrics_server,
    ensure_prometheus_adapter,
    ensure_prometheus_operator,
    ensure_source_controller,
    ensure_traefik,
    ensure_watching,
)
from sluice.local.toolchain.pulumi import PulumiTools, ensure_pulumi

__all__ = [
    "JudgeTools",
    "KubernetesTools",
    "OperatorTools",
    "PulumiTools",
    "WatchingTools",
    "definition",
    "ensure_external_secrets",
    "ensure_judges",
    "ensure_kubernetes",
    "ensure_kustomize_controller",
    "ensure_metrics_server",
    "ensure_prometheus_adapter",
    "ensure_prometheus_operator",
    "ensure_pulumi",
    "ensure_source_controller",
    "ensure_traefik",
    "ensure_watching",
]
