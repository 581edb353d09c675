"""The cache gets a tool when it is whole, once; what hinders a build is one sentence."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from sluice.local.toolchain import catalog, go_build
from sluice.local.toolchain.catalog import (
    BUILD_ORDER,
    EXTERNAL_SECRETS,
    KUBE,
    PAUSE,
    PULUMI,
    PYTHON_HOST,
    TRAEFIK,
    GoTool,
    ModuleFile,
)
from sluice.local.toolchain.go_build import BuildFailed, GoUnusable, NotEnoughDisk, build, key
from sluice.progress import Progress
from tests.local.toolchain.fake_programs import FakeGo, program, schema

pytestmark = pytest.mark.slow

BUILD_PAUSE = """
import sys
from pathlib import Path
from sluice.local.toolchain import go_build
from sluice.local.toolchain.catalog import PAUSE
from sluice.progress import Progress
go_build.build([PAUSE], Path(sys.argv[1]), Progress(quiet=True))
"""


def content(cache: Path) -> list[str]:
    """What the cache holds of tools, locks aside."""
    return sorted(entry.name for entry in (cache / "toolchain").iterdir() if entry.suffix != ".lock")


def wait_until(holds: Callable[[], bool]) -> None:
    for _ in range(1000):
        if holds():
            return
        time.sleep(0.01)
    pytest.fail("it does not come to hold")


def made_tool(monkeypatch: pytest.MonkeyPatch, folder: Path, files: dict[str, str]) -> GoTool:
    """A tool whose module is made of `files`."""
    for name, text in files.items():
        file = folder / "made" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    tool = GoTool(name="made", title="a made tool", binary="made")
    monkeypatch.setattr(catalog, "MODULES", folder)
    monkeypatch.setattr(go_build, "BUILD_ORDER", (tool,))
    return tool


def is_alive(pid: int) -> bool:
    return _state(pid) not in ("Z", None)


def _state(pid: int) -> str | None:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return None


def test_the_pause_program_is_really_built_and_runs_until_it_is_told_to_end(
    real_go: str, cache: Path, quiet: Progress
) -> None:
    folder = build([PAUSE], cache, quiet)[PAUSE]

    assert folder == cache / "toolchain" / f"pause-{key(PAUSE)}"
    assert content(cache) == [folder.name]
    # A signal that comes before the program has asked for it ends it as any other: then it gets more time.
    codes = (_code_when_ended_after(seconds, folder / "pause") for seconds in (0.05, 0.5, 5))
    assert any(code == 0 for code in codes)


def _code_when_ended_after(seconds: float, binary: Path) -> int:
    process = subprocess.Popen([binary])
    time.sleep(seconds)
    process.terminate()
    return process.wait()


def test_what_is_built_is_not_built_again_and_needs_no_go(
    fake_go: FakeGo, cache: Path, quiet: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = build([PAUSE], cache, quiet)
    (fake_go.folder / "go").unlink()

    assert build([PAUSE], cache, quiet) == first
    assert fake_go.built() == ["pause"]


def test_tools_are_built_in_the_order_that_shares_compiled_packages(
    fake_go: FakeGo, cache: Path, quiet: Progress
) -> None:
    _modules_of_the_catalog(fake_go)

    folders = build(list(reversed(BUILD_ORDER)), cache, quiet)

    assert fake_go.built() == [tool.binary for tool in BUILD_ORDER]
    assert list(folders) == list(BUILD_ORDER)


def _modules_of_the_catalog(go: FakeGo) -> None:
    for tool in BUILD_ORDER:
        for file in (*tool.scripts, *tool.embedded):
            go.module_file(file.module, file.path, schema("0.0.0") if file.path.endswith(".json") else "#!/bin/sh\n")
    for module in (EXTERNAL_SECRETS.package, "github.com/prometheus/prometheus", *TRAEFIK.narrowed.values()):
        go.module_file(module, "main.go", "package main\n")


def test_files_stand_in_place_of_those_of_a_tools_module(
    fake_go: FakeGo, cache: Path, quiet: Progress, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    required = "module made\nrequire (\n\texample.com v1.0.0\n\texample.com/operator v1.2.0\n)\n"
    files = {"go.mod": required, "instead/pkg/register.go": "package few"}
    tool = replace(made_tool(monkeypatch, tmp_path / "modules", files), package="example.com/operator/cmd/operator")
    monkeypatch.setattr(go_build, "BUILD_ORDER", (tool,))
    for name in ("register.go", "other.go"):
        fake_go.module_file("example.com/operator", f"pkg/{name}", "package all")
    own = fake_go.modules / "example.com/operator"
    own.joinpath("pkg").chmod(0o555)
    fake_go.before_building = 'cat module/pkg/register.go module/pkg/other.go go.mod > "$(dirname "$0")/../seen"'
    fake_go.install()

    build([tool], cache, quiet)

    seen = (tmp_path / "seen").read_text()
    assert seen == f"package fewpackage all{required}\nreplace example.com/operator => ./module\n"
    assert own.joinpath("pkg/register.go").read_text() == "package all", "the module itself is not written to"
    assert tool.source.joinpath("go.mod").read_text() == required, "nor is the checkout"


def test_files_stand_in_place_of_those_of_modules_that_a_tool_is_made_of(
    fake_go: FakeGo, cache: Path, quiet: Progress, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    files = {"go.mod": "module made\n", "instead/one/a.go": "package few", "instead/two/b/c.go": "package fewer"}
    narrowed = {"one": "example.com/one/v4", "two": "example.com/two"}
    tool = replace(made_tool(monkeypatch, tmp_path / "modules", files), package="example.com/x/cmd", narrowed=narrowed)
    monkeypatch.setattr(go_build, "BUILD_ORDER", (tool,))
    fake_go.module_file("example.com/one/v4", "a.go", "package all")
    fake_go.module_file("example.com/two", "b/c.go", "package all")
    fake_go.before_building = 'cat module/one/a.go module/two/b/c.go go.mod > "$(dirname "$0")/../seen"'
    fake_go.install()

    build([tool], cache, quiet)

    replaced = "\nreplace example.com/one/v4 => ./module/one\n\nreplace example.com/two => ./module/two\n"
    assert (tmp_path / "seen").read_text() == f"package fewpackage fewermodule made\n{replaced}"


def test_a_tool_gets_its_further_names_and_the_scripts_of_its_module(
    fake_go: FakeGo, cache: Path, quiet: Progress
) -> None:
    _modules_of_the_catalog(fake_go)

    folders = build([KUBE, PYTHON_HOST], cache, quiet)

    assert {link.name for link in folders[KUBE].iterdir() if link.is_symlink()} == set(KUBE.links)
    assert all((folders[KUBE] / link).resolve() == folders[KUBE] / "kube" for link in KUBE.links)
    script = folders[PYTHON_HOST] / "pulumi-language-python-exec"
    assert os.access(script, os.X_OK)
    assert script.read_text() == "#!/bin/sh\n"


def test_what_a_tool_embeds_lies_beside_its_source_with_the_version_set(
    fake_go: FakeGo, cache: Path, quiet: Progress, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tool = replace(
        made_tool(monkeypatch, tmp_path / "modules", {"go.mod": "module made\n"}),
        embedded=(ModuleFile("example.com/provider", "cmd/schema.json", json_version="4.25.0"),),
    )
    monkeypatch.setattr(go_build, "BUILD_ORDER", (tool,))
    fake_go.module_file("example.com/provider", "cmd/schema.json", schema("4.0.0-alpha"))
    fake_go.before_building = 'cat schema.json > "$(dirname "$0")/../seen.json"'
    fake_go.install()

    build([tool], cache, quiet)

    assert (tmp_path / "seen.json").read_text() == schema("4.25.0")
    assert not (tool.source / "schema.json").exists(), "the checkout is not written to"


def test_go_is_run_without_a_c_compiler_and_out_of_sight_of_any_workspace(
    fake_go: FakeGo, cache: Path, quiet: Progress
) -> None:
    build([PAUSE], cache, quiet)

    ((c_compiler, workspace, folder),) = fake_go.surroundings()
    assert (c_compiler, workspace) == ("0", "off")
    assert Path(folder).is_relative_to(cache)


def test_two_at_once_build_a_tool_once(fake_go: FakeGo, cache: Path, quiet: Progress) -> None:
    fake_go.before_building = "sleep 0.3"
    fake_go.install()

    with ThreadPoolExecutor(2) as several:
        first, second = several.map(lambda _: build([PAUSE], cache, quiet), range(2))

    assert first == second
    assert fake_go.built() == ["pause"]


@pytest.mark.usefixtures("interrupts_are_heard")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_build_leaves_no_half_tool_and_the_next_one_clears_up(
    how: signal.Signals, fake_go: FakeGo, cache: Path, quiet: Progress, tmp_path: Path
) -> None:
    fake_go.before_building = f'echo half > "$out"; echo $$ > {tmp_path}/pid; exec sleep 60'
    fake_go.install()
    process = subprocess.Popen([sys.executable, "-c", BUILD_PAUSE, str(cache)], stderr=subprocess.DEVNULL)
    pid_file = tmp_path / "pid"
    wait_until(lambda: pid_file.is_file() and pid_file.read_text().strip() != "")
    builder = int(pid_file.read_text())
    wait_until(lambda: _state(process.pid) == "S")  # it reads what Go says: not yet, and it would not know of its Go

    process.send_signal(how)
    process.wait()

    try:
        assert f"pause-{key(PAUSE)}" not in content(cache)
        if how is signal.SIGINT:
            assert not is_alive(builder)
            assert content(cache) == []
        fake_go.before_building = ""
        fake_go.install()
        folder = build([PAUSE], cache, quiet)[PAUSE]
        assert (folder / "pause").read_text() == "#!/bin/sh\necho made\n"
        assert content(cache) == [folder.name]
    finally:
        if is_alive(builder):
            os.kill(builder, signal.SIGKILL)


def test_without_go_it_is_said_what_cannot_be_built_and_nothing_is_made(
    programs: Path, cache: Path, quiet: Progress
) -> None:
    with pytest.raises(
        GoUnusable,
        match=r"^Pulumi 3\.250\.0, the pods' pause program must be built, and there is no `go` on the PATH; "
        r"install Go 1\.26 or newer, then run this again$",
    ):
        build([PAUSE, PULUMI], cache, quiet)
    assert not cache.exists()


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("go1.9.7", "Go 1.9.7 on the PATH is too old"),
        ("go1.25.9", "Go 1.25.9 on the PATH is too old"),
        ("go0", "Go 0 on the PATH is too old"),
    ],
)
def test_a_go_that_is_too_old_is_named(version: str, said: str, fake_go: FakeGo, cache: Path, quiet: Progress) -> None:
    fake_go.version = version
    fake_go.install()

    with pytest.raises(GoUnusable, match=f"{re.escape(said)}; install Go 1.26 or newer"):
        build([PAUSE], cache, quiet)
    assert fake_go.built() == []


@pytest.mark.parametrize("version", ["go1.26", "go1.26rc1", "go1.27.3", "go2.0", "devel go1.27-4a7c2b1 Mon Aug 10"])
def test_a_go_that_is_new_enough_is_used(version: str, fake_go: FakeGo, cache: Path, quiet: Progress) -> None:
    fake_go.version = version
    fake_go.install()

    assert (build([PAUSE], cache, quiet)[PAUSE] / "pause").is_file()


def test_a_go_that_cannot_say_its_version_is_not_called_missing(programs: Path, cache: Path, quiet: Progress) -> None:
    program(programs / "go", "echo 'go: module cache: permission denied' >&2; exit 1")

    with pytest.raises(GoUnusable, match=r"the `go` on the PATH does not run: go: module cache: permission denied; "):
        build([PAUSE], cache, quiet)


def test_too_little_disk_is_said_before_anything_is_built(
    fake_go: FakeGo, quiet: Progress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=int(0.5 * 2**30)))

    with pytest.raises(NotEnoughDisk, match=r"cache: 0\.5 GiB free; building the toolchain needs 5\.1 GiB: free some"):
        build([PAUSE, KUBE], tmp_path / "cache", quiet)
    assert fake_go.built() == []


def test_a_compile_error_is_reported_with_its_last_lines_and_leaves_nothing(
    real_go: str, cache: Path, quiet: Progress, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mistakes = "\n".join(f"\tundefined{number}()" for number in range(20))
    tool = made_tool(
        monkeypatch,
        tmp_path / "modules",
        {"go.mod": "module made\n\ngo 1.26\n", "main.go": f"package main\n\nfunc main() {{\n{mistakes}\n}}\n"},
    )

    with pytest.raises(BuildFailed, match="a made tool did not build") as raised:
        build([tool], cache, quiet)

    first, *last_lines = str(raised.value).splitlines()
    assert "running this again goes on from here" in first
    assert len(last_lines) == 8
    assert "main.go:12:2: undefined: undefined8" in str(raised.value)
    assert "too many errors" in last_lines[-1]
    assert content(cache) == []


def test_a_module_that_cannot_be_fetched_is_reported_with_what_go_said(
    fake_go: FakeGo, cache: Path, quiet: Progress, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tool = replace(
        made_tool(monkeypatch, tmp_path / "modules", {"go.mod": "module made\n"}),
        scripts=(ModuleFile("example.com/gone", "script"),),
    )
    monkeypatch.setattr(go_build, "BUILD_ORDER", (tool,))
    program(
        fake_go.folder / "go",
        'case "$1" in env) echo go1.26 ;; build) shift; touch "$8" ;; '
        "mod) printf '{\"Error\": \"no such host\"}'; echo 'go: example.com/gone: no such host' >&2; exit 1 ;; esac",
    )

    with pytest.raises(BuildFailed, match=r"a made tool did not build.*\n  go: example\.com/gone: no such host"):
        build([tool], cache, quiet)
    assert content(cache) == []
