"""What people declare: providers, models, agents, rollouts and settings, loaded, checked and typed.

Files go in, values that can be relied upon come out, or one error with everything that is wrong. Pulumi and Kubernetes
are unknown here, and so are secrets, but for their names.
"""

from __future__ import annotations

from sluice.registry.environment import Environment, load_environment
from sluice.registry.findings import Finding, InvalidRegistry, Severity
from sluice.registry.loading import check, load_registry, load_rollout, rollout_names
from sluice.registry.model import (
    LADDER,
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
    Training,
    TrainingJob,
)
from sluice.registry.settings import (
    GatewaySettings,
    Resources,
    Settings,
    StubProviderSettings,
    environments,
    load_settings,
)

__all__ = [
    "LADDER",
    "Agent",
    "AgentRollout",
    "Arm",
    "Benchmark",
    "Environment",
    "Finding",
    "GatewaySettings",
    "InvalidRegistry",
    "JobStatus",
    "Model",
    "Price",
    "Provider",
    "Registry",
    "Resources",
    "Rollout",
    "Settings",
    "Severity",
    "StubProviderSettings",
    "Training",
    "TrainingJob",
    "check",
    "environments",
    "load_environment",
    "load_registry",
    "load_rollout",
    "load_settings",
    "rollout_names",
]
