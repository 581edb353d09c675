"""The branches of requests in a repository that others push to as well.

A branch is ours as long as it holds one commit whose files are what its trailer says. What a person changed on it is
theirs from then on: it is reported and never written over. Every push names what it was decided on, so that of two at
once one is refused, and looks again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from sluice.errors import AnswerIsNo, SluiceError
from sluice.git import NO_COMMIT, File, Git, GitRefused, without_credentials
from sluice.gitops.change_set import AGENTS, CONTENT, ChangeSet, content_digest

_PUSH_SECONDS = 300
_TRIES = 4


class NoSuchRemote(SluiceError):
    """A remote was named that the repository does not have."""

    exit_code = 2

    def __init__(self, remote: str, known: str) -> None:
        known = " and ".join(known.split())
        super().__init__(f'no remote is named "{remote}"; {f"there is {known}" if known else "there is none"}')


class NoSuchBase(SluiceError):
    """The branch that requests are merged into is not there."""

    def __init__(self, where: str, base: str) -> None:
        super().__init__(f'{where} has no branch "{base}"; name the one that requests are merged into by --base')


class EditedByHand(AnswerIsNo):
    """Somebody changed the branch of a request: it is theirs, and is not written over."""

    def __init__(self, branch: str, commit: str, who: str, what: str) -> None:
        self.branch = branch
        super().__init__(
            f"{branch}: {what} by {who} (commit {commit[:12]}); it is left as it is: merge or close that request, "
            "or delete the branch, and run this again"
        )


class PushRefused(SluiceError):
    """A push was refused again and again."""

    def __init__(self, branch: str, said: str) -> None:
        super().__init__(f"{branch}: cannot be pushed: {said}")


class Became(StrEnum):
    """What a push made of a branch."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch of a request as the others have it: its commit, the agents it is about, whether a person changed it.

    `is_merged` says that the base holds already what it would bring.
    """

    name: str
    commit: str
    agents: tuple[str, ...]
    edited: EditedByHand | None = None
    is_merged: bool = False


@dataclass(frozen=True, slots=True)
class Published:
    """Where a change set lies now."""

    branch: str
    commit: str
    became: Became


@dataclass(frozen=True, slots=True)
class Others:
    """The repository that others push to; `remote` is its name here, None where branches stay in this one."""

    git: Git
    remote: str | None
    base: str

    @property
    def shown(self) -> str:
        """How a person knows it."""
        return self.remote or str(self.git.folder)

    @property
    def address(self) -> str | None:
        """Its address, without the credentials that may be in it."""
        return without_credentials(self.git.text("remote", "get-url", self.remote)) if self.remote else None

    def fetch_base(self) -> str:
        """Return the commit that the base has now. Raises NoSuchBase, GitRefused."""
        if self.remote is not None:
            self._fetch(self.base)
        commit = self.git.commit_of(self._here(self.base))
        if commit is None:
            raise NoSuchBase(self.shown, self.base)
        return commit

    def branches(self, prefix: str) -> tuple[Branch, ...]:
        """Return the branches of requests that begin with `prefix`."""
        heads = self._heads(f"refs/heads/{prefix}*")
        if self.remote is not None and heads:
            self._fetch(*heads)
        return tuple(self._looked_at(name, commit) for name, commit in heads.items())

    def publish(self, change: ChangeSet, base_commit: str, *, exactly: bool = False) -> Published:
        """Make the branch of a change set hold it, as one commit on top of `base_commit`.

        A branch that holds it already stays as it is, so that what was approved stays approved; on another base it
        does so while the base has not changed the files, unless `exactly` that base is asked for. Raises
        EditedByHand, PushRefused.
        """
        said = ""
        for _ in range(_TRIES):
            found = next((one for one in self.branches(change.prefix) if one.name == change.branch), None)
            if found is not None:
                if found.edited is not None:
                    raise found.edited
                if self._is_current(found.commit, change, base_commit, exactly=exactly):
                    return Published(found.name, found.commit, Became.UNCHANGED)
            files = {path: None if content is None else File(content) for path, content in change.files.items()}
            commit = self.git.commit(base_commit, files, change.message, signed=True)
            try:
                self._push(commit, change.branch, found.commit if found else "")
            except GitRefused as refused:
                said = str(refused)
                continue
            return Published(change.branch, commit, Became.UPDATED if found else Became.CREATED)
        raise PushRefused(change.branch, said)

    def take_away(self, branch: Branch) -> bool:
        """Delete a branch unless it has changed since it was looked at; say whether it is gone."""
        try:
            self._push("", branch.name, branch.commit)
        except GitRefused:
            return False
        return True

    def forward_base(self, commit: str, base_commit: str) -> bool:
        """Make the base what `commit` is, which stands on `base_commit`; say whether it was: others may be faster."""
        try:
            self._push(commit, self.base, base_commit)
        except GitRefused:
            return False
        return True

    def _heads(self, pattern: str) -> dict[str, str]:
        if self.remote is not None:
            said = self.git.text("ls-remote", self.remote, pattern, patience_seconds=_PUSH_SECONDS)
        else:
            said = self.git.text("for-each-ref", "--format=%(objectname)\t%(refname)", pattern.removesuffix("*"))
        pairs = (line.split("\t") for line in said.splitlines())
        return {name.removeprefix("refs/heads/"): commit for commit, name in pairs}

    def _fetch(self, *branches: str) -> None:
        wanted = [f"+refs/heads/{branch}:{self._here(branch)}" for branch in branches]
        try:
            self.git.text("fetch", "--quiet", "--no-tags", str(self.remote), *wanted, patience_seconds=_PUSH_SECONDS)
        except GitRefused as refused:
            if "couldn't find remote ref" in refused.said and branches == (self.base,):
                raise NoSuchBase(self.shown, self.base) from None
            raise

    def _here(self, branch: str) -> str:
        return f"refs/remotes/{self.remote}/{branch}" if self.remote is not None else f"refs/heads/{branch}"

    def _looked_at(self, name: str, commit: str) -> Branch:
        if (base := self.git.commit_of(self._here(self.base))) is not None and self._is_merged(commit, base):
            # Its commits are the base's by now, so that the newest one alone is asked.
            agents = self._trailers(commit).get(AGENTS, "").split(", ")
            return Branch(name, commit, tuple(filter(None, agents)), is_merged=True)
        return Branch(name, commit, self._agents(commit), self._edit(name, commit, self._trailers(commit)))

    def _is_merged(self, commit: str, base: str) -> bool:
        """Whether the base holds a commit, or, where requests are squashed, all that it changed."""
        try:
            fork = self.git.text("merge-base", commit, base)
        except GitRefused:  # a branch of another history, or of one that a shallow clone does not have
            return False
        changed = self._changed(fork, commit)
        return all(self.git.content(base, path) == content for path, content in changed.items())

    def _agents(self, commit: str) -> tuple[str, ...]:
        """Return whom a branch is about, by the newest of its commits that says so: a person's may stand on ours."""
        asked = (f"--format=%(trailers:key={AGENTS},valueonly,unfold)", f"{self._here(self.base)}..{commit}")
        said = self.git.text("log", "--first-parent", "-50", *asked).splitlines()
        return tuple(next((line for line in said if line.strip()), "").split(", ")) if any(said) else ()

    def _edit(self, name: str, commit: str, trailers: Mapping[str, str]) -> EditedByHand | None:
        who = self.git.text("log", "-1", "--format=%an", commit)
        if CONTENT not in trailers:
            return EditedByHand(name, commit, who, "was added to")
        parents = self.git.text("rev-list", "--parents", "-1", commit).split()[1:]
        if len(parents) != 1 or content_digest(self._changed(parents[0], commit)) != trailers[CONTENT]:
            return EditedByHand(name, commit, who, "was changed")
        return None

    def _changed(self, parent: str, commit: str) -> dict[str, bytes | None]:
        names = self.git.raw("diff", "--name-only", "--no-renames", "-z", parent, commit).decode().split("\0")
        return {name: self.git.content(commit, name) for name in names if name}

    def _trailers(self, commit: str) -> dict[str, str]:
        said = self.git.text("log", "-1", "--format=%(trailers:only,unfold)", commit)
        return {name: value for name, _, value in (line.partition(": ") for line in said.splitlines())}

    def _is_current(self, commit: str, change: ChangeSet, base_commit: str, *, exactly: bool) -> bool:
        (parent,) = self.git.text("rev-list", "--parents", "-1", commit).split()[1:]
        if any(self.git.content(commit, path) != content for path, content in change.files.items()):
            return False
        if self._changed(parent, commit).keys() != change.files.keys():
            return False
        if exactly or parent == base_commit:
            return parent == base_commit
        return all(self.git.content(parent, path) == self.git.content(base_commit, path) for path in change.files)

    def _push(self, commit: str, branch: str, expected: str) -> None:
        """Make a branch hold `commit`, nothing where that is empty, if it holds `expected` now."""
        if self.remote is None:
            arguments = ["update-ref", "-m", "sluice"]
            if commit:
                self.git.text(*arguments, f"refs/heads/{branch}", commit, expected or NO_COMMIT)
            else:
                self.git.text(*arguments, "-d", f"refs/heads/{branch}", expected)
            return
        lease = f"--force-with-lease=refs/heads/{branch}:{expected}"
        self.git.text(
            "push", "--quiet", "--no-verify", lease, self.remote, f"{commit}:refs/heads/{branch}",
            patience_seconds=_PUSH_SECONDS,
        )  # fmt: skip


def others_of(git: Git, remote: str | None, base: str | None) -> Others:
    """Find the repository that requests go to, and the branch that they are merged into.

    Where none is named it is origin, if there is one, and the branch that the remote itself stands on. Raises
    NoSuchRemote, GitRefused.
    """
    known = git.text("remote").split()
    if remote is not None and remote not in known:
        raise NoSuchRemote(remote, " ".join(known))
    found = remote or ("origin" if "origin" in known else None)
    return Others(git, found, base or _usual_base(git, found))


def _usual_base(git: Git, remote: str | None) -> str:
    if remote is None:
        try:
            return git.text("symbolic-ref", "--short", "HEAD")
        except GitRefused:
            return "main"
    said = git.text("ls-remote", "--symref", remote, "HEAD", patience_seconds=_PUSH_SECONDS)
    first = said.partition("\n")[0].split()
    return first[1].removeprefix("refs/heads/") if len(first) > 2 and first[0] == "ref:" else "main"
