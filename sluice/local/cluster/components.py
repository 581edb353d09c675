"""What the cluster consists of: each component's command line, what it is started from, its ports and its health.

The order of the list is the order of starting; stopping goes the other way.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sluice.local.cluster import certificates, configuration, kubeconfigs
from sluice.local.cluster.errors import BinaryMissing
from sluice.local.cluster.health import Health, Page, SecurePage, Socket
from sluice.local.cluster.layout import (
    API_PORT,
    CLUSTER_DOMAIN,
    NODE_ADDRESS,
    NODE_NAME,
    POD_NETWORK,
    SERVICE_NETWORK,
    Layout,
)

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ETCD = "https://127.0.0.1:2379"
_ETCD_PEER = "https://127.0.0.1:2380"
# Controllers for what a local cluster does not have: certificates on request, clouds, a second node's addresses.
_CONTROLLERS_OFF = (
    "bootstrap-signer-controller",
    "certificatesigningrequest-approving-controller",
    "certificatesigningrequest-cleaner-controller",
    "certificatesigningrequest-signing-controller",
    "cloud-node-lifecycle-controller",
    "node-ipam-controller",
    "node-route-controller",
    "service-lb-controller",
    "token-cleaner-controller",
)


class Name(StrEnum):
    """The components, in the order of starting."""

    ETCD = "etcd"
    CONTAINERD = "containerd"
    API_SERVER = "kube-apiserver"
    CONTROLLER_MANAGER = "kube-controller-manager"
    SCHEDULER = "kube-scheduler"
    KUBELET = "kubelet"
    PROXY = "kube-proxy"
    DNS = "coredns"


@dataclass(frozen=True, slots=True)
class Binaries:
    """The programs to run: `kube` is a folder, the others are files."""

    kube: Path
    """Has etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubelet, kube-proxy and kubectl."""
    coredns: Path
    pause: Path
    """A static program that does nothing until it is ended: what holds a pod's namespaces."""


@dataclass(frozen=True, slots=True)
class Port:
    """A port that a component listens on."""

    number: int
    address: str = "127.0.0.1"
    protocol: str = "tcp"


PORTS: Mapping[Name, tuple[Port, ...]] = {
    Name.ETCD: (Port(2379), Port(2380)),
    Name.CONTAINERD: (),
    # Pods reach it at the node's address, we at 127.0.0.1; network.py closes the port to everybody else.
    Name.API_SERVER: (Port(API_PORT, "0.0.0.0"),),  # noqa: S104
    Name.CONTROLLER_MANAGER: (Port(10257),),
    Name.SCHEDULER: (Port(10259),),
    Name.KUBELET: (Port(configuration.KUBELET_PORT, NODE_ADDRESS), Port(configuration.KUBELET_HEALTH_PORT)),
    Name.PROXY: (Port(configuration.PROXY_HEALTH_PORT), Port(configuration.PROXY_METRICS_PORT)),
    Name.DNS: (Port(53, NODE_ADDRESS), Port(53, NODE_ADDRESS, "udp"), Port(configuration.DNS_HEALTH_PORT)),
}
"""What each component listens on: known before there is a program to run."""


@dataclass(frozen=True, slots=True)
class Component:
    """One process of the cluster; it is restarted when its command, its program or an input file has changed."""

    name: Name
    command: tuple[str, ...]
    inputs: tuple[Path, ...]
    health: Health


def components(binaries: Binaries, layout: Layout) -> tuple[Component, ...]:
    """Return the components in the order of starting."""
    return (
        _etcd(binaries, layout),
        _containerd(layout),
        _api_server(binaries, layout),
        _controller_manager(binaries, layout),
        _scheduler(binaries, layout),
        _kubelet(binaries, layout),
        _proxy(binaries, layout),
        _dns(binaries, layout),
    )


def check_programs(binaries: Binaries, parts: Sequence[Component]) -> None:
    """Raise BinaryMissing for the first program that is not there or cannot be run."""
    for program in (*(Path(part.command[0]) for part in parts), binaries.kube / "kubectl", binaries.pause):
        if shutil.which(str(program)) is None:
            raise BinaryMissing(program)


