"""The commit that makes git say what the override says, and begins its post-mortem: weight 0, or `enabled: false`.

It is made on a branch of its own, on top of what everybody has, out of git's own objects: the person's working tree,
index and branch are not touched, whatever state they are in. It only records: a rollback without git is one all the
same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path, PurePosixPath

from sluice.errors import SluiceError
from sluice.git import NO_COMMIT, File, Git, GitRefused
from sluice.override import ALL, Override
from sluice.registry.document import parse_document
from sluice.registry.editing import Edit, edited
from sluice.registry.places import Steps
from sluice.rollout.post_mortem import FOLDER, Rollback, draft, moment_of
from sluice.rollout.way_back import EVERYBODY, way_back

_EVERYBODYS = "refs/remotes/origin/HEAD"


@dataclass(frozen=True, slots=True)
class Record:
    """What became of the commit: its branch and id, or why there is none. `made` is false where it was there before."""

    branch: str | None = None
    commit: str | None = None
    made: bool = False
    why_not: str = ""
    post_mortem: str | None = None
    """The file in it that begins the post-mortem."""


def record(registry: Path, rollback: Rollback) -> Record:
    """Leave a commit on a branch that takes an agent, or all, to the baseline in the environment's rollout.

    Beside the registry's folder it adds the draft of the post-mortem. Whatever stands against it is said in the result.
    """
    environment, key, entry = rollback.environment, rollback.key, rollback.entry
    file = f"rollouts/{environment}.yaml"
    try:
        if not registry.is_dir():
            raise GitRefused(f"{registry} is no folder")
        git = Git(registry)
        base = _base(git)
        folder = PurePosixPath(git.text("rev-parse", "--show-prefix"))
        path, page = str(folder / file), str(folder.parent / FOLDER / rollback.name)
        found = git.text("ls-tree", "--full-tree", base, "--", path).split(maxsplit=3)
        if not found:
            raise GitRefused(f"commit {base[:12]} has no {path}")
        mode, _, blob, _ = found
        before = git.raw("cat-file", "blob", blob)
        changes = _changes(before, key)
        if not changes:
            return Record(why_not=f"git (commit {base[:12]}) wants no user of {_named(key)} on a candidate already")
        branch = f"rollback/{environment}/{key}-{moment_of(entry):%Y%m%dT%H%M%SZ}"
        there = git.text("for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}")
        if there:
            return Record(branch, there, post_mortem=page if git.content(there, page) is not None else None)
        message = _message(environment, key, entry, rollback.seen)
        files = {path: File(edited(before, changes, file), mode), page: File(draft(rollback).encode())}
        commit = git.commit(base, files, message)
        git.text("update-ref", "-m", "sluice rollback", f"refs/heads/{branch}", commit, NO_COMMIT)
        return Record(branch, commit, made=True, post_mortem=page)
    except (SluiceError, OSError, ValueError) as error:
        return Record(why_not=" ".join(str(error).split())[:300])


def _base(git: Git) -> str:
    """Return the commit to stand on: where everybody's branch was when it was last fetched, else the one checked out.

    Whoever is on call may stand on a branch of their own, which is no part of a rollback.
    """
    try:
        return git.text("rev-parse", "--verify", "--quiet", f"{_EVERYBODYS}^{{commit}}")
    except GitRefused:
        return git.text("rev-parse", "--verify", "HEAD^{commit}")


def _changes(content: bytes, key: str) -> Mapping[Steps, Edit]:
    """Return what to change in a rollout file: nothing where it wants nobody on the candidate as it is."""
    document, _ = parse_document(content, "rollout")
    if document is None:
        raise GitRefused("its rollout file cannot be read")
    if document.get("enabled") is False:
        return {}
    if key == ALL:
        return EVERYBODY
    stands = ("agents", key)
    is_dated = bool(document.get(*stands, "since"))
    return way_back(key, document.get(*stands, "weight") or 0, _today(), is_dated=is_dated)


def _today() -> date:
    return datetime.now(UTC).date()


def _message(environment: str, key: str, entry: Override, facts: str) -> str:
    reason = " ".join(entry.reason.split())
    said = {"By": entry.by, "At": entry.at, "Evidence": " ".join(entry.evidence.split())}
    lines = [f"{name}: {value}" for name, value in said.items() if value]
    subject = f"Roll {_named(key)} of {environment} back to the baseline{f': {reason}' if reason else ''}"
    shown = subject if len(subject) <= 100 else f"{subject[:97]}..."
    return "\n".join([shown, "", *([reason, ""] if shown != subject else []), facts, "", *lines, ""])


def _named(key: str) -> str:
    return "every agent" if key == ALL else key
