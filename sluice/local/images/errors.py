"""What can keep an image from being built or from reaching a cluster, one class for each kind of mistake.

Each says what was being done, what went wrong, and what would help; where another program failed, its own last lines
are shown, with anything that looks like a password in an address taken out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from sluice.errors import SluiceError
from sluice.local.packages import PackagesMissing

_LAST_LINES = 12
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")


class ImageError(SluiceError):
    """An image could not be built or delivered."""


class RootNeededError(ImageError):
    """Building was asked for by someone who is not root."""

    def __init__(self) -> None:
        super().__init__(
            "building the images needs root: their base is unpacked and run as its own root file system. Run as root, "
            "or build them from the Containerfile and name them in the environment's Pulumi file"
        )


class ToolMissingError(ImageError):
    """A program that this needs is not on the PATH."""

    def __init__(self, tool: str, *, needed_for: str, install: str) -> None:
        self.tool = tool
        super().__init__(f"{tool} is not on the PATH, and {needed_for} needs it: {install}")


class BaseToolsMissingError(ImageError):
    """The Debian packages that the images' base is built with are missing and cannot be installed."""

    def __init__(self, missing: PackagesMissing) -> None:
        self.packages = missing.packages
        super().__init__(f"{missing}. Elsewhere than on Debian, build the images from the Containerfile")


class SourceMissingError(ImageError):
    """A file or folder of the checkout that belongs into an image is not there."""

    def __init__(self, path: Path, *, image: str) -> None:
        self.path = path
        super().__init__(f"{path}: not found, but the image {image} is made of it; is this a whole checkout of sluice?")


class ArchiveLostError(ImageError):
    """The archive that was just written is not there as it was written: something else changes the cache."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"{folder}: what was just written there is gone or changed; let nothing else write there")


class DiskSpaceError(ImageError):
    """The folder of built images has no room."""

    def __init__(self, folder: Path, *, free_mib: int, needed_mib: int) -> None:
        self.folder = folder
        super().__init__(
            f"{folder}: {free_mib} MiB free, and building the images needs {needed_mib} MiB; make room, or set "
            "SLUICE_CACHE to a folder with more"
        )


class CommandError(ImageError):
    """Another program failed; `output` is everything it printed, of which the last lines are shown."""

    def __init__(self, what: str, *, output: str, advice: str) -> None:
        self.what = what
        self.output = output
        super().__init__(f"{what} failed; {advice}\n{last_lines(output)}".rstrip())


class BaseError(CommandError):
    """apt or mmdebstrap could not provide the base's packages."""

    def __init__(self, output: str) -> None:
        super().__init__(
            "getting the base's Debian packages",
            output=output,
            advice="is the Debian mirror reachable from this machine? mmdebstrap's last lines:",
        )


class PackagesError(CommandError):
    """pip could not install the lock."""

    def __init__(self, lock: Path, output: str) -> None:
        super().__init__(
            f"installing {lock} into the image",
            output=output,
            advice="is the package index reachable from this machine? pip's last lines:",
        )


class HashMismatchError(CommandError):
    """A package that was downloaded is not the one that the lock names."""

    def __init__(self, lock: Path, output: str) -> None:
        # The lock lists a hash for each of a package's files: dozens of lines that hide the package's name.
        told = "\n".join(line for line in output.splitlines() if not line.strip().startswith("Expected"))
        super().__init__(
            f"installing {lock} into the image",
            output=told,
            advice="a package differs from the hash that the lock holds, so nothing was kept; do not use that package. "
            "pip's last lines:",
        )


class ImportFailedError(CommandError):
    """containerd did not take the images."""

    def __init__(self, socket: Path, output: str) -> None:
        super().__init__(
            "importing the images into containerd",
            output=output,
            advice=f"does containerd answer at {socket}? ctr's last lines:",
        )


class ClusterLoadError(CommandError):
    """kind or k3d did not take the images."""

    def __init__(self, tool: str, cluster: str, output: str) -> None:
        super().__init__(
            f"loading the images into the {tool} cluster {cluster!r}",
            output=output,
            advice=f"the cluster's name is taken from the context; does `{tool} cluster list` know it? Last lines:",
        )


class RegistryNeededError(ImageError):
    """The cluster takes images from a registry only, and none was named."""

    def __init__(self, context: str | None) -> None:
        of_context = f"of the context {context!r} " if context else ""
        super().__init__(
            f"the cluster {of_context}is neither sluice's own nor made by kind or k3d, so its images must come from a "
            "registry: name one that it can pull from, like --images-to registry.example.com/sluice"
        )


class RegistryNameError(ImageError):
    """What was given as a registry is no registry's host, port and path."""

    def __init__(self, given: str, *, suggested: str | None) -> None:
        self.given = given
        shown = re.sub(r"[^/@\s]+@", "***@", given)
        super().__init__(
            f"{shown!r} is no registry's name: give its host, its port if it has one, and a path of small letters, "
            f"with nothing before or after, like --images-to {suggested or 'registry.example.com/sluice'}"
        )


class PushError(ImageError):
    """A registry did not take an image."""

    def __init__(self, address: str, *, said: str, advice: str) -> None:
        self.address = address
        super().__init__(f"{address}: the registry did not take the image: {_CREDENTIALS.sub('***@', said)}; {advice}")


def last_lines(output: str, *, count: int = _LAST_LINES) -> str:
    """The last `count` lines of a program's output that say something, without credentials."""
    lines: Sequence[str] = [line.rstrip() for line in output.splitlines() if line.strip()]
    return "\n".join(f"  {_CREDENTIALS.sub('***@', line)}" for line in lines[-count:])
