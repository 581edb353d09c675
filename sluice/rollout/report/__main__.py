"""`python -m sluice.rollout.report`: the report in its pod, made once and sent."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from sluice.errors import SluiceError
from sluice.rollout.guard.prometheus import Prometheus
from sluice.rollout.guard.running import say
from sluice.rollout.report.asking import Question, ask
from sluice.rollout.report.configuration import ReportConfiguration, read_configuration
from sluice.rollout.report.findings import Findings, find
from sluice.rollout.report.page import as_page
from sluice.rollout.report.sending import mail, post

_DEFAULT_FILE = "/etc/sluice/report/report.json"


def main() -> int:
    """Make a report and send it; return the exit code. Each way is tried, whatever became of the other."""
    try:
        configuration = read_configuration(Path(os.environ.get("SLUICE_REPORT_FILE", _DEFAULT_FILE)))
        report = _made(configuration)
    except SluiceError as error:
        say("no report", {"why": str(error)})
        return error.exit_code
    page = as_page(report)
    failures = [one for one in _sent(configuration, report, page) if one]
    for failure in failures:
        say("not sent", {"why": str(failure)})
    return 3 if failures else 0


def _made(configuration: ReportConfiguration) -> Findings:
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    question = Question(
        configuration.environment,
        configuration.registry,
        configuration.rollout,
        configuration.match,
        now,
        configuration.days,
    )
    material = ask(Prometheus(configuration.prometheus), question)
    by_hand = f"`sluice report {configuration.environment}` has both"
    lacking = f"by whom and why overrides were set, and the worst answers: {by_hand}"
    return find(replace(material, missing=(*material.missing, lacking)))


def _sent(configuration: ReportConfiguration, report: Findings, page: str) -> list[SluiceError | None]:
    done: list[SluiceError | None] = []
    if configuration.mail is not None:
        to = configuration.mail
        done.append(_tried("mailed", ", ".join(to.to), lambda: mail(to, report, page)))
    if configuration.post is not None:
        taker = configuration.post
        done.append(_tried("posted", taker.server, lambda: post(taker, page)))
    return done


def _tried(what: str, to: str, send: Callable[[], None]) -> SluiceError | None:
    try:
        send()
    except SluiceError as error:
        return error
    say(what, {"to": to})
    return None


if __name__ == "__main__":
    sys.exit(main())
