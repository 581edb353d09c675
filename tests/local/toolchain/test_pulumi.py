"""A person's own Pulumi stays as it is; one that is built here keeps out of their home and has its plugin once."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from sluice.local.toolchain import ensure_pulumi
from sluice.local.toolchain.catalog import KUBERNETES_PROVIDER, PYTHON_HOST
from sluice.local.toolchain.pulumi import PluginNotInstalled
from sluice.progress import Progress
from tests.local.toolchain.fake_programs import FakeGo, FakePulumi, program, schema

PLUGIN = "plugins/resource-kubernetes-v4.25.0"
BINARY = "pulumi-resource-kubernetes"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The person's home, with no Pulumi of theirs yet."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("PULUMI_HOME", raising=False)
    return home


@pytest.fixture
def pulumi(home: Path, tmp_path: Path) -> FakePulumi:
    return FakePulumi(tmp_path / "pulumi.log")


@pytest.fixture
def go(fake_go: FakeGo, pulumi: FakePulumi) -> FakeGo:
    """A Go that builds the made Pulumi."""
    for file in (*PYTHON_HOST.scripts, *KUBERNETES_PROVIDER.embedded):
        fake_go.module_file(file.module, file.path, schema("0.0.0"))
    fake_go.results = {"pulumi": pulumi.script}
    fake_go.install()
    return fake_go


def install_host(folder: Path) -> None:
    program(folder / "pulumi-language-python", "")


def test_an_own_pulumi_is_used_as_it_is(
    programs: Path, pulumi: FakePulumi, home: Path, cache: Path, quiet: Progress
) -> None:
    own = replace(pulumi, version="v3.210.0").install(programs)
    install_host(programs)
    (home / ".pulumi" / PLUGIN).mkdir(parents=True)

    tools = ensure_pulumi(cache, quiet)

    assert tools.pulumi == own
    assert set(tools.variables) == {"PATH", "PULUMI_SKIP_UPDATE_CHECK"}
    assert tools.variables["PATH"] == f"{sys.prefix}/bin:{os.environ['PATH']}"
    assert pulumi.calls() == []
    assert not cache.exists()


def test_an_own_pulumi_fetches_its_plugin_in_its_own_way_and_once(
    programs: Path, pulumi: FakePulumi, home: Path, cache: Path, quiet: Progress
) -> None:
    own = pulumi.install(programs)
    install_host(programs)

    ensure_pulumi(cache, quiet)
    ensure_pulumi(cache, quiet)

    assert pulumi.calls() == [[str(own), "plugin", "install", "resource", "kubernetes", "4.25.0"]]
    assert (home / ".pulumi" / PLUGIN).is_dir()
    assert not cache.exists()


def test_the_home_that_a_person_chose_for_pulumi_is_looked_in(
    programs: Path,
    pulumi: FakePulumi,
    home: Path,
    cache: Path,
    quiet: Progress,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    pulumi.install(programs)
    install_host(programs)
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "chosen"))
    (tmp_path / "chosen" / PLUGIN).mkdir(parents=True)

    ensure_pulumi(cache, quiet)

    assert pulumi.calls() == []


def test_an_own_pulumi_that_cannot_fetch_the_plugin_gets_one_that_is_built(
    go: FakeGo, pulumi: FakePulumi, home: Path, cache: Path, quiet: Progress
) -> None:
    replace(pulumi, download_works=False).install(go.folder)
    install_host(go.folder)

    tools = ensure_pulumi(cache, quiet)
    assert ensure_pulumi(cache, quiet) == tools

    assert tools.pulumi == go.folder / "pulumi"
    assert "PULUMI_HOME" not in tools.variables
    assert go.built() == [BINARY]
    assert [call[6:7] for call in pulumi.calls()] == [[], ["--file"]]
    assert (home / ".pulumi" / PLUGIN / BINARY).is_file()


@pytest.mark.parametrize("version", ["v3.199.0", "v2.25.1", "v4.0.0"])
def test_an_own_pulumi_of_another_age_is_left_alone_and_one_is_built(
    version: str, go: FakeGo, pulumi: FakePulumi, home: Path, cache: Path, quiet: Progress
) -> None:
    replace(pulumi, version=version).install(go.folder)
    install_host(go.folder)

    assert ensure_pulumi(cache, quiet).pulumi.is_relative_to(cache)
    assert list(home.iterdir()) == []


def test_an_own_pulumi_without_its_python_host_is_no_whole_pulumi(
    go: FakeGo, pulumi: FakePulumi, cache: Path, quiet: Progress
) -> None:
    pulumi.install(go.folder)

    assert ensure_pulumi(cache, quiet).pulumi.is_relative_to(cache)


def test_what_is_built_lies_side_by_side_and_has_a_home_in_the_cache(
    go: FakeGo, home: Path, cache: Path, quiet: Progress
) -> None:
    tools = ensure_pulumi(cache, quiet)

    assert go.built() == [BINARY, "pulumi", "pulumi-language-python"]
    folder = tools.pulumi.parent
    assert {file.name for file in folder.iterdir()} == {
        "pulumi",
        "pulumi-language-python",
        "pulumi-language-python-exec",
        "pulumi-analyzer-policy-python",
    }
    assert not any(file.is_symlink() for file in folder.iterdir()), "Pulumi asks the kernel where its binary lies"
    assert tools.variables == {
        "PATH": f"{sys.prefix}/bin:{folder}:{os.environ['PATH']}",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_HOME": str(cache / "pulumi-home"),
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }
    assert (cache / "pulumi-home" / PLUGIN / BINARY).is_file()
    assert list(home.iterdir()) == []


def test_one_that_is_built_keeps_no_logs_not_even_those_of_before(go: FakeGo, cache: Path, quiet: Progress) -> None:
    before = cache / "pulumi-home/logs/organization+sluice+dev-20261121T224925.log"
    before.parent.mkdir(parents=True)
    before.write_text("PLOG")

    tools = ensure_pulumi(cache, quiet)

    assert "--logtostderr" in (tools.home / "logs").read_text()
    assert ensure_pulumi(cache, quiet) == tools


def test_an_own_pulumi_keeps_its_logs(
    programs: Path, pulumi: FakePulumi, home: Path, cache: Path, quiet: Progress
) -> None:
    pulumi.install(programs)
    install_host(programs)
    (home / ".pulumi/logs").mkdir(parents=True)

    ensure_pulumi(cache, quiet)

    assert (home / ".pulumi/logs").is_dir()


def test_a_second_time_nothing_is_built_and_no_plugin_installed(
    go: FakeGo, pulumi: FakePulumi, cache: Path, quiet: Progress
) -> None:
    first = ensure_pulumi(cache, quiet)
    built, calls = go.built(), pulumi.calls()

    assert ensure_pulumi(cache, quiet) == first
    assert go.built() == built
    assert pulumi.calls() == calls
    assert len(calls) == 1


def test_a_provider_built_from_other_sources_takes_the_place_of_the_one_before(
    go: FakeGo, pulumi: FakePulumi, cache: Path, quiet: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure_pulumi(cache, quiet)
    monkeypatch.setattr("sluice.local.toolchain.go_build._BUILD_FLAGS", ("-trimpath",))

    ensure_pulumi(cache, quiet)

    first, second = pulumi.calls()
    assert second[-1] == "--reinstall"
    assert first[7] != second[7]


def test_a_plugin_that_was_deleted_is_installed_again(
    go: FakeGo, pulumi: FakePulumi, cache: Path, quiet: Progress
) -> None:
    ensure_pulumi(cache, quiet)
    (cache / "pulumi-home" / PLUGIN / BINARY).unlink()

    ensure_pulumi(cache, quiet)

    assert (cache / "pulumi-home" / PLUGIN / BINARY).is_file()
    assert len(pulumi.calls()) == 2


def test_a_plugin_that_pulumi_refuses_is_said_in_its_own_words(
    go: FakeGo, pulumi: FakePulumi, cache: Path, quiet: Progress
) -> None:
    go.results = {"pulumi": replace(pulumi, file_works=False).script}
    go.install()

    for _ in range(2):
        with pytest.raises(
            PluginNotInstalled,
            match=r"^Pulumi did not take its Kubernetes provider 4\.25\.0: error: the plugin is not for this machine$",
        ):
            ensure_pulumi(cache, quiet)
