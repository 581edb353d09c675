"""Definitions of kinds that others serve come from modules that are pinned by hash."""

from __future__ import annotations

import re

import pytest

from sluice.local.toolchain.catalog import CRDS


@pytest.mark.parametrize("kind", CRDS.files)
def test_the_module_of_every_definition_is_pinned_by_version_and_hash(kind: str) -> None:
    module = CRDS.files[kind].module
    required = re.search(rf"^\s*{re.escape(module)} (v\S+)$", (CRDS.source / "go.mod").read_text(), re.MULTILINE)
    assert required, f"{module} is not required in {CRDS.source / 'go.mod'}"

    hashed = (CRDS.source / "go.sum").read_text()
    assert f"{module} {required[1]} h1:" in hashed
    assert f"{module} {required[1]}/go.mod h1:" in hashed


def test_no_module_is_pinned_that_no_definition_comes_from() -> None:
    pinned = re.findall(r"^\t(\S+) v", (CRDS.source / "go.mod").read_text(), re.MULTILINE)

    assert sorted(pinned) == sorted({file.module for file in CRDS.files.values()})
