"""Git, asked as a program, in the repository of a folder.

What a hook or another git set for itself does not lead it elsewhere, nobody is asked for a password, and what it says
of a failure is one line without anybody's credentials.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sluice.errors import SluiceError

PATIENCE_SECONDS = 60
NO_COMMIT = "0" * 40
_FILE_MODE = "100644"

_ANOTHERS = frozenset(
    {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_CONFIG",
        "GIT_CONFIG_PARAMETERS",
        "GIT_DIR",
        "GIT_GRAFT_FILE",
        "GIT_IMPLICIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_NAMESPACE",
        "GIT_NO_REPLACE_OBJECTS",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_QUARANTINE_PATH",
        "GIT_REPLACE_REF_BASE",
        "GIT_SHALLOW_FILE",
        "GIT_WORK_TREE",
    }
)
"""What leads git to another repository, index or view (`git rev-parse --local-env-vars`)."""

_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")


class GitRefused(SluiceError):
    """Git did not do what it was asked. `said` is all that it said."""

    def __init__(self, said: str) -> None:
        self.said = without_credentials(said)
        super().__init__(" ".join(self.said.removeprefix("fatal: ").split())[:500])


@dataclass(frozen=True, slots=True)
class File:
    """What a commit is to hold at a path."""

    content: bytes
    mode: str = _FILE_MODE


@dataclass(frozen=True, slots=True)
class Git:
    """The repository that `folder` is in."""

    folder: Path

    def text(
        self,
        *arguments: str,
        stdin: bytes = b"",
        variables: Mapping[str, str] | None = None,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> str:
        """Return what git prints, without the spaces around it. Raises GitRefused."""
        said = self.raw(*arguments, stdin=stdin, variables=variables, patience_seconds=patience_seconds)
        return said.decode(errors="replace").strip()

    def raw(
        self,
        *arguments: str,
        stdin: bytes = b"",
        variables: Mapping[str, str] | None = None,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> bytes:
        """Return what git prints. Raises GitRefused."""
        outer = {name: value for name, value in os.environ.items() if name not in _ANOTHERS}
        try:
            done = subprocess.run(
                ["git", "-C", str(self.folder), *arguments],
                input=stdin,
                env=outer | {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"} | dict(variables or {}),
                capture_output=True,
                check=False,
                timeout=patience_seconds,
            )
        except FileNotFoundError:
            raise GitRefused("there is no git on the PATH") from None
        except subprocess.TimeoutExpired:
            raise GitRefused(f"git {arguments[0]} did not end within {patience_seconds:g} s") from None
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip()
            raise GitRefused(said or f"git {arguments[0]} ended with {done.returncode}")
        return done.stdout

    def commit_of(self, reference: str) -> str | None:
        """Return the id of the commit that a name means, None where there is none."""
        try:
            return self.text("rev-parse", "--verify", "--quiet", "--end-of-options", f"{reference}^{{commit}}")
        except GitRefused:
            return None

    def content(self, commit: str, path: str) -> bytes | None:
        """Return a file of a commit, by its path from the top; None where the commit does not have it."""
        try:
            return self.raw("cat-file", "blob", f"{commit}:{path}")
        except GitRefused:
            return None

    def commit(self, parent: str, files: Mapping[str, File | None], message: str, *, signed: bool = False) -> str:
        """Make a commit on top of `parent` that changes `files`, and return its id; no branch holds it yet.

        Files are named by their path from the top, None for one that goes. It is made out of git's own objects: the
        working tree, the index and the branch that are checked out are not touched. `signed` asks for a signature
        where git is set to sign, which `commit-tree` does not do by itself. Raises GitRefused.
        """
        lines = [f"{self._entry(file)}\t{path}\0" for path, file in files.items()]
        with tempfile.TemporaryDirectory(prefix="sluice-commit-") as scratch:
            index = {"GIT_INDEX_FILE": str(Path(scratch) / "index")}
            self.text("read-tree", parent, variables=index)
            self.text("update-index", "-z", "--index-info", stdin="".join(lines).encode(), variables=index)
            tree = self.text("write-tree", variables=index)
        asked = ("commit-tree", *(["-S"] if signed and self._signs() else []), tree, "-p", parent, "-F", "-")
        return self.text(*asked, stdin=message.encode(), variables=self.identity())

    def identity(self) -> dict[str, str]:
        """Return the variables that say who commits: none where git knows, else a name that nobody has."""
        try:
            self.text("var", "GIT_COMMITTER_IDENT")
        except GitRefused:
            return {
                f"GIT_{role}_{field}": value
                for role in ("AUTHOR", "COMMITTER")
                for field, value in (("NAME", "sluice"), ("EMAIL", "sluice@localhost"))
            }
        return {}

    def _entry(self, file: File | None) -> str:
        if file is None:
            return f"0 {NO_COMMIT}"
        return f"{file.mode} {self.text('hash-object', '-w', '--stdin', stdin=file.content)}"

    def _signs(self) -> bool:
        try:
            return self.text("config", "--type=bool", "commit.gpgSign") == "true"
        except GitRefused:
            return False


def without_credentials(text: str) -> str:
    """Return a text in which no address says by whose name and password it is reached."""
    return _CREDENTIALS.sub("", text)
