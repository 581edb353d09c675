"""The folder manifests/ is the golden: it is what the code renders, refreshed by `sluice render ENVIRONMENT`."""

from __future__ import annotations

import errno
import json
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sluice.registry import environments, load_environment
from sluice.render import KubernetesObject, Rendered, manifests, render, write_manifests
from sluice.render.json_text import json_text
from sluice.render.manifests import KUSTOMIZATION, ManifestsNotWritten, file_name
from sluice.render.yaml_text import yaml_text

pytestmark = pytest.mark.slow


PROJECT = Path(__file__).parent.parent.parent


def rendered(environment: str) -> Rendered:
    declared = load_environment(PROJECT, environment)
    return render(declared.registry, declared.rollout, declared.settings)


@pytest.mark.parametrize("environment", environments(PROJECT))
def test_the_manifests_that_people_review_are_what_is_rendered(environment: str) -> None:
    reviewed = {file.name: file.read_text() for file in (PROJECT / "manifests" / environment).iterdir()}

    assert reviewed == manifests(rendered(environment)), f"run: sluice render {environment}"


def test_every_folder_of_manifests_belongs_to_an_environment() -> None:
    assert sorted(folder.name for folder in (PROJECT / "manifests").iterdir()) == list(environments(PROJECT))


@pytest.mark.parametrize("environment", environments(PROJECT))
def test_a_manifest_read_as_kubernetes_reads_it_is_the_object_that_was_rendered(environment: str) -> None:
    # PyYAML reads YAML 1.1, as Kubernetes does.
    read = {name: yaml.safe_load(text) for name, text in manifests(rendered(environment)).items()}

    del read[KUSTOMIZATION]
    assert read == {file_name(item): item.body for item in rendered(environment).objects()}


@pytest.mark.parametrize(
    "text",
    ["a: {b}\n" * 3_000, "a\n" * 9_000 + "  b\n", " a\n" * 9_000, "a \n" * 9_000, "ä\n" * 9_000, "a\n" * 9_000 + "b"],
    ids=["plain", "indented inside", "indented", "trailing space", "other letters", "no line break at the end"],
)
def test_a_long_text_is_written_as_a_short_one_is(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    body = {"apiVersion": "v1", "data": {"first": text, "second": {"below": text, "digest": f"{'0' * 64}\n"}}}

    quickly = yaml_text(body)

    assert yaml.safe_load(quickly) == body
    monkeypatch.setattr(sys.modules["sluice.render.yaml_text"], "_LONG", len(text) + 1)
    assert quickly == yaml_text(body)


@pytest.mark.parametrize("environment", environments(PROJECT))
def test_the_kustomization_lists_every_other_file_in_order(environment: str) -> None:
    files = manifests(rendered(environment))

    assert yaml.safe_load(files[KUSTOMIZATION]) == {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": sorted(files.keys() - {KUSTOMIZATION}),
    }


def test_writing_twice_changes_nothing_the_second_time(tmp_path: Path) -> None:
    first = write_manifests(rendered("dev"), tmp_path / "out")
    before = {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in (tmp_path / "out").iterdir()}

    second = write_manifests(rendered("dev"), tmp_path / "out")

    assert first.changed == second.unchanged == tuple(sorted(before))
    assert second.changed == second.removed == ()
    assert before == {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in (tmp_path / "out").iterdir()}


def test_the_manifest_of_an_object_that_is_gone_is_removed(tmp_path: Path) -> None:
    write_manifests(rendered("dev"), tmp_path)

    written = write_manifests(rendered("staging"), tmp_path)

    assert written.removed == (
        "configmap-guard-config.yaml",
        "configmap-prometheus-config.yaml",
        "configmap-rollbacks.yaml",
        "deployment-cache.yaml",
        "deployment-prometheus.yaml",
        "deployment-sluice-guard.yaml",
        "deployment-stub-provider.yaml",
        "lease-sluice-guard.yaml",
        "namespace-sluice-dev.yaml",
        "networkpolicy-cache.yaml",
        "networkpolicy-prometheus.yaml",
        "networkpolicy-sluice-guard.yaml",
        "networkpolicy-stub-provider.yaml",
        "service-cache.yaml",
        "service-gateway-metrics.yaml",
        "service-prometheus.yaml",
        "service-sluice-guard-metrics.yaml",
        "service-stub-provider.yaml",
        "validatingadmissionpolicy-sluice-dev.yaml",
        "validatingadmissionpolicybinding-sluice-dev.yaml",
    )
    assert {file.name for file in tmp_path.iterdir()} == manifests(rendered("staging")).keys()


def test_a_disk_that_is_full_leaves_the_folder_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_manifests(rendered("staging"), tmp_path / "out")
    before = {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()}
    write, room = Path.write_bytes, iter(range(5))

    def fill(file: Path, content: bytes) -> int:
        if next(room, None) is not None:
            return write(file, content)
        write(file, content[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fill)
    with pytest.raises(ManifestsNotWritten, match="cannot be written: No space left on device"):
        write_manifests(rendered("dev"), tmp_path / "out")

    assert before == {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()}
    assert [file.name for file in tmp_path.iterdir()] == ["out"]


def test_a_folder_that_holds_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.md").write_text("years of work")

    with pytest.raises(ManifestsNotWritten, match=r"holds thesis\.md, which is no manifest; move it, or choose anoth"):
        write_manifests(rendered("dev"), tmp_path)

    assert [file.name for file in tmp_path.iterdir()] == ["thesis.md"]


def test_a_file_in_place_of_the_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")

    with pytest.raises(ManifestsNotWritten, match=r"out: is not a folder; choose another by --out"):
        write_manifests(rendered("dev"), tmp_path / "out")


def test_a_name_that_changes_with_the_content_is_left_out_of_the_files_name() -> None:
    configuration = KubernetesObject("v1", "ConfigMap", "gateway-config-0a1b2c3d", {})

    assert file_name(configuration) == "configmap-gateway-config.yaml"


# What YAML 1.1 reads as something else than text, and text that a block or a quote could change.
_traps = ["no", "Yes", "on", "null", "~", "1", "1.5", "1e3", "0x1", "1:30", "2025-11-06", ".inf", "1_000", "=", "<<"]
_traps += ["", "a b", "- x", "a: b", "# c", "{", "a\nb\n", "  a\nb", "a\n\n", "\u00ff"]
_keys = st.text(st.sampled_from("abno1.-/:"), min_size=1)
_text = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"])) | st.sampled_from(_traps)
_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | _text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=3),
)


@given(st.dictionaries(st.sampled_from(["data", "spec", "on", "1"]), _json, min_size=1))
def test_whatever_an_object_holds_kubernetes_reads_the_same_from_its_manifest(body: dict[str, object]) -> None:
    assert yaml.safe_load(yaml_text(body)) == body


@given(st.dictionaries(st.text(), _json))
def test_json_in_a_manifest_is_the_value_that_was_written(value: dict[str, object]) -> None:

    assert json.loads(json_text(value)) == value
