"""What is rendered, asked of a real API server: it is taken as it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sluice.local.folders import PROJECT
from sluice.registry import environments
from tests.live.project import LiveProject

STRICT = ("--server-side", "--dry-run=server", "--validate=strict", "--warnings-as-errors")


@pytest.mark.parametrize("environment", environments(PROJECT))
def test_the_folder_of_an_environment_is_taken_strictly_and_without_a_warning(
    environment: str, project: LiveProject, tmp_path: Path
) -> None:
    # Under another name and port: the environment itself may be running here.
    name, judged = f"sluice-{environment}", f"sluice-judged-{environment}"
    for file in (PROJECT / "manifests" / environment).iterdir():
        text = file.read_text().replace(name, judged).replace("nodePort: 30080", "nodePort: 30089")
        (tmp_path / file.name.replace(name, judged)).write_text(text)
    there = project.kubectl("apply", "--server-side", "-f", str(tmp_path / f"namespace-{judged}.yaml"))
    assert there.exit_code == 0, there.stderr
    try:
        taken = in_namespace(project, judged, "apply", *STRICT, "-k", str(tmp_path))
    finally:
        project.kubectl("delete", "namespace", judged, "--wait=false")

    assert taken.exit_code == 0, taken.stderr
    assert "Warning" not in taken.stderr
    files = [file for file in tmp_path.iterdir() if file.name != "kustomization.yaml"]
    assert len(taken.stdout.splitlines()) == len(files)


def in_namespace(project: LiveProject, namespace: str, *arguments: str) -> Any:
    return project.kubectl(*arguments, "--namespace", namespace)
