"""What is rendered, asked of a real API server: it is taken as it stands, and it is what `sluice up` applied."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sluice.local.folders import PROJECT
from sluice.registry import environments
from sluice.render import write_manifests
from tests.everything import everything
from tests.live.kinds_of_others import with_kinds_of_others
from tests.live.project import NAMESPACE, LiveProject

NOTES = ("pulumi.com/patchFieldManager", "pulumi.com/patchForce")
STRICT = ("--server-side", "--dry-run=server", "--validate=strict", "--warnings-as-errors")


@pytest.fixture(scope="module")
def kinds_of_others(project: LiveProject) -> Iterator[None]:
    with with_kinds_of_others(project):
        yield


@pytest.fixture(scope="module")
def everything_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("manifests") / "everything"
    write_manifests(everything(), folder)
    return folder


@pytest.mark.usefixtures("kinds_of_others")
@pytest.mark.parametrize("environment", [*environments(PROJECT), "everything"])
def test_the_folder_of_an_environment_is_taken_strictly_and_without_a_warning(
    environment: str, project: LiveProject, everything_folder: Path, tmp_path: Path
) -> None:
    # Under another name and port: the environment itself may be running here.
    is_whole = environment == "everything"
    name, judged = f"sluice-{'production' if is_whole else environment}", f"sluice-judged-{environment}"
    for file in (everything_folder if is_whole else PROJECT / "manifests" / environment).iterdir():
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


def test_what_up_applied_is_what_is_rendered(project: LiveProject, tmp_path: Path) -> None:
    """As the owner of the fields that Pulumi owns: applying would change nothing, add nothing and take nothing away."""
    project.up()
    rendered = project.sluice("render", "live", "--out", str(tmp_path / "rendered"))
    assert rendered.exit_code == 0, rendered.stderr
    # The settings name no image of dev's kind: they are built, and named for the time of the update.
    images = [named(project.pod_image(deployment)) for deployment in project.deployments()]
    overlay = tmp_path / "overlay"
    overlay.mkdir()
    (overlay / "kustomization.yaml").write_text(json.dumps({"resources": ["../rendered"], "images": images}))

    applied = objects(project, "apply", *STRICT, "--force-conflicts", "--field-manager", "sluice", "-k", str(overlay))
    present = objects(project, "get", "-k", str(overlay))

    assert applied.keys() == present.keys()
    found = [line for name, body in applied.items() for line in differences(name, present[name], body)]
    assert "\n".join(found) == ""
    # One look that this comparison sees something: an object that was changed is not the same.
    changed = project.kubectl("label", "service", "gateway", "app.kubernetes.io/component=other", "--overwrite")
    assert changed.exit_code == 0, changed.stderr
    assert objects(project, "get", "-k", str(overlay))["Service/gateway"] != applied["Service/gateway"]
    project.up()


def named(image: str) -> dict[str, str]:
    name, _, digest = image.partition("@")
    return {"name": name, "digest": digest}


def objects(project: LiveProject, *arguments: str) -> dict[str, dict[str, Any]]:
    """What kubectl answers with, without what Pulumi notes beside an object and what the server counts.

    It counts a generation more for a dry run even where nothing of the object differs.
    """
    ran = in_namespace(project, NAMESPACE, *arguments, "--output", "json")
    assert ran.exit_code == 0, ran.stderr
    found = {}
    for item in json.loads(ran.stdout)["items"]:
        metadata = item["metadata"]
        for counted in ("generation", "managedFields", "resourceVersion"):
            metadata.pop(counted, None)
        for note in NOTES:
            metadata.get("annotations", {}).pop(note, None)
        if not metadata.get("annotations"):
            metadata.pop("annotations", None)
        found[f"{item['kind']}/{metadata['name']}"] = item
    return found


def differences(path: str, present: Any, applied: Any) -> list[str]:
    if isinstance(present, dict) and isinstance(applied, dict):
        keys = sorted(present.keys() | applied.keys())
        return [line for key in keys for line in differences(f"{path}.{key}", present.get(key), applied.get(key))]
    return [] if present == applied else [f"{path}: {present!r} would be {applied!r}"]


def in_namespace(project: LiveProject, namespace: str, *arguments: str) -> Any:
    return project.kubectl(*arguments, "--namespace", namespace)
