from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from sluice import __version__
from sluice.cli import main
from sluice.errors import AnswerIsNo, SluiceError
from sluice.version import commit_of_release

PROJECT = Path(__file__).parent.parent.parent
COMMAND = [sys.executable, "-c", "from sluice.cli.main import main; main()"]


@pytest.fixture
def command_that(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Put a command `probe` into the table that does what it is told."""

    def add(does) -> None:  # type: ignore[no-untyped-def]
        probe = click.Command("probe", callback=does)
        monkeypatch.setattr(main._LazyGroup, "get_command", lambda *_: probe)

    return add


def raises(error: BaseException):  # type: ignore[no-untyped-def]
    def does() -> None:
        raise error

    return does


@pytest.mark.parametrize(
    ("does", "code", "said"),
    [
        (lambda: None, 0, ""),
        (lambda: 1, 1, ""),
        (raises(AnswerIsNo("the gate is closed")), 1, "sluice: the gate is closed\n"),
        (raises(SluiceError("the cluster does not answer")), 3, "sluice: the cluster does not answer\n"),
        (raises(PermissionError(13, "Permission denied", "a/b")), 3, "sluice: a/b: Permission denied\n"),
        (raises(KeyboardInterrupt()), 130, "sluice: interrupted\n"),
        (raises(click.Abort()), 130, "sluice: interrupted\n"),
        (
            raises(KeyError("a\nb")),
            3,
            "sluice: KeyError: 'a\\nb'. This is a defect of sluice; SLUICE_TRACEBACK=1 shows where it happened.\n",
        ),
    ],
)
def test_whatever_ends_a_command_is_a_code_and_a_line(  # type: ignore[no-untyped-def]
    does, code: int, said: str, command_that, capsys: pytest.CaptureFixture[str]
) -> None:
    command_that(does)

    assert main.run(["probe"]) == code
    assert capsys.readouterr() == ("", said)


def test_the_traceback_of_a_defect_is_shown_where_it_was_asked_for(  # type: ignore[no-untyped-def]
    command_that, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_TRACEBACK", "1")
    command_that(raises(ZeroDivisionError("by hand")))

    assert main.run(["probe"]) == 3
    assert "Traceback (most recent call last):" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rendre"], "Error: No such command 'rendre'"),
        (["render"], "Error: Missing argument 'ENV'"),
        (["render", "dev", "--form", "json"], "Error: No such option '--form'"),
        (["validate", "--format", "xml"], "Error: Invalid value for '--format'"),
    ],
)
def test_a_command_used_wrongly_says_so_and_ends_in_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(arguments) == 2

    output = capsys.readouterr()
    assert output.out == ""
    assert said in output.err


@pytest.mark.parametrize("name", main.COMMANDS)
def test_the_table_says_of_a_command_what_its_own_help_begins_with(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run([name, "--help"]) == 0

    assert " ".join(capsys.readouterr().out.split()).find(main.COMMANDS[name][1]) > 0


def test_help_lists_every_command_and_imports_none() -> None:
    script = (
        "import sys; from sluice.cli.main import run; run(['--help']); "
        "print([m for m in ('ruamel', 'jsonschema', 'kubernetes', 'pulumi', 'rich') if m in sys.modules])"
    )
    output = subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=True
    ).stdout

    words = " ".join(output.split())
    assert all(summary in words for _, summary in main.COMMANDS.values())
    assert output.endswith("[]\n")


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--version"]) == 0
    said = capsys.readouterr().out
    assert re.fullmatch(rf"sluice {re.escape(__version__)}( \([0-9a-f]{{12}}(-dirty)?\))?\n", said), said


def test_a_release_says_the_commit_that_git_archive_wrote_into_it(tmp_path: Path) -> None:
    written = tmp_path / "commit.txt"
    assert commit_of_release(written) is None
    written.write_text("$Format:%H$\n")
    assert commit_of_release(written) is None
    written.write_text("0123456789abcdef0123456789abcdef01234567\n")
    assert commit_of_release(written) == "0123456789ab"


def test_output_that_nobody_reads_to_its_end_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    process = subprocess.run(
        [*COMMAND, "validate", "--format", "json"], cwd=PROJECT, stdout=write, stderr=subprocess.PIPE, check=False
    )
    os.close(write)

    assert (process.returncode, process.stderr) == (128 + signal.SIGPIPE, b"")
