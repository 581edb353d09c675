"""The commit that makes git say what the override says: the agent's weight 0, or `enabled: false` for all.

It is made on a branch of its own, on top of what everybody has, out of git's own objects: the person's working tree,
index and branch are not touched, whatever state they are in. It only records: a rollback without git is one all the
same.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from sluice.errors import SluiceError
from sluice.git import NO_COMMIT, Git, GitRefused
from sluice.override import ALL, Override
from sluice.registry.document import parse_document
from sluice.registry.editing import Value, edited
from sluice.registry.places import Steps

_EVERYBODYS = "refs/remotes/origin/HEAD"


@dataclass(frozen=True, slots=True)
class Record:
    """What became of the commit: its branch and id, or why there is none. `made` is false where it was there before."""

    branch: str | None = None
    commit: str | None = None
    made: bool = False
    why_not: str = ""


def record(registry: Path, environment: str, key: str, entry: Override, facts: str) -> Record:
    """Leave a commit on a branch that takes `key`, an agent or all, to the baseline in the environment's rollout.

    `facts` are what its message says beside who, why and when. Whatever stands against it is said in the result.
    """
    file = f"rollouts/{environment}.yaml"
    try:
        if not registry.is_dir():
            raise GitRefused(f"{registry} is no folder")
        git = Git(registry)
        base = _base(git)
        path = f"{git.text('rev-parse', '--show-prefix')}{file}"
        found = git.text("ls-tree", "--full-tree", base, "--", path).split(maxsplit=3)
        if not found:
            raise GitRefused(f"commit {base[:12]} has no {path}")
        mode, _, blob, _ = found
        before = git.raw("cat-file", "blob", blob)
        changes = _changes(before, key)
        if changes is None:
            return Record(why_not=f"git (commit {base[:12]}) wants no user of {_named(key)} on a candidate already")
        branch = f"rollback/{environment}/{key}-{_moment(entry.at):%Y%m%dT%H%M%SZ}"
        there = git.text("for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}")
        if there:
            return Record(branch, there)
        message = _message(environment, key, entry, facts)
        commit = _committed(git, base, path, mode, edited(before, changes, file), message)
        git.text("update-ref", "-m", "sluice rollback", f"refs/heads/{branch}", commit, NO_COMMIT)
        return Record(branch, commit, made=True)
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


def _changes(content: bytes, key: str) -> Mapping[Steps, Value] | None:
    """Return what to change in a rollout file, None where it wants nobody on the candidate as it is."""
    document, _ = parse_document(content, "rollout")
    if document is None:
        raise GitRefused("its rollout file cannot be read")
    if document.get("enabled") is False:
        return None
    if key == ALL:
        return {("enabled",): False}
    if not document.get("agents", key, "weight"):
        return None
    changes: dict[Steps, Value] = {("agents", key, "weight"): 0}
    if document.get("agents", key, "since"):
        changes["agents", key, "since"] = _today()
    return changes


def _today() -> date:
    return datetime.now(UTC).date()


def _moment(at: str) -> datetime:
    try:
        return datetime.fromisoformat(at).astimezone(UTC)
    except ValueError:  # whoever wrote it by hand may have written anything
        return datetime.now(UTC)


def _message(environment: str, key: str, entry: Override, facts: str) -> str:
    reason = " ".join(entry.reason.split())
    said = {"By": entry.by, "At": entry.at, "Evidence": " ".join(entry.evidence.split())}
    lines = [f"{name}: {value}" for name, value in said.items() if value]
    subject = f"Roll {_named(key)} of {environment} back to the baseline{f': {reason}' if reason else ''}"
    shown = subject if len(subject) <= 100 else f"{subject[:97]}..."
    return "\n".join([shown, "", *([reason, ""] if shown != subject else []), facts, "", *lines, ""])


def _named(key: str) -> str:
    return "every agent" if key == ALL else key


def _committed(git: Git, base: str, path: str, mode: str, content: bytes, message: str) -> str:
    blob = git.text("hash-object", "-w", "--stdin", stdin=content)
    with tempfile.TemporaryDirectory(prefix="sluice-record-") as scratch:
        index = {"GIT_INDEX_FILE": str(Path(scratch) / "index")}
        git.text("read-tree", base, variables=index)
        git.text("update-index", "--cacheinfo", f"{mode},{blob},{path}", variables=index)
        tree = git.text("write-tree", variables=index)
    return git.text("commit-tree", tree, "-p", base, "-F", "-", stdin=message.encode(), variables=git.identity())
