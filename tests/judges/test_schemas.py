"""Every manifest is what this version of Kubernetes takes, by two judges with schemas of different origin."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sluice.local.toolchain import JudgeTools
from sluice.local.toolchain.catalog import KUBERNETES_VERSION
from tests.judges.judged import objects_in, run
from tests.judges.schemas import LOCATION, write_schemas, write_schemas_of_definitions

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
    write_schemas_of_definitions(tools.monitoring_kinds, folder)
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


def test_kubernetes_validate_finds_all_manifests_valid(tools: JudgeTools, folders: dict[str, Path]) -> None:
    """All but those of prometheus-operator's kinds, which it has no schema for."""
    for folder in folders.values():
        files = [
            file for file in objects_in(folder) if "apiVersion: monitoring.coreos.com/" not in Path(file).read_text()
        ]
        lines = kubernetes_validate(tools, files)
        assert len(lines) == len(files), lines
        assert [line for line in lines if not line.startswith("INFO ")] == []


@pytest.mark.parametrize("mistake", BROKEN)
def test_kubernetes_validate_finds(mistake: str, tools: JudgeTools, tmp_path: Path, folders: dict[str, Path]) -> None:
    lines = kubernetes_validate(tools, broken_deployment(tmp_path, folders, mistake))

    assert any(line.startswith("ERROR ") for line in lines), lines
