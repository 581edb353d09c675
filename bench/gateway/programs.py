"""The processes of a run: each on a port of 127.0.0.1, waited for until it answers, stopped by its own id.

wrk and Redis are Debian's. Where they are not installed, their packages are unpacked into the cache folder and used
from there, with nothing installed and no service started.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.measured import PROJECT, computing

CACHE = Path.home() / ".cache" / "sluice" / "bench"
LITELLM_LOCK = PROJECT / "requirements" / "litellm.lock"

_PACKAGES = ("wrk", "libluajit-5.1-2", "redis-server", "redis-tools", "liblzf1", "libjemalloc2", "libatomic1")
_START_SECONDS = 90.0
_STOP_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Program:
    """A process that answers at `url`; `pids` are it and its children."""

    process: subprocess.Popen[bytes]
    url: str

    @property
    def pids(self) -> tuple[int, ...]:
        """Return the process and its children."""
        own = self.process.pid
        children = Path(f"/proc/{own}/task/{own}/children").read_text().split()
        return (own, *map(int, children))

    @property
    def cpu_seconds(self) -> float:
        """Return what the process and its children have taken of processors since they began."""
        return sum(computing(pid).cpu_seconds for pid in self.pids)


@contextmanager
def running(
    command: list[str],
    port: int,
    log: Path,
    *,
    path: str | None = "/",
    variables: Mapping[str, str] | None = None,
    cpus: Collection[int] | None = None,
) -> Iterator[Program]:
    """Run a command until the end of the block, from when it answers on `port`; its output goes to the file `log`.

    It runs on the processors `cpus`, or on those that this process has.
    """
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), **(variables or {})}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env=environment, cwd=log.parent, start_new_session=True
        )
    if cpus is not None:
        os.sched_setaffinity(process.pid, cpus)  # before it has made a thread or a child
    program = Program(process, f"http://127.0.0.1:{port}")
    try:
        _wait_until_it_answers(program, path, log)
        yield program
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port of an address of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def debian_program(name: str) -> tuple[str, dict[str, str]]:
    """Return a program of Debian's and the variables it runs with: the system's, else one unpacked into the cache."""
    installed = shutil.which(name)
    if installed:
        return installed, {}
    root = CACHE / "debian" / "root"
    found = root / "usr" / "bin" / name
    if not found.exists():
        folder = root.parent
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", *_PACKAGES], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        for package in sorted(folder.glob("*.deb")):
            subprocess.run(["dpkg-deb", "-x", str(package), str(root)], check=True)
    libraries = [str(path) for path in (root / "usr" / "lib").glob("*-linux-gnu")]
    return str(found), {"LD_LIBRARY_PATH": ":".join(libraries)}


def litellm_program() -> str:
    """Return LiteLLM's command, in an environment of its own that is made by hash where it is not there yet."""
    folder = CACHE / "litellm"
    command = folder / "bin" / "litellm"
    if not command.exists():
        print("LiteLLM's proxy into an environment of its own (three quarters of a GiB) ...", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        pip = [str(folder / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
        subprocess.run([*pip, "-r", str(LITELLM_LOCK)], check=True)
    return str(command)


def _wait_until_it_answers(program: Program, path: str | None, log: Path) -> None:
    ends = time.monotonic() + _START_SECONDS
    while time.monotonic() < ends:
        if program.process.poll() is not None:
            break
        try:
            if path is None:  # it speaks something else than HTTP: that it listens is enough
                with socket.create_connection(("127.0.0.1", int(program.url.rpartition(":")[2])), timeout=1):
                    return
            with urllib.request.urlopen(program.url + path, timeout=1):
                return
        except urllib.error.HTTPError as error:
            if error.code < 500:
                return
        except (OSError, ValueError):
            pass
        time.sleep(0.1)
    sys.exit(f"{program.process.args!r} does not answer:\n{log.read_text(errors='replace')[-3000:]}")
