"""What became of an environment's rollout over time, as git has it: which commit changed what, who asked, who let it.

Only what everybody's branch went through is told, merge by merge: what was tried on a branch got no user.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sluice.git import Git
from sluice.gitops.drafting import FORCED
from sluice.registry.document import parse_document

_BETWEEN = "\x1f"
_FIELDS = ("%H", "%P", "%an", "%cn", "%cI", "%s")
_APPROVING = ("Approved-by", "Reviewed-by", "Acked-by")


@dataclass(frozen=True, slots=True)
class Stand:
    """What a rollout file says of one agent."""

    candidate: str | None = None
    weight_percent: int = 0
    baseline: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """What one commit changed; `agent` is None where it is the environment's."""

    agent: str | None
    text: str


@dataclass(frozen=True, slots=True)
class EvidenceSaid:
    """A file of evidence as a commit left it: what it is, who vouches, for which models."""

    name: str
    kind: str
    by: str
    models: tuple[str, ...]
    is_gone: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """One commit of everybody's branch: when, what it changed, who wrote it, who merged it, who approved."""

    at: datetime
    commit: str
    title: str
    by: str
    merged_by: str
    approved_by: tuple[str, ...]
    forced: str
    changes: tuple[Change, ...]
    evidence: tuple[EvidenceSaid, ...]


@dataclass(frozen=True, slots=True)
class Ledger:
    """The history of one environment of the project in `folder`, up to the commit `reference`."""

    git: Git
    environment: str
    reference: str = "HEAD"

    def entries(self, agent: str | None = None) -> Iterator[Entry]:
        """Yield what changed, the newest first; for one agent, what concerns it and the environment.

        Raises GitRefused.
        """
        prefix = self.git.text("rev-parse", "--show-prefix")
        models = self._candidates_of(agent, prefix) if agent else None
        for commit, parents, author, committer, at, title in self._commits(prefix):
            first = parents.split()[0] if parents else None
            changes = tuple(
                change
                for change in _changes(self._rollout(first, prefix), self._rollout(commit, prefix))
                if agent is None or change.agent in (None, agent)
            )
            evidence = tuple(
                said for said in self._evidence(first, commit, prefix) if models is None or models & set(said.models)
            )
            if not changes and not evidence:
                continue
            written_by = self._authors(first, commit) or author
            yield Entry(
                at=datetime.fromisoformat(at).astimezone(UTC),
                commit=commit,
                title=title,
                by=written_by,
                # A merge that a forge made has the person as its author, and the forge as its committer.
                merged_by=author if len(parents.split()) > 1 else committer,
                # By the merge alone: on its branch whoever wrote it may name anybody.
                approved_by=tuple(dict.fromkeys(self._trailers(("-1", commit), *_APPROVING))),
                forced=next(iter(self._trailers((f"{first}..{commit}" if first else commit,), FORCED)), ""),
                changes=changes,
                evidence=evidence,
            )

    def _commits(self, prefix: str) -> list[tuple[str, ...]]:
        paths = (f":(top,literal){prefix}registry/rollouts/{self.environment}.yaml", f":(top){prefix}registry/evidence")
        # Merges are told as what they brought, and never followed into the branch.
        asked = ("log", "--first-parent", f"--format={_BETWEEN.join(_FIELDS)}")
        said = self.git.text(*asked, "--end-of-options", self.reference, "--", *paths)
        return [tuple(line.split(_BETWEEN)) for line in said.split("\n") if line]

    def _rollout(self, commit: str | None, prefix: str) -> tuple[bool, Mapping[str, Stand]]:
        """Return whether the kill switch is on, and each agent's stand, as far as a commit's file can be read."""
        content = self.git.content(commit, f"{prefix}registry/rollouts/{self.environment}.yaml") if commit else None
        document = parse_document(content, self.environment)[0] if content is not None else None
        if document is None:
            return True, {}
        agents = document.mapping("agents")
        return document.get("enabled") is not False, {name: _stand(fields) for name, fields in agents.items()}

    def _candidates_of(self, agent: str, prefix: str) -> set[str]:
        found: set[str] = set()
        for commit, *_ in self._commits(prefix):
            stand = self._rollout(commit, prefix)[1].get(agent, Stand())
            found |= {name for name in (stand.candidate, *stand.baseline) if name}
        return found

    def _evidence(self, parent: str | None, commit: str, prefix: str) -> Iterator[EvidenceSaid]:
        between = [parent, commit] if parent else ["--root", commit]
        asked = ("diff-tree", "-r", "--no-commit-id", "--name-only", "--no-renames", "-z", *between)
        for path in filter(None, self.git.raw(*asked, "--", f":(top){prefix}registry/evidence").decode().split("\0")):
            content = self.git.content(commit, path)
            said = content if content is not None or parent is None else self.git.content(parent, path)
            yield _evidence_said(Path(path).stem, said or b"", is_gone=content is None)

    def _authors(self, parent: str | None, commit: str) -> str:
        """Return who wrote what a merge brought, empty where it is none."""
        if parent is None:
            return ""
        said = self.git.text("log", "--no-merges", "--format=%an", f"{parent}..{commit}")
        return ", ".join(dict.fromkeys(said.splitlines()))

    def _trailers(self, of: Sequence[str], *names: str) -> list[str]:
        """Return the values of trailers with these names, of the commits that `git log` lists."""
        said = self.git.text("log", "--format=%(trailers:only,unfold)", *of)
        pairs = (line.partition(": ") for line in said.split("\n"))
        return [value for name, _, value in pairs if value and name in names]


