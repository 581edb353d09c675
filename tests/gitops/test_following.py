"""The objects that docs/following.md has people paste lead to what is in this repository, and forget nothing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from sluice.local.folders import PROJECT
from sluice.registry import load_environment

EXAMPLES = PROJECT / "docs/examples"
FLUX = sorted({*(EXAMPLES / "flux").glob("*.yaml")} - {EXAMPLES / "flux/source.yaml"})
ARGO_CD = sorted((EXAMPLES / "argocd").glob("*.yaml"))
PAGE = PROJECT / "docs/following.md"


def read(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(file.read_text())
    return found


def test_there_is_an_example_of_each_environment_that_people_follow() -> None:
    assert {file.stem for file in FLUX} == {"staging", "production"}
    assert {file.stem for file in ARGO_CD} == {"staging", "production"}


@pytest.mark.parametrize("file", FLUX, ids=lambda file: str(file.stem))
def test_flux_is_led_to_a_folder_that_is_rendered_and_to_a_source_that_is_there(file: Path) -> None:
    example, source = read(file), read(EXAMPLES / "flux/source.yaml")
    spec = example["spec"]

    assert (PROJECT / spec["path"] / "kustomization.yaml").is_file()
    assert spec["path"] == f"./manifests/{file.stem}"
    assert spec["sourceRef"] == {"kind": source["kind"], "name": source["metadata"]["name"]}
    assert example["metadata"]["namespace"] == source["metadata"]["namespace"]
    assert "!/manifests/" in source["spec"]["ignore"].split()


@pytest.mark.parametrize("file", FLUX, ids=lambda file: str(file.stem))
def test_flux_tells_what_breaks_removes_what_is_gone_and_leaves_an_environment_when_it_goes(file: Path) -> None:
    spec = read(file)["spec"]

    assert spec["prune"]
    assert spec["wait"]
    assert spec["deletionPolicy"] == "Orphan"
    assert "postBuild" not in spec, "it would replace what dashboards write as ${...}"


@pytest.mark.parametrize("file", ARGO_CD, ids=lambda file: str(file.stem))
def test_argo_cd_is_led_to_a_folder_that_is_rendered_and_to_its_namespace(file: Path) -> None:
    spec = read(file)["spec"]

    assert (PROJECT / spec["source"]["path"] / "kustomization.yaml").is_file()
    assert spec["source"]["path"] == f"manifests/{file.stem}"
    assert spec["destination"]["namespace"] == load_environment(PROJECT, file.stem).settings.namespace


@pytest.mark.parametrize("file", ARGO_CD, ids=lambda file: str(file.stem))
def test_argo_cd_leaves_an_autoscalers_number_alone_and_an_environment_when_it_goes(file: Path) -> None:
    example = read(file)
    (ignored,) = example["spec"]["ignoreDifferences"]
    options = example["spec"]["syncPolicy"]["syncOptions"]

    assert (ignored["kind"], ignored["name"], ignored["jsonPointers"]) == ("Deployment", "gateway", ["/spec/replicas"])
    assert {"RespectIgnoreDifferences=true", "ServerSideApply=true"} <= set(options)
    assert "finalizers" not in example["metadata"]


def test_every_file_that_the_page_names_is_there() -> None:
    links = re.findall(r"\]\(([^)#]+)", PAGE.read_text())

    assert {"examples/flux/source.yaml", "examples/flux/production.yaml", "examples/argocd/production.yaml"} <= set(
        links
    )
    assert [link for link in links if not link.startswith("https://") and not (PAGE.parent / link).exists()] == []
