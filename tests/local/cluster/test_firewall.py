from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sluice.local.cluster import firewall

FOREIGN = """*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [10:600]
:DOCKER-USER - [0:0]
-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
-A FORWARD -j DOCKER-USER
-A DOCKER-USER -m comment --comment "mentions KUBE-FORWARD and SLUICE-INPUT" -j RETURN
COMMIT
*nat
:POSTROUTING ACCEPT [0:0]
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
COMMIT
"""
OURS = """*filter
:INPUT ACCEPT [0:0]
:KUBE-FIREWALL - [0:0]
:KUBE-SVC-ERIFXISQEP7F7OF4 - [0:0]
:SLUICE-INPUT - [0:0]
-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
-A INPUT -m comment --comment "kubernetes load balancer firewall" -j KUBE-FIREWALL
-A INPUT -j SLUICE-INPUT
-A KUBE-FIREWALL -j KUBE-SVC-ERIFXISQEP7F7OF4
-A SLUICE-INPUT -i lo -j RETURN
COMMIT
"""


def test_nothing_is_removed_from_rules_of_others() -> None:
    assert firewall.removals(FOREIGN) == ""
    assert firewall.leftovers(FOREIGN) == ()


def test_chains_are_emptied_before_they_are_deleted_and_jumps_go_first() -> None:
    assert firewall.removals(OURS).splitlines() == [
        "*filter",
        '-D INPUT -m comment --comment "kubernetes load balancer firewall" -j KUBE-FIREWALL',
        "-D INPUT -j SLUICE-INPUT",
        "-F KUBE-FIREWALL",
        "-F KUBE-SVC-ERIFXISQEP7F7OF4",
        "-F SLUICE-INPUT",
        "-X KUBE-FIREWALL",
        "-X KUBE-SVC-ERIFXISQEP7F7OF4",
        "-X SLUICE-INPUT",
        "COMMIT",
    ]


def test_leftovers_are_chains_rules_and_jumps_of_ours() -> None:
    assert len(firewall.leftovers(OURS)) == 7


def applied(saved: str, changes: str) -> str:
    """What iptables-restore --noflush makes of it, for the few forms that we write."""
    tables: dict[str, list[str]] = {}
    for text in (saved, changes):
        table = ""
        for line in text.splitlines():
            if line.startswith("*"):
                table = line
                tables.setdefault(table, [])
            elif line.startswith(":"):
                chain = line.split()[0]
                tables[table] = [
                    kept for kept in tables[table] if not kept.startswith((f"{chain} ", f"-A {chain[1:]} "))
                ]
                tables[table].append(line)
            elif line.startswith("-A"):
                tables[table].append(line)
            elif line.startswith("-D"):
                tables[table].remove(f"-A{line[2:]}")
            elif line.startswith(("-F", "-X")):
                chain = line.split()[1]
                tables[table] = [
                    kept
                    for kept in tables[table]
                    if not kept.startswith(f"-A {chain} " if line.startswith("-F") else f":{chain} ")
                ]
    return "".join("\n".join([table, *lines, "COMMIT", ""]) for table, lines in tables.items())


def test_adding_again_changes_nothing() -> None:
    once = applied(FOREIGN, firewall.additions(firewall.RULES_4, FOREIGN))
    assert "-A FORWARD -j SLUICE-FORWARD" in once
    assert firewall.additions(firewall.RULES_4, once) == ""


def test_a_rule_that_was_lost_is_put_back_in_its_place() -> None:
    once = applied("", firewall.additions(firewall.RULES_4, ""))
    for line in once.splitlines():
        if line.startswith("-A"):
            damaged = once.replace(f"{line}\n", "", 1)
            assert sorted(applied(damaged, firewall.additions(firewall.RULES_4, damaged)).splitlines()) == sorted(
                once.splitlines()
            )


def test_adding_and_removing_leaves_what_was_there() -> None:
    once = applied(FOREIGN, firewall.additions(firewall.RULES_4, FOREIGN))
    assert applied(once, firewall.removals(once)) == FOREIGN


@given(st.text(alphabet=st.characters(codec="ascii"), max_size=200))
def test_any_text_is_taken(text: str) -> None:
    assert isinstance(firewall.removals(text), str)
    assert isinstance(firewall.additions(firewall.RULES_6, text), str)


def test_the_api_port_is_closed_to_others_in_both_families() -> None:
    for rules in (firewall.RULES_4, firewall.RULES_6):
        assert rules["filter"][firewall.INPUT][-1] == "-p tcp -m tcp --dport 6443 -j DROP"