def _stand(fields: Any) -> Stand:
    said = fields if isinstance(fields, Mapping) else {}
    candidate, weight, baseline = said.get("candidate"), said.get("weight"), said.get("baseline")
    return Stand(
        candidate if isinstance(candidate, str) else None,
        weight if isinstance(weight, int) and candidate else 0,
        tuple(map(str, baseline)) if isinstance(baseline, list) else (),
    )


def _changes(before: tuple[bool, Mapping[str, Stand]], after: tuple[bool, Mapping[str, Stand]]) -> Iterator[Change]:
    if before[0] != after[0]:
        yield Change(
            None, "the kill switch is lifted" if after[0] else "the kill switch goes off: nobody is on a candidate"
        )
    for agent in dict.fromkeys((*after[1], *before[1])):
        was, now = before[1].get(agent, Stand()), after[1].get(agent, Stand())
        if was != now:
            yield Change(agent, _said(was, now))


def _said(was: Stand, now: Stand) -> str:
    if was.candidate and now.candidate is None and now.baseline[:1] == (was.candidate,):
        return f"{was.candidate} graduates"
    if now.candidate is None:
        return f"no candidate, {was.candidate} had {was.weight_percent} %" if was.candidate else "another baseline"
    if was.candidate != now.candidate:
        instead = f" in place of {was.candidate}, which had {was.weight_percent} %" if was.candidate else ""
        return f"{now.candidate} at {now.weight_percent} %{instead}"
    if was.weight_percent != now.weight_percent:
        return f"{now.candidate} from {was.weight_percent} % to {now.weight_percent} %"
    return "another baseline"


def _evidence_said(name: str, content: bytes, *, is_gone: bool) -> EvidenceSaid:
    document, _ = parse_document(content, name)
    if document is None:
        return EvidenceSaid(name, "evidence", "", (), is_gone)
    kind = str(document.get("kind") or "evidence")
    field = kind.replace("-", "_")
    models = document.get(field, "models")
    role = document.get(field, "role")
    by = document.get("by")
    return EvidenceSaid(
        name,
        f"{kind} ({role})" if role else kind,
        str(by) if by else "",
        tuple(models) if isinstance(models, Mapping) else (),
        is_gone,
    )
