"""Alerts on the rollout itself: who was sent back, whether what was decided is served, and what waits for people."""

from __future__ import annotations

from typing import Final

from sluice.render.alerts.commands import FLAGS, LOG, OVERRIDE, PODS, REVIEW
from sluice.render.alerts.panels import Panel
from sluice.render.alerts.rule import Alert, Severity

REVIEW_BACKLOG: Final = 50
"""As many outputs as the content agent's first review has in all."""

HEARD_SECONDS: Final = 600
"""A gateway hears the API server every minute or so, and notices within 41 seconds when it does not."""

_WEIGHT = '(sluice_rollout_weight{kind="%s"})'
_WANTED = 'sluice_rollout_weight{kind="wanted"}[15m]'

ROLLOUT: Final = (
    Alert(
        "SluiceOverrideActive",
        Severity.CRITICAL,
        "max by (agent) (sluice_override_active) == 1",
        "0s",
        "{{ $labels.agent }}: an override holds its candidate back",
        "Somebody, or the guard, has sent {{ $labels.agent }} back towards its baseline; a post-mortem is "
        "due within 24 "
        f"hours. See who and why: {OVERRIDE}",
        Panel.OVERRIDE,
    ),
    Alert(
        "SluiceOverrideNotServed",
        Severity.CRITICAL,
        f"max by (agent) {_WEIGHT % 'served'} > on (agent) min by (agent) {_WEIGHT % 'allowed'}",
        "2m",
        "{{ $labels.agent }}: a gateway pod serves more than the override allows",
        'A pod still gives the candidate of {{ $labels.agent }} {{ $value | printf "%.0f" }} % of the users, more than '
        f"another pod is allowed to by the override. Find it and delete it: {PODS}",
        Panel.OVERRIDE,
    ),
    Alert(
        "SluiceWeightNotServed",
        Severity.WARNING,
        f"(max by (agent) {_WEIGHT % 'wanted'} != on (agent) min by (agent) {_WEIGHT % 'served'}) "
        "unless on (agent) max by (agent) (sluice_override_active) == 1",
        "10m",
        "{{ $labels.agent }}: git wants another weight than is served",
        'Git wants {{ $value | printf "%.0f" }} % of the users of {{ $labels.agent }} on its candidate, a pod serves '
        f"another weight, and no override says so. See what the pods say of their flags: {LOG}",
        Panel.WEIGHT,
    ),
    Alert(
        "SluicePlannedStep",
        Severity.NONE,
        f"max by (agent) (max_over_time({_WANTED})) != on (agent) min by (agent) (min_over_time({_WANTED}))",
        "0s",
        "{{ $labels.agent }}: its weight was changed in git",
        'The weight of {{ $labels.agent }} was changed to {{ $value | printf "%.0f" }} % or from it in the last 15 '
        "minutes: its warnings wait that long. See it: " + FLAGS,
        Panel.WEIGHT,
    ),
    Alert(
        "SluiceFlagsStale",
        Severity.WARNING,
        f"time() - min(sluice_cluster_heard_timestamp_seconds) > {HEARD_SECONDS}",
        "5m",
        "A gateway pod does not hear the API server",
        "A gateway pod has not heard the API server for {{ $value | humanizeDuration }}: it goes by its "
        "mounted files, and "
        f"a rollback reaches it minutes late. See what it says: {LOG}",
        Panel.FLAGS,
        agent="all",
    ),
    Alert(
        "SluiceFlagsBroken",
        Severity.WARNING,
        "max(sluice_flags_broken) == 1 or max(sluice_override_broken) == 1",
        "2m",
        "Flags or the override cannot be read",
        "For 2 minutes a gateway pod has refused a part of the flags or of the override: the last good flags stay in "
        f"force, and an entry of the override that cannot be read counts as 0 %. See which: {LOG}",
        Panel.FLAGS,
        agent="all",
    ),
    Alert(
        "SluiceReviewBacklog",
        Severity.WARNING,
        f"max by (agent) (sluice_review_pending) > {REVIEW_BACKLOG}",
        "4h",
        "{{ $labels.agent }}: outputs wait for a person",
        '{{ $value | printf "%.0f" }} outputs of {{ $labels.agent }} have waited for a person for hours; more than '
        f"{REVIEW_BACKLOG} is a backlog. Look at them: {REVIEW}",
        Panel.REVIEW,
    ),
)
