"""Steps and entries as requests, of this project's own files in a repository that others push to."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import pytest

from sluice.cli import advance as advance_command
from sluice.cli import promote as promote_command
from sluice.cli import requesting
from sluice.cli.main import run
from sluice.errors import SluiceError
from sluice.git import Git
from sluice.gitops.advancing import Outcome, Requesting
from sluice.gitops.branches import Others
from sluice.gitops.drafting import Drafting, Forbidden, NothingToChange, NotProven, Wish
from sluice.gitops.forge.github import GitHub
from sluice.gitops.proposing import merge, propose
from sluice.gitops.returning import Returning
from sluice.gitops.stepping import Entering, GatesSayNo, Stepping
from sluice.override import Override
from sluice.registry import Registry, Rollout, load_environment
from sluice.render import manifests, render
from sluice.rollout import Measurements, RolledBack, Standing
from sluice.rollout.guard.loop import CannotSee
from sluice.rollout.proposal import Force
from sluice.rollout.record import Record, read, replay
from sluice.rollout.verdicts import judged
from tests.gitops.made_forges import TOKEN, MadeGitHub, served
from tests.gitops.project import Repositories, cloned, git, whole_project
from tests.rollout.examples import NOW, arm, dear, good, measured, period

pytestmark = pytest.mark.slow

FILE = "registry/rollouts/staging.yaml"


@dataclass
class MadeJudge:
    """Judges by measurements that a test gives, by the real gates."""

    measurements: dict[str, Measurements] = field(default_factory=dict)
    standing: dict[str, Standing] = field(default_factory=dict)

    def standings(self, rollout: Rollout) -> Mapping[str, Standing]:
        return self.standing

    def record(self, registry: Registry, rollout: Rollout, agent: str, standing: Standing | None) -> Record:
        if agent not in self.measurements:
            raise CannotSee("Prometheus does not answer")
        return judged(registry, rollout, agent, self.measurements[agent], NOW, standing)


def few() -> Measurements:
    return measured(period(arm(12), dear(900)))


def all_of_them() -> Measurements:
    began = NOW - timedelta(days=8)
    return measured(
        period(arm(1000, failed=10), dear(1000, failed=10), weight=50, began=began),
        period(arm(2000, failed=20), dear(0), weight=100, began=began + timedelta(days=3)),
    )


def failing() -> Measurements:
    return measured(period(arm(100, failed=60), dear(900, failed=9)))


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bare repository of the project, in which staging has qa and legal at 10 %."""
    folder = tmp_path_factory.mktemp("begun")
    project = whole_project(folder / "project")
    text = (project / FILE).read_text()
    for agent in ("qa", "legal"):
        text = text.replace(
            f"{agent}-20251031, weight: 100, since: 2025-11-06", f"{agent}-20251031, weight: 10, since: 2025-11-09"
        )
    (project / FILE).write_text(text)
    declared = load_environment(project, "staging")
    for name, content in manifests(render(declared.registry, declared.rollout, declared.settings)).items():
        (project / "manifests/staging" / name).write_text(content)
    git(project, "init", "-q", "-b", "main")
    git(project, "add", ".")
    git(project, "-c", "user.name=Ada", "-c", "user.email=ada@example.com", "commit", "-q", "-m", "Begin")
    subprocess.run(["git", "clone", "-q", "--bare", str(project), str(folder / "begun.git")], check=True)
    return folder / "begun.git"


@pytest.fixture
def repositories(begun: Path, tmp_path: Path) -> Repositories:
    bare = tmp_path / "everybodys.git"
    subprocess.run(["git", "clone", "-q", "--bare", str(begun), str(bare)], check=True)
    return Repositories(bare, cloned(bare, tmp_path / "ada", "Ada"), cloned(bare, tmp_path / "grace", "Grace"))


@pytest.fixture
def made(repositories: Repositories) -> Iterator[MadeGitHub]:
    with served(MadeGitHub(repositories.bare)) as forge:
        assert isinstance(forge, MadeGitHub)
        yield forge


