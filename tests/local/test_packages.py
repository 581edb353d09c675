from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from sluice.local import packages
from sluice.local.packages import Package, PackageInstallFailed, PackagesMissing
from sluice.progress import Progress

ABSENT = Package("no-such-package", ("no-such-program-anywhere",))
PRESENT = Package("coreutils", ("ls", "/bin/ls"))


def test_a_package_is_there_when_all_its_files_are() -> None:
    assert PRESENT.is_there()
    assert not Package("half", ("ls", "/no/such/file")).is_there()
    assert packages.missing([PRESENT, ABSENT]) == (ABSENT,)


def test_nothing_missing_runs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "_apt_get", lambda *_: pytest.fail("apt-get was run"))
    assert packages.ensure(Progress(quiet=True), [PRESENT]) == ()


def test_without_root_the_packages_and_the_command_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(shutil, "which", lambda name, path=None: "/usr/bin/apt-get" if name == "apt-get" else None)
    with pytest.raises(PackagesMissing, match=r"needs root\. Install them with: apt-get install no-such-package"):
        packages.ensure(Progress(quiet=True), [ABSENT])


def test_where_there_is_no_debian_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name, path=None: None)
    with pytest.raises(PackagesMissing, match="no Debian"):
        packages.ensure(Progress(quiet=True), [ABSENT])


def test_the_images_need_nothing_of_what_the_cluster_runs() -> None:
    images, cluster = (
        {package.name for package in group} for group in (packages.IMAGE_PACKAGES, packages.CLUSTER_PACKAGES)
    )
    assert images == {"mmdebstrap", "debian-archive-keyring"}
    assert not images & cluster
    assert {package.name for package in packages.PACKAGES} == images | cluster


def test_apt_get_finds_the_programs_of_root_after_a_plain_su(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/local/bin:/usr/bin:/bin")
    monkeypatch.setattr(packages, "SEARCH_PATH", f"{tmp_path}:/usr/sbin:/usr/bin:/sbin:/bin")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    (tmp_path / "apt-get").write_text('#!/bin/sh\necho "PATH=$PATH"\nexit 1\n')
    (tmp_path / "apt-get").chmod(0o755)
    with pytest.raises(PackageInstallFailed, match=f"PATH={tmp_path}:/usr/sbin:/usr/bin:/sbin:/bin"):
        packages.ensure(Progress(quiet=True), [ABSENT])


def test_containerd_is_installed_with_its_service_held_off(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[str, ...]] = []
    installed = False

    def install(*arguments: str) -> None:
        nonlocal installed
        ran.append(("apt-get", *arguments))
        installed = "install" in arguments

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(packages, "_apt_get", install)
    monkeypatch.setattr(packages, "_systemctl", lambda *arguments: ran.append(("systemctl", *arguments)))
    monkeypatch.setattr(packages, "_exists", lambda file: installed)
    monkeypatch.setattr(Path, "is_dir", lambda self: str(self) == "/run/systemd/system")
    assert packages.ensure(Progress(quiet=True), [Package("containerd", ("containerd",))]) == ("containerd",)
    assert [step[:3] for step in ran] == [
        ("apt-get", "update", "--quiet=2"),
        ("systemctl", "mask", "--runtime"),
        ("apt-get", "install", "--yes"),
        ("systemctl", "unmask", "--runtime"),
        ("systemctl", "disable", "containerd.service"),
    ]
