"""Everything that is declared about one environment: registry, rollout and settings.

They are loaded together, so that the mistakes in all of its files show at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from sluice.registry.building import rollout_of
from sluice.registry.findings import one_for_each_cause, refuse_if_any
from sluice.registry.loading import Examination, examine, read_folder
from sluice.registry.model import Registry, Rollout
from sluice.registry.rules.rule import LooksAt
from sluice.registry.settings import Settings, environments, read_settings, settings_of


@dataclass(frozen=True, slots=True)
class Environment:
    """What one environment is rendered from."""

    registry: Registry
    rollout: Rollout
    settings: Settings


def load_environment(project: Path, environment: str, *, folder: Path | None = None) -> Environment:
    """Load an environment of the project; `folder` is the registry to use in place of `project`/registry.

    Raises InvalidRegistry with the findings of models.yaml, the evidence, the rollout and the settings together. Rules
    that look at the day or at the last commit are not asked: neither may stand between a person and a rollback.
    """
    read = read_folder(folder or project / "registry", (environment,))
    declared = read.declared
    settings, of_settings = read_settings(project, environment, declared.names)
    refuse_if_any((*read.broken(LooksAt.FILES), *of_settings))
    assert declared.rollouts and declared.names and settings  # noqa: S101, PT018 - without findings there is each of them
    rollout = rollout_of(declared.rollouts[0].document, environment, declared.registry)
    return Environment(declared.registry, rollout, settings_of(settings, environment, declared.names))


def examine_project(project: Path, *, today: date | None = None, against: str | None = None) -> Examination:
    """Check `project`/registry, as `examine` does, and the settings of every environment beside it.

    Raises NothingToCompareWith where a commit was named and is not there.
    """
    examined = examine(project / "registry", today=today, against=against)
    of_settings = (
        finding
        for environment in environments(project)
        for finding in read_settings(project, environment, examined.names)[1]
    )
    return replace(examined, findings=one_for_each_cause((*examined.findings, *of_settings)))
