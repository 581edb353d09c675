"""The few Debian packages the local cluster and the images stand on, installed when they are missing.

A package is missing when a file it is needed for is missing, so whoever brought containerd another way is left alone.
The programs are used as files only: Debian's own containerd service is neither started nor left enabled.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sluice.errors import SluiceError
from sluice.progress import Progress

SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where sluice looks for Debian's programs, and they for each other: after a plain `su` the caller's own PATH lacks the
folders of root's programs, and dpkg refuses to work."""

_SERVICE = "containerd.service"


@dataclass(frozen=True, slots=True)
class Package:
    """A Debian package and the files it is wanted for: names of programs on the system's path, or absolute paths."""

    name: str
    files: tuple[str, ...]

    def is_there(self) -> bool:
        """Whether every wanted file exists."""
        return all(_exists(file) for file in self.files)


CLUSTER_PACKAGES: tuple[Package, ...] = (
    Package("containerd", ("containerd", "containerd-shim-runc-v2", "ctr")),
    Package("runc", ("runc",)),
    Package("containernetworking-plugins", ("/usr/lib/cni/ptp", "/usr/lib/cni/host-local", "/usr/lib/cni/loopback")),
    Package("iptables", ("iptables", "iptables-save", "iptables-restore")),
    Package("iproute2", ("ip",)),
)
"""What the cluster of this machine runs."""

IMAGE_PACKAGES: tuple[Package, ...] = (
    Package("mmdebstrap", ("mmdebstrap",)),
    # Debian has it already; Ubuntu does not, and could not verify the packages of the images' base.
    Package("debian-archive-keyring", ("/usr/share/keyrings/debian-archive-keyring.gpg",)),
)
"""What building the images' base takes; an image that is built already needs none of it."""

PACKAGES: tuple[Package, ...] = CLUSTER_PACKAGES + IMAGE_PACKAGES


class PackagesMissing(SluiceError):
    """Debian packages are missing and this process may not or cannot install them."""

    def __init__(self, packages: Sequence[str], *, why: str) -> None:
        self.packages = tuple(packages)
        names = " ".join(packages)
        super().__init__(f"missing on this machine: {names}; {why}. Install them with: apt-get install {names}")


class PackageInstallFailed(SluiceError):
    """`apt-get` was run and said no."""

    def __init__(self, command: Sequence[str], output: str) -> None:
        self.command = tuple(command)
        last = "\n".join(f"  {line}" for line in output.strip().splitlines()[-8:])
        super().__init__(f"`{' '.join(command)}` failed; mend what it says and run the command again:\n{last}")


def environment() -> dict[str, str]:
    """The variables to run Debian's own programs with: the caller's, but for the PATH and the language."""
    return {**os.environ, "PATH": SEARCH_PATH, "LC_ALL": "C.UTF-8"}


def missing(packages: Sequence[Package] = PACKAGES) -> tuple[Package, ...]:
    """Return those of `packages` that lack a file."""
    return tuple(package for package in packages if not package.is_there())


def ensure(progress: Progress, packages: Sequence[Package] = PACKAGES) -> tuple[str, ...]:
    """Install what is missing and return the names of what was installed; with nothing missing it does nothing.

    Raises PackagesMissing when not root or not on Debian, PackageInstallFailed when apt-get fails.
    """
    names = tuple(package.name for package in missing(packages))
    if not names:
        return ()
    if shutil.which("apt-get", path=SEARCH_PATH) is None:
        raise PackagesMissing(names, why="this is no Debian (there is no apt-get)")
    if os.geteuid() != 0:
        raise PackagesMissing(names, why="installing them needs root")
    with progress.step(f"Debian packages {', '.join(names)}"):
        _apt_get("update", "--quiet=2")
        if "containerd" in names:
            _install_without_service(names)
        else:
            _install(names)
    still = tuple(package.name for package in missing(packages))
    if still:
        raise PackagesMissing(still, why="apt-get installed them but their files are not where sluice looks for them")
    return names


def _install(names: Sequence[str]) -> None:
    _apt_get("install", "--yes", "--quiet=2", "--no-install-recommends", *names)


def _install_without_service(names: Sequence[str]) -> None:
    # The package's own script starts the service at once and at every boot. A mask in /run holds it off during the
    # installation and is gone with it; invoke-rc.d, where there is no systemd, asks RUNLEVEL (set in _apt_get).
    if not Path("/run/systemd/system").is_dir():
        _install(names)
        return
    _systemctl("mask", "--runtime", _SERVICE)
    try:
        _install(names)
    finally:
        _systemctl("unmask", "--runtime", _SERVICE)
        _systemctl("disable", _SERVICE)


def _systemctl(*arguments: str) -> None:
    # A unit that does not exist yet or any more is no failure: what counts is that it does not run.
    subprocess.run(["systemctl", "--quiet", *arguments], check=False, capture_output=True, env=environment())


def _apt_get(*arguments: str) -> None:
    command = ["apt-get", *arguments]
    variables = {**environment(), "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    done = subprocess.run(
        command, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=variables
    )
    if done.returncode != 0:
        raise PackageInstallFailed(command, done.stdout)


def _exists(file: str) -> bool:
    if file.startswith("/"):
        return Path(file).exists()
    return shutil.which(file, path=SEARCH_PATH) is not None
