"""Runbooks: the same headings on every page, and command lines and queries that are taken as they stand."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml

from sluice.cli.main import sluice
from sluice.local.monitoring_programs import MonitoringPrograms
from sluice.render.alerts import ALERTS
from sluice.render.alerts.commands import CHANGING, HARMLESS, HARMLESS_WITH, on_page
from tests.rules.promtool import PROJECT
from tests.rules.test_alerts import TEXTS

PAGES = sorted((PROJECT / "docs" / "runbooks").glob("*.md"))
HEADINGS = ["What it means", "How to see it", "What to do", "How to know it is over"]
_FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)#:]+)\)")
_OF_ALERTS = [page for page in PAGES if page.stem.startswith("Sluice")]
KUBECTL = {
    "auth can-i": {"--as"},
    "describe": set(),
    "get": {"-o", "-l", "--sort-by", "--raw"},
    "logs": {"--since"},
    "patch": {"--type", "-p"},
    "rollout restart": set(),
    "rollout status": {"--timeout"},
    "rollout undo": set(),
    "top pods": set(),
}
"""What a page may ask of kubectl, and with which options: those that a live cluster was asked for."""


_REASONS = re.compile(r"sluice rollback ENV( AGENT)? --reason (\w+)")


def fenced(page: Path, language: str) -> list[str]:
    return [text for named, text in _FENCED.findall(page.read_text()) if named == language]


def command_lines() -> Iterator[tuple[str, str]]:
    """Every line of a shell that a page or an alert tells people to type, and where it stands."""
    for page in PAGES:
        for text in fenced(page, "sh"):
            yield from ((page.name, line) for line in text.splitlines())
    for name, texts in yaml.safe_load(TEXTS.read_text()).items():
        said = texts["exp_annotations"]["description"]
        found = re.search(r": ((?:sluice|kubectl) .+)$", said)
        assert found, f"{name}: its description does not end with a command: {said}"
        yield name, found[1]


LINES = sorted(set(command_lines()))


@pytest.mark.parametrize("page", _OF_ALERTS, ids=lambda page: page.stem)
def test_a_page_has_the_four_headings_in_their_order(page: Path) -> None:
    text = page.read_text()

    assert text.startswith(f"# {page.stem}\n")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == HEADINGS
    assert all(len(part.strip()) > 20 for part in re.split(r"^## .+$", text, flags=re.MULTILINE)[1:])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_leads_to_pages_that_exist(page: Path) -> None:
    assert [link for link in _LINK.findall(page.read_text()) if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_has_no_command_but_those_of_the_one_list(page: Path) -> None:
    known = {on_page(command) for command in (*HARMLESS, *HARMLESS_WITH, *CHANGING)}
    for text in fenced(page, "sh"):
        for line in text.splitlines():
            back = _REASONS.fullmatch(line)
            if back:
                assert back[2] == page.stem, "the reason of the override is the alert that its page is of"
            else:
                assert line in known


def test_no_command_of_the_list_is_one_that_nobody_is_told_to_type() -> None:
    typed = {line for _, line in LINES}
    for command in (*HARMLESS, *HARMLESS_WITH, *CHANGING):
        shown = on_page(command)
        said = re.escape(shown).replace("AGENT", "qa").replace("ENV", "production").replace("NAME", r"\S+")
        assert shown in typed or any(re.fullmatch(said.replace("KEY", r"\S+"), line) for line in typed), command


@pytest.mark.parametrize(("where", "line"), LINES)
def test_a_command_line_is_one_that_its_program_takes(where: str, line: str) -> None:
    program, *words = shlex.split(filled(line))

    match program:
        case "sluice":
            parse(sluice, words)
        case "kubectl":
            kubectl(words)
        case "git":
            assert words[:2] == ["log", "-3"]
        case _:
            pytest.fail(f"{where}: nobody checks what {program} takes")


def filled(line: str) -> str:
    return re.sub(r"\bENV\b", "dev", re.sub(r"\bAGENT\b", "qa", line))


def parse(command: click.Command, words: list[str]) -> None:
    """Parse as the command would, down to the last command, without running it; click complains of what is wrong."""
    context = command.make_context(command.name or "sluice", list(words), resilient_parsing=False)
    if isinstance(command, click.Group):
        rest = [*context._protected_args, *context.args]
        name, found, rest = command.resolve_command(context, rest)
        assert found is not None, name
        parse(found, rest)


def kubectl(words: list[str]) -> None:
    if words[:1] == ["-n"]:
        assert words[1] in ("sluice-dev", "sluice-production")
        words = words[2:]
    verb = next((known for known in KUBECTL if " ".join([*words, ""]).startswith(f"{known} ")), None)
    assert verb, f"kubectl {words} is none of {', '.join(KUBECTL)}"
    options = {word.partition("=")[0] for word in words if word.startswith("-")}
    assert options <= KUBECTL[verb], f"kubectl {verb} has not been tried with {options - KUBECTL[verb]}"


def test_every_query_is_promql(programs: MonitoringPrograms, tmp_path: Path) -> None:
    queries = [query.strip() for page in PAGES for query in fenced(page, "promql")]
    assert len(queries) > len(ALERTS)
    rules = [{"record": f"sluice:query_{number}", "expr": filled(query)} for number, query in enumerate(queries)]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))

    ran = subprocess.run(
        [programs.promtool, "check", "rules", "--lint=none", file], capture_output=True, text=True, check=False
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_queries_read_series_that_exist() -> None:
    from sluice.render.alerts import RECORDINGS
    from tests.rules.promtool import METRIC

    recorded = {recording.name for recording in RECORDINGS}
    metrics = (PROJECT / "docs" / "metrics.md").read_text()
    for page in PAGES:
        for query in fenced(page, "promql"):
            for name in re.findall(r"\bsluice:[a-zA-Z0-9_:]+", re.sub(r'__name__=~"[^"]*"', "", query)):
                assert name in recorded, f"{page.name}: {name}"
            for name in METRIC.findall(query):
                assert f"`{re.sub(r'_(bucket|sum|count)$', '', name)}`" in metrics, f"{page.name}: {name}"
