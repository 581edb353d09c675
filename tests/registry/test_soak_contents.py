"""A soak that is stale keeps a candidate out of production, and only warns of one that is there."""

from __future__ import annotations

import shutil
import subprocess
from datetime import date
from pathlib import Path

import pytest

from sluice.registry import check
from sluice.registry.soak_contents import digest_of_queries, gateway_digests, scorer_digest

RIGHT = Path(__file__).parent / "meaning" / "right"
TODAY = date(2025, 12, 1)
IMAGE = f"sha256:{'c' * 64}"
QUERIES = ("Write a test.", "Review this.")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose soak is of what it has, and whose last commit has nobody on qa's candidate yet."""
    shutil.copytree(RIGHT, tmp_path / "registry")
    (tmp_path / "registry" / "queries").mkdir()
    (tmp_path / "registry" / "queries" / "qa.txt").write_text("\n".join(QUERIES))
    settings = f"config:\n  sluice:gateway:\n    image: made/gateway@{IMAGE}\n"
    (tmp_path / "Pulumi.production.yaml").write_text(settings)
    soak = tmp_path / "registry" / "evidence" / "soak.yaml"
    made_of = (
        f"  made_of:\n    queries: {{qa: '{digest_of_queries(QUERIES)}'}}\n"
        f"    scorer: {scorer_digest()}\n    gateway: {IMAGE}\n"
    )
    soak.write_text(soak.read_text().replace("  models:\n", f"{made_of}  models:\n"))
    rollout = tmp_path / "registry" / "rollouts" / "production.yaml"
    now = rollout.read_text()
    rollout.write_text(now.replace("candidate: qa-1, weight: 10", "candidate: qa-1, weight: 0"))
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false"]
    for command in (["init", "-q"], ["add", "."], [*identity, "commit", "-q", "-m", "before"]):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    rollout.write_text(now)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def stale() -> list[str]:
    return [str(finding) for finding in check(Path("registry"), today=TODAY) if finding.rule == "SL046"]


def test_a_soak_of_what_is_there_is_not_stale(project: Path) -> None:
    assert (project / "registry" / "rollouts" / "production.yaml").read_text().count("qa-1, weight: 10") == 1
    assert stale() == []


def test_another_query_keeps_the_candidate_out(project: Path) -> None:
    (project / "registry" / "queries" / "qa.txt").write_text("Write a better test.\n")

    (found,) = stale()

    assert 'the soak of "qa-1" is stale: queries/qa.txt is another; run `sluice soak staging` again [SL046]' in found


def test_another_image_of_the_gateway_keeps_it_out(project: Path) -> None:
    file = project / "Pulumi.production.yaml"
    file.write_text(file.read_text().replace("c" * 64, "d" * 64))

    (found,) = stale()

    assert "is stale: production runs another image of the gateway" in found
    assert found.endswith("[SL046]")


def test_an_image_that_is_not_built_yet_is_no_other_one(project: Path) -> None:
    file = project / "Pulumi.production.yaml"
    file.write_text(file.read_text().replace("c" * 64, "0" * 64))

    assert stale() == []


def test_whoever_has_users_already_is_only_warned_of(project: Path) -> None:
    (project / "registry" / "queries" / "qa.txt").write_text("Write a better test.\n")
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, "commit", "-q", "-a", "-m", "entered"], check=True)

    (found,) = stale()

    assert found.endswith("[SL046 warning]")


def test_another_scorer_keeps_it_out(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sluice.registry.rules.soaks.scorer_digest", lambda: "sha256:other")

    assert any("the scorer is another" in found for found in stale())


def test_settings_without_a_digest_name_no_image(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.dev.yaml").write_text("config:\n  sluice:gateway: {image: 'made/gateway:latest'}\n")

    assert gateway_digests(tmp_path, ["dev", "staging"]) == {}