@pytest.fixture
def judge() -> MadeJudge:
    return MadeJudge({agent: good() for agent in ("qa", "legal")})


Advance = Callable[..., list[Outcome]]


@pytest.fixture
def advance(repositories: Repositories, made: MadeGitHub, judge: MadeJudge) -> Advance:
    forge = GitHub("owner/made", made.address, TOKEN, sleep=lambda _: None)
    where = Requesting(Others(Git(repositories.mine), "origin", "main"), forge, "staging")

    def run_it(*groups: tuple[str, ...], force: Force | None = None) -> list[Outcome]:
        def draft(group: tuple[str, ...]) -> Drafting:
            stepping = Stepping("staging", group, judge, force)
            return Drafting(repositories.mine, "staging", stepping, NOW.date(), force)

        return where.each(groups, draft)

    return run_it


def test_a_step_is_one_line_of_the_rollout_file_and_what_is_rendered_of_it(
    advance: Advance, repositories: Repositories
) -> None:
    (done,) = advance(("qa",))

    assert done.proposal is not None, done.error
    branch = done.proposal.published.branch
    assert git(repositories.bare, "diff", "--name-only", "main", branch).splitlines() == [
        "manifests/staging/configmap-flags.yaml",
        FILE,
    ]
    assert git(repositories.bare, "diff", "--numstat", "main", branch, "--", FILE).split()[:2] == ["1", "1"]
    git(repositories.theirs, "fetch", "-q")
    git(repositories.theirs, "checkout", "-q", branch)
    declared = load_environment(repositories.theirs, "staging")
    rendered = manifests(render(declared.registry, declared.rollout, declared.settings))
    assert {file.name: file.read_text() for file in (repositories.theirs / "manifests/staging").iterdir()} == rendered
    assert declared.rollout.agents["qa"].weight_percent == 25


def test_the_judgement_is_in_the_commit_and_can_be_replayed(advance: Advance, repositories: Repositories) -> None:
    (done,) = advance(("qa",))

    assert done.proposal is not None, done.error
    message = git(repositories.bare, "log", "-1", "--format=%B", done.proposal.published.branch)
    (line,) = [line for line in message.splitlines() if line.startswith("{")]
    record = read(line)
    assert (record.case.agent, record.case.weight_percent) == ("qa", 10)
    assert replay(record) == record.verdict


def test_one_that_may_not_holds_nobody_up_and_is_told_what_is_missing(advance: Advance, judge: MadeJudge) -> None:
    judge.measurements["qa"] = few()

    qa, legal = advance(("qa",), ("legal",))

    assert isinstance(qa.error, GatesSayNo)
    assert "qa of staging: qa-20251031 is not ready:" in str(qa.error)
    assert "--force with a --reason goes on" in str(qa.error)
    assert legal.proposal is not None


def test_a_request_whose_gates_say_no_by_now_is_withdrawn(
    advance: Advance, judge: MadeJudge, made: MadeGitHub, repositories: Repositories
) -> None:
    (before,) = advance(("qa",))
    assert before.proposal is not None, before.error
    judge.measurements["qa"] = failing()

    (now,) = advance(("qa",))

    assert now.withdrawn == (before.proposal.published.branch,)
    assert not made.open_ones()
    assert made.statuses[-1]["state"] == "failure"
    assert made.statuses[-1]["commit"] == before.proposal.published.commit
    assert repositories.branches == []


def test_a_request_stays_while_nobody_can_look(advance: Advance, judge: MadeJudge, made: MadeGitHub) -> None:
    advance(("qa",))
    judge.measurements.clear()

    (now,) = advance(("qa",))

    assert isinstance(now.error, CannotSee)
    assert len(made.open_ones()) == 1
    assert made.statuses[-1]["state"] == "success"


def test_a_rolled_back_agent_is_named_with_who_did_it(advance: Advance, judge: MadeJudge) -> None:
    judge.standing["qa"] = Standing(RolledBack(NOW, "guard", "points fell by 22 %"))

    (done,) = advance(("qa",))

    assert "was rolled back at 2025-11-12 12:00 by guard" in str(done.error)
    assert "points fell by 22 %" in str(done.error)


