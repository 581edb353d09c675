"""How forges are asked, and what is made of what they answer when not all is well."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice.gitops.forge.finding import Kind, NoToken, NotOnAForge, forge_of
from sluice.gitops.forge.forge import Forge, ForgeFailed, State
from sluice.gitops.forge.github import GitHub
from sluice.gitops.forge.gitlab import GitLab
from tests.gitops.made_forges import TOKEN, MadeForge, MadeGitHub, MadeGitLab, Trouble, served
from tests.gitops.project import git

pytestmark = pytest.mark.slow


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A repository with one commit on one branch."""
    git(tmp_path, "init", "-q", "--bare", "-b", "main")
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
    tree = git(tmp_path, "hash-object", "-w", "-t", "tree", "/dev/null")
    git(tmp_path, "update-ref", "refs/heads/rollout/made/a", git(tmp_path, *who, "commit-tree", tree, "-m", "Begin"))
    return tmp_path


@pytest.fixture(params=["github", "gitlab"])
def made(request: pytest.FixtureRequest, bare: Path) -> Iterator[MadeForge]:
    kind = MadeGitHub if request.param == "github" else MadeGitLab
    with served(kind(bare)) as forge:
        yield forge


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def forge(made: MadeForge, waits: list[float]) -> Forge:
    if isinstance(made, MadeGitHub):
        return GitHub("owner/made", made.address, TOKEN, sleep=waits.append)
    return GitLab("group/made", made.address, TOKEN, sleep=waits.append)


def stranger(made: MadeForge) -> Forge:
    if isinstance(made, MadeGitHub):
        return GitHub("owner/made", made.address, "another-made-token", sleep=lambda _: None)
    return GitLab("group/made", made.address, "another-made-token", sleep=lambda _: None)


def opened(forge: Forge, branch: str = "rollout/made/a") -> int:
    return forge.open(branch, "main", "title", "text").number


def test_an_open_request_is_found_by_the_beginning_of_its_branch(forge: Forge, made: MadeForge) -> None:
    opened(forge)

    (found,) = forge.open_requests("main", "rollout/made/")
    assert (found.number, found.branch, found.title, found.body) == (1, "rollout/made/a", "title", "text")
    assert found.commit == made.head("rollout/made/a")
    assert forge.open_requests("main", "rollout/other/") == ()


def test_opening_one_that_is_open_already_returns_it(forge: Forge, made: MadeForge) -> None:
    assert opened(forge) == opened(forge) == 1
    assert len(made.requests) == 1


def test_more_requests_than_a_page_has_are_all_found(forge: Forge, made: MadeForge) -> None:
    opened(forge)
    one = made.requests[1]
    made.requests |= {number: dict(one) for number in range(2, 231)}

    assert len(forge.open_requests("main", "rollout/made/")) == 230


def test_a_comment_with_the_same_mark_is_written_anew_and_another_is_left(forge: Forge, made: MadeForge) -> None:
    number = opened(forge)
    forge.comment(number, "preview", "first")
    forge.comment(number, "another", "beside it")
    forge.comment(number, "preview", "second")

    assert [one["body"] for one in made.comments[number]] == ["<!-- preview -->\nsecond", "<!-- another -->\nbeside it"]


def test_a_state_that_is_set_already_is_no_error(forge: Forge, made: MadeForge) -> None:
    for _ in range(2):
        forge.state("1" * 40, "sluice/gates", State.SUCCESS, "x" * 300)

    assert made.statuses


def test_a_token_that_is_not_known_is_said_and_never_shown(made: MadeForge) -> None:
    with pytest.raises(ForgeFailed, match="it does not know the token; give one that holds") as failed:
        opened(stranger(made))

    assert "made-token" not in repr(failed.value)
    assert len(made.asked) == 1


def test_what_is_not_there_names_what_may_be_wrong(forge: Forge, made: MadeForge) -> None:
    made.trouble.append(Trouble("requests$|pulls$", 404, {"message": "Not Found"}))

    with pytest.raises(ForgeFailed, match="404 Not Found; it is not there, or the token may not see it"):
        forge.open_requests("main", "rollout/made/")


def test_what_the_forge_will_not_take_is_said_in_its_words(forge: Forge, made: MadeForge) -> None:
    content = {"message": "Validation Failed", "errors": [{"field": "base", "code": "invalid"}]}
    made.trouble.append(Trouble("^POST", 422, content))

    with pytest.raises(
        ForgeFailed, match=r"a request of rollout/made/a cannot be opened: 422 Validation Failed invalid"
    ):
        opened(forge)


def test_a_limit_is_waited_for_as_long_as_the_forge_asks(forge: Forge, made: MadeForge, waits: list[float]) -> None:
    made.trouble.append(Trouble("^POST", 429, {"message": "Too Many Requests"}, {"Retry-After": "7"}, times=2))

    assert opened(forge) == 1
    assert waits == [7.0, 7.0]


def test_a_limit_that_ends_at_a_moment_is_waited_for(forge: Forge, made: MadeForge, waits: list[float]) -> None:
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(time.time()) + 20)}
    made.trouble.append(Trouble("^POST", 403, {"message": "API rate limit exceeded"}, headers))

    assert opened(forge) == 1
    assert len(waits) == 1
    assert 0 < waits[0] <= 22


def test_a_limit_of_an_hour_is_said_and_not_waited_for(forge: Forge, made: MadeForge, waits: list[float]) -> None:
    made.trouble.append(Trouble("^POST", 403, {"message": "rate limit"}, {"Retry-After": "3600"}))

    with pytest.raises(ForgeFailed, match="its limit is reached for 3600 s more; run this again then"):
        opened(forge)
    assert waits == []


