"""An API server on 127.0.0.1 to connect to, and surroundings in which no cluster or Pulumi of the person's is named."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice.deploy.cluster_access import ClusterAccess
from tests.deploy.api_server import ApiServer, running_api_server


@pytest.fixture(autouse=True)
def _nothing_of_the_persons(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name == "KUBECONFIG" or name.startswith(("PULUMI_", "SLUICE_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SLUICE_STATE", str(tmp_path / "state"))


@pytest.fixture
def api() -> Iterator[ApiServer]:
    with running_api_server() as server:
        yield server


@pytest.fixture
def access(api: ApiServer, tmp_path: Path) -> ClusterAccess:
    return ClusterAccess(api.kubeconfig(tmp_path / "kubeconfig"))


@pytest.fixture
def interrupts_are_heard() -> Iterator[None]:
    """A shell lets what it starts in the background ignore interrupts, and that is handed down to every child."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
