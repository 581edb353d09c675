"""Adding an environment is two files: everything else is made from them, and nothing else is edited."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sluice.registry import environments, load_environment
from sluice.registry.environments_page import environments_page
from sluice.render import manifests, render

pytestmark = pytest.mark.slow


PROJECT = Path(__file__).parent.parent.parent


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The files that people edit, with one environment more: `qa`, like staging."""
    shutil.copytree(PROJECT / "registry", tmp_path / "registry")
    for file in PROJECT.glob("Pulumi.?*.yaml"):
        shutil.copy(file, tmp_path)
    settings = (PROJECT / "Pulumi.staging.yaml").read_text().replace("sluice-staging", "sluice-qa")
    (tmp_path / "Pulumi.qa.yaml").write_text(settings.replace("replicas: 2\n", "replicas: 3\n"))
    (tmp_path / "registry" / "rollouts" / "qa.yaml").write_text(
        "version: 1\nenabled: true\nagents:\n  legal: {candidate: legal-20251031, weight: 10, since: 2025-11-06}\n"
    )
    return tmp_path


def test_it_is_known_by_its_two_files_and_they_are_checked(project: Path) -> None:
    assert environments(project) == ("dev", "production", "qa", "staging")
    assert load_environment(project, "qa").settings.namespace == "sluice-qa"


def test_it_is_rendered_whole_and_shares_no_name_with_another(project: Path) -> None:
    declared, like = load_environment(project, "qa"), load_environment(project, "staging")
    own = manifests(render(declared.registry, declared.rollout, declared.settings))
    other = manifests(render(like.registry, like.rollout, like.settings))

    in_the_cluster = {name for name in own if name.startswith(("namespace", "validating"))}
    assert in_the_cluster
    assert not in_the_cluster & other.keys()
    assert own.keys() - in_the_cluster == other.keys() - {name.replace("qa", "staging") for name in in_the_cluster}
    assert not any("sluice-staging" in text for text in own.values())
    assert "legal-20251031" in own["configmap-flags.yaml"]
    assert "qa-20251031" not in own["configmap-flags.yaml"]


def test_it_has_a_column_in_the_table_of_environments(project: Path) -> None:
    head, _, _, pods, *_ = [line for line in environments_page(project).splitlines() if line.startswith("|")]

    assert head == "| | `dev` | `staging` | `production` | `qa` |"
    assert pods.split(" | ")[-1] == "3 to 4 |"


def test_without_its_second_file_it_is_refused_with_the_name_of_that(project: Path) -> None:
    (project / "registry" / "rollouts" / "qa.yaml").unlink()

    with pytest.raises(Exception, match=r"registry/rollouts/qa\.yaml:1:1: does not exist"):
        load_environment(project, "qa")