def test_together_they_are_one_request_or_none(advance: Advance, judge: MadeJudge, made: MadeGitHub) -> None:
    (both,) = advance(("qa", "legal"))
    assert both.proposal is not None, both.error
    assert both.proposal.change.agents == ("qa", "legal")

    judge.measurements["legal"] = few()
    (neither,) = advance(("qa", "legal"))

    assert neither.proposal is None
    assert neither.withdrawn == (both.proposal.published.branch,)
    assert not made.open_ones()


def test_who_goes_on_against_the_gates_is_in_commit_and_text(
    advance: Advance, judge: MadeJudge, repositories: Repositories
) -> None:
    judge.measurements["qa"] = few()

    (done,) = advance(("qa",), force=Force("Ada", "the board has seen 200 answers"))

    assert done.proposal is not None, done.error
    message = git(repositories.bare, "log", "-1", "--format=%B", done.proposal.published.branch)
    assert "Sluice-Forced: Ada: the board has seen 200 answers" in message
    assert "gone over: sample:" in message
    assert "Forced past the gates" in done.proposal.change.body


def test_a_freeze_refuses_by_its_name(advance: Advance, repositories: Repositories) -> None:
    models = repositories.at("main", "registry/models.yaml")
    freeze = "freezes: [{from: 2025-11-10, to: 2025-11-14, reason: the week of the audit}]"
    repositories.pushed(
        "registry/models.yaml",
        models.replace("\n  sign_offs: [technical", f"\n  {freeze}\n  sign_offs: [technical") + "\n",
    )

    (done,) = advance(("qa",), force=Force("Ada", "we want it"))

    assert "the week of the audit" in str(done.error)


def test_the_last_step_is_the_graduation(advance: Advance, judge: MadeJudge, repositories: Repositories) -> None:
    at_all = repositories.at("main", FILE).replace("weight: 10, since: 2025-11-09", "weight: 100, since: 2025-11-04")
    repositories.pushed(FILE, at_all + "\n")
    judge.measurements["qa"] = all_of_them()

    (done,) = advance(("qa",))

    assert done.proposal is not None, done.error
    assert done.proposal.change.title == "staging: qa-20251031 graduates"
    assert "qa: {baseline: [qa-20251031, gpt-4o, claude-sonnet-4]}" in repositories.at(
        done.proposal.published.branch, FILE
    )


def returning(key: str, repositories: Repositories, **others: object) -> Drafting:
    entry = Override(0, "guard", "points fell by 22 %", "12 of 14 failing users", "2025-11-12T10:00:00Z")
    way_back = Returning("staging", key, entry, NOW.date())
    return Drafting(repositories.mine, "staging", way_back, NOW.date(), **others)  # type: ignore[arg-type]


def test_a_rollback_is_recorded_by_a_request_that_ends_the_one_which_was_to_raise(
    advance: Advance, repositories: Repositories, made: MadeGitHub
) -> None:
    (before,) = advance(("qa",))
    assert before.proposal is not None, before.error
    forge = GitHub("owner/made", made.address, TOKEN)
    further = {"docs/post-mortems/qa.md": b"# What happened\n"}

    others = Others(Git(repositories.mine), "origin", "main")
    done = propose(others, forge, returning("qa", repositories, further=further))

    assert done.superseded == (before.proposal.published.branch,)
    assert git(repositories.bare, "diff", "--name-only", "main", done.published.branch).splitlines() == [
        "docs/post-mortems/qa.md", "manifests/staging/configmap-flags.yaml", FILE,
    ]  # fmt: skip
    assert "qa-20251031, weight: 0, since: 2025-11-12" in repositories.at(done.published.branch, FILE)
    assert "rolled back by guard at 2025-11-12T10:00:00Z: points fell by 22 %" in done.change.body


def test_a_rollback_of_what_git_gives_nobody_is_no_request(repositories: Repositories) -> None:
    others = Others(Git(repositories.mine), "origin", "main")
    assert merge(others, None, returning("qa", repositories)).merged
    day = NOW.date() + timedelta(days=1)
    again = Returning("staging", "qa", Override(0), day)

    with pytest.raises(NothingToChange, match="says all of this already"):
        propose(others, None, Drafting(repositories.mine, "staging", again, day))


