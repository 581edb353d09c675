"""Every rule there is, by its id, and what asks them all."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType

from sluice.registry.findings import Finding
from sluice.registry.rules import baselines, gates, ladder, naming, reading, references, soaks, spend, training
from sluice.registry.rules.declared import Declared
from sluice.registry.rules.rule import LooksAt, Rule

_TOPICS = (reading, references, ladder, training, gates, soaks, baselines, spend, naming)

RULES: Mapping[str, Rule] = MappingProxyType(
    {rule.id: rule for rule in sorted((rule for topic in _TOPICS for rule in topic.RULES), key=lambda rule: rule.id)}
)
"""The rules by id, in the order of their ids."""


def broken_rules(declared: Declared, *, looking_at: Collection[LooksAt] = tuple(LooksAt)) -> Iterator[Finding]:
    """Ask the rules that look at nothing but `looking_at`, and yield every finding."""
    for rule in RULES.values():
        if rule.looks_at in looking_at:
            yield from rule.findings(declared)
