"""What must hold for every object of an environment, whoever applies it: pure checks over Kubernetes objects.

The same rules are asked by three: the tests of what is rendered, the Pulumi policy pack in `policy/`, and, for those
that CEL can say, the ValidatingAdmissionPolicy that stands in the cluster for whoever goes around Pulumi. Only the
standard library is needed here, because the pack runs in an environment of its own.
"""

from __future__ import annotations

from sluice.policy.rule import EnvironmentRule, ObjectRule, Violation
from sluice.policy.rules import ENVIRONMENT_RULES, OBJECT_RULES, RULES, violations

__all__ = ["ENVIRONMENT_RULES", "OBJECT_RULES", "RULES", "EnvironmentRule", "ObjectRule", "Violation", "violations"]
