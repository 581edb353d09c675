"""What a forge does for us, whichever it is, and what a request is there."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from sluice.errors import SluiceError


class ForgeFailed(SluiceError):
    """A forge could not be asked, or did not do what it was asked. `status` is HTTP's, None where nobody answered."""

    def __init__(self, forge: str, what: str, problem: str, remedy: str = "", *, status: int | None = None) -> None:
        self.status = status
        super().__init__(f"{forge}: {what}: {problem}{f'; {remedy}' if remedy else ''}")


class State(StrEnum):
    """How the checks of a commit stand."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Request:
    """A request that is open: GitHub's pull request, GitLab's merge request. `commit` is what it would merge."""

    number: int
    branch: str
    commit: str
    title: str
    body: str
    url: str


@dataclass(frozen=True, slots=True)
class Merge:
    """What became of a merge: its commit, or why it was refused, and whether asking again may help."""

    commit: str | None
    refused_because: str = ""
    may_help_to_ask_again: bool = False


class Forge(Protocol):
    """A place where requests are reviewed. Everything here raises ForgeFailed."""

    @property
    def name(self) -> str:
        """What people call it, and the project there."""

    def open_requests(self, base: str, prefix: str) -> tuple[Request, ...]:
        """Return the open requests into `base` whose branch begins with `prefix`, oldest first."""

    def open(self, branch: str, base: str, title: str, body: str) -> Request:
        """Open a request, or return the one that is open for the branch already."""

    def describe(self, request: Request, title: str, body: str) -> None:
        """Give a request another title and text."""

    def close(self, request: Request, why: str) -> None:
        """Close a request, with a comment that says why."""

    def comment(self, number: int, mark: str, text: str) -> str:
        """Leave one comment with the hidden `mark`: the one that is there is written anew. Return its address."""

    def state(self, commit: str, check: str, state: State, said: str) -> None:
        """Say of a commit how a check of it stands."""

    def merge(self, request: Request) -> Merge:
        """Merge a request if it still is at the commit that it has here."""
