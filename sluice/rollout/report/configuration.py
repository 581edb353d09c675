"""What a report's pod is told: the environment as it is declared, where Prometheus is, and who gets the page.

It is one JSON file, written by `sluice.render.report`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sluice.registry.building import registry_of_sections
from sluice.registry.model import AgentRollout, Registry, Rollout
from sluice.rollout.told import read_told

VERSION = 2


@dataclass(frozen=True, slots=True)
class MailTo:
    """A server that takes mail, `smtp://HOST:PORT` or `smtps://HOST:PORT`, the sender, and who gets it."""

    server: str
    sender: str
    to: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PostTo:
    """Where a page is posted. With `file` the whole address lies there, is a secret, and begins as `server` does."""

    server: str
    file: Path | None = None


@dataclass(frozen=True, slots=True)
class ReportConfiguration:
    """One environment's report. `match` narrows queries down to it, as `namespace="x"`."""

    environment: str
    registry: Registry
    rollout: Rollout
    prometheus: str
    match: str
    days: int
    mail: MailTo | None
    post: PostTo | None


def read_configuration(file: Path) -> ReportConfiguration:
    """Read the file. Raises ConfigurationUnreadable."""
    return read_told(file, VERSION, _of)


def _of(said: Mapping[str, Any]) -> ReportConfiguration:
    mail = said["mail"]
    return ReportConfiguration(
        said["environment"],
        registry_of_sections(said["registry"], {}),
        _rollout(said),
        said["prometheus"],
        said["match"],
        int(said["days"]),
        MailTo(mail["server"], mail["from"], tuple(mail["to"])) if mail else None,
        PostTo(said["post"], Path(said["post_file"]) if said["post_file"] else None) if said["post"] else None,
    )


def _rollout(said: Mapping[str, Any]) -> Rollout:
    agents = {
        name: AgentRollout(
            name,
            agent["candidate"],
            int(agent["weight_percent"]),
            date.fromisoformat(agent["since"]) if agent["since"] else None,
            tuple(agent["baseline"]),
        )
        for name, agent in said["rollout"].items()
    }
    return Rollout(said["environment"], bool(said["enabled"]), MappingProxyType(agents))
