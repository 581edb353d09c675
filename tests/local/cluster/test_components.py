from __future__ import annotations

import json
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from sluice.local.cluster import certificates, components, configuration, kubeconfigs
from sluice.local.cluster.components import PORTS, Binaries, Component, Name
from sluice.local.cluster.errors import BinaryMissing
from sluice.local.cluster.health import Socket
from sluice.local.cluster.layout import Layout

LAYOUT = Layout(Path("/state"))
BINARIES = Binaries(kube=Path("/tools/kube"), coredns=Path("/tools/coredns"), pause=Path("/tools/pause"))


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> dict[Name, Component]:
    monkeypatch.setattr(components, "system_program", lambda name: f"/usr/bin/{name}")
    return {part.name: part for part in components.components(BINARIES, LAYOUT)}


def flags(part: Component) -> dict[str, str]:
    return dict(flag.removeprefix("--").split("=", 1) for flag in part.command[1:])


def test_every_component_is_there_once_in_the_order_of_starting(parts: dict[Name, Component]) -> None:
    assert list(parts) == list(Name)


def test_the_api_server_asks_everybody_who_they_are_and_what_they_may(parts: dict[Name, Component]) -> None:
    given = flags(parts[Name.API_SERVER])
    assert given["anonymous-auth"] == "false"
    assert given["authorization-mode"] == "Node,RBAC"
    assert given["enable-admission-plugins"] == "NodeRestriction"
    assert "disable-admission-plugins" not in given
    assert given["etcd-servers"].startswith("https://127.0.0.1:")
    assert given["kubelet-certificate-authority"] == "/state/pki/ca.crt"


def test_etcd_takes_only_clients_of_its_own_authority(parts: dict[Name, Component]) -> None:
    given = flags(parts[Name.ETCD])
    assert given["client-cert-auth"] == given["peer-client-cert-auth"] == "true"
    assert given["trusted-ca-file"] == "/state/pki/etcd-ca.crt"


def test_components_have_identities_of_their_own(parts: dict[Name, Component]) -> None:
    used = [flags(parts[name])["kubeconfig"] for name in (Name.CONTROLLER_MANAGER, Name.SCHEDULER, Name.KUBELET)]
    proxy = json.loads(configuration.texts(LAYOUT)[configuration.proxy_path(LAYOUT)])
    used.append(proxy["clientConnection"]["kubeconfig"])
    assert len(set(used)) == 4
    assert all(path.startswith("/state/pki/") for path in used)
    common_names = Counter(identity.common_name for identity in certificates.IDENTITIES)
    assert all(common_names[name] == 1 for name in common_names if name.startswith("system:"))


def test_no_two_components_want_the_same_port() -> None:
    wanted = Counter((port.number, port.protocol) for ports in PORTS.values() for port in ports)
    assert max(wanted.values()) == 1


def test_all_but_the_api_server_keep_to_this_machines_addresses() -> None:
    for name, ports in PORTS.items():
        if name != Name.API_SERVER:
            assert {port.address for port in ports} <= {"127.0.0.1", "10.244.0.1"}


def test_the_ports_are_those_that_commands_configuration_and_health_name(parts: dict[Name, Component]) -> None:
    texts = configuration.texts(LAYOUT)
    files = {
        Name.KUBELET: texts[configuration.kubelet_path(LAYOUT)],
        Name.PROXY: texts[configuration.proxy_path(LAYOUT)],
        Name.DNS: texts[configuration.corefile_path(LAYOUT)] + ":53",
    }
    # These two listen where they always do, and no flag of ours says so.
    silent = {Name.CONTROLLER_MANAGER, Name.SCHEDULER}
    for name, ports in PORTS.items():
        said = " ".join(parts[name].command) + files.get(name, "")
        assert all(str(port.number) in said for port in ports) or name in silent, name
        health = parts[name].health
        if not isinstance(health, Socket):
            assert getattr(health, "port", None) in {port.number for port in ports}, name


def test_every_file_in_a_command_line_restarts_the_component_when_it_changes(parts: dict[Name, Component]) -> None:
    folders = {"/state/etcd", "/state/kubelet", "/state/pki"}
    for part in parts.values():
        named = {value for flag in part.command[1:] if (value := flag.rpartition("=")[2]).startswith("/state")}
        assert named - folders <= {str(path) for path in part.inputs}, part.name


def test_the_configuration_files_say_what_their_readers_take() -> None:
    texts = configuration.texts(LAYOUT)
    containerd = tomllib.loads(texts[configuration.containerd_path(LAYOUT)])
    cri = containerd["plugins"]["io.containerd.grpc.v1.cri"]
    assert cri["restrict_oom_score_adj"] is True
    assert containerd["state"].startswith("/state/")
    assert cri["containerd"]["runtimes"]["runc"]["options"]["Root"].startswith("/state/")
    kubelet = json.loads(texts[configuration.kubelet_path(LAYOUT)])
    assert kubelet["authentication"]["anonymous"] == {"enabled": False}
    assert kubelet["cgroupDriver"] == "cgroupfs"
    proxy = json.loads(texts[configuration.proxy_path(LAYOUT)])
    assert proxy["nodePortAddresses"] == ["127.0.0.0/8"]
    network = json.loads(texts[configuration.cni_path(LAYOUT)])
    assert (network["name"], network["plugins"][0]["type"]) == ("sluice", "ptp")
    corefile = texts[configuration.corefile_path(LAYOUT)]
    assert corefile.count("{") == corefile.count("}") > 0


def test_a_program_that_is_missing_is_named(parts: dict[Name, Component], tmp_path: Path) -> None:
    with pytest.raises(BinaryMissing, match="/tools/kube/etcd is missing or cannot be run: build the tools again"):
        components.check_programs(BINARIES, list(parts.values()))


def test_the_administrators_kubeconfig_is_private_and_complete_in_itself(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.create()
    certificates.ensure(layout.pki)
    kubeconfigs.write_all(layout)
    assert layout.kubeconfig.stat().st_mode & 0o777 == 0o600
    text = layout.kubeconfig.read_text()
    document = json.loads(text)
    assert document["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:6443"
    assert str(tmp_path) not in text
    written = layout.kubeconfig.stat().st_mtime_ns
    kubeconfigs.write_all(layout)
    assert layout.kubeconfig.stat().st_mtime_ns == written
