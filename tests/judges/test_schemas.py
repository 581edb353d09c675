"""Every manifest is what this version of Kubernetes takes, by two judges with schemas of different origin."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sluice.local.toolchain import JudgeTools
from sluice.local.toolchain.catalog import CRDS, KUBERNETES_VERSION
from tests.judges.judged import objects_in, run
from tests.judges.schemas import LOCATION, write_defined_schemas, write_schemas

MINOR = KUBERNETES_VERSION.rpartition(".")[0]

SELECTOR = """
  selector:
    matchLabels:
      app.kubernetes.io/name: gateway
      app.kubernetes.io/part-of: sluice
"""

# What a strict look must find, in a manifest that is right otherwise.
BROKEN = {
    "a field that is spelled wrongly": ("readOnlyRootFilesystem:", "readOnlyRootFileSystem:"),
    "text where a number stands": ("revisionHistoryLimit: 3", "revisionHistoryLimit: three"),
    "a field that is missing": (SELECTOR, "\n"),
}


@pytest.fixture(scope="module")
def schemas(tools: JudgeTools, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("schemas")
    write_schemas(tools.openapi, folder)
    write_defined_schemas(tools.definitions, folder)
    return folder


def kubeconform(tools: JudgeTools, schemas: Path, files: list[str]) -> dict[str, Any]:
    said = run(
        *(tools.kubeconform, "-strict", "-summary", "-output", "json"),
        *("-schema-location", f"{schemas}/{LOCATION}", *files),
    )
    report: dict[str, Any] = json.loads(said)
    return report


def kubernetes_validate(tools: JudgeTools, files: list[str]) -> list[str]:
    """Return a line for each manifest, which begins with INFO where nothing is wrong with it."""
    said = run(tools.python, "-I", "-m", "kubernetes_validate", "-k", MINOR, "--strict", *files)
    return said.splitlines()


@pytest.mark.parametrize(
    ("before", "after"),
    [("sectionName:", "sectionname:"), ("port: 8080", "port: http"), ("      name: shared\n", "")],
)
def test_kubeconform_finds_what_is_wrong_with_a_kind_that_others_serve(
    before: str, after: str, tools: JudgeTools, schemas: Path, tmp_path: Path, folders: dict[str, Path]
) -> None:
    whole = (folders["everything"] / "httproute-gateway.yaml").read_text()
    broken = tmp_path / "httproute.yaml"
    broken.write_text(whole.replace(before, after, 1))
    assert broken.read_text() != whole

    report = kubeconform(tools, schemas, [str(broken)])["summary"]

    assert (report["invalid"], report["skipped"]) == (1, 0)


@pytest.mark.parametrize("kind", CRDS.files)
def test_every_definition_has_become_a_schema(kind: str, schemas: Path) -> None:
    assert list(schemas.glob(f"{kind.lower()}-*.json"))


def broken_deployment(tmp_path: Path, folders: dict[str, Path], mistake: str) -> list[str]:
    whole = (folders["production"] / "deployment-gateway.yaml").read_text()
    broken = whole.replace(*BROKEN[mistake], 1)
    assert broken != whole
    (tmp_path / "deployment.yaml").write_text(broken)
    return [str(tmp_path / "deployment.yaml")]


def test_kubeconform_finds_all_manifests_valid_and_skips_none(
    tools: JudgeTools, schemas: Path, folders: dict[str, Path]
) -> None:
    for folder in folders.values():
        files = objects_in(folder)
        report = kubeconform(tools, schemas, files)
        assert report["summary"] == {"valid": len(files), "invalid": 0, "errors": 0, "skipped": 0}, report["resources"]


@pytest.mark.parametrize("mistake", BROKEN)
def test_kubeconform_finds(
    mistake: str, tools: JudgeTools, schemas: Path, tmp_path: Path, folders: dict[str, Path]
) -> None:
    files = broken_deployment(tmp_path, folders, mistake)

    assert kubeconform(tools, schemas, files)["summary"]["invalid"] == 1


def of_kubernetes_own_kinds(files: list[str]) -> list[str]:
    of_others = {kind.lower() for kind in CRDS.files}
    return [file for file in files if Path(file).name.partition("-")[0] not in of_others]


def test_kubernetes_validate_finds_all_manifests_valid(tools: JudgeTools, folders: dict[str, Path]) -> None:
    """All but those of prometheus-operator's kinds, which it has no schema for."""
    for folder in folders.values():
        files = of_kubernetes_own_kinds(objects_in(folder))
        lines = kubernetes_validate(tools, files)
        assert len(lines) == len(files), lines
        assert [line for line in lines if not line.startswith("INFO ")] == []


@pytest.mark.parametrize("mistake", BROKEN)
def test_kubernetes_validate_finds(mistake: str, tools: JudgeTools, tmp_path: Path, folders: dict[str, Path]) -> None:
    lines = kubernetes_validate(tools, broken_deployment(tmp_path, folders, mistake))

    assert any(line.startswith("ERROR ") for line in lines), lines