def system_program(name: str) -> str:
    """Return the path of a program that a Debian package brings. Raises BinaryMissing."""
    found = shutil.which(name, path=SYSTEM_PATH)
    if found is None:
        raise BinaryMissing(Path(name))
    return found


def _flags(program: Path | str, **values: str | int | Path) -> tuple[str, ...]:
    return (str(program), *(f"--{name.replace('_', '-')}={value}" for name, value in values.items()))


def _pairs(layout: Layout, *names: str) -> tuple[Path, ...]:
    pki = layout.pki
    return tuple(
        path for name in names for path in (certificates.certificate_path(pki, name), certificates.key_path(pki, name))
    )


def _etcd(binaries: Binaries, layout: Layout) -> Component:
    authority, _ = _pairs(layout, "etcd-ca")
    certificate, key = _pairs(layout, "etcd")
    client_certificate, client_key = _pairs(layout, "apiserver-etcd-client")
    command = _flags(
        binaries.kube / "etcd",
        name=NODE_NAME,
        data_dir=layout.etcd,
        listen_client_urls=_ETCD,
        advertise_client_urls=_ETCD,
        listen_peer_urls=_ETCD_PEER,
        initial_advertise_peer_urls=_ETCD_PEER,
        initial_cluster=f"{NODE_NAME}={_ETCD_PEER}",
        cert_file=certificate,
        key_file=key,
        trusted_ca_file=authority,
        client_cert_auth="true",
        peer_cert_file=certificate,
        peer_key_file=key,
        peer_trusted_ca_file=authority,
        peer_client_cert_auth="true",
        log_level="warn",
        # Alone, it waits this long for the others before it leads; the usual second is for networks. Milliseconds.
        heartbeat_interval=20,
        election_timeout=200,
    )
    return Component(
        Name.ETCD,
        command,
        (authority, certificate, key),
        SecurePage(2379, "/health", authority, client_certificate, client_key),
    )


def _containerd(layout: Layout) -> Component:
    config = configuration.containerd_path(layout)
    command = _flags(system_program("containerd"), config=config, log_level="warn")
    return Component(Name.CONTAINERD, command, (config,), Socket(layout.containerd_socket))


def _api_server(binaries: Binaries, layout: Layout) -> Component:
    authority, _ = _pairs(layout, "ca")
    etcd_authority, _ = _pairs(layout, "etcd-ca")
    front_authority, _ = _pairs(layout, "front-proxy-ca")
    front_certificate, front_key = _pairs(layout, "front-proxy-client")
    certificate, key = _pairs(layout, "apiserver")
    etcd_certificate, etcd_key = _pairs(layout, "apiserver-etcd-client")
    kubelet_certificate, kubelet_key = _pairs(layout, "apiserver-kubelet-client")
    admin_certificate, admin_key = _pairs(layout, "admin")
    accounts_key = certificates.key_path(layout.pki, certificates.SERVICE_ACCOUNT_KEY)
    command = _flags(
        binaries.kube / "kube-apiserver",
        etcd_servers=_ETCD,
        etcd_cafile=etcd_authority,
        etcd_certfile=etcd_certificate,
        etcd_keyfile=etcd_key,
        bind_address="0.0.0.0",  # noqa: S104 - as its entry in PORTS says
        secure_port=API_PORT,
        advertise_address=NODE_ADDRESS,
        service_cluster_ip_range=SERVICE_NETWORK,
        tls_cert_file=certificate,
        tls_private_key_file=key,
        client_ca_file=authority,
        anonymous_auth="false",
        authorization_mode="Node,RBAC",
        enable_admission_plugins="NodeRestriction",
        service_account_key_file=accounts_key,
        service_account_signing_key_file=accounts_key,
        service_account_issuer=f"https://kubernetes.default.svc.{CLUSTER_DOMAIN}",
        kubelet_client_certificate=kubelet_certificate,
        kubelet_client_key=kubelet_key,
        kubelet_certificate_authority=authority,
        # Without these the controller manager and the scheduler complain every few seconds; added APIs need them too.
        requestheader_client_ca_file=front_authority,
        requestheader_allowed_names=certificates.FRONT_PROXY,
        requestheader_username_headers="X-Remote-User",
        requestheader_group_headers="X-Remote-Group",
        requestheader_extra_headers_prefix="X-Remote-Extra-",
        proxy_client_cert_file=front_certificate,
        proxy_client_key_file=front_key,
        # The node's name is in no DNS: without this, logs and exec fail on looking it up.
        kubelet_preferred_address_types="InternalIP",
        allow_privileged="true",
        profiling="false",
    )
    return Component(
        Name.API_SERVER,
        command,
        (
            *(authority, etcd_authority, front_authority, accounts_key),
            *_pairs(layout, "apiserver", "apiserver-etcd-client", "apiserver-kubelet-client", "front-proxy-client"),
        ),
        SecurePage(API_PORT, "/readyz", authority, admin_certificate, admin_key),
    )


