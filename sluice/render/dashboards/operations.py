"""What everything stands on: gateway pods, the guard, flags, Redis, certificates, keys, and the providers behind it."""

from __future__ import annotations

from typing import Final

from sluice.render.alerts.panels import OPERATIONS, Panel
from sluice.render.alerts.rollout import HEARD_SECONDS
from sluice.render.alerts.service import CERTIFICATE_DAYS, KEY_DAYS, SILENT_GUARD_SECONDS
from sluice.render.dashboards.shown import Dashboard, Kind, Line, Query, Shown, Unit, highest

_HERE: Final = 'namespace="$namespace"'
_CALLS: Final = "gen_ai_client_operation_duration_seconds"
_GATEWAYS: Final = "and on (pod, instance) sluice_requests_in_flight"
"""Guards and others of the namespace show a process, too."""

OPERATIONS_DASHBOARD: Final = Dashboard(
    OPERATIONS,
    "Sluice: operations",
    "Gateway, guard, flags, Redis, certificates, keys and providers of an environment.",
    (
        Shown(
            Panel.GATEWAY,
            "Gateway pods and requests in flight",
            "Pods that show their metrics, and requests that are being answered, streams included.",
            Unit.COUNT,
            (
                Query("count(sluice_requests_in_flight)", "pods"),
                Query("sum(sluice_requests_in_flight)", "requests in flight"),
            ),
        ),
        Shown(
            Panel.GUARD,
            "The guard's last round",
            "How long ago the guard that acts ended a round, and on the right whether Prometheus answers it: while it "
            "does not, nothing is rolled back by itself.",
            Unit.SECONDS,
            (
                Query("time() - max(sluice_guard_heartbeat_timestamp_seconds)", "ago"),
                Query(f"vector({SILENT_GUARD_SECONDS})", "silent", Line.CRITICAL),
                Query("max(sluice_guard_prometheus_up)", "has Prometheus", unit=Unit.YES_OR_NO),
            ),
            no_value="No guard is seen",
        ),
        Shown(
            Panel.FLAGS,
            "Flags and override",
            "How long ago the pod that hears least heard the API server, and on the right whether any pod goes by its "
            "mounted files, or refuses a part of flags or override.",
            Unit.SECONDS,
            (
                Query("time() - min(sluice_cluster_heard_timestamp_seconds)", "API server heard"),
                Query(f"vector({HEARD_SECONDS})", "too long", Line.WARNING),
                Query('max(sluice_flags_source{source="file"})', "by mounted files", unit=Unit.YES_OR_NO),
                Query("max(sluice_flags_broken)", "flags broken", unit=Unit.YES_OR_NO),
                Query("max(sluice_override_broken)", "override broken", unit=Unit.YES_OR_NO),
            ),
        ),
        Shown(
            Panel.STORE,
            "Redis",
            "Whether each pod reaches the Redis that all share. Without it pods answer on, but count limits and spend "
            "alone and keep no answers.",
            Unit.YES_OR_NO,
            (Query("min by (pod) (sluice_store_up)", "{{pod}}"),),
            no_value="No Redis is set",
        ),
        Shown(
            Panel.CERTIFICATES,
            "Certificates",
            "Days until the Ingress' certificate ends, as gateway pods read it. cert-manager renews 30 days before.",
            Unit.DAYS,
            (
                Query(
                    "(min by (name) (sluice_certificate_expires_timestamp_seconds) - time()) / 86400",
                    "{{name}}",
                ),
                Query(f"vector({CERTIFICATE_DAYS})", "not renewed", Line.WARNING),
            ),
            no_value="No Ingress",
        ),
        Shown(
            Panel.KEYS,
            "Providers' keys",
            "Days since a key was first used, as replicas noted it in Redis, and on the right how many different keys "
            "the pods use for a provider: more than one for minutes means that a pod has not got the new one.",
            Unit.DAYS,
            (
                Query("(time() - max by (key) (sluice_key_rotated_timestamp_seconds)) / 86400", "{{key}}"),
                Query(f"vector({KEY_DAYS})", "old", Line.WARNING),
                Query(
                    'count by (provider) (count_values by (provider) ("hash", sluice_provider_key_hash))',
                    "{{provider}}: different keys",
                    unit=Unit.COUNT,
                ),
            ),
        ),
        Shown(
            Panel.PROVIDERS,
            "Providers' latency",
            "The 95th percentile of calls by the model that was asked, streams to their last byte; the slowest first.",
            Unit.SECONDS,
            (
                Query(
                    highest(
                        "histogram_quantile(0.95, sum by (gen_ai_request_model, le) "
                        f"(rate({_CALLS}_bucket{{{_HERE}}}[$__rate_interval]))) > 0",
                        by="gen_ai_request_model",
                    ),
                    "{{gen_ai_request_model}}",
                ),
            ),
            no_value="No calls",
        ),
        Shown(
            Panel.MODEL_FAILURES,
            "Failures of models, a minute",
            "Calls that failed, by model, most of them made good by the next; and by what the provider said.",
            Unit.COUNT,
            (
                Query(
                    highest("60 * sum by (model) (rate(sluice_model_failures_total[$__rate_interval]))", by="model"),
                    "{{model}}",
                ),
                Query(
                    f'60 * sum by (error_type) (rate({_CALLS}_count{{{_HERE}, error_type!=""}}[$__rate_interval]))',
                    "answer: {{error_type}}",
                ),
            ),
        ),
        Shown(
            Panel.REFUSED,
            "Refused requests, a minute",
            "By the limit that turned them away, and dangerous prompts by their family.",
            Unit.COUNT,
            (
                Query("60 * sum by (limit) (rate(sluice_limited_total[$__rate_interval]))", "limit: {{limit}}"),
                Query("60 * sum by (family) (rate(sluice_screened_total[$__rate_interval]))", "prompt: {{family}}"),
            ),
            kind=Kind.STACKED,
        ),
        Shown(
            Panel.CACHE,
            "Answers from the cache",
            "The share of questions that were answered before, among those that may be.",
            Unit.PERCENT,
            (
                Query(
                    '100 * sum(rate(sluice_cache_total{result="hit"}[$__rate_interval])) / '
                    '(sum(rate(sluice_cache_total{result=~"hit|miss"}[$__rate_interval])) > 0)',
                    "hits",
                ),
            ),
            decimals=1,
            no_value="No questions that may be kept",
        ),
        Shown(
            Panel.MEMORY,
            "Memory",
            "What each gateway pod's process holds in memory.",
            Unit.BYTES,
            (
                Query(
                    f"sum by (pod) (process_resident_memory_bytes{{{_HERE}}} {_GATEWAYS})",
                    "{{pod}}",
                ),
            ),
        ),
        Shown(
            Panel.PROCESSOR,
            "Processor time",
            "Of one core, by gateway pod. One process uses one core at the most.",
            Unit.PERCENT,
            (
                Query(
                    f"100 * sum by (pod) (rate(process_cpu_seconds_total{{{_HERE}}}[$__rate_interval]) {_GATEWAYS})",
                    "{{pod}}",
                ),
            ),
            decimals=0,
        ),
        Shown(
            Panel.AFTER_ANSWERS,
            "Work after answers",
            "What waits to be scored, kept or counted after answers, and what was dropped, a minute, because too "
            "much waited.",
            Unit.COUNT,
            (
                Query("sum(sluice_off_path_waiting)", "waiting"),
                Query(
                    "60 * sum by (kind) (rate(sluice_off_path_dropped_total[$__rate_interval]))",
                    "dropped: {{kind}}",
                    Line.CRITICAL,
                ),
            ),
            width=24,
        ),
    ),
)
