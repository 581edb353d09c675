"""A report on its way: the mail, the post, and what happens where nobody takes it."""

from __future__ import annotations

import email
import email.policy
import urllib.request
from pathlib import Path

import pytest

from sluice.rollout.guard.in_cluster import Heard
from sluice.rollout.report.configuration import MailTo, PostTo
from sluice.rollout.report.findings import find
from sluice.rollout.report.page import as_page
from sluice.rollout.report.sending import NotSent, mail, message, post
from tests.rollout.examples import arm, case, dear, measured, period, scores
from tests.rollout.report_examples import agent, material, run
from tests.rollout.report_takers import taking_mail, taking_posts

_BAD = run(case(measured(period(arm(200, scores=scores((3.0, 200))), dear(1800)))))
REPORT = find(material(agent(agent="qa"), agent(agent="legal", run=_BAD), agent(agent="support", run=None)))
PAGE = as_page(REPORT)


def to(server: str) -> MailTo:
    return MailTo(server, "sluice@example.com", ("a@example.com", "b@example.com"))


def test_a_mail_says_the_verdicts_and_has_the_page_beside_them() -> None:
    with taking_mail() as server:
        mail(to(server.address), REPORT, PAGE)

    (text,) = server.taken
    assert server.recipients == ["a@example.com", "b@example.com"]
    found = email.message_from_string(text, policy=email.policy.default)
    assert found["Subject"] == "sluice, production: 1 worse, 1 as good"
    said = found.get_body(("plain",))
    assert said is not None
    assert "legal: Worse than its baseline: quality." in said.get_content()
    assert "qa: As good as its baseline in quality, errors and latency." in said.get_content()
    (page,) = found.iter_attachments()
    assert page.get_filename() == "report-production-2025-11-12.html"
    assert page.get_content().replace("\r\n", "\n") == PAGE


def test_a_name_in_the_settings_cannot_add_a_header() -> None:
    with pytest.raises(ValueError, match="linefeed"):
        message(MailTo("smtp://x:25", "a@example.com\nBcc: c@example.com", ("b@example.com",)), REPORT, PAGE)


def test_what_is_missing_is_in_the_mail_itself() -> None:
    lacking = find(material(missing=("the worst answers: nobody looked",)))

    said = message(to("smtp://x:25"), lacking, "").get_body(("plain",))

    assert said is not None
    assert "Missing:\n- the worst answers: nobody looked" in said.get_content()


def test_a_server_that_refuses_is_named_with_what_it_said() -> None:
    with taking_mail("550 we know nobody here") as server, pytest.raises(NotSent, match="we know nobody here") as error:
        mail(to(server.address), REPORT, PAGE)

    assert str(error.value).startswith("127.0.0.1:")
    assert server.taken == []


def test_a_server_that_does_not_answer_is_one_sentence() -> None:
    with pytest.raises(NotSent, match=r"127\.0\.0\.1:9 did not take the report: .*refused"):
        mail(to("smtp://127.0.0.1:9"), REPORT, PAGE)
    with pytest.raises(NotSent, match=r"127\.0\.0\.1:9 did not take the report: .*refused"):
        mail(to("smtps://127.0.0.1:9"), REPORT, PAGE)


def test_a_page_is_posted_as_it_is() -> None:
    with taking_posts(201) as (address, taken):
        post(PostTo(address), PAGE)

    assert taken == [("text/html; charset=utf-8", PAGE.encode())]


@pytest.mark.parametrize("status", [302, 403, 500])
def test_a_page_that_is_not_taken_is_an_error(status: int) -> None:
    with taking_posts(status) as (address, _), pytest.raises(NotSent, match=f"it answers {status}"):
        post(PostTo(address), PAGE)


SECRET = "T000-made-B000"


def test_an_address_that_is_a_secret_is_read_of_its_file_and_shown_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    file, asked = tmp_path / "post", list[str]()
    server = "https://hooks.example.com"
    file.write_text(f"{server}/{SECRET}\n")

    def refuse(request: urllib.request.Request, *_: object) -> Heard:
        asked.append(request.full_url)
        return Heard(403, b"")

    with monkeypatch.context() as patched:
        patched.setattr("sluice.rollout.report.sending.http", refuse)
        with pytest.raises(NotSent, match=f"^{server} did not take the report: it answers 403") as refused:
            post(PostTo(server, file), PAGE)
    assert asked == [f"{server}/{SECRET}"]

    file.write_text(f"http://127.0.0.1:9/{SECRET}")
    with pytest.raises(NotSent, match=r"^http://127\.0\.0\.1:9 did not take the report: .*refused") as unheard:
        post(PostTo("http://127.0.0.1:9", file), PAGE)

    assert SECRET not in "".join([str(refused.value), str(unheard.value), *capfd.readouterr()])


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "holds no address; make the Secret that sluice:report.to.post_secret names"),
        ("\n", "holds no address"),
        (f"https://elsewhere.example.com/{SECRET}", "holds another address than one below sluice:report.to.post"),
        (f"https://hooks.example.com.evil.example.com/{SECRET}", "holds another address"),
        (f"https://hooks.example.com/{SECRET} and more", "holds another address"),
    ],
)
def test_a_page_goes_to_no_other_server_than_git_says(tmp_path: Path, content: str | None, why: str) -> None:
    file = tmp_path / "post"
    if content is not None:
        file.write_text(content)

    with pytest.raises(NotSent, match=f"^https://hooks.example.com did not take the report: .*{why}") as error:
        post(PostTo("https://hooks.example.com", file), PAGE)
    assert SECRET not in str(error.value)
