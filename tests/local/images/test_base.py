"""Debian's programs find root's programs, whatever the PATH of the caller is."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.local import packages
from sluice.local.images import base
from sluice.local.images.errors import BaseError


@pytest.mark.parametrize(("program", "shown"), [("mmdebstrap", "mmdebstrap"), ("dpkg-deb", "dpkg-deb")])
def test_the_programs_that_build_the_base_are_given_the_path_of_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, shown: str
) -> None:
    # What a plain `su` leaves of the PATH, and programs that print theirs and fail.
    monkeypatch.setenv("PATH", "/usr/local/bin:/usr/bin:/bin")
    monkeypatch.setattr(packages, "SEARCH_PATH", f"{tmp_path}:/usr/sbin:/usr/bin:/sbin:/bin")
    if program == "dpkg-deb":
        _put(
            tmp_path,
            "mmdebstrap",
            'for last; do :; done\nmkdir -p "$last/var/cache/apt/archives"\n'
            'touch "$last/var/cache/apt/archives/netbase_1_all.deb"\n',
        )
    _put(tmp_path, program, f'echo "{shown} with PATH=$PATH" >&2\nexit 1\n')
    with pytest.raises(BaseError, match=f"{shown} with PATH={tmp_path}:/usr/sbin:/usr/bin:/sbin:/bin"):
        base.build(tmp_path / "layer", tmp_path)


def _put(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}")
    (folder / name).chmod(0o755)
