"""Who listens where, read from the kernel's own tables: no program to install, and the holder's pid comes with it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_TCP_LISTEN, _UDP_BOUND = "0A", "07"
_SOCKET_LINK = re.compile(r"socket:\[(\d+)\]")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Listener:
    """A socket that takes connections or datagrams at an address and port; `inode` leads to its process."""

    address: Address
    port: int
    protocol: str
    inode: int

    def blocks(self, address: str) -> bool:
        """Whether its being there keeps another from listening on `address` at the same port."""
        wanted = ipaddress.ip_address(address)
        mine = self.address
        if isinstance(mine, ipaddress.IPv6Address):
            if mine.ipv4_mapped is not None:
                mine = mine.ipv4_mapped
            elif mine.is_unspecified:
                return True  # an IPv6 socket on every address takes the IPv4 ones too unless told otherwise
            else:
                return wanted.is_unspecified and wanted.version == mine.version
        return mine == wanted or mine.is_unspecified or wanted.is_unspecified


def listeners() -> Iterator[Listener]:
    """Yield every listening TCP and bound UDP socket of this network namespace."""
    for name in ("tcp", "tcp6", "udp", "udp6"):
        table = _PROC / "net" / name
        if table.exists():  # there is no tcp6 where IPv6 is off
            yield from parse_table(table.read_text(encoding="ascii"), protocol=name[:3])


def parse_table(text: str, *, protocol: str) -> Iterator[Listener]:
    """Yield the listeners in the text of /proc/net/tcp, tcp6, udp or udp6."""
    wanted_state = _TCP_LISTEN if protocol == "tcp" else _UDP_BOUND
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == wanted_state:
            address, _, port = fields[1].partition(":")
            yield Listener(_address(address), int(port, 16), protocol, int(fields[9]))


def holders(inodes: Iterable[int]) -> dict[int, int]:
    """Return the pid that has each socket open, for those that can be seen."""
    wanted = set(inodes)
    found: dict[int, int] = {}
    for entry in _PROC.iterdir():
        if wanted - found.keys() and entry.name.isdigit():
            for inode in _sockets_of(entry) & wanted:
                found.setdefault(inode, int(entry.name))
    return found


def _sockets_of(process: Path) -> set[int]:
    found: set[int] = set()
    try:
        for link in (process / "fd").iterdir():
            match = _SOCKET_LINK.fullmatch(str(link.readlink()))
            if match:
                found.add(int(match[1]))
    except OSError:  # it ended meanwhile, or is not ours to look at
        pass
    return found


def _address(text: str) -> Address:
    # The kernel prints 32-bit words in the machine's order; both architectures that we run on are little endian.
    content = b"".join(bytes.fromhex(text[start : start + 8])[::-1] for start in range(0, len(text), 8))
    return ipaddress.ip_address(content)
