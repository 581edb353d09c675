"""A layer is built again when something that it is made of changed, and only then."""

from __future__ import annotations

import inspect
import json
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from sluice.local import packages as debian
from sluice.local.images import base, building, code, layer, packages, program
from sluice.local.images.building import Image, Images, build
from sluice.local.images.errors import (
    BaseToolsMissingError,
    DiskSpaceError,
    PackagesError,
    RootNeededError,
    SourceMissingError,
)
from sluice.local.images.litellm import build_litellm
from sluice.local.images.recipe import GATEWAY
from sluice.local.images.store import Store
from sluice.progress import Progress

pytestmark = pytest.mark.slow

PROGRAMS = ("program cache", "program prometheus")


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stands in for the builders, which need root and a network; the names of those that ran."""
    ran: list[str] = []

    def fake(name: str) -> Callable[..., None]:
        def fill(folder: Path, scratch: Path, **given: object) -> None:
            of = given.get("recipe")
            ran.append(name if of is None else f"{name} {of.short_name}")  # type: ignore[attr-defined]
            (scratch / "root").mkdir()
            project, lock = given.get("project"), given.get("lock")
            content = code.content(project, of) if project else lock.read_bytes() if lock else b""  # type: ignore[arg-type, attr-defined]
            (scratch / "root" / name).write_bytes(content)
            layer.write(scratch / "root", folder)

        return fill

    monkeypatch.setattr(base, "build", fake("base"))
    monkeypatch.setattr(packages, "build", fake("packages"))
    monkeypatch.setattr(code, "build", fake("code"))
    monkeypatch.setattr(program, "build", fake("program"))
    monkeypatch.setattr(debian, "missing", lambda _packages: ())
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return ran


def _build(checkout: Path) -> Images:
    return build(checkout, checkout.parent / "cache", Progress(quiet=True))


def test_the_first_build_builds_every_layer_once(checkout: Path, built: list[str]) -> None:
    images = _build(checkout)
    assert built == ["base", "packages", "code gateway", "code stub-provider", "code guard", *PROGRAMS]
    assert images.gateway.reference == f"sluice.local/gateway@{images.gateway.digest}"
    assert images.stub_provider.archive.is_file()


def test_a_second_build_builds_nothing_and_needs_no_root(
    checkout: Path, built: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = _build(checkout)
    built.clear()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert _build(checkout) == first
    assert built == []


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("sluice/gateway/__main__.py", ["code gateway"]),
        ("sluice/gateway/deep/new.py", ["code gateway"]),
        ("sluice/override.py", ["code gateway", "code guard"]),
        ("sluice/local/stub_provider/__init__.py", ["code stub-provider"]),
        ("sluice/errors.py", ["code gateway", "code stub-provider", "code guard"]),
        ("requirements/gateway.lock", ["packages"]),
        ("sluice/registry/policy.py", ["code guard"]),
        ("sluice/rollout/guard/new.py", ["code guard"]),
        ("sluice/registry/loading.py", []),
        ("sluice/gateway/__pycache__/__main__.cpython-311.pyc", []),
        ("README.md", []),
    ],
)
def test_a_changed_file_rebuilds_only_the_layers_that_hold_it(
    checkout: Path, built: list[str], file: str, expected: list[str]
) -> None:
    before = _build(checkout)
    built.clear()
    (checkout / file).write_text("# changed\n")
    after = _build(checkout)
    assert built == expected
    assert (after == before) == (expected == [])


def test_a_file_that_came_back_to_what_it_was_needs_no_build(checkout: Path, built: list[str]) -> None:
    first = _build(checkout)
    (checkout / "sluice/errors.py").write_text("# changed\n")
    _build(checkout)
    (checkout / "sluice/errors.py").write_text("# sluice/errors.py\n")
    built.clear()
    assert _build(checkout) == first
    assert built == []


@pytest.mark.parametrize("module", ["base", "packages", "code", "program", "archive"])
def test_a_change_of_how_a_layer_is_made_makes_other_images(
    checkout: Path, built: list[str], monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    before = _build(checkout)
    built.clear()
    real = inspect.getsource
    monkeypatch.setattr(
        inspect,
        "getsource",
        lambda asked: real(asked) + ("# changed" if asked.__name__.endswith(module) else ""),
    )
    after = _build(checkout)
    assert after.gateway.archive != before.gateway.archive
    assert (module in built) == (module in {"base", "packages"})


def test_what_was_finished_before_a_failure_is_kept_and_nothing_half_made(
    checkout: Path, built: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = packages.build

    def failing(folder: Path, _scratch: Path, **_given: object) -> None:
        (folder / "layer.tar.gz").write_bytes(b"half")
        raise PackagesError(checkout / "requirements/gateway.lock", "ERROR: no route to host")

    monkeypatch.setattr(packages, "build", failing)
    with pytest.raises(PackagesError, match=r"gateway\.lock into the image failed.*\n  ERROR: no route to host"):
        _build(checkout)
    kept = {path.name.rpartition("-")[0] for path in (checkout.parent / "cache/images").iterdir() if path.is_dir()}
    assert kept == {"base"}
    monkeypatch.setattr(packages, "build", real)
    built.clear()
    _build(checkout)
    assert built == ["packages", "code gateway", "code stub-provider", "code guard", *PROGRAMS]


def test_what_a_killed_build_left_is_cleared_by_the_next(checkout: Path, built: list[str]) -> None:
    left = checkout.parent / "cache/images/.unfinished-abc/content"
    left.mkdir(parents=True)
    (left / "layer.tar.gz").write_bytes(b"half")
    _build(checkout)
    assert not left.parent.exists()


def test_only_the_newest_few_of_a_kind_are_kept(checkout: Path, built: list[str]) -> None:
    for number in range(6):
        (checkout / "sluice/errors.py").write_text(f"# {number}\n")
        newest = _build(checkout)
        for folder in (checkout.parent / "cache/images").iterdir():
            os.utime(folder, (number, number))
    kept = [path for path in (checkout.parent / "cache/images").iterdir() if path.name.startswith("archive-")]
    assert len(kept) == 3
    assert newest.gateway.archive.parent in kept


def test_what_builds_the_base_is_installed_only_when_the_base_is_built(
    checkout: Path, built: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[debian.Package, ...]] = []
    monkeypatch.setattr(debian, "ensure", lambda _progress, packages: asked.append(packages))
    _build(checkout)
    assert asked == [debian.IMAGE_PACKAGES]
    _build(checkout)
    (checkout / "sluice/errors.py").write_text("# changed\n")
    _build(checkout)
    assert built[-3:] == ["code gateway", "code stub-provider", "code guard"]
    assert len(asked) == 1


def test_where_the_base_cannot_be_built_the_containerfile_is_named(
    checkout: Path, built: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(debian, "missing", lambda packages: packages)
    monkeypatch.setattr(shutil, "which", lambda _name, path: None)
    with pytest.raises(
        BaseToolsMissingError, match=r"mmdebstrap debian-archive-keyring; this is no Debian.*Containerfile"
    ):
        _build(checkout)
    assert built == []


def test_building_without_root_is_refused_before_anything_is_written(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(RootNeededError, match="needs root"):
        _build(checkout)
    assert not (checkout.parent / "cache").exists()


@pytest.mark.parametrize(
    "missing", ["sluice/gateway/__main__.py", "sluice/local/__init__.py", "requirements/gateway.lock"]
)
def test_a_file_that_is_missing_is_named(checkout: Path, missing: str) -> None:
    (checkout / missing).unlink()
    with pytest.raises(SourceMissingError, match=f"{missing}: not found"):
        _build(checkout)


def test_a_full_disk_is_said_before_building(checkout: Path, built: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sluice.local.images.store._free_mib", lambda _folder: 5)
    with pytest.raises(DiskSpaceError, match="5 MiB free, and building the images needs 600 MiB"):
        _build(checkout)
    assert built == []


def test_a_disk_that_fills_up_while_building_is_said(checkout: Path, tmp_path: Path) -> None:
    def fill(folder: Path) -> None:
        raise OSError(28, "No space left on device", str(folder))

    store = Store(tmp_path / "store")
    with pytest.raises(DiskSpaceError, match="make room"), store.locked():
        store.make("base", "key", fill)
    assert [path.name for path in store.folder.iterdir()] == ["lock"]


def test_the_image_carries_its_sources_and_no_compiled_files(checkout: Path) -> None:
    assert [str(path) for path in code.files(checkout, GATEWAY)] == [
        "sluice/__init__.py",
        "sluice/errors.py",
        "sluice/key_hash.py",
        "sluice/override.py",
        "sluice/service_account.py",
        "sluice/gateway/__init__.py",
        "sluice/gateway/__main__.py",
        "sluice/gateway/deep/__init__.py",
    ]


def test_a_build_that_waits_for_another_says_so(tmp_path: Path) -> None:
    store, said = Store(tmp_path / "store"), list[str]()
    with store.locked(lambda: said.append("first")):
        waiting = threading.Thread(target=lambda: _hold(store, said))
        waiting.start()
        while not said:
            waiting.join(0.01)
        assert said == ["waits"]
    waiting.join()
    assert said == ["waits", "holds"]


def _hold(store: Store, said: list[str]) -> None:
    with store.locked(lambda: said.append("waits")):
        said.append("holds")


@pytest.mark.parametrize("damage", ["{", "{}", '{"archive_bytes": 1, "images": {}}'])
def test_what_is_kept_of_an_archive_and_is_damaged_is_not_taken_for_whole(damage: str, tmp_path: Path) -> None:
    (tmp_path / "images.tar").write_bytes(b"four")
    images = {
        f"sluice.local/{name}": {"digest": "sha256:0", "size_bytes": 4}
        for name in ("gateway", "stub-provider", "cache", "guard", "prometheus")
    }
    record = tmp_path / "images.json"
    record.write_text(json.dumps({"archive_bytes": 4, "images": images}))
    assert building._read(tmp_path) is not None

    (tmp_path / "images.tar").write_bytes(b"cut")
    assert building._read(tmp_path) is None

    (tmp_path / "images.tar").write_bytes(b"four")
    record.write_text(damage)
    assert building._read(tmp_path) is None


def _build_litellm(checkout: Path) -> Image:
    return build_litellm(checkout, checkout.parent / "cache", Progress(quiet=True))


def test_litellm_is_built_where_it_is_asked_for_and_on_the_same_base(checkout: Path, built: list[str]) -> None:
    images = _build(checkout)
    assert images.litellm is None
    assert "code litellm" not in built
    built.clear()

    own = _build_litellm(checkout)

    assert built == ["program litellm-libraries", "packages", "code litellm"]
    assert own.reference == f"sluice.local/litellm@{own.digest}"
    assert own.archive != images.gateway.archive


def test_litellm_is_built_with_nothing_there_before_and_then_never_again(
    checkout: Path, built: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = _build_litellm(checkout)
    assert built == ["base", "program litellm-libraries", "packages", "code litellm"]
    built.clear()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    assert _build_litellm(checkout) == first
    assert built == []


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("sluice/litellm_proxy/__main__.py", ["code litellm"]),
        ("requirements/litellm-image.lock", ["packages"]),
        ("requirements/gateway.lock", []),
        ("sluice/gateway/__main__.py", []),
    ],
)
def test_a_changed_file_rebuilds_of_litellm_what_holds_it(
    checkout: Path, built: list[str], file: str, expected: list[str]
) -> None:
    before = _build_litellm(checkout)
    built.clear()
    (checkout / file).write_text("# changed\n")

    assert (_build_litellm(checkout) == before) == (expected == [])
    assert built == expected


def test_litellm_without_root_or_without_its_lock_is_refused(
    checkout: Path, built: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(RootNeededError):
        _build_litellm(checkout)
    (checkout / "requirements/litellm-image.lock").unlink()
    with pytest.raises(SourceMissingError, match=r"litellm-image\.lock"):
        _build_litellm(checkout)
    assert built == []
