"""Builds a tool of the catalog into the cache, or finds it there.

A build is named by a digest of everything it is made from, appears in the cache in one rename when it is whole, and is
never touched again. An interrupted build loses nothing that Go had compiled: Go's own cache keeps each package.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sluice.errors import SluiceError
from sluice.local.toolchain.catalog import BUILD_ORDER, Definitions, GoTool, ModuleFile
from sluice.progress import Progress, Step

OLDEST_GO = (1, 26)
INSTEAD = "instead"
"""The folder beside a go.mod with files that stand in place of the module's own, to leave out what takes long."""

_BUILD_FLAGS = ("-trimpath", "-buildvcs=false", "-mod=readonly")


class GoUnusable(SluiceError):
    """There is no Go that could build what is missing."""

    def __init__(self, state: str, missing: Sequence[GoTool]) -> None:
        wanted = ".".join(map(str, OLDEST_GO))
        titles = ", ".join(tool.title for tool in missing)
        super().__init__(f"{titles} must be built, and {state}; install Go {wanted} or newer, then run this again")


class BuildFailed(SluiceError):
    """Go could not build a tool; the last lines of what it said are part of the message."""

    def __init__(self, tool: GoTool | Definitions, output: str) -> None:
        last_lines = "\n  ".join(output.strip().splitlines()[-8:])
        super().__init__(
            f"{tool.title} did not build; what was compiled is kept, so running this again goes on from here:\n"
            f"  {last_lines}"
        )


class NotEnoughDisk(SluiceError):
    """The disk under a folder has too little room for a build."""

    def __init__(self, folder: Path, *, free_gib: float, needed_gib: float) -> None:
        super().__init__(
            f"{folder}: {free_gib:.1f} GiB free; building the toolchain needs {needed_gib:.1f} GiB: "
            "free some room, or set GOCACHE and SLUICE_CACHE to folders on another disk"
        )


def build(tools: Sequence[GoTool], cache: Path, progress: Progress) -> dict[GoTool, Path]:
    """Return the folder of each tool's binary, links and scripts, building in `BUILD_ORDER` what the cache lacks.

    Raises `GoUnusable`, `NotEnoughDisk` or `BuildFailed`.
    """
    ordered = sorted(tools, key=BUILD_ORDER.index)
    folders = {tool: cache / "toolchain" / f"{tool.name}-{key(tool)}" for tool in ordered}
    missing = [tool for tool in ordered if not folders[tool].is_dir()]
    if missing:
        _require_go(missing)
        _require_disk(cache, missing)
    for number, tool in enumerate(missing, start=1):
        with progress.step(f"building {tool.title}", number=number, total=len(missing)) as step, alone(folders[tool]):
            if not folders[tool].is_dir():
                _build_into(folders[tool], tool, step)
    return folders


