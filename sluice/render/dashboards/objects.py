"""Dashboards as what is handed over: ConfigMaps that Grafana's sidecar or its operator reads, and plain files.

Nothing in them is of one environment but the address of the runbooks: several environments before one Grafana bring
the same files, and people choose the namespace on the page.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sluice.registry import Grafana, Settings
from sluice.render.dashboards.pages import DASHBOARDS
from sluice.render.kubernetes_object import KubernetesObject, kubernetes_object, labels
from sluice.whole_file import write_whole

FOUND_BY_SIDECAR: Final = {"grafana_dashboard": "1"}
"""What kube-prometheus-stack's sidecar looks for, unless it was told otherwise."""

FOLDER: Final = "Sluice"
"""The folder in Grafana."""


def dashboards(settings: Settings) -> tuple[KubernetesObject, ...]:
    """Render a ConfigMap for each dashboard, and what tells Grafana's operator of it; none where no Grafana is set."""
    by = settings.monitoring.grafana
    if by is Grafana.NONE:
        return ()
    return tuple(
        item
        for file, text in dashboard_files(settings).items()
        for item in (_config_map(file, text, settings), *_told(file, settings))
    )


def dashboard_files(settings: Settings) -> dict[str, str]:
    """Return the JSON of each dashboard by the name of its file."""
    # Grafana's library takes a tenth of a second to read, and most commands render no dashboard.
    from sluice.render.dashboards.grafana import dashboard_json

    return {f"{page.uid}.json": dashboard_json(page, settings.monitoring.runbooks) for page in DASHBOARDS}


def write_dashboards(settings: Settings, folder: Path) -> None:
    """Write the JSON of each dashboard into a folder that Grafana's provisioning reads. Raises OSError.

    What else lies there stays: it may be the folder of other people's dashboards, too.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in dashboard_files(settings).items():
        write_whole(folder / file, text)


def _name(file: str) -> str:
    return file.removesuffix(".json").replace("sluice-", "dashboard-", 1)


def _config_map(file: str, text: str, settings: Settings) -> KubernetesObject:
    name = _name(file)
    by_sidecar = settings.monitoring.grafana is Grafana.SIDECAR
    made = kubernetes_object(
        "v1",
        "ConfigMap",
        name,
        namespace=settings.namespace,
        labels={**labels(name, component="dashboards"), **(FOUND_BY_SIDECAR if by_sidecar else {})},
        data={file: text},
    )
    if by_sidecar:
        made.body["metadata"]["annotations"] = {"grafana_folder": FOLDER}
    return made


def _told(file: str, settings: Settings) -> tuple[KubernetesObject, ...]:
    if settings.monitoring.grafana is not Grafana.OPERATOR:
        return ()
    name = _name(file)
    return (
        kubernetes_object(
            "grafana.integreatly.org/v1beta1",
            "GrafanaDashboard",
            name,
            namespace=settings.namespace,
            labels=labels(name, component="dashboards"),
            spec={
                "instanceSelector": {"matchLabels": dict(settings.monitoring.grafana_labels)},
                # Grafana is somewhere else than the agents that it shows.
                "allowCrossNamespaceImport": True,
                "folder": FOLDER,
                "configMapRef": {"name": name, "key": file},
            },
        ),
    )
