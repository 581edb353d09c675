"""The commit that makes git say what the override says: the agent's weight 0, or `enabled: false` for all.

It is made on a branch of its own, on top of what everybody has, out of git's own objects: the person's working tree,
index and branch are not touched, whatever state they are in. It only records: a rollback without git is one all the
same.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from sluice.errors import SluiceError
from sluice.override import ALL, Override
from sluice.registry.document import parse_document
from sluice.registry.editing import Value, edited
from sluice.registry.places import Steps

_PATIENCE_SECONDS = 60
_EVERYBODYS = "refs/remotes/origin/HEAD"
_NO_COMMIT = "0" * 40


@dataclass(frozen=True, slots=True)
class Record:
    """What became of the commit: its branch and id, or why there is none. `made` is false where it was there before."""

    branch: str | None = None
    commit: str | None = None
    made: bool = False
    why_not: str = ""


class _Git(SluiceError):
    """Git did not do what it was asked."""


def record(registry: Path, environment: str, key: str, entry: Override, facts: str) -> Record:
    """Leave a commit on a branch that takes `key`, an agent or all, to the baseline in the environment's rollout.

    `facts` are what its message says beside who, why and when. Whatever stands against it is said in the result.
    """
    file = f"rollouts/{environment}.yaml"
    try:
        if not registry.is_dir():
            raise _Git(f"{registry} is no folder")
        base = _base(registry)
        path = f"{_git(registry, 'rev-parse', '--show-prefix')}{file}"
        found = _git(registry, "ls-tree", "--full-tree", base, "--", path).split(maxsplit=3)
        if not found:
            raise _Git(f"commit {base[:12]} has no {path}")
        mode, _, blob, _ = found
        before = _git_bytes(registry, "cat-file", "blob", blob)
        changes = _changes(before, key)
        if changes is None:
            return Record(why_not=f"git (commit {base[:12]}) wants no user of {_named(key)} on a candidate already")
        branch = f"rollback/{environment}/{key}-{_moment(entry.at):%Y%m%dT%H%M%SZ}"
        there = _git(registry, "for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}")
        if there:
            return Record(branch, there)
        message = _message(environment, key, entry, facts)
        commit = _committed(registry, base, path, mode, edited(before, changes, file), message)
        _git(registry, "update-ref", "-m", "sluice rollback", f"refs/heads/{branch}", commit, _NO_COMMIT)
        return Record(branch, commit, made=True)
    except (SluiceError, OSError, ValueError, subprocess.TimeoutExpired) as error:
        return Record(why_not=" ".join(str(error).split())[:300])


def _base(folder: Path) -> str:
    """Return the commit to stand on: where everybody's branch was when it was last fetched, else the one checked out.

    Whoever is on call may stand on a branch of their own, which is no part of a rollback.
    """
    try:
        return _git(folder, "rev-parse", "--verify", "--quiet", f"{_EVERYBODYS}^{{commit}}")
    except _Git:
        return _git(folder, "rev-parse", "--verify", "HEAD^{commit}")


def _changes(content: bytes, key: str) -> Mapping[Steps, Value] | None:
    """Return what to change in a rollout file, None where it wants nobody on the candidate as it is."""
    document, _ = parse_document(content, "rollout")
    if document is None:
        raise _Git("its rollout file cannot be read")
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


def _committed(folder: Path, base: str, path: str, mode: str, content: bytes, message: str) -> str:
    blob = _git(folder, "hash-object", "-w", "--stdin", stdin=content)
    with tempfile.TemporaryDirectory(prefix="sluice-record-") as scratch:
        index = {"GIT_INDEX_FILE": str(Path(scratch) / "index")}
        _git(folder, "read-tree", base, variables=index)
        _git(folder, "update-index", "--cacheinfo", f"{mode},{blob},{path}", variables=index)
        tree = _git(folder, "write-tree", variables=index)
    identity = _identity(folder)
    return _git(folder, "commit-tree", tree, "-p", base, "-F", "-", stdin=message.encode(), variables=identity)


def _identity(folder: Path) -> dict[str, str]:
    """Return who commits: nothing where git knows, else a name that nobody has."""
    try:
        _git(folder, "var", "GIT_COMMITTER_IDENT")
    except _Git:
        return {
            f"GIT_{role}_{field}": value
            for role in ("AUTHOR", "COMMITTER")
            for field, value in (("NAME", "sluice"), ("EMAIL", "sluice@localhost"))
        }
    return {}


def _git(folder: Path, *arguments: str, stdin: bytes = b"", variables: Mapping[str, str] | None = None) -> str:
    return _git_bytes(folder, *arguments, stdin=stdin, variables=variables).decode(errors="replace").strip()


def _git_bytes(folder: Path, *arguments: str, stdin: bytes = b"", variables: Mapping[str, str] | None = None) -> bytes:
    # A hook that calls us sets variables that lead git to its own index and folder.
    outer = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or name in _KEPT}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            input=stdin,
            env=outer | {"LC_ALL": "C"} | dict(variables or {}),
            capture_output=True,
            check=False,
            timeout=_PATIENCE_SECONDS,
        )
    except FileNotFoundError:
        raise _Git("there is no git on the PATH") from None
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().removeprefix("fatal: ")
        raise _Git(said or f"git {arguments[0]} ended with {done.returncode}")
    return done.stdout


_KEPT = frozenset(f"GIT_{role}_{field}" for role in ("AUTHOR", "COMMITTER") for field in ("NAME", "EMAIL", "DATE")) | {
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_NOSYSTEM",
}
