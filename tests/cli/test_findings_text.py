from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.cli.findings_text import at_terminal
from sluice.registry import Finding, check
from sluice.registry.document import parse_document

REGISTRIES = Path(__file__).parent.parent / "registry"
WRONG = sorted(folder.name for folder in (REGISTRIES / "wrong").iterdir())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(REGISTRIES / "right", tmp_path / "registry")
    monkeypatch.chdir(tmp_path)
    return Path("registry")


def shown(text: str, finding: Finding, *, columns: int = 80) -> list[str]:
    """Return what stands below the sentence, without colours."""
    Path(finding.file).write_bytes(text.encode("utf-8", "surrogatepass"))
    return click.unstyle(at_terminal([finding], columns=columns)).splitlines()[1:]


def finding(
    column: int, *, rule: str = "SL023", line: int = 1, problem: str = "is wrong", file: str = "f.yaml"
) -> Finding:
    return Finding(file, line, column, "a", problem, "mend it", rule)


@pytest.mark.parametrize(
    ("text", "column", "mark"),
    [
        ("a: {weight: 30, b: 1}", 13, "            ^^"),
        ("a: 'it is: so', b: 1", 4, "   ^^^^^^^^^^^"),
        ("a: [1, 2]", 4, "   ^"),
        ("a: some words # and more", 4, "   ^^^^^^^^^^"),
        ("weight: 30", 1, "^^^^^^"),
        ("日本: 30", 5, "      ^^"),
        ("a:\t30", 4, "   ^^"),
        ("a:", 3, "  ^"),
        ("", 1, "^"),
        ("https://a.b/c: 1", 1, "^^^^^^^^^^^^^"),
    ],
)
def test_the_mark_stands_under_what_is_meant(text: str, column: int, mark: str, folder: Path) -> None:
    line, under = shown(text, finding(column))

    assert line == f"  1 | {text}".replace("\t", " ")
    assert under == f"    | {mark}"


def test_a_long_line_is_shown_around_the_place(folder: Path) -> None:
    line, under = shown(f"a: [{'x, ' * 500}wrong, {'x, ' * 500}]", finding(1505), columns=60)

    assert len(line) <= 60
    assert line[under.index("^") :].startswith("wrong")
    assert under.count("^") == 5


@pytest.mark.parametrize(
    ("text", "rule", "problem"),
    [
        ("key: QbvXk81LmPzR4tYw9sNc2HdJ7fGa5eUo", "SL023", "is wrong"),
        ("key: abc-def-ghi-jkl-mno-pqr-stu-vwx", "SL023", "text of 31 characters cannot be used here"),
        ("pass: hunter2", "SL020", "is not a field here"),
        ("key: hunter2", "SL082", "text of 7 characters looks like a key"),
        ("sluice:mistral-api-key: hunter2", "SL091", "is a key in plain text"),
    ],
)
def test_nothing_that_could_be_a_key_is_quoted(text: str, rule: str, problem: str, folder: Path) -> None:
    key, _, value = text.rpartition(": ")
    column = 1 if rule in {"SL020", "SL091"} else len(key) + 3

    assert value not in "\n".join(shown(text, finding(column, rule=rule, problem=problem)))


def test_another_mistake_in_the_line_of_a_key_does_not_quote_it(folder: Path) -> None:
    Path("f.yaml").write_text("{weight: 30, key: hunter2}")

    text = at_terminal([finding(10), finding(19, rule="SL082")], columns=80)

    assert "hunter2" not in text


def test_a_terminal_is_sent_no_command_that_stands_in_a_file(folder: Path) -> None:
    lines = shown("a: \x1b[31mred\u202e", finding(4))

    assert "\x1b" not in "".join(lines)
    assert "\u202e" not in "".join(lines)


@pytest.mark.parametrize("line", [2, 99])
def test_a_file_that_changed_meanwhile_is_not_quoted(line: int, folder: Path) -> None:
    assert shown("a: 1", finding(1, line=line)) == []
    assert click.unstyle(at_terminal([finding(1, file="gone.yaml")], columns=80)).count("\n") == 0


@pytest.mark.parametrize("mistake", WRONG)
def test_every_finding_of_the_corpus_is_shown_with_its_sentence(mistake: str, folder: Path) -> None:
    shutil.copytree(REGISTRIES / "wrong" / mistake, folder, dirs_exist_ok=True)
    findings = check(folder)

    text = click.unstyle(at_terminal(findings, columns=100))

    assert all(str(finding) in text for finding in findings)


@given(st.binary(max_size=120), st.integers(1, 200))
def test_whatever_a_file_holds_it_can_be_shown(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, columns: int
) -> None:
    file = tmp_path_factory.mktemp("any") / "f.yaml"
    file.write_bytes(content)
    _, findings = parse_document(content, str(file))

    text = at_terminal(findings, columns=columns)

    assert text.count("\n") <= 3 * len(findings)
    text.encode()


def test_a_person_at_a_terminal_sees_the_line_and_a_pipe_does_not(folder: Path) -> None:
    shutil.copytree(REGISTRIES / "wrong" / "weight-not-a-step", folder, dirs_exist_ok=True)
    command = [sys.executable, "-m", "sluice", "validate", str(folder), "--today", "2025-11-06"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent.parent)}
    terminal, other_end = pty.openpty()

    asked = subprocess.run(command, stderr=other_end, env=environment, check=False)
    os.close(other_end)
    seen = os.read(terminal, 10_000).decode()
    os.close(terminal)
    piped = subprocess.run(command, stderr=subprocess.PIPE, text=True, env=environment, check=False)

    assert asked.returncode == piped.returncode == 1
    assert "weight: 30" in seen
    assert "^^" in seen
    assert "\x1b[" in seen
    assert "^^" not in piped.stderr
    assert "\x1b[" not in piped.stderr
