"""A request at a forge, from its opening to its merge, while others push."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

import pytest

from sluice.gitops.branches import Others
from sluice.gitops.forge.forge import Forge
from sluice.gitops.forge.github import GitHub
from sluice.gitops.forge.gitlab import GitLab
from sluice.gitops.proposing import NotMerged, merge, propose, withdraw
from tests.gitops.made_forges import TOKEN, MadeForge, MadeGitHub, MadeGitLab, Trouble, served
from tests.gitops.project import ROLLOUT, Repositories, git
from tests.gitops.wishes import FILE, drafting, wish

pytestmark = pytest.mark.slow


@pytest.fixture(params=["github", "gitlab"])
def made(request: pytest.FixtureRequest, repositories: Repositories) -> Iterator[MadeForge]:
    kind = MadeGitHub if request.param == "github" else MadeGitLab
    with served(kind(repositories.bare)) as forge:
        yield forge


def asked(made: MadeForge) -> Forge:
    if isinstance(made, MadeGitHub):
        return GitHub("owner/made", made.address, TOKEN, sleep=lambda _: None)
    return GitLab("group/made", made.address, TOKEN, sleep=lambda _: None)


def title_and_text(one: Mapping[str, str]) -> tuple[str, str]:
    return one["title"], one.get("body") or one["description"]


def test_a_request_is_opened_then_kept_current_and_never_doubled(
    others: Others, repositories: Repositories, made: MadeForge
) -> None:
    first = propose(others, asked(made), drafting(repositories))
    later = date(2025, 11, 12)
    again = propose(others, asked(made), drafting(repositories, wish(day=later), day=later))

    assert len(made.requests) == 1
    assert first.request is not None and again.request is not None  # noqa: PT018
    assert first.request.number == again.request.number == 1
    assert title_and_text(made.requests[1]) == (again.change.title, again.change.body)
    assert [one["commit"] for one in made.statuses] == [first.published.commit, again.published.commit]
    assert {one["state"] for one in made.statuses} == {"success"}


def test_the_text_has_plan_verdict_difference_and_cost(
    others: Others, repositories: Repositories, made: MadeForge
) -> None:
    propose(others, asked(made), drafting(repositories))

    _, text = title_and_text(made.requests[1])
    for said in (
        "10 % of users on the candidate become 25 %", "errors: 3 of 7 are on the candidate",
        "+  qa: {candidate: qa-1, weight: 25", "Fine-tuned models cost", "Judged on commit",
    ):  # fmt: skip
        assert said in text


def test_an_older_request_is_closed_with_the_one_that_replaces_it(
    others: Others, repositories: Repositories, made: MadeForge
) -> None:
    propose(others, asked(made), drafting(repositories))
    done = propose(others, asked(made), drafting(repositories, wish(weight=0)))

    assert done.request is not None
    assert list(made.open_ones()) == [2]
    assert made.comments[1][0]["body"] == f"Superseded by {done.request.url}."


def test_a_merge_that_is_refused_for_the_moment_is_tried_again(
    others: Others, repositories: Repositories, made: MadeForge
) -> None:
    refusal = {"message": "Base branch was modified. Review and try the merge again."}

    def others_push() -> None:
        repositories.pushed(FILE, ROLLOUT.replace("legal-1, weight: 10", "legal-1, weight: 0"))

    made.trouble.append(Trouble("/merge$", 405, refusal, meanwhile=others_push))

    done = merge(others, asked(made), drafting(repositories), sleep=lambda _: None)

    assert git(repositories.bare, "rev-parse", "main") == done.merged
    assert "legal-1, weight: 0" in repositories.at("main", FILE)
    assert "qa-1, weight: 25" in repositories.at("main", FILE)
    assert not made.open_ones()


def test_a_commit_that_was_pushed_after_the_judgement_is_not_merged(
    others: Others, repositories: Repositories, made: MadeForge
) -> None:
    message = "Head branch was modified. Review and try the merge again."
    made.trouble.append(Trouble("/merge$", 409, {"message": message}))

    with pytest.raises(NotMerged, match=rf"https://made/.*: not merged: {message[:-1]}\.; the request stays open"):
        merge(others, asked(made), drafting(repositories), sleep=lambda _: None)

    assert len(made.open_ones()) == 1


@pytest.mark.parametrize("how", ["merge", "squash"])
def test_a_branch_that_was_merged_and_forgotten_is_cleared_away_without_a_word(
    others: Others, repositories: Repositories, made: MadeForge, how: str
) -> None:
    done = propose(others, asked(made), drafting(repositories))
    git(repositories.theirs, "fetch", "-q")
    git(
        repositories.theirs,
        "merge",
        "-q",
        *(["--squash"] if how == "squash" else ["--no-ff"]),
        f"origin/{done.published.branch}",
    )
    git(repositories.theirs, "commit", "-q", "--allow-empty", "-m", "Merge it")
    git(repositories.theirs, "push", "-q", "origin", "main")
    for one in made.requests.values():
        one["state"] = "merged"
    repositories.pushed("README.md", "later\n")
    others.fetch_base()

    assert withdraw(others, asked(made), "made", "qa", "errors") == ((), ())

    assert repositories.branches == []
    assert [one["state"] for one in made.statuses] == ["success"]
    assert made.comments == {}


def test_a_withdrawn_request_keeps_no_good_check(others: Others, repositories: Repositories, made: MadeForge) -> None:
    done = propose(others, asked(made), drafting(repositories))

    closed, _ = withdraw(others, asked(made), "made", "qa", "errors: 40 of 44 are on the candidate")

    assert closed == (done.published.branch,)
    assert not made.open_ones()
    assert made.statuses[-1]["state"] in {"failure", "failed"}
    assert made.statuses[-1]["commit"] == done.published.commit
    assert "Withdrawn" in made.comments[1][0]["body"]
    assert withdraw(others, asked(made), "made", "qa", "again") == ((), ())
