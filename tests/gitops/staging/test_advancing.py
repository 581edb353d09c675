"""Steps and entries as requests."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import pytest

from sluice.errors import SluiceError
from sluice.git import Git
from sluice.gitops.advancing import Requesting
from sluice.gitops.branches import Others
from sluice.gitops.drafting import Drafting, Forbidden, NotProven, Wish
from sluice.gitops.proposing import propose
from sluice.gitops.stepping import Entering, GatesSayNo
from sluice.override import Override, Overrides
from sluice.registry import Rollout, load_environment
from sluice.render import manifests, render
from sluice.rollout import RolledBack, Standing
from sluice.rollout.guard.loop import CannotSee
from sluice.rollout.override_map import OverrideMap
from sluice.rollout.proposal import Force
from sluice.rollout.record import read, replay
from sluice.rollout.verdicts import standing_of
from tests.gitops.made_forges import MadeGitHub
from tests.gitops.project import Repositories, git
from tests.gitops.staging.made_judge import FILE, Advance, MadeJudge, all_of_them, failing, few
from tests.rollout.examples import NOW

pytestmark = pytest.mark.slow


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


def test_one_run_names_who_has_not_signed_and_what_the_rules_have_against_it_besides(
    repositories: Repositories, judge: MadeJudge
) -> None:
    entering = Entering("production", "staging", ("qa", "legal"), judge, NOW)
    where = Requesting(Others(Git(repositories.mine), "origin", "main"), None, "production")

    (done,) = where.each([("qa", "legal")], lambda _: Drafting(repositories.mine, "production", entering, NOW.date()))

    assert isinstance(done.error, GatesSayNo), done.error
    gates, _, rules = str(done.error).partition("\nrules of the registry forbid it as well:\n")
    assert gates.count("security: nobody signed") == 2
    for said in ('qa-20251031" was not soaked', 'legal-20251031" was not soaked', "e-mail addresses"):
        assert said in rules
    assert "sign-off" not in rules
    assert "/tmp" not in str(done.error)
    assert repositories.branches == []


def test_an_unknown_failure_of_one_agent_is_not_swallowed(repositories: Repositories, judge: MadeJudge) -> None:
    where = Requesting(Others(Git(repositories.mine), "origin", "main"), None, "staging")

    def draft(base: str) -> None:
        raise SluiceError("something of git's")

    with pytest.raises(SluiceError, match="something of git's"):
        list(where.each([("qa",)], lambda _: draft))  # type: ignore[arg-type,return-value]


class Overridden(MadeJudge):
    """Knows the override of a cluster, and nothing else."""

    def __init__(self, **entries: Override) -> None:
        super().__init__()
        self.overrides = OverrideMap("1", Overrides(entries))

    def standings(self, rollout: Rollout) -> Mapping[str, Standing]:
        return {agent: standing_of(self.overrides, rollout, agent) for agent in rollout.agents}


@pytest.mark.parametrize(("held", "is_held"), [("content-20251031", False), ("qa-20251031", True), ("", True)])
def test_an_override_holds_up_the_model_that_enters_only_where_it_is_for_it(
    repositories: Repositories, held: str, is_held: bool
) -> None:
    fell = "{candidate: content-20251031, weight: 0, since: 2025-11-01}"
    rollout = repositories.mine / "registry/rollouts/production.yaml"
    rollout.write_text(f"version: 1\nenabled: true\nagents:\n  qa: {fell}\n")
    override = Override(0, "guard", "errors", at="2025-11-02T10:00:00Z", candidate=held)
    entering = Entering("production", "staging", ("qa",), Overridden(qa=override), NOW)

    with pytest.raises(GatesSayNo) as no:
        entering(repositories.mine)

    assert ("was rolled back at 2025-11-02 10:00 by guard: errors" in str(no.value)) is is_held
    assert "nobody signed" in str(no.value)
