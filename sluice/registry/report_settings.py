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
class PostSecret:
    """The Secret of the namespace, and the key in it, that hold the whole address: one that is a password itself."""

    name: str
    key: str


@dataclass(frozen=True, slots=True)
class ReportSettings:
    """The report: its schedule in cron's words, by UTC, the days it is about, and where it is mailed or posted.

    With `post_secret` the address in it is posted to, and `post` is what that begins with: git says to which server.
    """

    schedule: str = "0 6 * * *"
    days: int = 7
    mail: Mail | None = None
    post: str | None = None
    post_secret: PostSecret | None = None


def report_of(body: Mapping[str, Any] | None) -> ReportSettings | None:
    """Build `sluice:report`, None where it is left out."""
    if body is None:
        return None
    to = body["to"]
    mail = Mail(to["mail"]["server"], to["mail"]["from"], tuple(to["mail"]["to"])) if "mail" in to else None
    secret = PostSecret(to["post_secret"]["name"], to["post_secret"]["key"]) if "post_secret" in to else None
    usual = ReportSettings()
    schedule, days = body.get("schedule", usual.schedule), int(body.get("days", usual.days))
    return ReportSettings(schedule, days, mail, to.get("post"), secret)