def _controller_manager(binaries: Binaries, layout: Layout) -> Component:
    authority, _ = _pairs(layout, "ca")
    certificate, key = _pairs(layout, "controller-manager")
    config = kubeconfigs.path_of(layout, "controller-manager")
    accounts_key = certificates.key_path(layout.pki, certificates.SERVICE_ACCOUNT_KEY)
    command = _flags(
        binaries.kube / "kube-controller-manager",
        kubeconfig=config,
        authentication_kubeconfig=config,
        authorization_kubeconfig=config,
        bind_address="127.0.0.1",
        tls_cert_file=certificate,
        tls_private_key_file=key,
        root_ca_file=authority,
        service_account_private_key_file=accounts_key,
        use_service_account_credentials="true",
        controllers=",".join(("*", *(f"-{name}" for name in _CONTROLLERS_OFF))),
        cluster_cidr=POD_NETWORK,
        leader_elect="false",
        profiling="false",
    )
    return Component(
        Name.CONTROLLER_MANAGER,
        command,
        (config, certificate, key, authority, accounts_key),
        SecurePage(10257, "/healthz", authority, certificate, key),
    )


def _scheduler(binaries: Binaries, layout: Layout) -> Component:
    authority, _ = _pairs(layout, "ca")
    certificate, key = _pairs(layout, "scheduler")
    config = kubeconfigs.path_of(layout, "scheduler")
    command = _flags(
        binaries.kube / "kube-scheduler",
        kubeconfig=config,
        authentication_kubeconfig=config,
        authorization_kubeconfig=config,
        bind_address="127.0.0.1",
        tls_cert_file=certificate,
        tls_private_key_file=key,
        leader_elect="false",
        profiling="false",
    )
    return Component(
        Name.SCHEDULER,
        command,
        (config, certificate, key),
        SecurePage(10259, "/healthz", authority, certificate, key),
    )


def _kubelet(binaries: Binaries, layout: Layout) -> Component:
    config = configuration.kubelet_path(layout)
    identity = kubeconfigs.path_of(layout, "kubelet")
    command = _flags(
        binaries.kube / "kubelet",
        config=config,
        kubeconfig=identity,
        hostname_override=NODE_NAME,
        node_ip=NODE_ADDRESS,
        root_dir=layout.kubelet,
        cert_dir=layout.pki,
    )
    return Component(
        Name.KUBELET,
        command,
        (config, identity, *_pairs(layout, "kubelet"), certificates.certificate_path(layout.pki, "ca")),
        Page(configuration.KUBELET_HEALTH_PORT, "/healthz"),
    )


def _proxy(binaries: Binaries, layout: Layout) -> Component:
    config = configuration.proxy_path(layout)
    return Component(
        Name.PROXY,
        _flags(binaries.kube / "kube-proxy", config=config),
        (config, kubeconfigs.path_of(layout, "proxy")),
        Page(configuration.PROXY_HEALTH_PORT, "/healthz"),
    )


def _dns(binaries: Binaries, layout: Layout) -> Component:
    config = configuration.corefile_path(layout)
    return Component(
        Name.DNS,
        (str(binaries.coredns), "-conf", str(config)),
        (config, kubeconfigs.path_of(layout, "dns")),
        Page(configuration.DNS_HEALTH_PORT, "/health"),
    )
