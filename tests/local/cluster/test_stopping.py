from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice.local.cluster import containers, network, ownership, preflight, processes, records, stopping
from sluice.local.cluster.components import Name
from sluice.local.cluster.errors import LeftBehind
from sluice.local.cluster.layout import Layout
from sluice.local.cluster.processes import Process
from sluice.local.cluster.records import Marked, Record
from sluice.progress import Progress

RULES = """*filter
:INPUT ACCEPT [0:0]
:KUBE-FIREWALL - [0:0]
:SLUICE-INPUT - [0:0]
-A INPUT -j KUBE-FIREWALL
-A INPUT -j SLUICE-INPUT
COMMIT
"""
KUBERNETES = 4_000_001  # above the highest pid that the kernel gives, so that it is nobody's
GONE = Process(KUBERNETES - 1, 1, "an-earlier-boot")


class Machine:
    """What `down` finds and changes, without a change to the machine of these tests."""

    def __init__(self, folder: Path) -> None:
        self.layout = Layout(folder / "state")
        self.layout.create()
        self.rules = RULES
        self.socket = folder / "device-plugins" / "kubelet.sock"
        self.cgroup = folder / "cgroups" / "kubepods"
        self.programs: dict[int, str] = {}
        self.cgroup.mkdir(parents=True)
        self.socket.parent.mkdir()
        self.socket.touch()

    def run(self, program: str, *_: str, given: str | None = None, may_fail: bool = False) -> str:
        assert program == "iptables-restore", program
        for line in (given or "").splitlines():
            if line.startswith("-X"):
                chain = line.removeprefix("-X ")
                self.rules = "".join(rule for rule in self.rules.splitlines(keepends=True) if chain not in rule)
        return ""

    def processes(self) -> Iterator[Process]:
        return (Process(pid, 1, processes.boot_id()) for pid in self.programs)

    def record(self, name: Name) -> None:
        records.save(self.layout, Record(name, GONE, 1.0, "digest"))

    def down(self) -> None:
        stopping.down(Progress(), self.layout.state)

    @property
    def others_are_whole(self) -> bool:
        return self.rules.count("KUBE-FIREWALL") == 2 and self.socket.exists() and self.cgroup.exists()

    @property
    def is_clear(self) -> bool:
        return "KUBE-" not in self.rules and not self.socket.exists() and not self.cgroup.exists()


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine(tmp_path)
    monkeypatch.setattr(preflight, "check_root", lambda _: None)
    monkeypatch.setattr(preflight, "check_state_folder", lambda _: None)  # pytest's folders have long names
    monkeypatch.setattr(network, "_FAMILIES", network._FAMILIES[:1])
    monkeypatch.setattr(network, "_saved", lambda _: machine.rules)
    monkeypatch.setattr(network, "_run", machine.run)
    monkeypatch.setattr(network, "_interface_exists", lambda: False)
    monkeypatch.setattr(network, "_CNI_RESULTS", tmp_path / "cni" / "results")
    monkeypatch.setattr(containers, "_CGROUPS", machine.cgroup.parent)
    monkeypatch.setattr(containers, "_DEVICE_PLUGINS", machine.socket.parent)
    monkeypatch.setattr(containers, "_SHIM_SOCKETS", tmp_path / "shims" / "s")
    monkeypatch.setattr(containers, "_POD_LOG_LINKS", tmp_path / "pod-logs")
    monkeypatch.setattr(processes, "all_processes", machine.processes)
    monkeypatch.setattr(processes, "program_of", machine.programs.get)
    monkeypatch.setattr(processes, "shares_our_network", lambda _: True)
    return machine


def test_where_no_kubelet_of_ours_ran_only_our_own_rules_go(machine: Machine) -> None:
    machine.record(Name.ETCD)
    machine.down()
    assert "SLUICE-" not in machine.rules
    assert machine.others_are_whole


@pytest.mark.parametrize("name", [Name.KUBELET, Name.PROXY])
def test_where_our_kubelet_or_proxy_ran_its_traces_go(name: Name, machine: Machine) -> None:
    machine.record(name)
    machine.down()
    assert "SLUICE-" not in machine.rules
    assert machine.is_clear


@pytest.mark.parametrize("program", ["kubelet", "kube-proxy", "k3s-server"])
def test_while_another_kubernetes_runs_its_traces_stay_whatever_we_ran(program: str, machine: Machine) -> None:
    machine.record(Name.KUBELET)
    machine.programs[KUBERNETES] = program
    machine.down()
    assert "SLUICE-" not in machine.rules
    assert machine.others_are_whole


def test_after_a_stop_that_left_something_the_next_one_still_knows_whose_it_is(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.record(Name.KUBELET)
    with monkeypatch.context() as refusing:
        refusing.setattr(containers, "_remove_cgroup", lambda _: None)
        with pytest.raises(LeftBehind, match=r"could not be cleared up: the cgroup .*kubepods"):
            machine.down()
    machine.down()
    assert machine.is_clear
    assert records.load(machine.layout, Name.KUBELET) is None


def test_a_mark_says_that_a_kubelet_without_a_record_was_ours(machine: Machine) -> None:
    mine = Process(KUBERNETES, 1, processes.boot_id())
    machine.programs[KUBERNETES] = "kubelet"
    marked = Marked(mine, str(machine.layout.state), Name.KUBELET)
    assert ownership.traces_are_ours(machine.layout, [], [marked])
    assert list(ownership.foreign_kubernetes([marked])) == []


def test_the_kubelet_of_another_copy_of_ours_is_foreign(machine: Machine) -> None:
    mine = Record(Name.KUBELET, GONE, 1.0, "digest")
    machine.programs[KUBERNETES] = "kubelet"
    marked = Marked(Process(KUBERNETES, 1, processes.boot_id()), "/elsewhere", Name.KUBELET)
    assert not ownership.traces_are_ours(machine.layout, [mine], [marked])
    machine.programs.clear()
    assert not ownership.traces_are_ours(machine.layout, [], [marked])


def test_a_kubernetes_in_a_network_of_its_own_disturbs_nobody(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "shares_our_network", lambda pid: pid == os.getpid())
    machine.programs[KUBERNETES] = "kubelet"
    machine.record(Name.KUBELET)
    machine.down()
    assert machine.is_clear
