from __future__ import annotations

import os
import shutil
import socket
from ipaddress import IPv4Network
from pathlib import Path
from types import SimpleNamespace

import pytest

from sluice.local.cluster import preflight, processes, records, starting
from sluice.local.cluster.components import PORTS, Name, Port
from sluice.local.cluster.errors import DiskFull, NetworkTaken, NotRoot, OtherCopyRunning, PortInUse, StateFolderUnfit
from sluice.local.cluster.layout import Layout
from sluice.local.cluster.preflight import Route
from sluice.local.cluster.records import Marked

ROUTES = """Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
cni0\t0000F40A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
"""


def test_without_root_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(NotRoot, match="starting the local cluster needs root: run the command with sudo") as caught:
        preflight.check_root("starting")
    assert caught.value.exit_code == 3


def test_a_port_in_use_is_named_with_its_holder() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(PortInUse, match=rf"port {port}/tcp on 127.0.0.1 is in use by .* \(pid {os.getpid()}\)"):
            preflight.check_ports([Port(port)], [])


def test_a_port_that_a_process_of_ours_holds_is_no_obstacle() -> None:
    me = processes.find(os.getpid())
    assert me is not None
    with socket.create_server(("127.0.0.1", 0)) as server:
        preflight.check_ports([Port(server.getsockname()[1])], [Marked(me, "/state", "etcd")])


def test_too_little_disk_says_how_much_and_what_to_do(tmp_path: Path) -> None:
    preflight.check_disk(tmp_path / "not" / "there", needed_bytes=1)
    with pytest.raises(DiskFull, match=r"GiB free and the local cluster needs .* GiB: make room, or put the state"):
        preflight.check_disk(tmp_path / "not" / "there", needed_bytes=2**62)


def test_the_disk_is_looked_at_only_where_something_is_to_be_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2**20))
    preflight.check_missing(Layout(tmp_path), [], [])
    with pytest.raises(DiskFull, match=r"has 0\.0 GiB free and the local cluster needs 2 GiB"):
        preflight.check_missing(Layout(tmp_path), [Name.CONTAINERD], [])


def test_a_taken_port_is_told_before_there_is_any_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    me = processes.find(os.getpid())
    assert me is not None
    layout = Layout(tmp_path / "state")
    layout.create()
    for needless in ("check_root", "check_machine", "check_neighbours", "check_disk"):
        monkeypatch.setattr(preflight, needless, lambda *_: None)
    monkeypatch.setattr(preflight, "look", lambda: ())
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        nothing: dict[Name, tuple[Port, ...]] = dict.fromkeys(Name, ())
        monkeypatch.setattr(preflight, "PORTS", {**nothing, Name.SCHEDULER: (Port(port),)})
        with pytest.raises(PortInUse, match=f"port {port}/tcp on 127.0.0.1 is in use by"):
            starting.check(layout.state)
        records.save(layout, records.Record(Name.SCHEDULER, me, 1.0, "digest"))
        starting.check(layout.state)  # it runs, so its port is its own


def test_every_component_says_its_ports() -> None:
    assert set(PORTS) == set(Name)


def test_another_copy_is_named_with_how_to_stop_it(tmp_path: Path) -> None:
    me = processes.find(os.getpid())
    assert me is not None
    with pytest.raises(OtherCopyRunning, match="stop it with SLUICE_STATE=/elsewhere sluice local down"):
        preflight.check_neighbours(Layout(tmp_path), [Marked(me, "/elsewhere", "etcd")])


def test_routes_are_read_from_the_kernels_table() -> None:
    assert list(preflight.parse_routes(ROUTES)) == [
        Route(IPv4Network("0.0.0.0/0"), "eth0"),
        Route(IPv4Network("10.244.0.0/24"), "cni0"),
    ]


@pytest.mark.parametrize(
    ("network", "interface"), [("10.244.0.0/24", "cni0"), ("10.244.0.0/16", "flannel.1"), ("10.96.3.0/24", "eth1")]
)
def test_addresses_of_others_are_refused(network: str, interface: str) -> None:
    with pytest.raises(NetworkTaken, match=f"but {network} is reached through {interface}"):
        preflight.check_routes([Route(IPv4Network(network), interface)])


@pytest.mark.parametrize(
    ("network", "interface"),
    [
        ("0.0.0.0/0", "eth0"),
        ("10.0.0.0/8", "vpn0"),
        ("10.244.0.7/32", "vethabc"),
        ("10.244.1.0/24", "eth1"),
        ("10.244.0.0/24", "sluice0"),
    ],
)
def test_wide_routes_and_our_own_pods_are_no_obstacle(network: str, interface: str) -> None:
    preflight.check_routes([Route(IPv4Network(network), interface)])


@pytest.mark.parametrize(
    ("folder", "why"),
    [
        ("state", "no absolute path"),
        ("/has a space", "has a space"),
        ("/with,comma", "a comma"),
        ("/" + "long" * 30, "too long"),
    ],
)
def test_a_state_folder_that_sockets_or_mounts_cannot_carry_is_refused(folder: str, why: str) -> None:
    with pytest.raises(StateFolderUnfit, match=why):
        preflight.check_state_folder(Layout(Path(folder)))


def test_controllers_are_found_in_version_2_and_in_version_1(tmp_path: Path) -> None:
    assert preflight.missing_controllers(tmp_path) == ("cpu", "cpuset", "memory", "pids")
    for name in ("cpu", "cpuset"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "cgroup.procs").touch()
    assert preflight.missing_controllers(tmp_path) == ("memory", "pids")
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    assert preflight.missing_controllers(tmp_path) == ()
