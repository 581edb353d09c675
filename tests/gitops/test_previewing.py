"""What a request would do, as the one comment on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.cli import ci as ci_command
from sluice.cli.main import run
from sluice.deploy.errors import PulumiFailed
from sluice.errors import SluiceError
from sluice.gitops.forge.github import GitHub
from sluice.gitops.previewing import MARK, NoFork, Previewing, comment_text
from sluice.registry.history import NothingToCompareWith
from tests.gitops.made_forges import TOKEN, MadeGitHub, served
from tests.gitops.project import ENVIRONMENTS, TODAY, Repositories, git, replace

pytestmark = pytest.mark.slow


def test_the_comment_has_the_plan_and_what_pulumi_would_do_and_is_written_anew(shared: Repositories) -> None:
    git(shared.mine, "checkout", "-q", "-b", "mine")
    replace(shared.mine / "registry/rollouts/dev.yaml", "qa-20251031, weight: 50", "qa-20251031, weight: 25")
    git(shared.mine, "commit", "-q", "-a", "-m", "qa of dev to 25 %")
    pulumi: list[str | SluiceError] = [
        "1 updated\nupdated: configmap/flags",
        PulumiFailed("pulumi preview", ["the stack is locked"]),
    ]

    def asked(environment: str) -> str:
        answer = pulumi.pop(0)
        if isinstance(answer, SluiceError):
            raise answer
        return answer

    with served(MadeGitHub(shared.bare)) as made:
        forge = GitHub("owner/made", made.address, TOKEN)
        texts = []
        for _ in range(2):
            previews = Previewing(shared.mine, "main", TODAY, asked).run(ENVIRONMENTS)
            texts.append(comment_text(previews, git(shared.mine, "rev-parse", "HEAD")))
            forge.comment(7, MARK, texts[-1])
        (comment,) = made.comments[7]

    assert [one.environment for one in previews] == ["dev"]
    assert "50 % of users on the candidate become 25 %" in texts[0]
    assert "updated: configmap/flags" in texts[0]
    assert "Pulumi could not say what it would do:" in comment["body"]
    assert "the stack is locked" in comment["body"]


def test_the_command_writes_its_comment_on_the_request(
    shared: Repositories, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    git(shared.mine, "checkout", "-q", "-b", "mine")
    replace(shared.mine / "registry/rollouts/dev.yaml", "qa-20251031, weight: 50", "qa-20251031, weight: 25")
    git(shared.mine, "commit", "-q", "-a", "-m", "qa of dev to 25 %")
    git(shared.mine, "remote", "set-url", "origin", "https://git.example.com/owner/made.git")
    monkeypatch.setattr(ci_command, "PROJECT", shared.mine)

    asked = ["ci", "preview", "--against", "main", "--request", "7", "--no-pulumi", "--forge", "github"]
    with served(MadeGitHub(shared.bare)) as made:
        monkeypatch.setenv("SLUICE_FORGE_API", made.address)
        monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
        assert run(asked) == 0
        (comment,) = made.comments[7]

    assert "### dev" in comment["body"]
    assert "Pulumi was not asked" in comment["body"]
    assert TOKEN not in "".join(capsys.readouterr())


def test_a_branch_that_has_nothing_in_common_or_is_not_there_is_said(project: Path) -> None:
    other = git(project, "commit-tree", "-m", "Another history", git(project, "rev-parse", "HEAD^{tree}"))

    with pytest.raises(NoFork, match=r"no commit here that both HEAD and .* come from; fetch more of the history"):
        Previewing(project, other, TODAY, None).run(ENVIRONMENTS)
    with pytest.raises(NothingToCompareWith, match='git knows no commit "nope" here'):
        Previewing(project, "nope", TODAY, None).run(ENVIRONMENTS)


def test_where_nothing_changes_the_comment_says_so(project: Path) -> None:
    assert Previewing(project, "main", TODAY, None).run(ENVIRONMENTS) == ()
    assert comment_text((), "1" * 40).startswith("### No environment changes")
