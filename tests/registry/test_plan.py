from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from sluice.cli.main import run
from sluice.registry.history import NothingToCompareWith
from sluice.registry.plan import AgentPlan, NoSuchEnvironment, Plan, plan_of

RIGHT = Path(__file__).parent / "meaning" / "right"
TODAY = date(2025, 12, 1)


def git(folder: Path, *command: str) -> None:
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *identity, *command], check=True, capture_output=True)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(RIGHT, tmp_path / "registry")
    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--message", "right")
    monkeypatch.chdir(tmp_path)
    return Path("registry")


@pytest.fixture
def change(folder: Path) -> Callable[[str, str, str], None]:
    def make(name: str, before: str, after: str) -> None:
        text = (folder / name).read_text()
        assert text.count(before) == 1
        (folder / name).write_text(text.replace(before, after))

    return make


def of_agent(plan: Plan, agent: str) -> AgentPlan:
    (found,) = [one for one in plan.agents if one.agent == agent]
    return found


def test_where_nothing_changed_nothing_is_planned(folder: Path) -> None:
    plan = plan_of(folder, "production", "HEAD", TODAY)

    assert plan.changes == ()
    assert [agent.changes for agent in plan.agents] == [(), ()]
    assert plan.is_allowed


def test_the_next_step_is_said_in_the_users_words(folder: Path, change: Callable[[str, str, str], None]) -> None:
    change("rollouts/production.yaml", "qa-1, weight: 10, since: 2025-11-20", "qa-1, weight: 25, since: 2025-11-24")

    plan = plan_of(folder, "production", "HEAD", TODAY)

    assert of_agent(plan, "qa").changes == (
        "10 % of users on the candidate become 25 %: nobody who has it leaves it; it holds at least 2d",
    )
    assert of_agent(plan, "legal").changes == ()
    assert plan.changes == ("forecast of the fine-tuned models: $3.60 becomes $6.30 a month",)
    assert plan.is_allowed


def test_a_step_that_is_jumped_over_forbids_the_plan(folder: Path, change: Callable[[str, str, str], None]) -> None:
    change("rollouts/production.yaml", "qa-1, weight: 10, since: 2025-11-20", "qa-1, weight: 50, since: 2025-11-24")

    assert [finding.rule for finding in plan_of(folder, "production", "HEAD", TODAY).forbidding] == ["SL034"]


def test_a_candidate_that_comes_after_an_override_begins_at_the_first_step(
    folder: Path, change: Callable[[str, str, str], None]
) -> None:
    change("models.yaml", "  ladder: report\n", "  ladder: report\n  override_ends: new_candidate\n")
    git(folder, "commit", "--all", "--message", "another candidate may end an override")
    first = "    base: open-mistral-7b\n    price: {input: 0.0008, output: 0.0008}\n"
    change("models.yaml", "models:\n", f"models:\n  qa-2:\n    provider: mistral\n    id: ft:made:qa-2\n{first}")

    def jumps() -> list[str]:
        findings = plan_of(folder, "production", "HEAD", TODAY).forbidding
        return [finding.problem for finding in findings if finding.rule == "SL034"]

    change("rollouts/production.yaml", "qa-1, weight: 10, since: 2025-11-20", "qa-2, weight: 50, since: 2025-12-01")
    assert jumps() == ["rises from 0 to 50 and jumps over 10, 25"]
    change("rollouts/production.yaml", "qa-2, weight: 50", "qa-2, weight: 10")
    assert jumps() == []


def test_a_weight_may_fall_by_any_distance(folder: Path, change: Callable[[str, str, str], None]) -> None:
    change("rollouts/production.yaml", "qa-1, weight: 10, since: 2025-11-20", "qa-1, weight: 100, since: 2025-11-20")
    git(folder, "commit", "--all", "--message", "all the way")
    change("rollouts/production.yaml", "qa-1, weight: 100, since: 2025-11-20", "qa-1, weight: 10, since: 2025-12-01")

    plan = plan_of(folder, "production", "HEAD", TODAY)

    assert plan.is_allowed
    assert of_agent(plan, "qa").changes == (
        "100 % of users on the candidate become 10 %: the others go back to the baseline",
    )


def test_a_graduation_is_told_from_a_candidate_that_is_taken_away(
    folder: Path, change: Callable[[str, str, str], None]
) -> None:
    change("rollouts/dev.yaml", "qa-1, weight: 50", "qa-1, weight: 100")
    git(folder, "commit", "--all", "--message", "all the way")
    change("rollouts/dev.yaml", "{candidate: qa-1, weight: 100, since: 2025-11-06}", "{baseline: [qa-1, gpt-4o]}")

    changes = of_agent(plan_of(folder, "dev", "HEAD", TODAY), "qa").changes

    assert changes[0] == "qa-1 graduates: it answers everybody, and the next candidate is compared with it"
    (folder / "rollouts" / "dev.yaml").write_text("version: 1\nenabled: true\nagents: {}\n")
    changes = of_agent(plan_of(folder, "dev", "HEAD", TODAY), "qa").changes
    assert changes == ("qa-1 is no longer a candidate: its 100 % go to the baseline",)


