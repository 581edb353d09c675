"""All rules, and the one question over them."""

from __future__ import annotations

from collections.abc import Sequence

from sluice.policy.availability import AVAILABILITY_RULES
from sluice.policy.boundaries import ENVIRONMENT_BOUNDARIES, OBJECT_BOUNDARIES
from sluice.policy.pods import POD_RULES
from sluice.policy.rule import Body, EnvironmentRule, ObjectRule, Violation

OBJECT_RULES: tuple[ObjectRule, ...] = (*POD_RULES, *OBJECT_BOUNDARIES)
ENVIRONMENT_RULES: tuple[EnvironmentRule, ...] = (*ENVIRONMENT_BOUNDARIES, *AVAILABILITY_RULES)
RULES: tuple[ObjectRule | EnvironmentRule, ...] = (*OBJECT_RULES, *ENVIRONMENT_RULES)


def violations(objects: Sequence[Body]) -> list[Violation]:
    """Return everything that is wrong with the objects of one environment."""
    return [found for rule in RULES for found in rule.violations(objects)]
