"""What people declare: providers, models, agents, rollouts and settings, loaded, checked and typed.

Files go in, values that can be relied upon come out, or one error with everything that is wrong. Pulumi and Kubernetes
are unknown here, and so are secrets, but for their names.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from sluice.registry.evidence import Evidence, EvidenceKind
from sluice.registry.findings import Finding, InvalidRegistry, Severity
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

if TYPE_CHECKING:
    from sluice.registry.cluster_settings import Autoscaling, Ingress, Monitoring, Network, Quota
    from sluice.registry.environment import Environment, load_environment
    from sluice.registry.provider_keys import KeysNotSet, require_keys
    from sluice.registry.secret_settings import ExternalSecrets
    from sluice.registry.settings import (
        REDIS_PASSWORD,
        CallerLimits,
        EmbeddedCache,
        ExternalCache,
        GatewaySettings,
        Resources,
        Settings,
        StubProviderSettings,
        Traces,
        environments,
        is_named,
        load_namespace,
        load_settings,
    )

__all__ = [
    "LADDER",
    "REDIS_PASSWORD",
    "Agent",
    "AgentRollout",
    "Arm",
    "Autoscaling",
    "Benchmark",
    "Budgets",
    "CallerLimits",
    "EmbeddedCache",
    "Environment",
    "Evidence",
    "EvidenceKind",
    "Examination",
    "ExternalCache",
    "ExternalSecrets",
    "Finding",
    "Gates",
    "GatewaySettings",
    "Ingress",
    "InvalidRegistry",
    "JobStatus",
    "KeysNotSet",
    "Ladder",
    "Limits",
    "Model",
    "Monitoring",
    "Network",
    "Policy",
    "Price",
    "Provider",
    "Quota",
    "Rate",
    "Registry",
    "Resources",
    "Role",
    "Rollout",
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
    "is_named",
    "load_environment",
    "load_namespace",
    "load_registry",
    "load_rollout",
    "load_settings",
    "require_keys",
    "rollout_names",
]

_IMPORTED_WHEN_ASKED_FOR = ("cluster_settings", "settings", "secret_settings", "environment", "provider_keys")
"""What a check of the registry alone does without: it is asked for at every keystroke's save, and must not be felt."""


def __getattr__(name: str) -> Any:
    """Import what is about an environment's settings when it is asked for."""
    if name in __all__:
        for module in _IMPORTED_WHEN_ASKED_FOR:
            found = importlib.import_module(f"{__name__}.{module}")
            if hasattr(found, name):
                return getattr(found, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
