"""The policy pack, asked by Pulumi's own preview of staging and production: no cluster, no secrets, as CI has it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sluice.deploy.policy_preview import main, preview_policy
from sluice.progress import Progress
from tests.judges.exceptions import PROJECT

pytestmark = pytest.mark.judges


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A copy of this checkout, in which a rule can be broken."""
    folder = tmp_path / "clone"
    left_out = shutil.ignore_patterns(
        ".git", ".venv", "__pycache__", ".*_cache", ".hypothesis", "dist", "tests", "manifests"
    )
    shutil.copytree(PROJECT, folder, ignore=left_out)
    (folder / ".venv").symlink_to(PROJECT / ".venv")
    return folder


def test_staging_and_production_keep_every_rule(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["staging", "production"]) == 0
    assert capsys.readouterr().out.splitlines() == ["staging: keeps every rule", "production: keeps every rule"]


def test_a_broken_rule_is_named_with_the_object_that_breaks_it(clone: Path) -> None:
    settings = clone / "Pulumi.production.yaml"
    whole = settings.read_text()
    broken = whole.replace("replicas: 3\n    autoscaling: {max_replicas: 10}", "replicas: 1")
    assert broken != whole
    settings.write_text(broken)

    previewed = preview_policy("production", Progress(quiet=True), clone)

    assert not previewed.keeps_the_rules
    assert (
        "Deployment/gateway: may run 1 pod, and production serves by 2 at least [two-serve-production]"
        in previewed.said
    )
    assert "Deployment/gateway: has no PodDisruptionBudget" in previewed.said


def test_an_environment_that_is_none_is_said_and_nothing_is_previewed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nowhere"]) != 0
    assert "Pulumi.nowhere.yaml:1:1: does not exist" in capsys.readouterr().err
