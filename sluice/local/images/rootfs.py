"""Runs programs of an image inside an unpacked copy of it, so that the image's own Python decides what is installed.

The copy is thrown away: certificates, name servers and pip's configuration of this machine are lent to it and never
reach a layer. Nothing is mounted, so that a build killed at any moment leaves a folder and nothing else.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sluice.local.images.errors import ImageError

_DEVICES = {"null": (1, 3), "zero": (1, 5), "random": (1, 8), "urandom": (1, 9)}
_LENT_FILES = ("/etc/resolv.conf", "/etc/hosts", "/etc/ssl/certs/ca-certificates.crt", "/etc/pip.conf")
_LENT_VARIABLES = (
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
)
_ENVIRONMENT = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
}


class Rootfs:
    """A root file system at `root` that programs can be run in, by root alone, until it is closed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._devices = [root / "dev" / name for name in _DEVICES]
        (root / "dev").mkdir(exist_ok=True)
        for device, (major, minor) in zip(self._devices, _DEVICES.values(), strict=True):
            os.mknod(device, stat.S_IFCHR | 0o666, os.makedev(major, minor))
            device.chmod(0o666)

    def close(self) -> None:
        """Take the device files out again, so that what is left can become a layer."""
        for device in self._devices:
            device.unlink()

    def lend_network(self) -> dict[str, str]:
        """Lend this machine's name servers, certificates and pip configuration; the variables to run pip with."""
        variables = {
            name: value for name, value in os.environ.items() if name in _LENT_VARIABLES or name.startswith("PIP_")
        }
        for file in _LENT_FILES:
            self._lend(Path(file), file)
        for file in ("~/.config/pip/pip.conf", "~/.pip/pip.conf"):
            self._lend(Path(file).expanduser(), file.replace("~", _ENVIRONMENT["HOME"]))
        for name, value in variables.items():
            for path in filter(Path.is_absolute, map(Path, value.split())):
                # A folder of wheels is lent too, and no other: a cache of downloads can be gigabytes.
                if path.is_file() or name == "PIP_FIND_LINKS":
                    self._lend(path, str(path))
        return variables

    def run(
        self,
        command: Sequence[str],
        *,
        on_failure: Callable[[str], ImageError],
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """Run `command` inside; raise what `on_failure` makes of its output when it fails."""
        ran = subprocess.run(
            ["chroot", str(self.root), *command],
            env={**_ENVIRONMENT, **(variables or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if ran.returncode != 0:
            raise on_failure(ran.stdout)

    def compile(self, folder: str) -> None:
        """Compile the Python files below `folder`, a path inside.

        Unchecked: the root is read-only in a pod, so nothing changes under the compiled file; and the time of a source,
        which a layer does not keep, plays no part.
        """
        command = ["python3", "-m", "compileall", "-q", "-f", "--invalidation-mode", "unchecked-hash", folder]
        self.run(command, on_failure=lambda output: _CompileError(folder, output))

    def _lend(self, source: Path, name: str) -> None:
        if not source.exists():
            return
        inside = self.root / name.lstrip("/")
        inside.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, inside, dirs_exist_ok=True)
        else:
            inside.unlink(missing_ok=True)
            shutil.copy(source, inside)


class _CompileError(ImageError):
    """A Python file in the image does not compile."""

    def __init__(self, folder: str, output: str) -> None:
        super().__init__(f"{folder}: the image's Python cannot compile what is there\n{output.rstrip()}")
