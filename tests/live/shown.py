"""What a live test tells whoever runs it: seen at once and always, not only where the test fails."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

Say = Callable[[str], None]


def shown(config: pytest.Config) -> AbstractContextManager[None]:
    """A block in which pytest keeps nothing of what is printed. pytest begins again with each phase of each test."""
    manager = config.pluginmanager.getplugin("capturemanager")
    assert manager is not None
    block: AbstractContextManager[None] = manager.global_and_fixture_disabled()
    return block