def key(tool: GoTool) -> str:
    """Name the content a tool is built from: its module's files and how it is put together. 16 hex digits."""
    digest = hashlib.sha256(repr((tool, _BUILD_FLAGS)).encode())
    for path in sorted(tool.source.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(tool.source).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def module_file(tool: GoTool | Definitions, wanted: ModuleFile) -> Path:
    """Return a file of a module that `tool` is made of, at the version its go.mod names. Raises `BuildFailed`."""
    download = subprocess.run(
        ["go", "mod", "download", "-json", wanted.module],
        cwd=tool.source,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if download.returncode != 0:
        raise BuildFailed(tool, download.stderr or download.stdout)
    return Path(json.loads(download.stdout)["Dir"], wanted.path)


def _build_into(folder: Path, tool: GoTool, step: Step) -> None:
    unfinished = f"{folder.name}.unfinished-"
    for left in folder.parent.glob(f"{unfinished}*"):
        # Of a run that was killed: nobody else builds this tool now, and it may hold hundreds of megabytes.
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=unfinished, dir=folder.parent) as scratch:
        source = Path(scratch, "source")
        shutil.copytree(tool.source, source)
        for embedded in tool.embedded:
            _copy_module_file(tool, embedded, source)
        if (source / INSTEAD).is_dir():
            _put_instead(tool, source)
        result = Path(scratch, "result")
        result.mkdir()
        variables = " ".join(f"-X {name}={value}" for name, value in tool.variables.items())
        command = ["go", "build", "-v", *_BUILD_FLAGS, "-ldflags", f"-s -w {variables}"]
        _run_go([*command, "-o", str(result / tool.binary), tool.package], tool, source, step)
        for link in tool.links:
            (result / link).symlink_to(tool.binary)
        for script in tool.scripts:
            _copy_module_file(tool, script, result).chmod(0o755)
        result.rename(folder)


def _put_instead(tool: GoTool, source: Path) -> None:
    """Have the tool built from copies of modules in which the files of `INSTEAD` stand in place of their own.

    The modules themselves are those of go.sum; unless the tool names some, it is the one that has its package.
    """
    for name, module in (tool.narrowed or {"": _module_of(tool, source)}).items():
        copy = source / "module" / name
        shutil.copytree(module_file(tool, ModuleFile(module, "")), copy, copy_function=shutil.copyfile)
        for folder in (copy, *(path for path in copy.rglob("*") if path.is_dir())):
            folder.chmod(0o755)  # Go's cache of modules may not be written
        shutil.copytree(source / INSTEAD / name, copy, dirs_exist_ok=True)
        with (source / "go.mod").open("a") as requirements:
            requirements.write(f"\nreplace {module} => ./{copy.relative_to(source)}\n")


def _module_of(tool: GoTool, source: Path) -> str:
    """Return the module that has the tool's package: of those in go.mod, the longest that its path begins with."""
    required: list[str] = re.findall(r"^(?:require)?\s*(\S+) v", (source / "go.mod").read_text(), re.MULTILINE)
    return max((module for module in required if f"{tool.package}/".startswith(f"{module}/")), key=len)


def _run_go(command: list[str], tool: GoTool, folder: Path, step: Step) -> None:
    process = subprocess.Popen(
        command, cwd=folder, env=_environment(), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    lines: list[str] = []
    compiled = 0
    with process:
        try:
            for line in process.stderr or ():
                lines.append(line)
                # `go build -v` names each package as it is compiled, and each module as it is downloaded.
                downloading = line.startswith("go: downloading ")
                compiled += not downloading and re.fullmatch(r"[\w./~-]+\n", line) is not None
                step.detail = f"{compiled} packages compiled" if compiled else "downloading modules"
        except BaseException:
            process.terminate()
            raise
    if process.returncode != 0:
        raise BuildFailed(tool, "".join(lines))
    step.detail = f"{compiled} packages compiled"


def _copy_module_file(tool: GoTool, wanted: ModuleFile, target: Path) -> Path:
    content = module_file(tool, wanted).read_bytes()
    if wanted.json_version:
        content = json.dumps({**json.loads(content), "version": wanted.json_version}).encode()
    copy = target / Path(wanted.path).name
    copy.write_bytes(content)
    return copy


def _environment() -> dict[str, str]:
    # No C compiler is asked for, and no workspace file above the checkout is obeyed.
    return {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": ""}


def _require_go(missing: Sequence[GoTool]) -> None:
    try:
        asked = subprocess.run(["go", "env", "GOVERSION"], capture_output=True, text=True, check=False)
    except OSError:
        raise GoUnusable("there is no `go` on the PATH", missing) from None
    if asked.returncode != 0:
        raise GoUnusable(f"the `go` on the PATH does not run: {asked.stderr.strip()}", missing)
    found = asked.stdout.strip()
    # A release is `go1.26.1`, one built from Go's own repository `devel go1.27-4a7c2b1 ...`.
    version = re.search(r"\bgo(\d+)\.(\d+)", found)
    if version is None or tuple(map(int, version.groups())) < OLDEST_GO:
        raise GoUnusable(f"Go {found.removeprefix('go')} on the PATH is too old", missing)


def _require_disk(cache: Path, missing: Sequence[GoTool]) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    free_gib = shutil.disk_usage(cache).free / 2**30
    needed_gib = sum(tool.disk_gib for tool in missing)
    if free_gib < needed_gib:
        raise NotEnoughDisk(cache, free_gib=free_gib, needed_gib=needed_gib)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Let one process at a time build a tool; the second waits and then finds it built."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
