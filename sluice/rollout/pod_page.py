"""What the gateway's pods say of themselves: their pages of metrics, read through the API server.

Prometheus is not asked, because a rollback must be seen to hold while Prometheus is away. A page has a few thousand
lines; only those of a few names are looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from sluice.errors import SluiceError
from sluice.rollout.cluster import Cluster, json_objects

GATEWAY_PODS = "app.kubernetes.io/name=gateway,app.kubernetes.io/part-of=sluice"
"""What selects the gateway's pods by their labels."""

_METRICS_PORT = 9090
_AT_ONCE = 8
_NAMES = (
    "sluice_rollout_weight",
    "sluice_override_active",
    "sluice_requests_total",
    "sluice_request_duration_seconds_bucket",
    "sluice_quality_score_sum",
    "sluice_quality_score_count",
    "sluice_threshold",
)
_LINE = re.compile(rf"^({'|'.join(_NAMES)})\{{([^}}]*)\}} (\S+)", re.MULTILINE)
_LABEL = re.compile(r'([a-z_]+)="([^"]*)"')

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Page:
    """The series of one pod: by name and sorted labels."""

    series: Mapping[tuple[str, Labels], float]

    def value(self, name: str, **labels: str) -> float | None:
        """Return one series, None where the pod does not have it."""
        return self.series.get((name, tuple(sorted(labels.items()))))

    def labelled(self, name: str, **labels: str) -> dict[Labels, float]:
        """Return the series of a name that have these labels, by all of their labels."""
        wanted = set(labels.items())
        return {found: value for (each, found), value in self.series.items() if each == name and wanted <= set(found)}

    @property
    def agents(self) -> frozenset[str]:
        """The agents whose weight this pod knows."""
        return frozenset(dict(labels)["agent"] for labels in self.labelled("sluice_rollout_weight", kind="served"))


def read_page(text: str) -> Page:
    """Read a page of Prometheus' text format as far as anybody here asks for it."""
    return Page(
        {(name, tuple(sorted(_LABEL.findall(labels)))): float(value) for name, labels, value in _LINE.findall(text)}
    )


def gateway_pods(cluster: Cluster, namespace: str) -> tuple[str, ...]:
    """Return the gateway's pods that run and are not told to end, sorted by name."""
    listed = json_objects(
        cluster, f"/api/v1/namespaces/{namespace}/pods", "pods cannot be listed", labelSelector=GATEWAY_PODS
    )
    return tuple(
        sorted(
            str(pod["metadata"]["name"])
            for pod in listed
            if "deletionTimestamp" not in pod["metadata"] and pod.get("status", {}).get("phase") == "Running"
        )
    )


def pages(cluster: Cluster, namespace: str, pods: Iterable[str]) -> dict[str, Page | None]:
    """Ask pods for their pages, several at once; None stands for a pod that did not answer."""

    def page(pod: str) -> Page | None:
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}:{_METRICS_PORT}/proxy/metrics"
        try:
            answer = cluster.ask("GET", path)
        except SluiceError:
            return None
        read = read_page(answer.body.decode(errors="replace")) if answer.status == 200 else None
        return read if read and read.series else None

    names = list(pods)
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as several:
        return dict(zip(names, several.map(page, names), strict=True))
