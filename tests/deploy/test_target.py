"""Which cluster is meant, and where Pulumi's state of it lies."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.deploy.cluster_access import ClusterAccess
from sluice.deploy.target import Target, deliver_images, target
from sluice.local import images, packages
from sluice.local.images import Image, ImageError, Images
from sluice.progress import Progress
from tests.deploy.api_server import ApiServer


@pytest.fixture
def local(tmp_path: Path) -> Path:
    """The kubeconfig of the local cluster; the surroundings of these tests say where its state is."""
    return tmp_path / "state" / "kubeconfig"


def test_with_nothing_named_the_local_cluster_is_meant(local: Path) -> None:
    assert target(None) == Target(local, None, is_local=True)


def test_an_empty_kubeconfig_names_nothing(local: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "")

    assert target(None) == Target(local, None, is_local=True)
    assert target("kind-kind") == Target(None, "kind-kind", is_local=False)


def test_a_kubeconfig_means_a_cluster_of_the_persons_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/made/kubeconfig")

    assert target(None) == Target(Path("/made/kubeconfig"), None, is_local=False)
    assert target("there") == Target(Path("/made/kubeconfig"), "there", is_local=False)


def test_a_context_alone_means_one_of_the_default_kubeconfig() -> None:
    assert target("kind-kind") == Target(None, "kind-kind", is_local=False)


def test_the_local_clusters_own_kubeconfig_still_means_the_local_cluster(
    local: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(local))

    assert target(None).is_local, "`sluice env` exports it, and `sluice down` must then stop it and not destroy in it"


def test_pulumi_is_led_to_the_same_cluster() -> None:
    assert Target(None, None, is_local=False).variables() == {}
    assert Target(None, "there", is_local=False).variables() == {"SLUICE_CONTEXT": "there"}
    assert Target(Path("/made/kubeconfig"), None, is_local=True).variables() == {
        "KUBECONFIG": "/made/kubeconfig",
        "SLUICE_NODE_PORTS_AT": "127.0.0.1",
    }
    assert Target(Path("/made/kubeconfig"), "there", is_local=False).variables() == {
        "KUBECONFIG": "/made/kubeconfig",
        "SLUICE_CONTEXT": "there",
    }


def test_a_connection_goes_to_the_context_that_was_named(api: ApiServer, tmp_path: Path) -> None:
    file = api.kubeconfig(tmp_path / "kubeconfig")

    assert Target(file, "made", is_local=False).connect().unique_id() == "5f0c4a1e-made"


def test_the_state_of_each_cluster_lies_apart_by_the_clusters_own_id(
    access: ClusterAccess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    local = Target(tmp_path / "kubeconfig", None, is_local=True)
    own = Target(tmp_path / "kubeconfig", None, is_local=False)

    assert local.pulumi_state(access) == tmp_path / "state/pulumi/5f0c4a1e-made"
    assert own.pulumi_state(access) == tmp_path / "home/.local/state/sluice/pulumi/5f0c4a1e-made"


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Images:
    """Images that were built, on a machine that has all it needs."""
    archive = tmp_path / "images.tar"
    made = Images(
        Image("sluice.local/gateway", f"sha256:{'1' * 64}", archive, 1),
        Image("sluice.local/stub-provider", f"sha256:{'2' * 64}", archive, 1),
        Image("sluice.local/cache", f"sha256:{'3' * 64}", archive, 1),
        Image("sluice.local/guard", f"sha256:{'4' * 64}", archive, 1),
        Image("sluice.local/prometheus", f"sha256:{'5' * 64}", archive, 1),
    )
    monkeypatch.setattr(packages, "ensure", lambda progress: ())
    monkeypatch.setattr(images, "build", lambda project, cache, progress: made)
    return made


@pytest.fixture
def kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `kind` that writes down its arguments into this file."""
    program = tmp_path / "programs" / "kind"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/kind.log\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return tmp_path / "kind.log"


def test_images_go_into_the_kind_cluster_that_the_kubeconfig_is_for(
    built: Images, kind: Path, api: ApiServer, tmp_path: Path
) -> None:
    file = api.kubeconfig(tmp_path / "kubeconfig", context="kind-made")

    for where in (Target(file, None, is_local=False), Target(file, "kind-made", is_local=False)):
        variables = deliver_images(where, where.connect(), None, Progress(quiet=True))

        assert variables["SLUICE_GATEWAY_IMAGE"] == built.gateway.tagged_reference
        assert variables["SLUICE_STUB_PROVIDER_IMAGE"] == built.stub_provider.tagged_reference
        assert variables["SLUICE_CACHE_IMAGE"] == built.cache.tagged_reference
        assert variables["SLUICE_GUARD_IMAGE"] == built.guard.tagged_reference
        assert variables["SLUICE_PROMETHEUS_IMAGE"] == built.prometheus.tagged_reference
    assert kind.read_text().splitlines() == [f"load image-archive {built.gateway.archive} --name made"] * 2


def test_for_a_cluster_that_cannot_be_loaded_a_registry_is_asked_for(
    built: Images, access: ClusterAccess, tmp_path: Path
) -> None:
    where = Target(tmp_path / "kubeconfig", None, is_local=False)

    with pytest.raises(ImageError, match=r"the cluster of the context 'made' is neither .*--images-to"):
        deliver_images(where, access, None, Progress(quiet=True))


def test_images_go_into_the_local_clusters_containerd_and_are_named_by_digest(
    built: Images, access: ClusterAccess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = []
    monkeypatch.setattr(images, "load", lambda given, socket, progress: loaded.append((given, socket)))

    variables = deliver_images(Target(tmp_path / "kubeconfig", None, is_local=True), access, None, Progress(quiet=True))

    assert variables == {
        "SLUICE_GATEWAY_IMAGE": built.gateway.reference,
        "SLUICE_STUB_PROVIDER_IMAGE": built.stub_provider.reference,
        "SLUICE_CACHE_IMAGE": built.cache.reference,
        "SLUICE_GUARD_IMAGE": built.guard.reference,
        "SLUICE_PROMETHEUS_IMAGE": built.prometheus.reference,
    }
    ((given, socket),) = loaded
    assert given is built
    assert socket.is_relative_to(tmp_path / "state")
