"""From a change to a branch, in real repositories that others push to at the same time."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from sluice.git import Git
from sluice.gitops.branches import Became, EditedByHand, NoSuchBase, Others
from sluice.gitops.change_set import ChangeSet, StrayFile
from sluice.gitops.drafting import Forbidden, NothingToChange
from sluice.gitops.proposing import merge, propose
from sluice.gitops.stepping import with_candidates
from sluice.registry import InvalidRegistry
from sluice.rollout.proposal import Force
from tests.gitops.project import ROLLOUT, Repositories, git
from tests.gitops.wishes import FILE, drafting, wish

pytestmark = pytest.mark.slow


def test_the_branch_holds_one_commit_that_changes_the_rollout_file_alone(
    others: Others, repositories: Repositories
) -> None:
    done = propose(others, None, drafting(repositories))

    assert done.published.became is Became.CREATED
    assert repositories.branches == [done.published.branch]
    assert done.published.branch.startswith("rollout/made/qa-")
    branch = done.published.branch
    assert git(repositories.bare, "rev-list", "--count", f"main..{branch}") == "1"
    assert git(repositories.bare, "diff", "--name-only", "main", branch) == FILE
    assert repositories.at(branch, FILE) == ROLLOUT.strip().replace(
        "10, since: 2025-11-06}   #", "25, since: 2025-11-10}   #"
    )


def test_the_commit_says_the_plan_the_verdict_and_whose_it_is(others: Others, repositories: Repositories) -> None:
    done = propose(others, None, drafting(repositories))

    message = git(repositories.bare, "log", "-1", "--format=%B", done.published.branch)
    assert message.startswith("made: qa from 10 % to 25 %\n")
    for said in (
        "10 % of users on the candidate become 25 %",
        "errors: 3 of 7",
        "Sluice-Agents: qa",
        "Fine-tuned models",
    ):
        assert said in message
    assert git(repositories.bare, "log", "-1", "--format=%an", done.published.branch) == "Ada"


def test_what_the_person_has_in_hand_is_not_touched_and_not_taken_along(
    others: Others, repositories: Repositories
) -> None:
    mine = repositories.mine
    git(mine, "checkout", "-q", "-b", "my-own")
    (mine / FILE).write_text("half of an ed")
    (mine / "registry/models.yaml").write_text("version: 7\n")
    git(mine, "add", "registry/models.yaml")
    before = (git(mine, "status", "--porcelain"), git(mine, "rev-parse", "HEAD"), git(mine, "stash", "list"))

    done = propose(others, None, drafting(repositories))

    assert (git(mine, "status", "--porcelain"), git(mine, "rev-parse", "HEAD"), git(mine, "stash", "list")) == before
    assert git(mine, "branch", "--show-current") == "my-own"
    assert (mine / FILE).read_text() == "half of an ed"
    assert git(mine, "worktree", "list").count("\n") == 0
    assert git(repositories.bare, "diff", "--name-only", "main", done.published.branch) == FILE


def test_hooks_of_the_person_do_not_run(others: Others, repositories: Repositories, tmp_path: Path) -> None:
    for hook in ("post-checkout", "pre-push", "pre-commit", "commit-msg"):
        file = repositories.mine / ".git/hooks" / hook
        file.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran-{hook}\nexit 1\n")
        file.chmod(0o755)

    propose(others, None, drafting(repositories))

    assert not list(tmp_path.glob("ran-*"))


def test_made_again_it_is_the_same_commit(others: Others, repositories: Repositories) -> None:
    first = propose(others, None, drafting(repositories))
    again = propose(others, None, drafting(repositories))

    assert again.published == type(first.published)(first.published.branch, first.published.commit, Became.UNCHANGED)


def test_it_stays_approved_while_the_base_changes_elsewhere(others: Others, repositories: Repositories) -> None:
    first = propose(others, None, drafting(repositories))
    repositories.pushed("README.md", "another\n")

    assert propose(others, None, drafting(repositories)).published.commit == first.published.commit


def test_it_is_made_anew_where_the_base_changed_the_file(others: Others, repositories: Repositories) -> None:
    first = propose(others, None, drafting(repositories))
    repositories.pushed(FILE, ROLLOUT.replace("legal-1, weight: 10", "legal-1, weight: 0"))

    again = propose(others, None, drafting(repositories))

    assert again.published.became is Became.UPDATED
    assert again.published.branch == first.published.branch
    assert "legal-1, weight: 0" in repositories.at(again.published.branch, FILE)
    assert "qa-1, weight: 25" in repositories.at(again.published.branch, FILE)


def test_another_day_is_another_commit_on_the_same_branch(others: Others, repositories: Repositories) -> None:
    first = propose(others, None, drafting(repositories))
    later = date(2025, 11, 12)
    again = propose(others, None, drafting(repositories, wish(day=later), day=later))

    assert (again.published.branch, again.published.became) == (first.published.branch, Became.UPDATED)
    assert "since: 2025-11-12" in repositories.at(again.published.branch, FILE)


@pytest.mark.parametrize("how", ["added to", "changed"])
def test_what_a_person_pushed_to_the_branch_is_reported_and_left(
    others: Others, repositories: Repositories, how: str
) -> None:
    branch = propose(others, None, drafting(repositories)).published.branch
    if how == "added to":
        theirs = repositories.pushed(FILE, ROLLOUT.replace("weight: 10", "weight: 25"), branch=branch)
    else:
        git(repositories.theirs, "fetch", "-q")
        git(repositories.theirs, "checkout", "-q", branch)
        (repositories.theirs / FILE).write_text(ROLLOUT.replace("weight: 10", "weight: 25"))
        git(repositories.theirs, "commit", "-q", "-a", "--amend", "--no-edit", "--reset-author")
        git(repositories.theirs, "push", "-q", "--force", "origin", branch)
        theirs = git(repositories.theirs, "rev-parse", "HEAD")

    with pytest.raises(EditedByHand, match=rf"{branch}: was {how} by Grace \(commit {theirs[:12]}\); it is left"):
        propose(others, None, drafting(repositories))

    assert git(repositories.bare, "rev-parse", branch) == theirs


def test_an_older_one_of_the_same_agent_goes_and_one_of_another_stays(
    others: Others, repositories: Repositories
) -> None:
    of_legal = propose(others, None, drafting(repositories, wish("legal"))).published.branch
    older = propose(others, None, drafting(repositories)).published.branch

    done = propose(others, None, drafting(repositories, wish(weight=0)))

    assert done.superseded == (older,)
    assert sorted(repositories.branches) == sorted([of_legal, done.published.branch])


def test_an_older_one_that_a_person_changed_stays_and_is_named(others: Others, repositories: Repositories) -> None:
    older = propose(others, None, drafting(repositories)).published.branch
    repositories.pushed("README.md", "and this\n", branch=older)

    done = propose(others, None, drafting(repositories, wish(weight=0)))

    assert older in repositories.branches
    assert [one.branch for one in done.left_alone] == [older]


def test_a_branch_of_another_history_stays_is_named_and_stops_nobody(
    others: Others, repositories: Repositories
) -> None:
    theirs, odd = repositories.theirs, "rollout/made/qa-odd"
    root = git(
        theirs, "commit-tree", "-m", "Sluice begins\n\nSluice-Agents: qa", git(theirs, "rev-parse", "HEAD^{tree}")
    )
    git(theirs, "push", "-q", "origin", f"{root}:refs/heads/{odd}")

    done = propose(others, None, drafting(repositories))

    assert sorted(repositories.branches) == sorted([odd, done.published.branch])
    assert [one.branch for one in done.left_alone] == [odd]


def test_several_agents_are_in_one_request(others: Others, repositories: Repositories) -> None:
    done = propose(others, None, drafting(repositories, wish("qa"), wish("legal")))

    assert done.published.branch.startswith("rollout/made/qa-legal-")
    assert repositories.at(done.published.branch, FILE).count("weight: 25, since: 2025-11-10") == 2
    assert done.change.title == "made: qa from 10 % to 25 %; legal from 10 % to 25 %"


def test_a_rule_of_the_registry_forbids_what_it_would_forbid_by_hand(
    others: Others, repositories: Repositories
) -> None:
    with pytest.raises(Forbidden, match=r"(?s)made stays as it is.*registry/rollouts/made\.yaml:4:.*not a step"):
        propose(others, None, drafting(repositories, wish(weight=30)))

    assert repositories.branches == []


def test_a_broken_base_is_told_by_commit_and_path(others: Others, repositories: Repositories) -> None:
    text = (repositories.mine / "registry/models.yaml").read_text()
    commit = repositories.pushed("registry/models.yaml", text.replace("input", "inptu", 1))

    with pytest.raises(InvalidRegistry, match=rf"\n{commit[:12]}:registry/models\.yaml:5:46: "):
        with_candidates(repositories.mine, others, "made")


def test_what_is_so_already_is_said(others: Others, repositories: Repositories) -> None:
    with pytest.raises(NothingToChange, match="says all of this already"):
        propose(others, None, drafting(repositories, wish(weight=10, day=date(2025, 11, 6))))


def test_who_forced_it_and_why_is_in_commit_and_text(others: Others, repositories: Repositories) -> None:
    done = propose(others, None, drafting(repositories, forced=Force("Ada", "the *board* wants it, @all")))

    message = git(repositories.bare, "log", "-1", "--format=%B", done.published.branch)
    assert "\nSluice-Forced: Ada: the *board* wants it, @all\n" in message
    assert "> **Forced past the gates** by Ada: the \\*board\\* wants it, @\u200ball" in done.change.body


def test_a_request_touches_no_other_file() -> None:
    with pytest.raises(StrayFile, match=r"registry/models\.yaml: a request of made touches"):
        ChangeSet("made", {"qa": "x"}, {"registry/models.yaml": b""}, "title", "said", "body")


def test_without_a_remote_the_branch_stays_here(repositories: Repositories) -> None:
    git(repositories.mine, "remote", "remove", "origin")
    here = Others(Git(repositories.mine), None, "main")

    first = propose(here, None, drafting(repositories))
    second = propose(here, None, drafting(repositories, wish(weight=0)))

    assert git(repositories.mine, "branch", "--show-current") == "main"
    assert second.superseded == (first.published.branch,)
    assert "qa-1, weight: 0" in git(repositories.mine, "show", f"{second.published.branch}:{FILE}")


def test_a_base_that_is_not_there_is_named(repositories: Repositories) -> None:
    with pytest.raises(NoSuchBase, match=r'origin has no branch "trunk"; name the one .* by --base'):
        propose(Others(Git(repositories.mine), "origin", "trunk"), None, drafting(repositories))


def test_a_merge_into_a_bare_repository_stands_on_what_is_there(others: Others, repositories: Repositories) -> None:
    propose(others, None, drafting(repositories))
    theirs = repositories.pushed("README.md", "another\n")

    done = merge(others, None, drafting(repositories), sleep=lambda _: None)

    assert git(repositories.bare, "log", "-2", "--format=%H", "main").split() == [done.merged, theirs]
    assert repositories.branches == []


def test_a_push_that_lost_the_race_is_judged_and_made_anew(others: Others, repositories: Repositories) -> None:
    rivals = [lambda: repositories.pushed(FILE, ROLLOUT.replace("legal-1, weight: 10", "legal-1, weight: 0"))]
    draft = drafting(repositories)

    def draft_while_others_push(base: str) -> ChangeSet:
        change = draft(base)
        if rivals:
            rivals.pop()()
        return change

    done = merge(others, None, draft_while_others_push, sleep=lambda _: None)

    assert git(repositories.bare, "rev-parse", "main") == done.merged
    assert "qa-1, weight: 25" in repositories.at("main", FILE)
    assert "legal-1, weight: 0" in repositories.at("main", FILE)
