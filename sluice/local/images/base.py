"""The first layer: Debian's Python and the libraries it needs, with no shell, no package tools and no documentation.

mmdebstrap resolves, downloads and verifies the packages; they are unpacked without running their installation scripts,
and the little that those scripts would have done is done here. The same run brings Debian's pip, which stays outside.
A base that is in the cache stays as it is: Debian's security updates come in when the cache is emptied.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from sluice.local.images import debian_packages, layer
from sluice.local.images.errors import BaseError
from sluice.local.images.recipe import BASE_PACKAGES, LEFT_OUT, PYTHON, USER_ID
from sluice.local.images.rootfs import Rootfs

_PIP_PACKAGE = "python3-pip-whl"
_PIP = "pip.whl"
# Character sets that Python does not take from libc; what is for dpkg, cron and a log-in; a script for a shell that is
# not there; a folder whose group may write.
_UNUSED = (
    "usr/lib/*/gconv",
    "etc/apt",
    "etc/cron.daily",
    "etc/dpkg",
    "etc/logrotate.d",
    "etc/update-motd.d",
    "usr/sbin/update-ca-certificates",
    "var/local",
)
_ACCOUNTS = {
    "etc/passwd": (
        "root:x:0:0:root:/root:/usr/sbin/nologin\n"
        f"sluice:x:{USER_ID}:{USER_ID}::/:/usr/sbin/nologin\n"
        "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
    ),
    "etc/group": f"root:x:0:\nsluice:x:{USER_ID}:\nnogroup:x:65534:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}
# What the gateway's packages use of the standard library: a library left out by mistake shows here, not in a pod.
_PROOF = (
    "import asyncio, bz2, ctypes, hashlib, lzma, sqlite3, ssl, uuid, zlib; "
    "assert ssl.create_default_context().get_ca_certs()"
)


def build(folder: Path, scratch: Path) -> None:
    """Write the base layer, and pip beside it, into `folder`; `scratch` is an empty folder on a disk with 300 MiB.

    What is in `sluice.local.packages.IMAGE_PACKAGES` must be there. Raises BaseError when the packages cannot be had.
    """
    downloads = debian_packages.download((*BASE_PACKAGES, _PIP_PACKAGE), scratch / "apt")
    root = scratch / "root"
    root.mkdir(mode=0o755)
    for name, package in downloads.items():
        if name == _PIP_PACKAGE:
            _keep_pip(package, scratch / "pip", folder)
        elif name not in LEFT_OUT:
            debian_packages.unpack(package, root)
            debian_packages.record(name, package, root)
    _finish(root)
    rootfs = Rootfs(root)
    rootfs.compile(f"/usr/lib/{PYTHON}")
    rootfs.run(["python3", "-c", _PROOF], on_failure=BaseError)
    rootfs.close()
    layer.write(root, folder)


def pip_of(folder: Path) -> Path:
    """The pip wheel that `build` left beside the layer in `folder`."""
    return folder / _PIP


def _keep_pip(package: Path, opened: Path, folder: Path) -> None:
    opened.mkdir()
    debian_packages.unpack(package, opened)
    [wheel] = opened.glob("usr/share/python-wheels/pip-*.whl")
    shutil.copy(wheel, folder / _PIP)


def _finish(root: Path) -> None:
    """Do what the packages' installation scripts would have done, and drop what nobody reads in a container."""
    debian_packages.drop_documentation(root)
    for path in (path for pattern in _UNUSED for path in sorted(root.glob(pattern))):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    for name, content in _ACCOUNTS.items():
        (root / name).write_text(content)
    (root / "usr/bin/python3").symlink_to(PYTHON)
    authorities = sorted((root / "usr/share/ca-certificates").rglob("*.crt"))
    bundle = root / "etc/ssl/certs/ca-certificates.crt"
    bundle.write_bytes(b"".join(path.read_bytes().rstrip() + b"\n" for path in authorities))
    # OpenSSL's default file; the folder of links by hash that Debian's own script makes is not needed beside it.
    default = root / "usr/lib/ssl/cert.pem"
    default.parent.mkdir(parents=True, exist_ok=True)
    default.symlink_to("/etc/ssl/certs/ca-certificates.crt")
    (root / "tmp").chmod(0o1777)
