"""The commands that alerts and runbooks tell people to type: all of them stand here, and nowhere else.

ENV and NAMESPACE stand for the environment's own, and an agent or a name for what the alert is about. A test holds each
against the command line it is for and each page against this list; the harmless ones are run on a live stack.
"""

from __future__ import annotations

from typing import Final

_AGENT = "{{ $labels.agent }}"
_NAME = "{{ $labels.name }}"
_KEY = "{{ $labels.key }}"

WORST: Final = f"sluice failures ENV {_AGENT} --worst"
FAILED: Final = f"sluice failures ENV {_AGENT}"
ASK: Final = f'sluice ask ENV {_AGENT} "Are you there?" --user on-call'
REVIEW: Final = f"sluice review list ENV --agent {_AGENT}"
CALLERS: Final = "sluice callers list --env ENV"
LOG: Final = "kubectl -n NAMESPACE logs deployment/gateway --since=15m"
PODS: Final = "kubectl -n NAMESPACE get pods -l app.kubernetes.io/name=gateway"
GUARD_PODS: Final = "kubectl -n NAMESPACE get pods -l app.kubernetes.io/name=sluice-guard"
FLAGS: Final = "kubectl -n NAMESPACE get configmap flags -o yaml"
OVERRIDE: Final = "kubectl -n NAMESPACE get configmap override -o yaml"
CERTIFICATE: Final = f"kubectl -n NAMESPACE describe certificate {_NAME}"
NEW_KEY: Final = f"sluice secrets rotate ENV {_KEY}"
RESUME: Final = f'sluice resume ENV {_AGENT} --reason "mended"'

HARMLESS: Final = (
    WORST,
    f"{WORST} --days 7",
    FAILED,
    ASK,
    REVIEW,
    CALLERS,
    LOG,
    PODS,
    GUARD_PODS,
    FLAGS,
    OVERRIDE,
    "sluice plan ENV",
    "sluice validate",
    "git log -3 -- registry/rollouts/ENV.yaml",
    "kubectl get --raw /readyz",
    "kubectl -n NAMESPACE auth can-i watch configmaps/override --as=system:serviceaccount:NAMESPACE:gateway",
    "kubectl -n NAMESPACE describe deployment gateway",
    "kubectl -n NAMESPACE get events --sort-by=.lastTimestamp",
    "kubectl -n NAMESPACE get ingress",
    "kubectl -n NAMESPACE get ingress,networkpolicy",
    "kubectl -n NAMESPACE get pods -l app.kubernetes.io/name=cache",
    "kubectl -n NAMESPACE get replicasets -l app.kubernetes.io/name=gateway",
    "kubectl -n NAMESPACE get role,rolebinding gateway-watch -o yaml",
    "kubectl -n NAMESPACE rollout status deployment/gateway --timeout=5m",
)
"""What changes nothing, and works in every environment."""

HARMLESS_WITH: Final = {
    CERTIFICATE: "cert-manager",
    "kubectl -n NAMESPACE describe certificates": "cert-manager",
    "kubectl -n NAMESPACE get certificates": "cert-manager",
    "kubectl -n NAMESPACE get podmonitor sluice -o yaml": "prometheus-operator",
    "kubectl -n NAMESPACE get secret NAME": "an Ingress",
    "kubectl -n NAMESPACE logs deployment/sluice-guard --since=1h": "a guard",
    "kubectl -n NAMESPACE top pods": "metrics-server",
}
"""What changes nothing either, but needs what not every environment has."""

CHANGING: Final = (
    NEW_KEY,
    RESUME,
    "sluice up ENV",
    "kubectl -n NAMESPACE rollout restart deployment/gateway",
    "kubectl -n NAMESPACE rollout restart deployment/sluice-guard",
    "kubectl -n NAMESPACE rollout undo deployment/gateway",
    # A key of the override that is no agent: `sluice resume` knows agents alone.
    """kubectl -n NAMESPACE patch configmap override --type merge -p '{"data": {"KEY": null}}'""",
)


def go_back(alert: str) -> str:
    """Return what sends an agent to its baseline; the alert is the reason that the override says."""
    return f"sluice rollback ENV {_AGENT} --reason {alert}"


def go_back_with_all(alert: str) -> str:
    """Return what sends every agent to its baseline."""
    return f"sluice rollback ENV --reason {alert}"


def on_page(command: str) -> str:
    """Return a command as a page has it: about any environment, agent and name."""
    names = {_AGENT: "AGENT", _NAME: "NAME", _KEY: "KEY", "NAMESPACE": "sluice-ENV"}
    for name, shown in names.items():
        command = command.replace(name, shown)
    return command
