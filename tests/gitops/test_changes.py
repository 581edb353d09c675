"""What docs/changes.md says is needed for a change is all that is needed: data alone, and everything holds."""

from __future__ import annotations

import re
import shutil
from datetime import date
from pathlib import Path

import pytest

from sluice.cli import ci as ci_command
from sluice.cli import render as render_command
from sluice.cli.main import run
from sluice.gitops.checking import check
from sluice.registry import environments, load_environment, load_registry
from sluice.render import manifests, render
from tests.gitops.project import PROJECT, git, whole_project

pytestmark = pytest.mark.slow

PAGE = (PROJECT / "docs/changes.md").read_text()
DIFFERENCES = re.findall(r"```diff\n(.*?)```", PAGE, flags=re.DOTALL)
BY_HAND = re.findall(r"^    sed '(s/.*/.*/)' (\S+) > (\S+)$", PAGE, flags=re.MULTILINE)
TODAY = date(2026, 1, 20)


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A copy of the project after each of the page's changes, rendered and its owners written."""
    folder = tmp_path_factory.mktemp("changes")
    before = whole_project(folder / "0")
    shutil.copytree(PROJECT / ".github", before / ".github")
    git(before, "init", "-q", "-b", "main")
    git(before, "config", "user.name", "Ada")
    git(before, "config", "user.email", "ada@example.com")
    git(before, "add", ".")
    git(before, "commit", "-q", "-m", "Begin")
    after = []
    with pytest.MonkeyPatch.context() as patch:
        for number, difference in enumerate(DIFFERENCES, start=1):
            project = folder / str(number)
            shutil.copytree(before, project)
            (folder / "difference").write_text(difference)
            git(project, "apply", str(folder / "difference"))
            if "eu-production.yaml" in difference:
                ((expression, source, target),) = BY_HAND
                _, old, new, _ = expression.split("/")
                (project / target).write_text((project / source).read_text().replace(old, new))
            patch.setattr(render_command, "PROJECT", project)
            patch.setattr(ci_command, "PROJECT", project)
            for environment in environments(project):
                assert run(["render", environment, "--format", "json"]) == 0
            assert run(["ci", "owners"]) == 0
            git(project, "add", "--all")
            git(project, "commit", "-q", "-m", f"Change {number}")
            after.append(project)
            before = project
    return after


def test_the_page_has_a_change_of_each_kind() -> None:
    assert len(DIFFERENCES) == 4
    assert len(BY_HAND) == 1
    for difference in DIFFERENCES:
        files = re.findall(r"^\+\+\+ b/(.*)$", difference, flags=re.MULTILINE)
        assert files
        assert all(file == "registry/models.yaml" or file.startswith("registry/rollouts/") for file in files)
        assert len(re.findall(r"^[+-](?![+-]{2} )", difference, flags=re.MULTILINE)) <= 20


def test_after_each_change_everything_is_in_order(steps: list[Path]) -> None:
    for project in steps:
        assert [str(problem) for problem in check(project, TODAY, "HEAD~1") if problem.is_error] == []


def test_the_new_agents_have_flags_in_every_environment_and_are_answered_by_their_baseline(steps: list[Path]) -> None:
    for environment in environments(steps[0]):
        declared = load_environment(steps[0], environment)
        text = manifests(render(declared.registry, declared.rollout, declared.settings))["configmap-flags.yaml"]
        for agent in ("conversation", "feedback"):
            assert f'"{agent}": {{' in text
            assert declared.rollout.agents[agent].candidate is None
            assert declared.rollout.agents[agent].baseline == ("gpt-4o",)


def test_the_new_model_has_half_of_devs_users_and_nobody_elses(steps: list[Path]) -> None:
    weights = {
        environment: load_environment(steps[1], environment).rollout.agents["conversation"].weight_percent
        for environment in environments(steps[1])
    }

    assert weights == {"dev": 50, "staging": 0, "production": 0}


def test_the_new_environment_is_like_production_and_as_strict(steps: list[Path]) -> None:
    project = steps[2]
    own, like = load_environment(project, "eu-production"), load_environment(project, "production")
    assert own.settings.namespace == "sluice-eu-production"
    mine = manifests(render(own.registry, own.rollout, own.settings))
    theirs = manifests(render(like.registry, like.rollout, like.settings))
    assert {name.replace("eu-production", "production") for name in mine} == theirs.keys()
    assert not any("sluice-production" in text for text in mine.values())
    assert "/registry/rollouts/eu-production.yaml @example/llm-leads" in (project / ".github/CODEOWNERS").read_text()

    rollout = project / "registry/rollouts/eu-production.yaml"
    before = rollout.read_text()
    rollout.write_text(before.replace("weight: 0", "weight: 10, since: 2026-01-20"))
    said = " ".join(str(problem) for problem in check(project, TODAY, None) if problem.is_error)
    rollout.write_text(before)
    assert "registry/rollouts/eu-production.yaml:5:" in said
    assert "[SL050]" in said
    assert "[SL051]" in said


def test_the_retired_model_is_nowhere_any_more_and_no_rule_speaks_of_it(steps: list[Path]) -> None:
    project = steps[3]
    registry = load_registry(project / "registry")

    assert "claude-sonnet-4" not in registry.models
    assert registry.agents["qa"].baseline == ("gpt-4o", "claude-sonnet-next")
    assert not [str(problem) for problem in check(project, date(2026, 6, 20), "HEAD~1") if "retire" in str(problem)]