def test_limits_models_and_the_kill_switch_are_in_the_plan(
    folder: Path, change: Callable[[str, str, str], None]
) -> None:
    change("models.yaml", "{goal: 1, critical: 5}", "{goal: 1, critical: 4}")
    change("models.yaml", "id: gpt-4o, price: {input: 0.0025", "id: gpt-4o, price: {input: 0.005")
    change("models.yaml", "month: {budget: 50,", "month: {budget: 40,")
    change("rollouts/production.yaml", "enabled: true", "enabled: false")

    plan = plan_of(folder, "production", "HEAD", TODAY)

    assert plan.changes == (
        "the kill switch goes off: every agent's users go to its baseline",
        "budgets.month.budget: 50 becomes 40",
        "forecast of the fine-tuned models: $3.60 becomes $0.00 a month",
    )
    assert of_agent(plan, "qa").changes == (
        "10 % of users on the candidate become 0 %: everybody is on the baseline",
        "gpt-4o's price.input: 0.0025 becomes 0.005",
        "limits.error_rate.critical: 5 becomes 4 (the alert moves with it)",
    )


def test_what_a_provider_allows_is_a_limit_too(folder: Path, change: Callable[[str, str, str], None]) -> None:
    change(
        "models.yaml", "key: mistral-api-key, requests_per_second: 5", "key: mistral-api-key, requests_per_second: 40"
    )

    changes = plan_of(folder, "production", "HEAD", TODAY).changes

    assert changes == ("providers.mistral.requests_per_second: 5 becomes 40",)


def test_how_long_steps_hold_is_in_the_plan_of_every_agent_that_climbs_them(
    folder: Path, change: Callable[[str, str, str], None]
) -> None:
    change("models.yaml", "{weight: 25, hold: 2d}", "{weight: 25, hold: 12h}")

    changes = of_agent(plan_of(folder, "production", "HEAD", TODAY), "qa").changes

    before, after = (f"10 % for 2d, 25 % for {hold}, 50 % for 2d, 100 % for 1d" for hold in ("2d", "12h"))
    assert changes == (f"its steps: {before} become {after}",)


def test_another_candidate_draws_its_users_anew(folder: Path, change: Callable[[str, str, str], None]) -> None:
    change("rollouts/dev.yaml", "candidate: qa-1", "candidate: legal-1")

    assert of_agent(plan_of(folder, "dev", "HEAD", TODAY), "qa").changes == (
        "candidate: qa-1 becomes legal-1; its users are drawn anew",
    )


def test_a_plan_is_made_against_an_earlier_commit(folder: Path, change: Callable[[str, str, str], None]) -> None:
    change("rollouts/dev.yaml", "weight: 50", "weight: 100")
    git(folder, "commit", "--all", "--message", "further")

    assert of_agent(plan_of(folder, "dev", "HEAD", TODAY), "qa").changes == ()
    assert of_agent(plan_of(folder, "dev", "HEAD~1", TODAY), "qa").weight_before_percent == 50


def test_an_environment_that_is_new_begins_with_nobody(folder: Path) -> None:
    (folder / "rollouts" / "staging.yaml").write_text(
        "version: 1\nenabled: true\nagents:\n  qa: {candidate: qa-1, weight: 100, since: 2025-11-06}\n"
    )

    plan = plan_of(folder, "staging", "HEAD", TODAY)

    assert of_agent(plan, "qa").changes[0] == "is new; its baseline is gpt-4o, claude-sonnet-4"
    assert plan.is_allowed


@pytest.mark.parametrize("reference", ["nothing-of-that-name", "--help", ""])
def test_a_commit_that_is_not_there_is_said_and_not_guessed(folder: Path, reference: str) -> None:
    with pytest.raises(NothingToCompareWith, match="git knows no commit"):
        plan_of(folder, "production", reference, TODAY)


def test_an_environment_that_is_not_there_is_answered_with_those_that_are(folder: Path) -> None:
    with pytest.raises(NoSuchEnvironment, match=r'no rollout is named "prod"; the environments .* are dev, production'):
        plan_of(folder, "prod", "HEAD", TODAY)


def test_the_command_prints_changes_and_what_forbids_them(
    folder: Path, change: Callable[[str, str, str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    change("rollouts/production.yaml", "qa-1, weight: 10, since: 2025-11-20", "qa-1, weight: 50, since: 2025-11-24")
    arguments = ["plan", "production", "--registry", str(folder), "--today", "2025-12-01"]

    assert run(arguments) == 1
    assert capsys.readouterr().out == (
        "production, against HEAD:\n"
        "  forecast of the fine-tuned models: $3.60 becomes $10.80 a month\n"
        "  qa     10 % of users on the candidate become 50 %: nobody who has it leaves it; it holds at least 2d\n"
        "  the other agent: no change\n"
        "\n"
        "forbidden by:\n"
        "  registry/rollouts/production.yaml:4:33: agents.qa.weight: rises from 10 to 50 and jumps over 25; "
        "the next step is 25 [SL034]\n"
    )
    assert run([*arguments, "--format", "json"]) == 1
    data = json.loads(capsys.readouterr().out)
    assert data["allowed"] is False
    assert data["agents"][0]["weight"] == {"before": 10, "after": 50}
    assert [finding["rule"] for finding in data["findings"]] == ["SL034"]


def test_a_rule_is_explained_by_its_id_in_any_case(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "sl034"]) == 0
    assert capsys.readouterr().out.startswith(
        "SL034: No step is jumped over\n\nIn production a weight rises by one step"
    )
    assert run(["explain", "SL0034"]) == 2
    assert 'no rule is named "SL0034"; did you mean "SL034"?' in capsys.readouterr().err
