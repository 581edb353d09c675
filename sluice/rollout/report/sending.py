"""Sends a report: by mail, the verdicts as text and the page beside them; or by POST, the page alone.

No password is sent: both go to what takes them from the cluster. An address that is a password itself, as a webhook's,
is read of a file and shown nowhere. What was not taken is an error, and the job that made it has failed.
"""

from __future__ import annotations

import smtplib
import ssl
import urllib.request
from email.message import EmailMessage
from urllib.parse import urlsplit

from sluice.errors import SluiceError
from sluice.rollout.guard.in_cluster import NotHeard, http
from sluice.rollout.report.comparison import Compared
from sluice.rollout.report.configuration import MailTo, PostTo
from sluice.rollout.report.findings import Findings

_PATIENCE_SECONDS = 30.0


class NotSent(SluiceError):
    """A report was made, and nobody took it."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where} did not take the report: {' '.join(why.split())[:300]}")


def mail(to: MailTo, report: Findings, page: str) -> None:
    """Mail a report. Raises NotSent."""
    parts = urlsplit(to.server)
    host, port = parts.hostname or "", parts.port or 25
    tls = ssl.create_default_context()
    try:
        if parts.scheme == "smtps":
            server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=_PATIENCE_SECONDS, context=tls)
        else:
            server = smtplib.SMTP(host, port, timeout=_PATIENCE_SECONDS)
        with server:
            server.ehlo_or_helo_if_needed()
            if parts.scheme == "smtp" and server.has_extn("starttls"):
                server.starttls(context=tls)
            refused = server.send_message(message(to, report, page))
    except (OSError, smtplib.SMTPException) as error:
        raise NotSent(f"{host}:{port}", str(error) or type(error).__name__) from None
    if refused:
        raise NotSent(f"{host}:{port}", f"it refused {', '.join(refused)}")


def message(to: MailTo, report: Findings, page: str) -> EmailMessage:
    """Write the mail."""
    made = EmailMessage()
    made["Subject"] = f"sluice, {report.environment}: {_in_short(report)}"
    made["From"], made["To"] = to.sender, ", ".join(to.to)
    made.set_content("\n".join([*_lines(report), "", "The page beside this has the rest."]))
    name = f"report-{report.environment}-{report.until:%Y-%m-%d}.html"
    made.add_attachment(page, subtype="html", filename=name)
    return made


def post(to: PostTo, page: str) -> None:
    """Post a page. Raises NotSent, which names the server alone."""
    address = _address(to)
    request = urllib.request.Request(  # noqa: S310 - the address is the settings'
        address, page.encode(), {"Content-Type": "text/html; charset=utf-8"}, method="POST"
    )
    try:
        answer = http(request, _PATIENCE_SECONDS)
    except NotHeard as error:
        raise NotSent(to.server, str(error)) from None
    if not 200 <= answer.status < 300:
        raise NotSent(to.server, f"it answers {answer.status}")


def _address(to: PostTo) -> str:
    if to.file is None:
        return to.server
    try:
        found = to.file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        found = ""
    if not found:
        raise NotSent(to.server, f"{to.file} holds no address; make the Secret that sluice:report.to.post_secret names")
    if not found.startswith(f"{to.server.rstrip('/')}/") or not found.isprintable() or " " in found:
        raise NotSent(to.server, f"{to.file} holds another address than one below sluice:report.to.post")
    return found


def _in_short(report: Findings) -> str:
    compared = [str(agent.comparison.compared) for agent in report.agents if agent.comparison]
    worst_first = dict.fromkeys(sorted(compared, key=lambda one: one != Compared.WORSE))
    counts = [f"{compared.count(each)} {each}" for each in worst_first]
    return ", ".join(counts) or "no candidate has users"


def _lines(report: Findings) -> list[str]:
    days = (report.until - report.since).days
    lines = [f"{report.environment}, {days} days to {report.until:%Y-%m-%d %H:%M} UTC", ""]
    lines += [f"{agent.agent}: {agent.comparison.verdict}" for agent in report.agents if agent.comparison]
    return [*lines, *(["", "Missing:", *(f"- {one}" for one in report.missing)] if report.missing else [])]
