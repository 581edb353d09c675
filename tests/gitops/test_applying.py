"""What was merged, applied in real repositories to a cluster that is made: in which order, and marked in git."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sluice.cli import ci as ci_command
from sluice.cli.main import run
from sluice.deploy.errors import PulumiFailed
from sluice.errors import SluiceError
from sluice.git import Git
from sluice.gitops.applying import Applying, Stand, State, changed, in_order
from sluice.gitops.branches import Others
from sluice.gitops.marks import Marks
from tests.gitops.project import ENVIRONMENTS, Repositories, git

pytestmark = pytest.mark.slow


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
