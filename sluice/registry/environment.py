"""Everything that is declared about one environment: registry, rollout and settings.

They are loaded together, so that the mistakes in all of its files show at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sluice.registry.building import registry_of, rollout_of
from sluice.registry.findings import refuse_if_any
from sluice.registry.loading import read_models, read_rollout
from sluice.registry.model import Registry, Rollout
from sluice.registry.references import Names
from sluice.registry.settings import Settings, read_settings, settings_of


@dataclass(frozen=True, slots=True)
class Environment:
    """What one environment is rendered from."""

    registry: Registry
    rollout: Rollout
    settings: Settings


def load_environment(project: Path, environment: str, *, folder: Path | None = None) -> Environment:
    """Load an environment of the project; `folder` is the registry to use in place of `project`/registry.

    Raises InvalidRegistry with the findings of models.yaml, the rollout and the settings together.
    """
    folder = folder or project / "registry"
    models, of_models = read_models(folder)
    names = Names.in_document(models) if models else None
    rollout, of_rollout = read_rollout(folder, environment, names)
    settings, of_settings = read_settings(project, environment, names)
    refuse_if_any((*of_models, *of_rollout, *of_settings))
    assert models and names and rollout and settings  # noqa: S101, PT018 - without findings there is a document of each
    registry = registry_of(models)
    return Environment(registry, rollout_of(rollout, environment, registry), settings_of(settings, environment, names))
