"""An own cluster gets the images by the way that its context tells of, under names that work there."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.local.images import delivery
from sluice.local.images.building import Image, Images
from sluice.local.images.delivery import References, deliver
from sluice.local.images.errors import ClusterLoadError, RegistryNeededError, ToolMissingError
from sluice.progress import Progress

_DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.fixture
def images(tmp_path: Path) -> Images:
    archive = tmp_path / "images.tar"
    archive.write_bytes(b"")
    return Images(
        *(
            Image(f"sluice.local/{name}", _DIGEST, archive, 1)
            for name in ("gateway", "stub-provider", "cache", "guard", "prometheus")
        )
    )


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the whole PATH: programs in it write down how they were called."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def _put(tools: Path, name: str, *, exits: int = 0) -> None:
    said = "echo 'ERROR: no nodes found for cluster' >&2" if exits else ":"
    (tools / name).write_text(f'#!/bin/sh\necho "{name} $*" >> {tools}/calls\n{said}\nexit {exits}\n')
    (tools / name).chmod(0o755)


def _deliver(images: Images, context: str | None, registry: str | None = None) -> References:
    return deliver(images, context=context, registry=registry, progress=Progress(quiet=True))


@pytest.mark.parametrize(
    ("context", "call"),
    [
        ("kind-dev", "kind load image-archive {archive} --name dev"),
        ("kind-two-words", "kind load image-archive {archive} --name two-words"),
        ("k3d-dev", "k3d image import {archive} --cluster dev"),
    ],
)
def test_kind_and_k3d_load_the_archive_once_and_pods_name_a_tag(
    images: Images, tools: Path, context: str, call: str
) -> None:
    _put(tools, context.partition("-")[0])
    assert _deliver(images, context) == References(
        "sluice.local/gateway:0123456789abcdef",
        "sluice.local/stub-provider:0123456789abcdef",
        "sluice.local/cache:0123456789abcdef",
        "sluice.local/guard:0123456789abcdef",
        "sluice.local/prometheus:0123456789abcdef",
    )
    assert (tools / "calls").read_text().splitlines() == [call.format(archive=images.gateway.archive)]


def test_a_tool_that_fails_is_quoted(images: Images, tools: Path) -> None:
    _put(tools, "kind", exits=1)
    with pytest.raises(ClusterLoadError, match=r"kind cluster 'dev' failed.*\n  ERROR: no nodes found"):
        _deliver(images, "kind-dev")


def test_a_tool_that_is_missing_is_named(images: Images, tools: Path) -> None:
    with pytest.raises(ToolMissingError, match="k3d is not on the PATH"):
        _deliver(images, "k3d-dev")


@pytest.mark.parametrize("context", ["production", "kind", "kind-", None])
def test_any_other_cluster_needs_a_registry(images: Images, context: str | None) -> None:
    with pytest.raises(RegistryNeededError, match="must come from a registry"):
        _deliver(images, context)


def test_a_named_registry_is_used_whatever_the_cluster_is(
    images: Images, tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "push", lambda image, registry: f"{registry}/{image.name.rpartition('/')[2]}@made")
    assert _deliver(images, "kind-dev", "registry.example.com/team") == References(
        *(
            f"registry.example.com/team/{name}@made"
            for name in ("gateway", "stub-provider", "cache", "guard", "prometheus")
        )
    )
