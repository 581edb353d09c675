"""The commands that alerts tell people to type next; a test holds each against the command line it is for."""

from __future__ import annotations

from typing import Final

_AGENT = "{{ $labels.agent }}"

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
CERTIFICATE: Final = "kubectl -n NAMESPACE describe certificate {{ $labels.name }}"
NEW_KEY: Final = "pulumi config set --secret sluice:{{ $labels.key }} --stack ENV"


def go_back() -> str:
    """Return what sends an agent to its baseline."""
    patch = '{"data": {"' + _AGENT + '": "0"}}'
    return f"kubectl -n NAMESPACE patch configmap override --type merge -p '{patch}'"
