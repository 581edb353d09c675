"""The environment's rules as the API server asks them: for whoever applies something without Pulumi.

One policy holds every rule that CEL can say, and its binding has it asked in the environment's namespace alone. What is
being deleted is let go, whatever it is.
"""

from __future__ import annotations

import json
from typing import Any

from sluice.policy import RULES
from sluice.policy.pods import CEL_VARIABLES
from sluice.registry import Settings
from sluice.render.kubernetes_object import KubernetesObject, kubernetes_object, labels

_REVIEWERS_PROGRAM = ("python3", "-m", "sluice.gateway.kept_tool")
"""What `sluice review` and `sluice failures` run in a gateway pod; only its arguments differ."""

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
    return (_policy(settings), _binding(settings, settings.namespace))


def reviewing(settings: Settings) -> tuple[KubernetesObject, ...]:
    """Render what holds reviewers to the one program that they need, none where the environment names no reviewers.

    To run a program in a gateway pod is to be able to read the providers' keys there, and a role cannot say which
    program. So the API server is asked when one is run: of the reviewers' groups, whatever other rights they have.
    """
    if not settings.reviewers:
        return ()
    name = f"{settings.namespace}-reviewers"
    # By dyn: the server would check the fields of a Pod, and what is sent to run a program has others.
    begins = " && ".join(
        f"dyn(object).command[{index}] == {json.dumps(word)}" for index, word in enumerate(_REVIEWERS_PROGRAM)
    )
    policy = _object(
        name,
        "ValidatingAdmissionPolicy",
        {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "resourceRules": [
                    {
                        "apiGroups": [""],
                        "apiVersions": ["*"],
                        "operations": ["CONNECT"],
                        "resources": ["pods/exec"],
                        "scope": "*",
                    }
                ]
            },
            "matchConditions": [
                {
                    "name": "reviewer",
                    "expression": "has(request.userInfo.groups) && request.userInfo.groups.exists(group, "
                    f"group in {json.dumps(list(settings.reviewers))})",
                }
            ],
            "validations": [
                {
                    "expression": f"has(dyn(object).command) && size(dyn(object).command) > {len(_REVIEWERS_PROGRAM)} "
                    f"&& {begins}",
                    "message": f"reviewers-run-one-program: reviewers run `{' '.join(_REVIEWERS_PROGRAM)}` in a pod, "
                    "as `sluice review` and `sluice failures` do, and nothing else",
                    "reason": "Forbidden",
                }
            ],
        },
    )
    return (policy, _binding(settings, name))


def _policy(settings: Settings) -> KubernetesObject:
    return _object(
        settings.namespace,
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


def _binding(settings: Settings, policy: str) -> KubernetesObject:
    here = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": settings.namespace}}}
    spec = {"policyName": policy, "validationActions": ["Deny"], "matchResources": here}
    return _object(policy, "ValidatingAdmissionPolicyBinding", spec)


def _object(name: str, kind: str, spec: dict[str, Any]) -> KubernetesObject:
    shared = labels("admission", component="environment")
    return kubernetes_object(_API, kind, name, namespace=None, labels=shared, spec=spec)
