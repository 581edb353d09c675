"""The packet rules of the cluster as text: what to add, and what to take away again, for iptables-restore --noflush.

Chains of ours begin with SLUICE-, those of any kubelet and kube-proxy with KUBE-: the latter are touched only where the
caller knows that they are ours. In a foreign chain only a rule that jumps to one of these goes away.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from sluice.local.cluster.layout import API_PORT, INTERFACE, NODE_ADDRESS, POD_NETWORK, SERVICE_NETWORK

_SLUICE = re.compile(r"SLUICE-[A-Z0-9-]+")
_WITH_KUBERNETES = re.compile(r"(?:KUBE|SLUICE)-[A-Z0-9-]+")
_CHAIN = re.compile(r":(\S+) ")
_JUMP = re.compile(r"-[jg] (\S+)")

INPUT, FORWARD, OUTPUT = "SLUICE-INPUT", "SLUICE-FORWARD", "SLUICE-OUTPUT"
POSTROUTING = "SLUICE-POSTROUTING"

_FROM_PODS = f"-s {POD_NETWORK} -i veth+"
# A Service's address that kube-proxy has made no pod's of, and a pod's address that no pod has: they are nobody's, and
# no router outside is to be asked for them.
_TO_NOBODY = (
    f"-d {SERVICE_NETWORK} -j REJECT --reject-with icmp-host-unreachable",
    f"-d {POD_NETWORK} -o {INTERFACE} -j REJECT --reject-with icmp-host-unreachable",
)
# Word for word as iptables-save prints them (-s, -d, -i, -o, -p): they are compared as text.
RULES_4: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "filter": {
        # The API server listens on every address: this machine and its pods may, everybody else may not.
        INPUT: (
            "-i lo -j RETURN",
            f"-s {POD_NETWORK} -d {NODE_ADDRESS}/32 -i veth+ -j ACCEPT",
            f"-d {NODE_ADDRESS}/32 -j DROP",
            f"{_FROM_PODS} -j RETURN",
            f"-p tcp -m tcp --dport {API_PORT} -j DROP",
        ),
        # Where a firewall or Docker drops what it does not know, pods still reach each other and the world.
        FORWARD: (
            *_TO_NOBODY,
            f"{_FROM_PODS} -j ACCEPT",
            f"-d {POD_NETWORK} -o veth+ -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        ),
        OUTPUT: _TO_NOBODY,
    },
    "nat": {POSTROUTING: (f"-s {POD_NETWORK} ! -d {POD_NETWORK} -j MASQUERADE",)},
}
RULES_6: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "filter": {INPUT: ("-i lo -j RETURN", f"-p tcp -m tcp --dport {API_PORT} -j DROP")},
}


def additions(rules: Mapping[str, Mapping[str, Sequence[str]]], saved: str) -> str:
    """Return what brings `rules` about where iptables-save says `saved`; empty when they are there already.

    A chain SLUICE-X is jumped to from the end of X.
    """
    present = {table: list(lines) for table, lines in _tables(saved)}
    out: list[str] = []
    for table, chains in rules.items():
        lines = present.get(table, [])
        changes: list[str] = []
        for chain, wanted in chains.items():
            expected = [f"-A {chain} {rule}" for rule in wanted]
            if [line for line in lines if line.startswith(f"-A {chain} ")] != expected:
                changes += [f":{chain} - [0:0]", *expected]
            jump = f"-A {chain.removeprefix('SLUICE-')} -j {chain}"
            if jump not in lines:
                changes.append(jump)
        if changes:
            out += [f"*{table}", *sorted(changes, key=lambda line: not line.startswith(":")), "COMMIT"]
    return "".join(f"{line}\n" for line in out)


def removals(saved: str, *, kubernetes: bool) -> str:
    """Return what takes the cluster's chains, and the jumps to them, out of the rules that iptables-save shows.

    With `kubernetes` the chains KUBE-* are the cluster's too.
    """
    ours = _ours(kubernetes=kubernetes)
    out: list[str] = []
    for table, lines in _tables(saved):
        chains = [match[1] for line in lines if (match := _CHAIN.match(line)) and ours.fullmatch(match[1])]
        jumps = [f"-D {line[3:]}" for line in lines if _is_foreign_jump(line, ours)]
        if chains or jumps:
            # Emptied first: a chain that another one jumps to cannot be deleted.
            out += [
                f"*{table}",
                *jumps,
                *(f"-F {chain}" for chain in chains),
                *(f"-X {chain}" for chain in chains),
                "COMMIT",
            ]
    return "".join(f"{line}\n" for line in out)


def leftovers(saved: str, *, kubernetes: bool) -> tuple[str, ...]:
    """Return the lines of iptables-save's output that are the cluster's; `kubernetes` as for `removals`."""
    ours = _ours(kubernetes=kubernetes)
    return tuple(
        line for _, lines in _tables(saved) for line in lines if any(ours.fullmatch(name) for name in _names(line))
    )


def _ours(*, kubernetes: bool) -> re.Pattern[str]:
    return _WITH_KUBERNETES if kubernetes else _SLUICE


def _names(line: str) -> Iterator[str]:
    chain = _CHAIN.match(line)
    if chain:
        yield chain[1]
    if line.startswith("-A "):
        yield line.split()[1]
        jump = _JUMP.search(line)
        if jump:
            yield jump[1]


def _is_foreign_jump(line: str, ours: re.Pattern[str]) -> bool:
    if not line.startswith("-A ") or ours.fullmatch(line.split()[1]):
        return False
    jump = _JUMP.search(line)
    return jump is not None and ours.fullmatch(jump[1]) is not None


def _tables(saved: str) -> Iterable[tuple[str, list[str]]]:
    tables: dict[str, list[str]] = defaultdict(list)
    table = ""
    for line in saved.splitlines():
        if line.startswith("*"):
            table = line[1:].strip()
        elif table and line.startswith((":", "-")):
            tables[table].append(line.strip())
    return tables.items()
