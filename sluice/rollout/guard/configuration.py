"""What a guard's pod is told: the environment, where Prometheus is, and the registry it holds rollouts to.

It is one JSON file, written by `sluice.render.guard`. Which candidate has which weight is not in it: that stands in the
cluster's flags, so that a weight restarts no guard.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sluice.registry import Registry
from sluice.registry.building import registry_of_sections
from sluice.rollout.told import read_told

VERSION = 2
_SHARED = ("agents", "models")


@dataclass(frozen=True, slots=True)
class GuardConfiguration:
    """One environment, as its guard knows it. `match` narrows queries down to it, as `namespace="x"`."""

    environment: str
    namespace: str
    prometheus: str
    match: str
    registry: Registry


def read_configuration(file: Path) -> GuardConfiguration:
    """Read the file, and what of its agents and models lies in others beside it. Raises ConfigurationUnreadable."""

    def of(said: Mapping[str, Any]) -> GuardConfiguration:
        sections = {**said["registry"], **{name: said[name] for name in _SHARED}}
        for number in range(1, said.get("parts", 1)):
            more = json.loads(file.with_name(f"{file.stem}-{number}{file.suffix}").read_text())
            for name in _SHARED:
                sections[name] = {**sections[name], **more.get(name, {})}
        return GuardConfiguration(
            said["environment"],
            said["namespace"],
            said["prometheus"],
            said["match"],
            registry_of_sections(sections, {}),
        )

    return read_told(file, VERSION, of)
