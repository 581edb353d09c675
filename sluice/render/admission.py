"""The environment's rules as the API server asks them: for whoever applies something without Pulumi.

One policy holds every rule that CEL can say, and its binding has it asked in the environment's namespace alone. What is
being deleted is let go, whatever it is.
"""

from __future__ import annotations

from typing import Any

from sluice.policy import RULES
from sluice.policy.pods import CEL_VARIABLES
from sluice.registry import Settings
from sluice.render.kubernetes_object import KubernetesObject, kubernetes_object, labels

_API = "admissionregistration.k8s.io/v1"

# ReplicaSets are left out: a rollout scales an old one down, and must be able to whatever its pods were.
_KINDS = (
    ("", ("namespaces", "pods", "replicationcontrollers", "services")),
    ("apps", ("daemonsets", "deployments", "statefulsets")),
    ("autoscaling", ("horizontalpodautoscalers",)),
    ("batch", ("cronjobs", "jobs")),
    ("rbac.authorization.k8s.io", ("rolebindings", "roles")),
)


def admission(settings: Settings) -> tuple[KubernetesObject, ...]:
    """Render the policy and its binding. Both lie in no namespace: they are named after the environment's."""
    return (_policy(settings), _binding(settings))


def _policy(settings: Settings) -> KubernetesObject:
    return _object(
        settings,
        "ValidatingAdmissionPolicy",
        {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "resourceRules": [
                    {
                        "apiGroups": [group],
                        "apiVersions": ["*"],
                        "operations": ["CREATE", "UPDATE"],
                        "resources": list(resources),
                        "scope": "*",
                    }
                    for group, resources in _KINDS
                ],
            },
            "matchConditions": [{"name": "stays", "expression": "!has(object.metadata.deletionTimestamp)"}],
            "variables": [{"name": name, "expression": expression} for name, expression in CEL_VARIABLES.items()],
            "validations": [
                {"expression": rule.cel, "message": f"{rule.id}: {rule.sentence}", "reason": "Forbidden"}
                for rule in RULES
                if rule.cel is not None
            ],
        },
    )


def _binding(settings: Settings) -> KubernetesObject:
    here = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": settings.namespace}}}
    spec = {"policyName": settings.namespace, "validationActions": ["Deny"], "matchResources": here}
    return _object(settings, "ValidatingAdmissionPolicyBinding", spec)


def _object(settings: Settings, kind: str, spec: dict[str, Any]) -> KubernetesObject:
    shared = labels("admission", component="environment")
    return kubernetes_object(_API, kind, settings.namespace, namespace=None, labels=shared, spec=spec)
