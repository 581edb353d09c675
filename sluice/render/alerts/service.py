"""Alerts on what everything stands on: gateway, guard, traffic, Redis, certificates and keys."""

from __future__ import annotations

from typing import Final

from sluice.render.alerts.commands import ASK, CERTIFICATE, GUARD_PODS, LOG, NEW_KEY, PODS
from sluice.render.alerts.panels import Panel
from sluice.render.alerts.rule import Alert, Severity

SILENT_GUARD_SECONDS: Final = 300
CERTIFICATE_DAYS: Final = 14
"""cert-manager renews a certificate of 90 days 30 days before its end: with 14 left, that has failed for two weeks."""
KEY_DAYS: Final = 90
USUAL_ANSWERS: Final = 20
"""So many answers at these hours yesterday and a week ago make a silence now worth a word."""

_ENDS: Final = "sluice_certificate_expires_timestamp_seconds"
_ANSWERS = "sum by (agent) (sluice:answers:increase2h%s)"

SERVICE: Final = (
    Alert(
        "SluiceGatewayAbsent",
        Severity.CRITICAL,
        "absent(sluice_requests_in_flight)",
        "5m",
        "No gateway is seen",
        f"No gateway pod has shown its metrics for 5 minutes: nobody answers, or nobody measures. See which: {PODS}",
        Panel.GATEWAY,
        agent="all",
    ),
    Alert(
        "SluiceGuardAbsent",
        Severity.CRITICAL,
        "(absent(sluice_guard_heartbeat_timestamp_seconds) or "
        f"time() - max(sluice_guard_heartbeat_timestamp_seconds) > {SILENT_GUARD_SECONDS}) "
        'and on () max(sluice_rollout_weight{kind="served"}) > 0',
        "10m",
        "Nobody guards the candidates",
        "Users are on candidates, and the guard that would send them back has not been heard for more than "
        f"{SILENT_GUARD_SECONDS} seconds. See it: {GUARD_PODS}",
        Panel.GUARD,
        agent="all",
    ),
    Alert(
        "SluiceNoTraffic",
        Severity.WARNING,
        f"({_ANSWERS % ''} == 0 and on (agent) {_ANSWERS % ' offset 1d'} >= {USUAL_ANSWERS}) "
        f"unless on (agent) {_ANSWERS % ' offset 1w'} < {USUAL_ANSWERS}",
        "15m",
        "{{ $labels.agent }}: nobody asks any more",
        '{{ $labels.agent }} has answered {{ $value | printf "%.0f" }} requests in two hours, and '
        f"{USUAL_ANSWERS} or more at these hours yesterday. See whether it can be asked: {ASK}",
        Panel.REQUESTS,
    ),
    Alert(
        "SluiceStoreDown",
        Severity.WARNING,
        "min(sluice_store_up) == 0",
        "5m",
        "A gateway pod has lost Redis",
        "A gateway pod has not reached Redis for 5 minutes. It answers on, but counts limits and spend alone "
        "and keeps no "
        f"answers. See what it says: {LOG}",
        Panel.STORE,
        agent="all",
    ),
    Alert(
        "SluiceCertificateExpires",
        Severity.WARNING,
        f"(min by (name) ({_ENDS}) - time()) / 86400 < {CERTIFICATE_DAYS}",
        "1h",
        "The certificate {{ $labels.name }} expires",
        'The certificate {{ $labels.name }} ends in {{ $value | printf "%.1f" }} days, and less than '
        f"{CERTIFICATE_DAYS} means that it was not renewed. See what cert-manager says of it: {CERTIFICATE}",
        Panel.CERTIFICATES,
        agent="all",
    ),
    Alert(
        "SluiceCertificateMissing",
        Severity.CRITICAL,
        # Not a number where it cannot be read, and that alone is unlike itself. While one pod reads it, it is there.
        f"count by (name) ({_ENDS} != {_ENDS}) == on (name) count by (name) ({_ENDS})",
        "10m",
        "There is no certificate {{ $labels.name }}",
        "None of the gateway pods ({{ $value }}) has read a certificate in Secret {{ $labels.name }} for 10 minutes: "
        f"it is gone or broken, and callers from outside are shown a wrong one or none. See why: {LOG}",
        Panel.CERTIFICATES,
        agent="all",
    ),
    Alert(
        "SluiceKeyOld",
        Severity.WARNING,
        f"(time() - max by (key) (sluice_key_rotated_timestamp_seconds)) / 86400 > {KEY_DAYS}",
        "1h",
        "The key {{ $labels.key }} is old",
        'The key {{ $labels.key }} has been in use for {{ $value | printf "%.0f" }} days; it should be replaced after '
        f"{KEY_DAYS}. Set a new one: {NEW_KEY}",
        Panel.KEYS,
        agent="all",
    ),
)
