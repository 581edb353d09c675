"""The daily report as Kubernetes makes it, where an environment has one: an account without rights, and a CronJob.

It runs the guard's image. It is told the registry and the rollout, and asks nobody but Prometheus: so it needs no
token, and holds no query that anybody asked. Each run reads what it is told anew, so that changes in place.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from sluice.registry import Registry, ReportSettings, Resources, Rollout, Settings
from sluice.registry.building import sections_of
from sluice.registry.report_settings import PostSecret
from sluice.render.container_resources import resources
from sluice.render.json_text import json_text
from sluice.render.kubernetes_object import (
    KubernetesObject,
    kubernetes_object,
    labels,
    restricted_container,
    restricted_pod,
)

NAME = "sluice-report"
CONFIGURATION = "report-config"
DATA_KEY = "report.json"
_VERSION = 2
_POST_FILE = PurePosixPath("/etc/sluice/report-address/post")
_LONGEST_SECONDS = 900
_STARTS_WITHIN_SECONDS = 3600
_KEPT_SECONDS = 2 * 24 * 3600


def report(registry: Registry, rollout: Rollout, settings: Settings) -> tuple[KubernetesObject, ...]:
    """Render the report's objects, none where the environment has none."""
    if settings.report is None:
        return ()
    return (
        kubernetes_object(
            "v1",
            "ServiceAccount",
            NAME,
            namespace=settings.namespace,
            labels=labels(NAME, component="report"),
            automountServiceAccountToken=False,
        ),
        _configuration(registry, rollout, settings, settings.report),
        _cron_job(settings, settings.report),
    )


def _configuration(
    registry: Registry, rollout: Rollout, settings: Settings, wanted: ReportSettings
) -> KubernetesObject:
    asked, mail = settings.prometheus, wanted.mail
    assert asked is not None  # noqa: S101 - the settings' schema asks for one beside a guard, and for that here
    text = json_text(
        {
            "version": _VERSION,
            "environment": settings.environment,
            "prometheus": asked.url,
            "match": asked.match,
            "days": wanted.days,
            "mail": None if mail is None else {"server": mail.server, "from": mail.sender, "to": list(mail.to)},
            "post": wanted.post,
            "post_file": str(_POST_FILE) if wanted.post_secret else None,
            "rollout": {
                name: {
                    "candidate": agent.candidate,
                    "weight_percent": agent.weight_percent,
                    "since": agent.since.isoformat() if agent.since else None,
                    "baseline": list(agent.baseline),
                }
                for name, agent in rollout.agents.items()
            },
            "enabled": rollout.enabled,
            "registry": sections_of(registry),
        }
    )
    return kubernetes_object(
        "v1",
        "ConfigMap",
        CONFIGURATION,
        namespace=settings.namespace,
        labels=labels(NAME, component="configuration"),
        data={DATA_KEY: text},
    )


def _cron_job(settings: Settings, wanted: ReportSettings) -> KubernetesObject:
    named = labels(NAME, component="report")
    return kubernetes_object(
        "batch/v1",
        "CronJob",
        NAME,
        namespace=settings.namespace,
        labels=named,
        spec={
            "schedule": wanted.schedule,
            "timeZone": "Etc/UTC",
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": _STARTS_WITHIN_SECONDS,
            "successfulJobsHistoryLimit": 1,
            "failedJobsHistoryLimit": 3,
            "jobTemplate": {
                "metadata": {"labels": named},
                "spec": {
                    "backoffLimit": 2,
                    "activeDeadlineSeconds": _LONGEST_SECONDS,
                    "ttlSecondsAfterFinished": _KEPT_SECONDS,
                    "template": {"metadata": {"labels": named}, "spec": _pod(settings, wanted)},
                },
            },
        },
    )


def _pod(settings: Settings, wanted: ReportSettings) -> dict[str, Any]:
    assert settings.guard is not None  # noqa: S101 - the settings' schema asks for one beside a report
    mounts = [{"name": "config", "mountPath": "/etc/sluice/report", "readOnly": True}]
    volumes: list[dict[str, Any]] = [{"name": "config", "configMap": {"name": CONFIGURATION}}]
    if wanted.post_secret is not None:
        mounts.append({"name": "post", "mountPath": str(_POST_FILE.parent), "readOnly": True})
        volumes.append({"name": "post", "secret": _post_secret(wanted.post_secret)})
    return {
        "serviceAccountName": NAME,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        "securityContext": restricted_pod(),
        "containers": [
            {
                "name": NAME,
                "image": settings.guard.image,
                "imagePullPolicy": "IfNotPresent",
                "command": ["python3", "-m", "sluice.rollout.report"],
                "resources": resources(Resources(cpu_request="50m", memory_request="256Mi", memory_limit="256Mi")),
                "securityContext": restricted_container(),
                "terminationMessagePolicy": "FallbackToLogsOnError",
                "volumeMounts": mounts,
            }
        ],
        "volumes": volumes,
    }


def _post_secret(secret: PostSecret) -> dict[str, Any]:
    return {
        "secretName": secret.name,
        "items": [{"key": secret.key, "path": _POST_FILE.name}],
        "defaultMode": 0o440,
        "optional": True,  # without it the pod would wait and say nothing: the report says what is missing, and mails
    }
