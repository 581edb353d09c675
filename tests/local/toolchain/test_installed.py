"""What a person has installed is used where its version fits, and one that misbehaves does not fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.local.toolchain import installed
from sluice.local.toolchain.installed import InstalledTool, find_on_path
from tests.local.toolchain.fake_programs import path_of, program

TOOL = InstalledTool("wanted", ("--version",), r"Wanted v(\d+)\.(\d+)", at_least=(1, 33), below=(1, 35))
OTHER = InstalledTool("other", ("version", "--client"), r"(\d+)\.(\d+)", at_least=(3, 5), below=(4, 0))


@pytest.mark.parametrize("version", ["1.33.0", "1.33.9", "1.34.12"])
def test_a_version_that_fits_is_found(version: str, programs: Path) -> None:
    file = program(programs / "wanted", f'[ "$*" = --version ] && echo "Wanted v{version}"')

    assert find_on_path((TOOL,)) == {"wanted": file}


@pytest.mark.parametrize("version", ["1.4.0", "1.32.99", "1.35.0", "2.0.0", "0.33.1"])
def test_a_version_that_does_not_fit_is_not_found(version: str, programs: Path) -> None:
    program(programs / "wanted", f'echo "Wanted v{version}"')

    assert find_on_path((TOOL,)) is None


def test_a_program_that_is_not_there_is_not_found(programs: Path) -> None:
    assert find_on_path((TOOL,)) is None


def test_one_program_that_is_missing_spoils_them_all(programs: Path) -> None:
    program(programs / "wanted", "echo Wanted v1.33.0")

    assert find_on_path((TOOL, OTHER)) is None

    other = program(programs / "other", '[ "$*" = "version --client" ] && echo 3.5.21')
    assert find_on_path((TOOL, OTHER)) == {"wanted": programs / "wanted", "other": other}


def test_the_first_on_the_path_is_asked_as_a_shell_would(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(programs / "wanted", "echo Wanted v1.33.0")
    program(tmp_path / "first" / "wanted", "echo Wanted v1.20.0")
    monkeypatch.setenv("PATH", path_of([tmp_path / "first", programs]))

    assert find_on_path((TOOL,)) is None


def test_a_version_on_standard_error_counts(programs: Path) -> None:
    file = program(programs / "wanted", "echo Wanted v1.33.0 >&2; exit 1")

    assert find_on_path((TOOL,)) == {"wanted": file}


@pytest.mark.parametrize(
    "script",
    ["echo 'Wanted of unknown age'", "exit 1", "printf '\\377\\376 v1.33'", "cat"],
    ids=["says no version", "fails", "says no text", "reads its input"],
)
def test_a_program_that_says_no_version_does_not_fit(script: str, programs: Path) -> None:
    program(programs / "wanted", script)

    assert find_on_path((TOOL,)) is None


def test_a_program_that_does_not_answer_does_not_fit(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "_PATIENCE_SECONDS", 0.05)
    program(programs / "wanted", "exec sleep 60")

    assert find_on_path((TOOL,)) is None


def test_a_file_that_is_no_program_does_not_fit(programs: Path) -> None:
    file = program(programs / "wanted", "")
    file.write_bytes(b"\x7fELF and then nothing")

    assert find_on_path((TOOL,)) is None
