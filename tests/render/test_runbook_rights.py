"""What a page tells people on call to type, their role lets them do."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from sluice.registry import Route, load_environment
from sluice.render import render
from sluice.render.alerts.commands import HARMLESS

PROJECT = Path(__file__).resolve().parents[2]
_GET = re.compile(r"kubectl -n NAMESPACE (get|describe) (\S+)(.*)")
ASKED = [
    ("get" if re.match(r" [a-z]", rest) else "list", kind)
    for found in filter(None, map(_GET.match, HARMLESS))
    for kinds, rest in [(found[2], found[3])]
    for kind in kinds.split(",")
]


def rights(*, route: Route | None = None) -> set[tuple[str, str]]:
    """Return the verbs of an operator by the kind in the plural."""
    declared = load_environment(PROJECT, "production")
    of = render(declared.registry, declared.rollout, replace(declared.settings, route=route))
    (role,) = [one.body for one in of.access if one.kind == "Role" and one.name == "sluice-operator"]
    named = [rule for rule in role["rules"] if "resourceNames" not in rule]
    return {(verb, kind) for rule in named for kind in rule["resources"] for verb in rule["verbs"]}


def test_the_pages_ask_for_lists_and_for_single_objects() -> None:
    assert {("list", "ingress"), ("get", "configmap"), ("list", "events")} <= set(ASKED)


@pytest.mark.parametrize(("verb", "kind"), sorted(set(ASKED)))
def test_an_operator_may_look_at_what_a_page_tells_them_to(verb: str, kind: str) -> None:
    plurals = {kind, f"{kind}s", f"{kind}es", re.sub(r"y$", "ies", kind)}

    assert any((verb, plural) in rights() for plural in plurals)


def test_an_operator_sees_whether_a_gateway_takes_the_route() -> None:
    assert ("get", "httproutes") in rights(route=Route("llm.example.com", "shared", "gateways", "https"))
    assert ("get", "httproutes") not in rights()
