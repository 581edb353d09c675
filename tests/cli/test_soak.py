"""`sluice soak`: from the queries to the file of evidence, and its exit codes. The cluster is a made one."""

from __future__ import annotations

import json
import re
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sluice.cli.main import run
from sluice.deploy.ask import Reply
from sluice.deploy.soak import Soaking, SoakTime
from sluice.local.folders import PROJECT
from sluice.registry import Environment, load_registry
from sluice.registry.soak_contents import digest_of_soak
from tests.deploy.test_soak import GOOD
from tests.deploy.test_soak_exercise import Access, made, staging  # noqa: F401 - a fixture

pytestmark = pytest.mark.slow


@pytest.fixture
def project(staging: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: F811 - the fixture
    """A project of its own to write evidence to, with a cluster in which qa's candidate answers."""
    shutil.copytree(PROJECT / "registry", tmp_path / "registry")
    cluster = made(staging)

    class _Target:
        def connect(self) -> Access:
            return cluster

    def ask(_access: object, _declared: object, agent: str, _text: str, user: str, _key: object) -> Reply:
        arm = "baseline" if cluster.overrides.allowed_percent(agent) == 0 else "candidate"
        return Reply(agent, user, arm, f"{agent}-20251031", GOOD, 900.0, 0.002)

    monkeypatch.setattr("sluice.cli.soak.PROJECT", tmp_path)
    monkeypatch.setattr("sluice.cli.soak.cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr("sluice.cli.soak.target", lambda _: _Target())
    monkeypatch.setattr("sluice.cli.soak.declared_environment", lambda _: staging)
    monkeypatch.setattr("sluice.cli.soak.ask_agent", ask)
    monkeypatch.setattr("sluice.cli.soak.Soaking", partial(Soaking, time=SoakTime(sleep=lambda _: None)))
    return tmp_path


def test_a_soak_writes_evidence_that_the_registry_reads_and_says_what_falls_short(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["soak", "staging", "--lasts", "0s", "--queries", "3"]) == 1

    output = capsys.readouterr()
    (file,) = (project / "registry" / "evidence").glob("soak-staging-*.yaml")
    assert f"wrote {file}: review it and commit it" in output.out
    assert re.search(r"qa-20251031 falls short: it lasted \d+s of 1d, 3 of 100 queries", output.out)
    soak = load_registry(project / "registry").evidence[file.stem].soak
    assert soak is not None
    assert soak.digest == digest_of_soak(soak)
    assert (soak.models["qa-20251031"].queries, soak.rollback_exercised, soak.health_checks_seen) == (3, True, True)


def test_a_soak_after_one_that_is_done_begins_anew_and_writes_over_nothing(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command: list[Any] = ["soak", "staging", "--lasts", "0s", "--queries", "2", "--format", "json"]
    for _ in range(2):
        assert run(command) == 1

    output = capsys.readouterr()
    assert output.err.count("2 of 2 queries, $0.0040") == 2
    assert "goes on" not in output.err
    assert len(list((project / "registry" / "evidence").glob("soak-staging-*.yaml"))) == 2
    first = json.loads(output.out[: output.out.index("}\n{") + 1])
    assert first["models"]["qa-20251031"]["queries"] == 2


def test_a_soak_whose_budget_was_too_small_goes_on(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command: list[Any] = ["soak", "staging", "--lasts", "0s", "--queries", "4", "--budget"]

    assert run([*command, "0.003"]) == 1
    assert "$0.0040 of the soak's $0.003 is spent, and 2 queries are left" in capsys.readouterr().err
    assert run([*command, "1"]) == 1
    assert "goes on: 2 of 4 queries were asked before" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--budget", "0"], "queries are left; the same command with a greater --budget goes on"),
        (["--agent", "legal"], "legal: no users are on a candidate"),
        (["--lasts", "soon"], "soon is no time such as 90s, 5m, 24h or 2d"),
    ],
)
def test_what_stands_against_it_is_one_sentence(
    project: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["soak", "staging", "--queries", "1", *arguments]) in (1, 2)
    assert said in capsys.readouterr().err
