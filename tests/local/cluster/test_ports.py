from __future__ import annotations

import os
import socket
from ipaddress import ip_address

import pytest

from sluice.local.cluster import ports
from sluice.local.cluster.ports import Listener

TCP = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:192B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1 0 100 0 0 10 0
   1: 0100007F:192B 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 4243 1 0 20 4 30 10 -1
"""
TCP6 = """  sl  local_address                         remote_address                        st tx_queue rx_queue
   0: 00000000000000000000000001000000:280A 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 77 1
   1: 0000000000000000FFFF00000100F40A:0035 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 78 1
"""


def test_only_what_listens_is_found() -> None:
    assert list(ports.parse_table(TCP, protocol="tcp")) == [Listener(ip_address("127.0.0.1"), 6443, "tcp", 4242)]


def test_ipv6_addresses_are_read_in_the_kernels_order() -> None:
    first, second = ports.parse_table(TCP6.replace(" 0 0 0 7", " 0 0 7"), protocol="tcp")
    assert (str(first.address), first.port) == ("::1", 10250)
    assert second.address == ip_address("::ffff:10.244.0.1")
    assert second.blocks("10.244.0.1")


@pytest.mark.parametrize(
    ("listening", "wanted", "blocks"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.53", "10.244.0.1", False),
        ("0.0.0.0", "10.244.0.1", True),
        ("::", "10.244.0.1", True),
        ("::1", "127.0.0.1", False),
        ("192.0.2.7", "0.0.0.0", True),
        ("192.0.2.7", "127.0.0.1", False),
    ],
)
def test_a_listener_blocks_its_own_address_and_every_address_blocks_all(
    listening: str, wanted: str, blocks: bool
) -> None:
    assert Listener(ip_address(listening), 53, "udp", 1).blocks(wanted) is blocks


@pytest.mark.parametrize(("kind", "protocol"), [(socket.SOCK_STREAM, "tcp"), (socket.SOCK_DGRAM, "udp")])
def test_a_real_socket_is_found_with_its_holder(kind: socket.SocketKind, protocol: str) -> None:
    with socket.socket(socket.AF_INET, kind) as server:
        server.bind(("127.0.0.1", 0))
        if kind is socket.SOCK_STREAM:
            server.listen()
        port = server.getsockname()[1]
        (found,) = [one for one in ports.listeners() if (one.port, one.protocol) == (port, protocol)]
        assert ports.holders([found.inode]) == {found.inode: os.getpid()}
    # By its inode: the port itself may be another's a moment later.
    assert found.inode not in {one.inode for one in ports.listeners()}
