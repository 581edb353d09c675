"""`sluice up`: what it hands on, and how it shows what came of it. The launch itself is tests/deploy's matter."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from sluice.cli import reply_table as shown
from sluice.cli.main import run
from sluice.cli.reply_table import reply_table
from sluice.deploy.ask import Reply
from sluice.deploy.engine import Update
from sluice.deploy.errors import MissingPassphrase, PodsDoNotStart
from sluice.deploy.launch import Launch
from sluice.deploy.target import Target
from sluice.local.cluster.errors import NotRoot

REPLIES = (
    Reply("qa", "ada@example.com", "candidate", "qa-20251031", "A test.", 12.3, 0.0004),
    Reply("legal", "grace@example.com", "baseline", "gpt-4o", "Clause 7 »limits« it.", 8.0, None),
)
LAUNCH = Launch("http://127.0.0.1:30080", Update({"url": "u"}, {"create": 8, "same": 1}, 12.0), REPLIES)


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What `launch` was called with."""
    calls: list[Any] = []

    def launch(*arguments: Any) -> Launch:
        calls.append(arguments[:3])
        arguments[3].say("working")
        return LAUNCH

    monkeypatch.setattr("sluice.cli.up.launch", launch)
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.delenv("COLUMNS", raising=False)
    return calls


@pytest.fixture
def launch_that_raises(monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], None]:
    def set_error(error: Exception) -> None:
        def launch(*_: object) -> Launch:
            raise error

        monkeypatch.setattr("sluice.cli.up.launch", launch)

    return set_error


def test_dev_on_this_machine_is_what_up_alone_means(
    launched: list[Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SLUICE_STATE", str(tmp_path))

    assert run(["up"]) == 0
    assert launched == [("dev", Target(tmp_path / "kubeconfig", None, is_local=True), None)]


def test_environment_context_and_registry_are_handed_on(launched: list[Any]) -> None:
    assert run(["up", "staging", "--context", "kind-made", "--images-to", "registry.example.com/sluice"]) == 0
    assert launched == [("staging", Target(None, "kind-made", is_local=False), "registry.example.com/sluice")]


def test_a_person_gets_a_table_of_who_answered_and_where(
    launched: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["up"]) == 0

    output = capsys.readouterr()
    lines = [line.split() for line in output.out.splitlines()]
    assert lines[0] == ["agent", "user", "arm", "model", "answer", "ms"]
    assert lines[1] == ["qa", "ada@example.com", "candidate", "qa-20251031", "A", "test.", "12"]
    assert lines[2] == ["legal", "grace@example.com", "baseline", "gpt-4o", "Clause", "7", "»limits«", "it.", "8"]
    assert output.out.endswith(
        "\nThe gateway answers at http://127.0.0.1:30080\nAsk it: .venv/bin/sluice ask dev qa 'Hello' --user you\n"
    )
    assert output.err == "working\n"


def test_a_program_gets_data_and_nothing_else(launched: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["up", "--format", "json"]) == 0

    output = capsys.readouterr()
    assert json.loads(output.out) == {
        "url": "http://127.0.0.1:30080",
        "changes": {"create": 8, "same": 1},
        "objects": {},
        "replies": [
            {
                "agent": "qa",
                "user": "ada@example.com",
                "arm": "candidate",
                "model": "qa-20251031",
                "answer": "A test.",
                "latency_ms": 12.3,
                "cost_dollars": 0.0004,
            },
            {
                "agent": "legal",
                "user": "grace@example.com",
                "arm": "baseline",
                "model": "gpt-4o",
                "answer": "Clause 7 »limits« it.",
                "latency_ms": 8.0,
                "cost_dollars": None,
            },
        ],
    }


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MissingPassphrase("staging"), "sluice: Pulumi.staging.yaml: its secrets are encrypted"),
        (NotRoot("starting"), "sluice: starting the local cluster needs root"),
        (
            PodsDoNotStart("pulumi up, stack dev", ["x"], ["pod a: crashed"]),
            "sluice: pulumi up, stack dev failed\n  pod",
        ),
        (OSError(28, "No space left on device", "/var/lib"), "sluice: /var/lib: No space left on device"),
        (RuntimeError("unforeseen"), "sluice: RuntimeError: unforeseen. This is a defect of sluice"),
    ],
)
def test_what_could_not_be_done_is_said_without_a_traceback(
    error: Exception, said: str, launch_that_raises: Callable[[Exception], None], capsys: pytest.CaptureFixture[str]
) -> None:
    launch_that_raises(error)

    assert run(["up"]) == 3

    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith(said)
    assert "Traceback" not in output.err


def test_an_option_that_up_does_not_have_is_used_wrongly(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["up", "--purge"]) == 2
    assert "No such option '--purge'" in capsys.readouterr().err


def table(*replies: Reply, monkeypatch: pytest.MonkeyPatch, width: int | None = None) -> str:
    """The table as a log shows it, or a terminal of a width."""
    text = io.StringIO()
    monkeypatch.setattr(
        shown, "Console", lambda **given: Console(file=text, force_terminal=width is not None, width=width, **given)
    )
    reply_table(replies)
    return text.getvalue()


def test_markup_in_an_answer_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = Reply("qa", "[bold]", "candidate", "[m]", "see [1] and [/] and [red]", 1.0, None)

    assert table(odd, monkeypatch=monkeypatch).splitlines()[1].split() == [
        "qa",
        "[bold]",
        "candidate",
        "[m]",
        "see",
        "[1]",
        "and",
        "[/]",
        "and",
        "[red]",
        "1",
    ]


@pytest.mark.parametrize("answer", ["word " * 100, "x" * 500, "あ" * 500, "two\n\nlines " * 50])
def test_a_long_answer_is_cut_and_begins_as_it_began(answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _, line = table(Reply("qa", "ada", "candidate", "m", answer, 1.0, None), monkeypatch=monkeypatch).splitlines()

    assert f"m      {answer[:3].split()[0]}" in line
    assert "…" in line
    assert len(line) <= 150


def test_a_log_is_wide_enough_for_every_column(monkeypatch: pytest.MonkeyPatch) -> None:
    long = Reply("analyst", "grace@example.com", "candidate", "analyst-20251031", "word " * 40, 1234.5, None)

    line = table(long, monkeypatch=monkeypatch).splitlines()[1]

    assert "analyst-20251031" in line
    assert line.rstrip().endswith("1234")


def test_colours_are_for_terminals_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)

    assert "\x1b[" in table(*REPLIES, monkeypatch=monkeypatch, width=150)
    assert "\x1b[" not in table(*REPLIES, monkeypatch=monkeypatch)
