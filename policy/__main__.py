"""Sluice's Pulumi policy pack: `sluice.policy`, asked of what `pulumi preview` or `pulumi up` is about to make.

A rule about one object stops that object from being made; one about the whole environment is asked when all of it is
known. The pack decides nothing of its own.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pulumi_policy import (
    EnforcementLevel,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)

# The pack lies in the checkout and has an environment of its own, in which nothing of ours is installed.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from sluice.policy import ENVIRONMENT_RULES, OBJECT_RULES, EnvironmentRule, ObjectRule

_KUBERNETES = "kubernetes:"


def _of_one_object(rule: ObjectRule) -> ResourceValidationPolicy:
    def validate(args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
        if args.resource_type.startswith(_KUBERNETES):
            for violation in rule.violations([args.props]):
                report_violation(str(violation))

    return ResourceValidationPolicy(rule.id, rule.sentence, validate, EnforcementLevel.MANDATORY)


def _of_all_objects(rule: EnvironmentRule) -> StackValidationPolicy:
    def validate(args: StackValidationArgs, report_violation: ReportViolation) -> None:
        objects = [item.props for item in args.resources if item.resource_type.startswith(_KUBERNETES)]
        for violation in rule.violations(objects):
            report_violation(str(violation))

    return StackValidationPolicy(rule.id, rule.sentence, validate, EnforcementLevel.MANDATORY)


PolicyPack(
    "sluice",
    [*(_of_one_object(rule) for rule in OBJECT_RULES), *(_of_all_objects(rule) for rule in ENVIRONMENT_RULES)],
)
