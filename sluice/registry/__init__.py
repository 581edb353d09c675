"""What people declare: providers, models, agents, rollouts and settings, loaded, checked and typed.

Files go in, values that can be relied upon come out, or one error with everything that is wrong. Pulumi and Kubernetes
are unknown here, and so are secrets, but for their names.

A name's module is imported when the name is asked for: types and arithmetic are of use where no YAML can be read, in
the guard's pod.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sluice.registry.cache_settings import EmbeddedCache, ExternalCache
    from sluice.registry.cluster_settings import Autoscaling, Grafana, Ingress, Monitoring, Network, Quota, Route
    from sluice.registry.environment import Environment, examine_project, load_environment
    from sluice.registry.evidence import Evidence, EvidenceKind
    from sluice.registry.findings import Finding, InvalidRegistry, Severity
    from sluice.registry.guard_settings import GuardSettings
    from sluice.registry.litellm_settings import LITELLM_KEY, LiteLLM
    from sluice.registry.loading import Examination, check, examine, load_registry, load_rollout, rollout_names
    from sluice.registry.model import (
        Agent,
        AgentRollout,
        Arm,
        Benchmark,
        JobStatus,
        Model,
        Price,
        Provider,
        Registry,
        Rollout,
        Tier,
        Training,
        TrainingJob,
    )
    from sluice.registry.policy import LADDER, Budgets, Gates, Ladder, Limits, Policy, Rate, Role, Safeguards, Step
    from sluice.registry.prometheus_settings import EmbeddedPrometheus, ExternalPrometheus
    from sluice.registry.provider_keys import KeysNotSet, require_keys
    from sluice.registry.report_settings import ReportSettings
    from sluice.registry.resources import Resources
    from sluice.registry.secret_settings import ExternalSecrets
    from sluice.registry.settings import (
        REDIS_PASSWORD,
        CallerLimits,
        GatewaySettings,
        Settings,
        StubProviderSettings,
        Traces,
        environments,
        image_variable,
        is_named,
        load_namespace,
        load_settings,
    )

__all__ = [
    "LADDER",
    "LITELLM_KEY",
    "REDIS_PASSWORD",
    "Agent",
    "AgentRollout",
    "Arm",
    "Autoscaling",
    "Benchmark",
    "Budgets",
    "CallerLimits",
    "EmbeddedCache",
    "EmbeddedPrometheus",
    "Environment",
    "Evidence",
    "EvidenceKind",
    "Examination",
    "ExternalCache",
    "ExternalPrometheus",
    "ExternalSecrets",
    "Finding",
    "Gates",
    "GatewaySettings",
    "Grafana",
    "GuardSettings",
    "Ingress",
    "InvalidRegistry",
    "JobStatus",
    "KeysNotSet",
    "Ladder",
    "Limits",
    "LiteLLM",
    "Model",
    "Monitoring",
    "Network",
    "Policy",
    "Price",
    "Provider",
    "Quota",
    "Rate",
    "Registry",
    "ReportSettings",
    "Resources",
    "Role",
    "Rollout",
    "Route",
    "Safeguards",
    "Settings",
    "Severity",
    "Step",
    "StubProviderSettings",
    "Tier",
    "Traces",
    "Training",
    "TrainingJob",
    "check",
    "environments",
    "examine",
    "examine_project",
    "image_variable",
    "is_named",
    "load_environment",
    "load_namespace",
    "load_registry",
    "load_rollout",
    "load_settings",
    "require_keys",
    "rollout_names",
]

_MODULES = {
    "cache_settings": "EmbeddedCache ExternalCache",
    "cluster_settings": "Autoscaling Grafana Ingress Monitoring Network Quota Route",
    "environment": "Environment examine_project load_environment",
    "evidence": "Evidence EvidenceKind",
    "findings": "Finding InvalidRegistry Severity",
    "guard_settings": "GuardSettings",
    "litellm_settings": "LITELLM_KEY LiteLLM",
    "loading": "Examination check examine load_registry load_rollout rollout_names",
    "model": (
        "Agent AgentRollout Arm Benchmark JobStatus Model Price Provider Registry Rollout Tier Training TrainingJob"
    ),
    "policy": "LADDER Budgets Gates Ladder Limits Policy Rate Role Safeguards Step",
    "prometheus_settings": "EmbeddedPrometheus ExternalPrometheus",
    "provider_keys": "KeysNotSet require_keys",
    "report_settings": "ReportSettings",
    "resources": "Resources",
    "secret_settings": "ExternalSecrets",
    "settings": (
        "REDIS_PASSWORD CallerLimits GatewaySettings Settings "
        "StubProviderSettings Traces environments image_variable is_named load_namespace load_settings"
    ),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
