"""The steps that workflows call, in real repositories, with a cluster that is made."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pytest

from sluice.cli import ci as ci_command
from sluice.cli.main import run
from sluice.deploy.continuous import complaints
from sluice.deploy.errors import PulumiFailed
from sluice.deploy.status import AgentStatus, Status
from sluice.errors import SluiceError
from sluice.git import Git
from sluice.gitops.applying import Applying, Stand, State, changed, in_order
from sluice.gitops.branches import Others
from sluice.gitops.checking import check
from sluice.gitops.forge.github import GitHub
from sluice.gitops.marks import Marks
from sluice.gitops.owners import OWNERS, TEAMS, OwnersUnusable, read_teams
from sluice.gitops.previewing import MARK, NoFork, Previewing, comment_text
from sluice.registry.history import NothingToCompareWith
from tests.gitops.made_forges import TOKEN, MadeGitHub, served
from tests.gitops.project import PROJECT, Repositories, git, whole_project

pytestmark = pytest.mark.slow

TODAY = date(2025, 11, 12)
ENVIRONMENTS = ("dev", "production", "staging")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = whole_project(tmp_path / "project")
    (folder / ".github").mkdir()
    shutil.copy(PROJECT / OWNERS, folder / OWNERS)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "config", "user.name", "Ada")
    git(folder, "config", "user.email", "ada@example.com")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "Begin")
    return folder


def found(project: Path) -> list[str]:
    return [str(problem) for problem in check(project, TODAY, None) if problem.is_error]


def replace(file: Path, old: str, new: str) -> None:
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def test_this_project_is_in_order(project: Path) -> None:
    assert found(project) == []


def test_what_was_edited_and_not_rendered_is_named_by_its_file(project: Path) -> None:
    replace(project / "registry/rollouts/dev.yaml", "qa-20251031, weight: 50", "qa-20251031, weight: 25")
    (project / "manifests/dev/configmap-old.yaml").write_text("# rendered by `sluice render dev`\n")
    (project / "manifests/dev/old").mkdir()

    assert found(project) == [
        "manifests/dev/configmap-flags.yaml:1:1: is not what is rendered; run `sluice render dev` and commit it",
        "manifests/dev/configmap-old.yaml:1:1: is of no object; run `sluice render dev` and commit it",
        "manifests/dev/old:1:1: is of no object; run `sluice render dev` and commit it",
    ]


def test_a_mistake_in_the_registry_is_shown_at_its_place_from_the_projects_folder(project: Path) -> None:
    replace(project / "registry/rollouts/production.yaml", "qa-20251031, weight: 0", "qa-20251031, weight: 30")

    problems = found(project)
    assert any(problem.startswith("registry/rollouts/production.yaml:6:") for problem in problems)
    assert not any(str(project) in problem for problem in problems)


def test_owners_that_are_not_what_the_roles_say_are_named(project: Path) -> None:
    replace(project / TEAMS, "@example/legal", "@example/lawyers")

    assert found(project) == [f"{OWNERS}:1:1: is not what the sign-off roles say; run `sluice ci owners` and commit it"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("legal: ", "lawyers: ", r"owners\.legal: None is no team"),
        ('"@example/finance"', "finance", r"owners\.cost: 'finance' is no team; write one as \"@example/team\""),
        (
            "  cost: ",
            "  costs: '@example/x'\n  cost: ",
            r"owners\.costs: is no role; the roles are engineers, technical",
        ),
    ],
)
def test_owners_that_no_forge_can_know_are_refused(project: Path, old: str, new: str, said: str) -> None:
    replace(project / TEAMS, old, new)

    with pytest.raises(OwnersUnusable, match=said):
        read_teams(project)
    assert [problem.split(":")[0] for problem in found(project)] == [TEAMS]


def test_legal_owns_every_sign_off_for_the_legal_agent() -> None:
    lines = (PROJECT / OWNERS).read_text().splitlines()

    at = lines.index("# waits for a legal sign-off before production: legal")
    assert lines[at + 1] == "/registry/evidence/sign-off-legal-* @example/legal"


def test_the_owners_are_what_the_registry_says_now(monkeypatch: pytest.MonkeyPatch, project: Path) -> None:
    monkeypatch.setattr(ci_command, "PROJECT", project)
    (project / OWNERS).unlink()

    assert run(["ci", "owners"]) == 0
    assert (project / OWNERS).read_text() == (PROJECT / OWNERS).read_text()


def test_a_folder_among_manifests_and_owners_that_are_no_text_are_problems_like_others(project: Path) -> None:
    (project / "manifests/dev/folder").mkdir()
    (project / OWNERS).write_bytes(b"\xff\xfe")

    assert [line.partition(";")[0] for line in found(project)] == [
        f"{OWNERS}:1:1: is not what the sign-off roles say",
        "manifests/dev/folder:1:1: is of no object",
    ]


def test_without_a_repository_it_is_said_that_nobody_looked_at_who_signed(project: Path) -> None:
    shutil.rmtree(project / ".git")

    (problem,) = [one for one in check(project, TODAY, None) if "who signed was not looked at" in one.text]
    assert "not a git repository" in problem.text
    assert not problem.is_error


def test_a_sign_off_by_one_person_alone_is_found_once_it_is_merged(project: Path) -> None:
    file = project / "registry/evidence/sign-off-legal-1.yaml"
    file.write_text(
        "version: 1\nkind: sign-off\ndate: 2025-11-08\nby: Ada\n"
        "sign_off:\n  role: legal\n  ends: 2026-11-08\n  conditions: [{text: read, met: true}]\n"
        "  models: {legal-20251031: 'ft:open-mistral-7b:5010731d:20251031:eb2da6b7'}\n"
    )
    git(project, "add", ".")
    assert found(project) == []
    git(project, "commit", "-q", "-m", "Sign")

    (problem,) = found(project)
    assert problem.startswith("registry/evidence/sign-off-legal-1.yaml:1:1: Ada wrote it and let it in;")


def test_annotations_are_written_as_githubs_runner_wants_them(
    monkeypatch: pytest.MonkeyPatch, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ci_command, "PROJECT", project)
    (project / "manifests/dev/configmap-flags.yaml").unlink()

    assert run(["ci", "check", "--format", "github"]) == 1
    said = capsys.readouterr().out
    assert (
        "::error file=manifests/dev/configmap-flags.yaml,line=1,col=1,title=sluice::"
        "is not there; run `sluice render dev` and commit it\n"
    ) in said


@dataclass
class MadeDeployer:
    """Notes what it is asked for, and fails where it is told."""

    fails: dict[str, SluiceError] = field(default_factory=dict)
    complains: dict[str, tuple[str, ...]] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)

    def up(self, environment: str) -> str:
        self.done.append(environment)
        if environment in self.fails:
            raise self.fails[environment]
        return "1 updated"

    def verify(self, environment: str) -> Sequence[str]:
        return self.complains.get(environment, ())


@pytest.fixture
def shared(project: Path, tmp_path: Path) -> Repositories:
    """The project, pushed to a bare repository."""
    bare = tmp_path / "everybodys.git"
    git(tmp_path, "clone", "-q", "--bare", str(project), str(bare))
    git(project, "remote", "add", "origin", str(bare))
    return Repositories(bare, project, project)


def applying(shared: Repositories, deployer: MadeDeployer, *, everything: bool = False) -> Applying:
    repository = Git(shared.mine)
    return Applying(repository, Marks(Others(repository, "origin", "main")), deployer, everything)


def states(stands: Sequence[Stand]) -> dict[str, State]:
    return {stand.environment: stand.state for stand in stands}


def edited(shared: Repositories, environment: str, weight: int = 25) -> str:
    file = shared.mine / f"registry/rollouts/{environment}.yaml"
    file.write_text(file.read_text() + f"# weight {weight}\n")
    git(shared.mine, "commit", "-q", "-a", "-m", f"Change {environment}")
    return git(shared.mine, "rev-parse", "HEAD")


def marks(shared: Repositories) -> dict[str, str]:
    said = git(shared.bare, "for-each-ref", "--format=%(refname) %(objectname)", "refs/sluice")
    return {name.removeprefix("refs/sluice/"): commit for name, commit in (line.split() for line in said.splitlines())}


def test_dev_comes_first_and_production_last() -> None:
    assert in_order(("eu-production", "production", "qa", "dev", "staging")) == (
        "dev", "qa", "staging", "eu-production", "production",
    )  # fmt: skip


def test_the_first_time_all_are_applied_and_marked_and_then_only_what_changed(shared: Repositories) -> None:
    deployer = MadeDeployer()
    first = applying(shared, deployer).run(ENVIRONMENTS)
    assert deployer.done == ["dev", "staging", "production"]
    assert set(states(first).values()) == {State.APPLIED}

    commit = edited(shared, "staging")
    deployer.done.clear()
    second = applying(shared, deployer).run(ENVIRONMENTS)

    assert deployer.done == ["staging"]
    assert states(second) == {"dev": State.UNCHANGED, "staging": State.APPLIED, "production": State.UNCHANGED}
    assert marks(shared)["applied/staging"] == commit


def test_after_one_that_fails_none_is_begun_and_where_it_stands_is_marked(shared: Repositories) -> None:
    deployer = MadeDeployer(fails={"staging": PulumiFailed("pulumi up", ["no quota"])})

    stands = applying(shared, deployer).run(ENVIRONMENTS)

    assert deployer.done == ["dev", "staging"]
    assert states(stands) == {"dev": State.APPLIED, "staging": State.FAILED, "production": State.NOT_BEGUN}
    assert "no quota" in stands[1].said
    assert stands[1].exit_code == 3
    assert set(marks(shared)) == {"applied/dev", "failed/staging"}


def test_what_failed_is_tried_again_though_nothing_changed_and_its_mark_goes(shared: Repositories) -> None:
    applying(shared, MadeDeployer()).run(ENVIRONMENTS)
    edited(shared, "staging")
    applying(shared, MadeDeployer(complains={"staging": ("qa: 10 % served, 25 % wanted",)})).run(ENVIRONMENTS)
    assert "failed/staging" in marks(shared)
    git(shared.mine, "revert", "--no-edit", "HEAD")

    stands = applying(shared, MadeDeployer()).run(ENVIRONMENTS)

    assert states(stands)["staging"] is State.APPLIED
    assert "failed/staging" not in marks(shared)


def test_a_run_that_was_replaced_is_made_good_by_the_newer_one(shared: Repositories) -> None:
    applying(shared, MadeDeployer()).run(ENVIRONMENTS)
    edited(shared, "dev")
    edited(shared, "production")
    deployer = MadeDeployer()

    applying(shared, deployer).run(ENVIRONMENTS)

    assert deployer.done == ["dev", "production"]


def test_the_command_says_where_each_stands_and_exits_with_what_failed(
    shared: Repositories, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    deployer = MadeDeployer(fails={"staging": PulumiFailed("pulumi up", ["no quota"])})
    monkeypatch.setattr(ci_command, "PROJECT", shared.mine)
    monkeypatch.setattr(ci_command, "Continuous", lambda *_: deployer)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))

    assert run(["ci", "apply"]) == 3
    commit = git(shared.mine, "rev-parse", "HEAD")[:12]
    assert capsys.readouterr().out.splitlines() == [
        f"dev: applied at {commit}: 1 updated",
        f"staging: failed at {commit}: pulumi up failed no quota",
        "production: not begun",
    ]
    assert "staging: failed" in (tmp_path / "summary.md").read_text()

    assert run(["ci", "changed"]) == 0
    assert json.loads(capsys.readouterr().out) == ["staging", "production"]


def test_an_older_commit_never_goes_over_a_newer_one(shared: Repositories) -> None:
    older = edited(shared, "dev")
    edited(shared, "dev", weight=50)
    applying(shared, MadeDeployer()).run(ENVIRONMENTS)
    git(shared.mine, "checkout", "-q", older)
    deployer = MadeDeployer()

    stands = applying(shared, deployer).run(ENVIRONMENTS)

    assert deployer.done == []
    assert set(states(stands).values()) == {State.OVERTAKEN}


def test_without_a_remote_the_marks_stay_here(project: Path) -> None:
    repository = Git(project)
    here = Marks(Others(repository, None, "main"))
    Applying(repository, here, MadeDeployer(fails={"dev": SluiceError("no")})).run(("dev",))
    assert here.failed("dev") == git(project, "rev-parse", "HEAD")

    Applying(repository, here, MadeDeployer()).run(("dev",))

    assert here.failed("dev") is None
    assert here.applied("dev") == git(project, "rev-parse", "HEAD")


@pytest.mark.parametrize(
    ("file", "whose"),
    [
        ("manifests/dev/configmap-flags.yaml", {"dev"}),
        ("Pulumi.staging.yaml", {"staging"}),
        ("Pulumi.yaml", {"dev", "staging", "production"}),
        ("registry/owners.yaml", set()),
    ],
)
def test_an_environment_changes_with_what_it_is_made_of(project: Path, file: str, whose: set[str]) -> None:
    (project / file).write_text((project / file).read_text() + "# another\n")
    git(project, "commit", "-q", "-a", "-m", "Another")

    assert {one for one in ENVIRONMENTS if changed(Git(project), one, "HEAD~1", "HEAD")} == whose


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


def looked(**others: object) -> Status:
    usual: dict[str, object] = {
        "environment": "made", "namespace": "sluice-made", "is_there": True,
        "agents": (AgentStatus("qa", "qa-1", 25, 100, (25.0,)),), "pods": {"gateway-1": True},
        "overrides": {}, "complaints": (), "differences": (), "unseen": (),
    }  # fmt: skip
    return Status(**(usual | others))  # type: ignore[arg-type]


def test_an_override_that_holds_a_weight_down_is_no_complaint() -> None:
    assert list(complaints(looked())) == []
    assert list(complaints(looked(agents=(AgentStatus("qa", "qa-1", 25, 0, (0.0,)),)))) == []


def test_what_is_not_as_git_says_is_named() -> None:
    served_other = looked(agents=(AgentStatus("qa", "qa-1", 25, 100, (10.0, 25.0)),))
    assert list(complaints(served_other)) == ["qa: 10 % and 25 % served, 25 % wanted"]
    assert list(complaints(looked(pods={"gateway-1": False}))) == ["no answer from gateway-1"]
    assert list(complaints(looked(is_there=False))) == ["nothing of made is in this cluster"]


def test_a_kubeconfig_has_no_key_and_asks_for_the_runs_own_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "kubeconfig"
    assert run(["ci", "kubeconfig", "--server", "https://10.0.0.1:6443", "--out", str(out)]) == 0
    plugin = json.loads(out.read_text())["users"][0]["user"]["exec"]
    assert plugin["args"] == ["ci", "token", "--audience", "sluice"]
    assert out.stat().st_mode & 0o777 == 0o600

    claims = base64.urlsafe_b64encode(b'{"exp": 1762945200}').decode().rstrip("=")
    monkeypatch.setenv("SLUICE_ID_TOKEN", f"made.{claims}.made")
    capsys.readouterr()
    assert run(plugin["args"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["status"] == {"token": f"made.{claims}.made", "expirationTimestamp": "2025-11-12T11:00:00Z"}
    assert said["apiVersion"] == plugin["apiVersion"]


def test_a_run_without_an_identity_says_what_to_write(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("SLUICE_ID_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"):
        monkeypatch.delenv(name, raising=False)

    assert run(["ci", "token"]) == 3
    assert "on GitHub give the job `permissions: id-token: write`" in capsys.readouterr().err
