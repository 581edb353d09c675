"""The daily report of an environment: when it is made in the cluster, and where it goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Mail:
    """Mail by a server that takes it from the cluster: `smtp://HOST:PORT`, or `smtps://` where TLS comes first."""

    server: str
    sender: str
    to: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReportSettings:
    """The report: its schedule in cron's words, by UTC, the days it is about, and where it is mailed or posted."""

    schedule: str = "0 6 * * *"
    days: int = 7
    mail: Mail | None = None
    post: str | None = None


def report_of(body: Mapping[str, Any] | None) -> ReportSettings | None:
    """Build `sluice:report`, None where it is left out."""
    if body is None:
        return None
    to = body["to"]
    mail = Mail(to["mail"]["server"], to["mail"]["from"], tuple(to["mail"]["to"])) if "mail" in to else None
    usual = ReportSettings()
    return ReportSettings(body.get("schedule", usual.schedule), int(body.get("days", usual.days)), mail, to.get("post"))