def test_no_gate_takes_back_the_request_that_records_a_rollback(
    advance: Advance, judge: MadeJudge, repositories: Repositories, made: MadeGitHub
) -> None:
    forge = GitHub("owner/made", made.address, TOKEN, sleep=lambda _: None)
    done = propose(Others(Git(repositories.mine), "origin", "main"), forge, returning("qa", repositories))
    judge.standing["qa"] = Standing(RolledBack(NOW, "guard", "points fell by 22 %"))

    (refused,) = advance(("qa",))

    assert refused.withdrawn == ()
    assert repositories.branches == [done.published.branch]
    assert list(made.open_ones()) == [1]
    assert {one["state"] for one in made.statuses} == {"success"}


def test_a_rollback_of_all_is_the_kill_switch(repositories: Repositories) -> None:
    done = propose(Others(Git(repositories.mine), "origin", "main"), None, returning("all", repositories))

    assert done.change.title == "staging: everybody goes back to the baseline"
    assert done.published.branch.startswith("return/staging/5-agents-")
    assert "\nenabled: false" in repositories.at(done.published.branch, FILE)


def test_production_takes_no_sign_off_that_one_person_wrote_and_let_in(
    repositories: Repositories, judge: MadeJudge, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed = (
        "version: 1\nkind: sign-off\ndate: 2025-11-08\nby: Grace\nsign_off:\n  role: legal\n  ends: 2026-11-08\n"
        "  conditions: [{text: read, met: true}]\n"
        "  models: {qa-20251031: 'ft:open-mistral-7b:5010731d:20251031:ecc3829c'}\n"
    )
    repositories.pushed("registry/evidence/sign-off-legal-1.yaml", signed)
    step = Wish("qa", {("agents", "qa", "since"): date(2025, 11, 12)}, "made", "made", model="qa-20251031")

    with pytest.raises(NotProven, match=r"registry/evidence/sign-off-legal-1\.yaml: Grace wrote it and let it in"):
        propose(
            Others(Git(repositories.mine), "origin", "main"), None,
            Drafting(repositories.mine, "production", lambda _: [step], NOW.date()),
        )  # fmt: skip


def test_production_takes_nothing_without_its_evidence_and_says_which_rule(
    repositories: Repositories, judge: MadeJudge
) -> None:
    roles = ("technical", "security", "cost")
    for role in roles:
        text = (
            f"version: 1\nkind: sign-off\ndate: 2025-11-08\nby: Made {role}\n"
            f"sign_off:\n  role: {role}\n  ends: 2026-11-08\n"
            "  models: {qa-20251031: 'ft:open-mistral-7b:5010731d:20251031:ecc3829c'}\n  conditions: []\n"
        )
        repositories.pushed(f"registry/evidence/{role}.yaml", text)
    entering = Entering("production", "staging", ("qa",), judge, NOW)
    where = Requesting(Others(Git(repositories.mine), "origin", "main"), None, "production")

    (done,) = where.each([("qa",)], lambda _: Drafting(repositories.mine, "production", entering, NOW.date()))

    assert isinstance(done.error, Forbidden), done.error
    for said in ("registry/rollouts/production.yaml:", "was not soaked", "SL050", "e-mail addresses", "SL054"):
        assert said in str(done.error)
    assert str(repositories.mine) not in str(done.error)
    assert "/tmp" not in str(done.error)


@pytest.fixture
def in_the_project(repositories: Repositories, judge: MadeJudge, monkeypatch: pytest.MonkeyPatch) -> Repositories:
    for module in (requesting, advance_command, promote_command):
        monkeypatch.setattr(module, "PROJECT", repositories.mine)
    monkeypatch.setattr("sluice.deploy.launch.PROJECT", repositories.mine)
    monkeypatch.setattr(advance_command, "target", lambda _: type("Nowhere", (), {"connect": lambda self: None})())
    monkeypatch.setattr(advance_command, "judging", lambda *_: judge)
    return repositories


def test_the_command_pushes_the_branch_and_prints_the_text_where_no_forge_is(
    in_the_project: Repositories, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["advance", "staging", "qa"]) == 0

    said = capsys.readouterr().out
    (branch,) = in_the_project.branches
    assert "## What users get" in said
    assert f"branch {branch}: created, commit " in said


def test_the_command_says_what_is_missing_and_exits_with_1(
    in_the_project: Repositories, judge: MadeJudge, capsys: pytest.CaptureFixture[str]
) -> None:
    judge.measurements["qa"] = few()

    assert run(["advance", "staging", "qa"]) == 1

    out, err = capsys.readouterr()
    assert out == ""
    assert "qa of staging: qa-20251031 is not ready:" in err


def test_without_an_agent_all_are_asked_and_one_that_cannot_be_seen_makes_it_exit_with_3(
    in_the_project: Repositories, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["advance", "staging", "--format", "json"]) == 3

    found = {one["agents"][0]: one for one in json.loads(capsys.readouterr().out)}
    assert list(found) == ["qa", "content", "legal", "support", "analyst"]
    assert found["qa"]["became"] == "created"
    assert found["support"]["error"] == "Prometheus does not answer"
    assert len(in_the_project.branches) == 2


def test_merged_at_once_it_is_what_everybody_has(in_the_project: Repositories) -> None:
    assert run(["advance", "staging", "qa", "--merge"]) == 0

    assert "qa-20251031, weight: 25, since: 2025-11-12" in in_the_project.at("main", FILE)
    assert in_the_project.branches == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["advance", "staging", "legl"], 'no agent is named "legl"; did you mean "legal"?'),
        (["advance", "nowhere"], "nowhere"),
        (["advance", "staging", "qa", "--force"], "--force needs a reason"),
        (["advance", "staging", "qa", "--reason", "why"], "--reason is for --force"),
        (["advance", "staging", "qa", "--remote", "up"], 'no remote is named "up"; there is origin'),
        (["promote", "qa", "--from", "staging", "--to", "staging"], "--from and --to are both staging"),
    ],
)
def test_what_is_used_wrongly_is_one_sentence_and_exits_with_2(
    in_the_project: Repositories, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    assert said in capsys.readouterr().err
    assert in_the_project.branches == []


def test_a_model_is_promoted_though_no_cluster_answers_and_that_is_said(
    in_the_project: Repositories, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "no-such-kubeconfig"))
    models = in_the_project.at("main", "registry/rollouts/dev.yaml")
    begin_at_none = models.replace(
        "candidate: qa-20251031, weight: 50, since: 2025-11-06", "candidate: qa-20251031, weight: 0"
    )
    in_the_project.pushed("registry/rollouts/dev.yaml", begin_at_none + "\n")

    assert run(["promote", "qa", "--from", "staging", "--to", "dev"]) == 0

    out, err = capsys.readouterr()
    assert "going on without knowing whether anybody was rolled back" in err
    assert "dev: qa-20251031 begins at" in out
    assert "benchmark of 2025-11-01" in out


def test_errors_of_git_are_one_sentence(in_the_project: Repositories, capsys: pytest.CaptureFixture[str]) -> None:
    git(in_the_project.mine, "remote", "set-url", "origin", "https://ada:made-password@127.0.0.1:1/made.git")

    assert run(["advance", "staging", "qa"]) == 3

    said = capsys.readouterr().err
    assert said.startswith("sluice: ")
    assert "127.0.0.1" in said
    assert "made-password" not in said


def test_an_unknown_failure_of_one_agent_is_not_swallowed(repositories: Repositories, judge: MadeJudge) -> None:
    where = Requesting(Others(Git(repositories.mine), "origin", "main"), None, "staging")

    def draft(base: str) -> None:
        raise SluiceError("something of git's")

    with pytest.raises(SluiceError, match="something of git's"):
        where.each([("qa",)], lambda _: draft)  # type: ignore[arg-type,return-value]
