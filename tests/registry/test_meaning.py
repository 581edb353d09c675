"""Every file of tests/registry/meaning/wrong is one mistake in the registry of tests/registry/meaning/right.

A file names what is changed, with the text before and after, and below `=>` what is found on 2025-12-01 against a last
commit that has the right registry. `pytest --refresh-expected` writes the findings anew.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import date
from pathlib import Path

import pytest

from sluice.registry import check
from sluice.registry.rules.catalogue import RULES

HERE = Path(__file__).parent / "meaning"
MISTAKES = sorted(file.stem for file in (HERE / "wrong").glob("*.txt"))
TODAY = date(2025, 12, 1)


@pytest.fixture(scope="session")
def committed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = tmp_path_factory.mktemp("project")
    shutil.copytree(HERE / "right", project / "registry")
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false"]
    for command in (["init", "--quiet"], ["add", "."], [*identity, "commit", "--quiet", "--message", "right"]):
        subprocess.run(["git", "-C", str(project), *command], check=True)
    return project


@pytest.fixture
def registry(committed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(committed, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setenv("NOT_AN_ADDRESS", "ada:secret@example.com")
    return Path("registry")


def make(mistake: str, registry: Path) -> str:
    """Make the changes of a mistake, and return what is expected to be found."""
    changes, _, expected = (HERE / "wrong" / f"{mistake}.txt").read_text(encoding="utf-8").partition("\n=>\n")
    for change in changes.split("\n\n"):
        name, *lines = change.splitlines()
        before = "\n".join(line[1:] for line in lines if line.startswith("-"))
        after = "\n".join(line[1:] for line in lines if line.startswith("+"))
        file = registry / name
        text = file.read_text(encoding="utf-8") if before else ""
        assert not before or text.count(before) == 1, f"{mistake}: {before!r} is there {text.count(before)} times"
        file.write_text(text.replace(before, after) if before else after, encoding="utf-8")
    return expected


def test_the_right_registry_has_no_findings(registry: Path) -> None:
    assert check(registry, today=TODAY) == ()


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_of_meaning_is_found_where_it_is(
    mistake: str, registry: Path, request: pytest.FixtureRequest
) -> None:
    expected = make(mistake, registry)

    found = "".join(f"{finding}\n" for finding in check(registry, today=TODAY))

    if request.config.getoption("--refresh-expected"):
        file = HERE / "wrong" / f"{mistake}.txt"
        file.write_text(file.read_text(encoding="utf-8").partition("\n=>\n")[0] + "\n=>\n" + found, encoding="utf-8")
    else:
        assert found == expected


def test_the_last_of_all_days_in_the_last_commit_is_compared_as_any_other(registry: Path) -> None:
    file = registry / "rollouts" / "production.yaml"
    text = file.read_text().replace("since: 2025-11-20", "since: 9999-12-31")
    file.write_text(text)
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, "commit", "--quiet", "--all", "--message", "far off"], check=True)
    file.write_text(text.replace("weight: 10", "weight: 25"))

    assert {finding.rule for finding in check(registry, today=TODAY)} == {"SL058"}


def test_every_rule_of_meaning_is_broken_by_some_mistake() -> None:
    text = "".join((HERE / "wrong" / f"{mistake}.txt").read_text(encoding="utf-8") for mistake in MISTAKES)
    broken = set(re.findall(r"\[(SL\d{3})(?: warning)?\]", text))

    assert {identity for identity in RULES if "SL030" <= identity < "SL090"} <= broken
