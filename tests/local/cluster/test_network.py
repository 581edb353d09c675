from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sluice.local.cluster import network, processes
from sluice.local.cluster.layout import Layout

REFUSED, VANISHED, OTHER = "vm/overcommit_memory", "net/bridge/bridge-nf-call-iptables", "kernel/panic"


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    layout = Layout(tmp_path / "state")
    layout.create()
    monkeypatch.setattr(network, "_SYSCTL", tmp_path / "sysctl")
    monkeypatch.setattr(network, "_FAMILIES", ())
    monkeypatch.setattr(network, "_interface_exists", lambda: False)
    write(tmp_path, VANISHED, REFUSED, OTHER, value="0")
    network._note_settings(layout)
    write(tmp_path, VANISHED, REFUSED, OTHER, value="1")
    return layout


def write(folder: Path, *names: str, value: str) -> None:
    for name in names:
        path = folder / "sysctl" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{value}\n")


def refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    write_text = Path.write_text

    def refusing(self: Path, *arguments: Any, **named: Any) -> int:
        if str(self).endswith(REFUSED):
            raise OSError(22, "Invalid argument")
        return write_text(self, *arguments, **named)

    monkeypatch.setattr(Path, "write_text", refusing)


def value_of(layout: Layout, name: str) -> str:
    return (layout.state.parent / "sysctl" / name).read_text().strip()


def test_settings_are_put_back_and_the_note_of_them_goes(layout: Layout) -> None:
    network._restore_settings(layout)
    assert [value_of(layout, name) for name in (VANISHED, REFUSED, OTHER)] == ["0", "0", "0"]
    assert list(layout.run.iterdir()) == []
    assert network.leftovers(layout, kubernetes=True) == ()


def test_a_setting_that_cannot_be_put_back_keeps_no_other_from_it_and_is_named(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    (layout.state.parent / "sysctl" / VANISHED).unlink()
    with monkeypatch.context() as refusing:
        refuse(refusing)
        network._restore_settings(layout)
    assert (value_of(layout, REFUSED), value_of(layout, OTHER)) == ("1", "0")
    assert network.leftovers(layout, kubernetes=True) == ("the kernel setting vm.overcommit_memory",)

    network._note_settings(layout)  # a next up keeps the values from before the first one
    network._restore_settings(layout)
    assert value_of(layout, REFUSED) == "0"
    assert list(layout.run.iterdir()) == []


def test_a_note_of_an_earlier_boot_is_dropped_with_nothing_put_back(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "boot_id", lambda: "the-next-boot")
    network._restore_settings(layout)
    assert value_of(layout, OTHER) == "1"
    assert list(layout.run.iterdir()) == []
