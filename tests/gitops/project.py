"""A project in a repository that others push to: a bare one, a clone where a person works, and a second person's."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from datetime import date
from pathlib import Path

PROJECT = Path(__file__).parent.parent.parent
TODAY = date(2025, 11, 12)
ENVIRONMENTS = ("dev", "production", "staging")

MODELS = """\
version: 1
providers:
  made: {api: https://api.example.com/v1, key: made-api-key}
models:
  qa-1: {provider: made, id: qa-one, price: {input: 0.0008, output: 0.0008}}
  qa-2: {provider: made, id: qa-two, price: {input: 0.0008, output: 0.0008}}
  legal-1: {provider: made, id: legal-one, price: {input: 0.0008, output: 0.0008}}
  gpt-4o: {provider: made, id: gpt-4o, price: {input: 0.0025, output: 0.01}}
agents:
  qa: {summary: unit tests, baseline: [gpt-4o]}
  legal: {summary: clauses, baseline: [gpt-4o]}
"""
ROLLOUT = """\
version: 1
enabled: true            # the kill switch
agents:
  qa: {candidate: qa-1, weight: 10, since: 2025-11-06}   # the first step
  legal: {candidate: legal-1, weight: 10, since: 2025-11-06}
"""


def replace(file: Path, old: str, new: str) -> None:
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"git {' '.join(arguments)}: {done.stderr}"
    return done.stdout.strip()


@dataclass(frozen=True)
class Repositories:
    """`bare` is what everybody pushes to, `mine` the clone of Ada, who runs the command, `theirs` that of Grace."""

    bare: Path
    mine: Path
    theirs: Path

    @property
    def branches(self) -> list[str]:
        said = git(self.bare, "for-each-ref", "--format=%(refname:short)", "refs/heads")
        return [name for name in said.splitlines() if name != "main"]

    def pushed(self, name: str, text: str, message: str = "Edit by hand", branch: str = "main") -> str:
        """Push an edit of Grace's, and return its commit."""
        git(self.theirs, "fetch", "-q")
        git(self.theirs, "checkout", "-q", "-B", branch, f"origin/{branch}")
        (self.theirs / name).write_text(text)
        git(self.theirs, "add", "--all")
        git(self.theirs, "commit", "-q", "-m", message)
        git(self.theirs, "push", "-q", "origin", branch)
        return git(self.theirs, "rev-parse", "HEAD")

    def at(self, branch: str, name: str) -> str:
        return git(self.bare, "show", f"{branch}:{name}")


def cloned(bare: Path, into: Path, who: str) -> Path:
    subprocess.run(["git", "clone", "-q", str(bare), str(into)], check=True, capture_output=True)
    git(into, "config", "user.name", who)
    git(into, "config", "user.email", f"{who.lower()}@example.com")
    return into


def made_repositories(folder: Path) -> Repositories:
    bare = folder / "everybodys.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(bare)], check=True)
    mine = cloned(bare, folder / "ada", "Ada")
    (mine / "registry/rollouts").mkdir(parents=True)
    (mine / "registry/models.yaml").write_text(MODELS)
    (mine / "registry/rollouts/made.yaml").write_text(ROLLOUT)
    (mine / "README.md").write_text("made\n")
    git(mine, "checkout", "-q", "-b", "main")
    git(mine, "add", ".")
    git(mine, "commit", "-q", "-m", "Begin")
    git(mine, "push", "-q", "-u", "origin", "main")
    return Repositories(bare, mine, cloned(bare, folder / "grace", "Grace"))


def whole_project(folder: Path) -> Path:
    """Copy what people edit and review of this project into `folder`."""
    for name in ("registry", "manifests"):
        shutil.copytree(PROJECT / name, folder / name)
    for file in PROJECT.glob("Pulumi*.yaml"):
        shutil.copy(file, folder)
    return folder
