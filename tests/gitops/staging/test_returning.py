"""What a rollback did, as a request."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sluice.git import Git
from sluice.gitops.branches import Others
from sluice.gitops.drafting import Drafting, NothingToChange
from sluice.gitops.forge.github import GitHub
from sluice.gitops.proposing import merge, propose
from sluice.gitops.returning import Returning
from sluice.override import Override
from sluice.rollout import RolledBack, Standing
from tests.gitops.made_forges import TOKEN, MadeGitHub
from tests.gitops.project import Repositories, git
from tests.gitops.staging.made_judge import FILE, Advance, MadeJudge
from tests.rollout.examples import NOW

pytestmark = pytest.mark.slow


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
