"""Reads the registry folder: models.yaml and rollouts/, checked in full, as typed values.

A file is parsed, held against its schema, its references are followed, and only what passed all of it is built. Every
function here either returns something that can be relied upon or raises InvalidRegistry with every finding.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sluice.registry.building import registry_of, rollout_of
from sluice.registry.document import Document, read_document, shown_file
from sluice.registry.findings import Finding, choices, refuse_if_any
from sluice.registry.model import Registry, Rollout
from sluice.registry.references import Names, check_models, check_rollout
from sluice.registry.shape import check_shape


def load_registry(folder: Path) -> Registry:
    """Load `folder`/models.yaml. Raises InvalidRegistry."""
    document, findings = read_models(folder)
    refuse_if_any(findings)
    assert document is not None  # noqa: S101 - without findings there is a document
    return registry_of(document)


def load_rollout(folder: Path, environment: str, registry: Registry) -> Rollout:
    """Load `folder`/rollouts/`environment`.yaml, whose names must be in `registry`. Raises InvalidRegistry."""
    document, findings = read_rollout(folder, environment, Names.of(registry))
    refuse_if_any(findings)
    assert document is not None  # noqa: S101 - without findings there is a document
    return rollout_of(document, environment, registry)


def check(folder: Path) -> tuple[Finding, ...]:
    """Check a whole registry folder and return every finding, sorted by place."""
    return tuple(sorted(set(_all_findings(folder))))


def rollout_names(folder: Path) -> tuple[str, ...]:
    """Return the environments that have a file in `folder`/rollouts, sorted."""
    return tuple(sorted(file.stem for file in (folder / "rollouts").glob("*.yaml") if not file.name.startswith(".")))


def read_models(folder: Path) -> tuple[Document | None, tuple[Finding, ...]]:
    """Read and check models.yaml; without a document it could not be read at all."""
    document, findings = read_document(
        folder / "models.yaml", remedy_if_missing="name the folder that holds models.yaml and rollouts/"
    )
    if document is not None:
        findings = (*check_shape(document, "models"), *check_models(document))
    return document, findings


def read_rollout(folder: Path, environment: str, names: Names | None) -> tuple[Document | None, tuple[Finding, ...]]:
    """Read and check one rollout; without `names`, when models.yaml could not be read, only its shape."""
    document, findings = read_document(
        folder / "rollouts" / f"{environment}.yaml",
        remedy_if_missing=choices(rollout_names(folder), of="environments with a rollout"),
    )
    if document is not None:
        findings = check_shape(document, "rollout")
        if names is not None:
            findings = (*findings, *check_rollout(document, names))
    return document, findings


def _all_findings(folder: Path) -> Iterator[Finding]:
    if not folder.is_dir():
        problem = "is not a folder" if folder.exists() else "does not exist"
        yield Finding(
            shown_file(folder), 1, 1, "", problem, "name the folder that holds models.yaml and rollouts/", "SL001"
        )
        return
    models, findings = read_models(folder)
    yield from findings
    names = Names.in_document(models) if models else None
    yield from _stray_files(folder / "rollouts")
    for environment in rollout_names(folder):
        yield from read_rollout(folder, environment, names)[1]


def _stray_files(rollouts: Path) -> Iterator[Finding]:
    if not rollouts.is_dir():
        yield Finding(shown_file(rollouts), 1, 1, "", "does not exist", "add a rollouts/ENVIRONMENT.yaml", "SL001")
        return
    for file in sorted(rollouts.iterdir()):
        if file.suffix != ".yaml" and not file.name.startswith("."):
            yield Finding(
                shown_file(file), 1, 1, "", "is read by nobody", "name it ENVIRONMENT.yaml, or take it away", "SL001"
            )
