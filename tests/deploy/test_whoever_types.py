"""Whose name a rollback bears where nobody says one."""

from __future__ import annotations

import os

import pytest

from sluice.deploy.emergency import whoever_types


def test_a_name_in_git_that_is_no_utf_8_does_not_stop_a_rollback(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("COUNT", b"1"), ("KEY_0", b"user.name"), ("VALUE_0", b"J\xfcrgen")):
        monkeypatch.setenv(f"GIT_CONFIG_{name}", os.fsdecode(value))
    assert whoever_types() == "J\ufffdrgen"
