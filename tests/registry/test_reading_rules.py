"""Each rule about reading is broken somewhere in the corpus, and each rule that a finding names has a page."""

from __future__ import annotations

import re
from pathlib import Path

from sluice.registry.rules.catalogue import RULES

TESTS = Path(__file__).parent
SOURCES = TESTS.parent.parent / "sluice" / "registry"


def test_every_rule_about_reading_and_shape_is_broken_in_the_corpus() -> None:
    found = "".join(file.read_text() for file in TESTS.glob("wrong/*/expected.txt"))

    assert [identity for identity in RULES if identity < "SL030" and f"[{identity}]" not in found] == []


def test_every_rule_that_the_code_names_has_a_page() -> None:
    named = {identity for file in SOURCES.rglob("*.py") for identity in re.findall(r"\bSL\d{3}\b", file.read_text())}

    assert named <= set(RULES)
