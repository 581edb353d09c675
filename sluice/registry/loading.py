"""Reads the registry folder: models.yaml, evidence/ and rollouts/, checked in full, as typed values.

A file is parsed, held against its schema, then asked what it means beside the others, and only what passed is built.
Every function here either returns something that can be relied upon or raises InvalidRegistry with every finding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import TypeGuard

from sluice.registry.building import rollout_of
from sluice.registry.document import Document, collecting_paused, parse_document, read_document, shown_file, text_of
from sluice.registry.findings import Finding, choices, one_for_each_cause, refuse_if_any
from sluice.registry.history import NothingToCompareWith, commit_of, contents_at
from sluice.registry.model import Registry, Rollout
from sluice.registry.policy import AssignmentPolicy
from sluice.registry.rules.catalogue import broken_rules
from sluice.registry.rules.declared import (
    Declared,
    Names,
    RolloutFile,
    sound_evidence,
    sound_registry,
    sound_rollout,
)
from sluice.registry.rules.rule import LooksAt
from sluice.registry.shape import check_shape
from sluice.registry.soak_contents import NOTHING, gateway_digests, query_digests
from sluice.registry.typed import build

LAST_COMMIT = "HEAD"
_MODELS_REMEDY = "name the folder that holds models.yaml and rollouts/"


@dataclass(frozen=True, slots=True)
class Folder:
    """What could be read of a registry folder: what is declared, and what is wrong with the files' shape."""

    declared: Declared
    findings: tuple[Finding, ...]

    def broken(self, *looking_at: LooksAt) -> tuple[Finding, ...]:
        """Return everything that is wrong: with shapes, and by the rules that look at nothing else."""
        return (*self.findings, *broken_rules(self.declared, looking_at=looking_at or tuple(LooksAt)))


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found in a registry folder, sorted by place, and what is sound in it: agents, models, rollouts.

    `names` are those that settings may refer to, as far as models.yaml could be read.
    """

    findings: tuple[Finding, ...]
    agents: int
    models: int
    rollouts: tuple[str, ...]
    names: Names | None = None


def load_registry(folder: Path) -> Registry:
    """Load `folder`/models.yaml and the evidence beside it. Raises InvalidRegistry."""
    read = read_folder(folder, ())
    refuse_if_any(read.broken(LooksAt.FILES))
    return read.declared.registry


def load_rollout(folder: Path, environment: str, registry: Registry) -> Rollout:
    """Load `folder`/rollouts/`environment`.yaml, whose names must be in `registry`. Raises InvalidRegistry."""
    document, findings = _read_rollout(folder, environment)
    rollouts = (
        (RolloutFile(environment, document, sound_rollout(document, environment, findings, registry)),)
        if document
        else ()
    )
    declared = Declared(None, Names.of(registry), registry, {}, rollouts)
    refuse_if_any((*findings, *broken_rules(declared, looking_at=(LooksAt.FILES,))))
    assert document is not None  # noqa: S101 - without findings there is a document
    return rollout_of(document, environment, registry)


def check(folder: Path, *, today: date | None = None, against: str | None = None) -> tuple[Finding, ...]:
    """Check a whole registry folder and return every finding, sorted by place; see `examine`."""
    return examine(folder, today=today, against=against).findings


def examine(folder: Path, *, today: date | None = None, against: str | None = None) -> Examination:
    """Check a whole registry folder and count what is in it.

    `today` is the day that retirements and sign-offs are held against, by default this one. `against` names the commit
    that rollouts are compared with, by default the last one; where that is not to be had, nothing is compared. Raises
    NothingToCompareWith where a commit was named and is not there.
    """
    if not folder.is_dir():
        problem = "is not a folder" if folder.exists() else "does not exist"
        return Examination((Finding(shown_file(folder), 1, 1, "", problem, _MODELS_REMEDY, "SL001"),), 0, 0, ())
    with collecting_paused():
        read = read_folder(folder, rollout_names(folder), today=today or date.today(), against=against or LAST_COMMIT)
        findings = one_for_each_cause((*_stray_files(folder), *read.broken()))
    if against is not None and commit_of(folder, against) is None:
        raise NothingToCompareWith(folder, against)
    registry = read.declared.registry
    return Examination(findings, len(registry.agents), len(registry.models), rollout_names(folder), read.declared.names)


def rollout_names(folder: Path) -> tuple[str, ...]:
    """Return the environments that have a file in `folder`/rollouts, sorted."""
    return _names(folder / "rollouts")


def read_folder(
    folder: Path, environments: tuple[str, ...], *, today: date | None = None, against: str | None = None
) -> Folder:
    """Read models.yaml, the evidence and the rollouts of some environments, as far as they can be read."""
    models, findings = read_document(folder / "models.yaml", remedy_if_missing=_MODELS_REMEDY)
    of_models = check_shape(models, "models") if models else findings
    evidence, of_evidence = _read_evidence(folder)
    registry = sound_registry(models, of_models, sound_evidence(evidence, of_evidence)) if models else _no_registry()
    names = Names.in_document(models, dict.fromkeys(_names(folder / "evidence"))) if _has_names(models) else None
    asked_for = ("models.yaml", *(f"rollouts/{environment}.yaml" for environment in environments))
    then = contents_at(folder, against, asked_for) if against and environments else None
    rollouts: list[RolloutFile] = []
    of_rollouts: list[Finding] = []
    for environment in environments:
        document, findings = _read_rollout(folder, environment)
        of_rollouts += findings
        if document is not None:
            rollout = sound_rollout(document, environment, findings, registry)
            before = _rollout_then(then, environment, registry) if then is not None else None
            rollouts.append(RolloutFile(environment, document, rollout, before))
    read = {shown_file(folder / "models.yaml"): models is not None}
    read |= {document.file: True for document in (*evidence.values(), *(file.document for file in rollouts))}
    files = (*[folder / "rollouts" / f"{name}.yaml" for name in environments], *sorted(folder.glob("evidence/*.yaml")))
    unreadable = tuple(
        Document(shown_file(file), None, text)
        for file in (folder / "models.yaml", *files)
        if not read.get(shown_file(file)) and (text := text_of(file))
    )
    assigned = _assignment_then(then, models) if then is not None else None
    declared = Declared(
        models,
        names,
        registry,
        evidence,
        tuple(rollouts),
        today,
        unreadable,
        assigned,
        # Only who compares with a commit asks whether a soak is stale.
        query_digests(folder) if then is not None else NOTHING,
        gateway_digests(folder.parent, environments) if then is not None else NOTHING,
    )
    return Folder(declared, (*of_models, *of_evidence, *of_rollouts))


def _has_names(models: Document | None) -> TypeGuard[Document]:
    """Whether references can be followed: where a whole section is missing, every one of them would be a finding."""
    return models is not None and all(models.mapping(section) for section in ("providers", "models", "agents"))


def _read_rollout(folder: Path, environment: str) -> tuple[Document | None, tuple[Finding, ...]]:
    document, findings = read_document(
        folder / "rollouts" / f"{environment}.yaml",
        remedy_if_missing=choices(rollout_names(folder), of="environments with a rollout"),
    )
    return document, check_shape(document, "rollout") if document else findings


def _read_evidence(folder: Path) -> tuple[Mapping[str, Document], tuple[Finding, ...]]:
    documents: dict[str, Document] = {}
    findings: list[Finding] = []
    for name in _names(folder / "evidence"):
        document, found = read_document(folder / "evidence" / f"{name}.yaml", remedy_if_missing="take it away")
        if document is not None:
            documents[name] = document
            found = check_shape(document, "evidence")
        findings += found
    return MappingProxyType(documents), tuple(findings)


def _rollout_then(then: Mapping[str, bytes], environment: str, registry: Registry) -> Rollout | None:
    """Return the rollout that a commit has, as far as it can be read; where it has none, nobody had anything."""
    content = then.get(f"rollouts/{environment}.yaml")
    if content is None:
        return Rollout(environment, True, MappingProxyType({}))
    document, _ = parse_document(content, environment)
    return sound_rollout(document, environment, check_shape(document, "rollout"), registry) if document else None


def _assignment_then(then: Mapping[str, bytes], now: Document | None) -> AssignmentPolicy | None:
    """Return how a commit draws users, None where it has no models.yaml that can be read."""
    content = then.get("models.yaml")
    if content is None:
        return None
    # Mostly it is the same file: reading a large one again would take as long as all the rest.
    is_the_same = now is not None and now.text.encode() == content
    document = now if is_the_same else parse_document(content, "models.yaml")[0]
    if document is None or any(finding.path.startswith("assignment") for finding in check_shape(document, "models")):
        return None
    return build(AssignmentPolicy, document.mapping("assignment"))


def _names(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(file.stem for file in folder.glob("*.yaml") if not file.name.startswith(".")))


def _no_registry() -> Registry:
    nothing: Mapping[str, object] = MappingProxyType({})
    return Registry(providers=nothing, models=nothing, agents=nothing)  # type: ignore[arg-type]  # nothing is in them


def _stray_files(folder: Path) -> Iterator[Finding]:
    rollouts, evidence = folder / "rollouts", folder / "evidence"
    if not rollouts.is_dir():
        problem = "is not a folder" if rollouts.exists() else "does not exist"
        yield Finding(shown_file(rollouts), 1, 1, "", problem, "add a rollouts/ENVIRONMENT.yaml", "SL001")
    if evidence.exists() and not evidence.is_dir():
        yield Finding(shown_file(evidence), 1, 1, "", "is not a folder", "put evidence/NAME.yaml in one", "SL001")
    for inner in (rollouts, evidence):
        for file in sorted(inner.iterdir()) if inner.is_dir() else ():
            if file.name == ".yaml" or (file.suffix != ".yaml" and not file.name.startswith(".")):
                name = "ENVIRONMENT.yaml" if inner is rollouts else "NAME.yaml"
                remedy = f"name it {name}, or take it away"
                yield Finding(shown_file(file), 1, 1, "", "is read by nobody", remedy, "SL001")
