"""The machine's side of the pod network: the node's address, packet rules and kernel settings, and their undoing.

The settings are noted before the first change and put back at the end, so that a machine is afterwards what it was.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

from sluice.local.cluster import firewall, processes
from sluice.local.cluster.components import system_program
from sluice.local.cluster.errors import ProgramFailed
from sluice.local.cluster.layout import CNI_NETWORK, INTERFACE, NODE_ADDRESS, POD_NETWORK, Layout, write_if_changed

_SYSCTL = Path("/proc/sys")
# What the kubelet, kube-proxy and the pod network change, found by comparing before and after.
_CHANGED = (
    "net/ipv4/ip_forward",
    "net/ipv4/conf/all/route_localnet",
    "net/bridge/bridge-nf-call-iptables",
    "net/bridge/bridge-nf-call-ip6tables",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)
# Pods' packets are forwarded; an answer from a NodePort's pod to 127.0.0.1 is let through.
_WANTED = {"net/ipv4/ip_forward": "1", "net/ipv4/conf/all/route_localnet": "1"}
_CNI_RESULTS = Path("/var/lib/cni/results")
_FAMILIES = (("iptables", firewall.RULES_4), ("ip6tables", firewall.RULES_6))


def raise_up(layout: Layout) -> None:
    """Make what is missing of the node's interface, rules and settings; what is there stays. Raises ProgramFailed."""
    _note_settings(layout)
    for name, value in _WANTED.items():
        path = _SYSCTL / name
        if path.read_text(encoding="ascii").strip() != value:
            path.write_text(value, encoding="ascii")
    if not _interface_is_good():
        _run("ip", "link", "delete", INTERFACE, may_fail=True)
        _run("ip", "link", "add", INTERFACE, "type", "bridge")
        # /32: the pods are not behind this interface, each has a route of its own.
        _run("ip", "address", "add", f"{NODE_ADDRESS}/32", "dev", INTERFACE)
        _run("ip", "link", "set", INTERFACE, "up")
    # A pod's own route is more exact. Without this one, what is sent to a pod that has gone leaves the machine; here
    # it comes to nobody, and firewall.py says so at once.
    _run("ip", "route", "replace", POD_NETWORK, "dev", INTERFACE)
    for program, rules in _FAMILIES:
        changes = firewall.additions(rules, _saved(program))
        if changes:
            _run(f"{program}-restore", "--wait", "5", "--noflush", given=changes)


def take_down(layout: Layout, *, kubernetes: bool) -> None:
    """Remove the interface, the rules and the notes of the pod network, and put the kernel's settings back.

    With `kubernetes` the chains KUBE-* are the cluster's and go too. Raises ProgramFailed.
    """
    if _interface_exists():
        _run("ip", "link", "delete", INTERFACE)
    for program, _ in _FAMILIES:
        changes = firewall.removals(_saved(program), kubernetes=kubernetes)
        if changes:
            _run(f"{program}-restore", "--wait", "5", "--noflush", given=changes)
    _forget_pods(layout)
    _restore_settings(layout)


def leftovers(layout: Layout, *, kubernetes: bool) -> tuple[str, ...]:
    """Return what of the network is still there, in words; `kubernetes` as for `take_down`."""
    found = [f"the interface {INTERFACE}"] if _interface_exists() else []
    for program, _ in _FAMILIES:
        count = len(firewall.leftovers(_saved(program), kubernetes=kubernetes))
        if count:
            found.append(f"{count} lines of {program}")
    found += [f"the kernel setting {name.replace('/', '.')}" for name in _changed_settings(layout)]
    return tuple(found)


def _interface_exists() -> bool:
    return (Path("/sys/class/net") / INTERFACE).exists()


def _interface_is_good() -> bool:
    if not _interface_exists():
        return False
    shown = json.loads(_run("ip", "-json", "address", "show", "dev", INTERFACE))[0]
    return "UP" in shown["flags"] and any(entry.get("local") == NODE_ADDRESS for entry in shown["addr_info"])


def _saved(program: str) -> str:
    # A machine without IPv6 has no ip6tables to speak of: nothing is there, and nothing needs closing.
    if program == "ip6tables" and not Path("/proc/net/if_inet6").exists():
        return ""
    return _run(f"{program}-save")


def _forget_pods(layout: Layout) -> None:
    for lease in (layout.cni_addresses / CNI_NETWORK).glob("*"):
        lease.unlink()
    for result in _CNI_RESULTS.glob(f"{CNI_NETWORK}-*"):
        result.unlink()
    # containerd gives every pod a loopback under a name that others use too: ours are those whose namespace we made.
    for result in _CNI_RESULTS.glob("cni-loopback-*"):
        if str(layout.containerd) in result.read_text(encoding="utf-8", errors="replace"):
            result.unlink()
    for folder in (_CNI_RESULTS, _CNI_RESULTS.parent):
        with contextlib.suppress(OSError):  # somebody else's are in it, or it was never there
            folder.rmdir()


def _note_settings(layout: Layout) -> None:
    if _noted_settings(layout) is not None:
        return
    values = {
        name: (_SYSCTL / name).read_text(encoding="ascii").strip() for name in _CHANGED if (_SYSCTL / name).exists()
    }
    write_if_changed(_note(layout), json.dumps({"boot_id": processes.boot_id(), "values": values}, indent=2) + "\n")


def _restore_settings(layout: Layout) -> None:
    for name, value in _changed_settings(layout).items():
        with contextlib.suppress(OSError):  # the others are put back all the same, and leftovers() names this one
            (_SYSCTL / name).write_text(value, encoding="ascii")
    if not _changed_settings(layout):
        _note(layout).unlink(missing_ok=True)


def _changed_settings(layout: Layout) -> dict[str, str]:
    """Return the noted values of those settings that are otherwise now; a setting that went with its module is not."""
    changed: dict[str, str] = {}
    for name, value in (_noted_settings(layout) or {}).items():
        with contextlib.suppress(FileNotFoundError):
            if (_SYSCTL / name).read_text(encoding="ascii").strip() != value:
                changed[name] = value
    return changed


def _noted_settings(layout: Layout) -> dict[str, str] | None:
    """Return the settings as they were before the first change in this boot: a reboot puts them back by itself."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        content = json.loads(_note(layout).read_text(encoding="utf-8"))
        if content["boot_id"] == processes.boot_id():
            return dict(content["values"])
    return None


def _note(layout: Layout) -> Path:
    return layout.run / "sysctls.json"


def _run(program: str, *arguments: str, given: str | None = None, may_fail: bool = False) -> str:
    command: Sequence[str] = (system_program(program), *arguments)
    done = subprocess.run(command, check=False, capture_output=True, text=True, input=given)
    if done.returncode != 0 and not may_fail:
        raise ProgramFailed((program, *arguments), done.stderr or done.stdout)
    return done.stdout