def test_a_refusal_for_want_of_a_right_is_no_limit(forge: Forge, made: MadeForge, waits: list[float]) -> None:
    made.trouble.append(Trouble("^POST", 403, {"message": "Resource not accessible by personal access token"}))

    with pytest.raises(ForgeFailed, match=r"403 Resource not accessible .*; its token may not do that"):
        opened(forge)
    assert waits == []


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_trouble_that_passes_is_waited_out(forge: Forge, made: MadeForge, waits: list[float], status: int) -> None:
    made.trouble.append(Trouble("^GET", status, {"message": "later"}, times=3))

    assert forge.open_requests("main", "rollout/made/") == ()
    assert waits == [1.0, 2.0, 4.0]


def test_trouble_that_stays_is_said(forge: Forge, made: MadeForge) -> None:
    made.trouble.append(Trouble("^GET", 503, {"message": "Service Unavailable"}, times=99))

    with pytest.raises(ForgeFailed, match="503 Service Unavailable"):
        forge.open_requests("main", "rollout/made/")


def test_a_request_that_was_opened_though_it_was_not_said_is_found_and_not_opened_twice(
    forge: Forge, made: MadeForge
) -> None:
    opened(forge)
    made.trouble.append(Trouble("^POST", 502, {"message": "Bad Gateway"}))

    assert opened(forge) == 1
    assert len(made.requests) == 1


def test_a_redirection_is_not_followed_because_the_token_would_go_along(forge: Forge, made: MadeForge) -> None:
    made.trouble.append(Trouble("^GET", 301, None, {"Location": f"{made.address}/elsewhere"}))

    with pytest.raises(ForgeFailed, match=r"it has moved \(127\.0\.0\.1:\d+\); set the remote's address anew"):
        forge.open_requests("main", "rollout/made/")
    assert not any("elsewhere" in asked for asked in made.asked)


def test_a_forge_that_does_not_answer_is_named() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
    forge = GitHub("owner/made", f"http://127.0.0.1:{port}", TOKEN, sleep=lambda _: None)

    with pytest.raises(ForgeFailed, match=r"GitHub, owner/made: .* could not be asked: .*refused"):
        forge.open_requests("main", "rollout/made/")


def test_a_request_of_somebody_elses_fork_is_left_alone(bare: Path) -> None:
    with served(MadeGitHub(bare)) as made:
        assert isinstance(made, MadeGitHub)
        forge = GitHub("owner/made", made.address, TOKEN)
        opened(forge)
        made.forks.add(1)

        assert forge.open_requests("main", "rollout/made/") == ()


def test_a_body_that_is_longer_than_github_takes_is_cut(bare: Path) -> None:
    with served(MadeGitHub(bare)) as made:
        GitHub("owner/made", made.address, TOKEN).open("rollout/made/a", "main", "title", "x" * 100_000)

        assert len(made.requests[1]["body"]) < 65_536


@pytest.mark.parametrize(
    ("address", "kind", "name"),
    [
        ("git@github.com:owner/made.git", Kind.AUTO, "GitHub, owner/made"),
        ("https://github.com/owner/made", Kind.AUTO, "GitHub, owner/made"),
        ("ssh://git@gitlab.com/group/deep/made.git", Kind.AUTO, "GitLab, group/deep/made"),
        ("https://git.example.com/owner/made.git", Kind.GITHUB, "GitHub, owner/made"),
        ("https://git.example.com:8443/group/made.git", Kind.GITLAB, "GitLab, group/made"),
    ],
)
def test_a_forge_is_known_by_the_remotes_address(address: str, kind: Kind, name: str) -> None:
    found = forge_of(address, kind, {"GITHUB_TOKEN": TOKEN, "GITLAB_TOKEN": TOKEN})

    assert found is not None
    assert found.name == name


@pytest.mark.parametrize("address", [None, "https://git.example.com/owner/made.git", "file:///srv/made.git"])
def test_a_token_is_sent_to_no_host_that_nobody_named(address: str | None) -> None:
    assert forge_of(address, Kind.AUTO, {"GITHUB_TOKEN": TOKEN, "GITLAB_TOKEN": TOKEN}) is None


def test_the_host_that_ci_runs_at_is_known() -> None:
    variables = {"CI_SERVER_URL": "https://git.example.com", "GITLAB_TOKEN": TOKEN}
    found = forge_of("https://git.example.com/group/made.git", Kind.AUTO, variables)

    assert found is not None
    assert found.name == "GitLab, group/made"


def test_a_forge_that_was_named_needs_a_token_and_one_that_was_guessed_is_left_out() -> None:
    assert forge_of("git@github.com:owner/made.git", Kind.AUTO, {}) is None
    with pytest.raises(NoToken, match="no token for github: set GH_TOKEN or GITHUB_TOKEN, or push the branch alone"):
        forge_of("git@github.com:owner/made.git", Kind.GITHUB, {})


def test_a_forge_that_was_named_needs_an_address_of_a_project(tmp_path: Path) -> None:
    with pytest.raises(NotOnAForge, match="is no address of a project on github"):
        forge_of(str(tmp_path), Kind.GITHUB, {"GH_TOKEN": TOKEN})


def test_the_token_is_in_no_text_of_what_asks() -> None:
    forge = GitHub("owner/made", "https://api.example.com", TOKEN)

    assert TOKEN not in repr(forge) + repr(vars(forge))
