"""Prometheus and Alertmanager with their tools, as files: Debian's own builds, in the cache.

They need no installation; the packages' own scripts, which would start services, never
run.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sluice.local.images.debian_packages import download, unpack
from sluice.local.images.recipe import SUITE
from sluice.local.packages import IMAGE_PACKAGES, ensure
from sluice.local.toolchain.go_build import alone
from sluice.progress import Progress

TEMPLATES = ("default.tmpl", "email.tmpl")
PACKAGES = {
    "prometheus": ("usr/bin/prometheus", "usr/bin/promtool"),
    "prometheus-alertmanager": (
        "usr/bin/prometheus-alertmanager",
        "usr/bin/amtool",
        *(f"usr/share/prometheus/alertmanager/{name}" for name in TEMPLATES),
    ),
}
"""Debian's packages and the files that are wanted of each."""


@dataclass(frozen=True, slots=True)
class MonitoringPrograms:
    """Where the programs are; every path exists."""

    prometheus: Path
    promtool: Path
    alertmanager: Path
    alertmanager_templates: tuple[Path, ...]
    """What Alertmanager wants to find in /usr/share/prometheus/alertmanager, or it does not start."""
    amtool: Path


def ensure_monitoring_programs(cache: Path, progress: Progress) -> MonitoringPrograms:
    """Download what is missing, 30 MB. Raises BaseError, and what `packages.ensure` raises."""
    folder = cache / "monitoring" / SUITE
    if not folder.is_dir():
        ensure(progress, IMAGE_PACKAGES)
        with progress.step("Prometheus and Alertmanager from Debian"), alone(folder):
            if not folder.is_dir():
                _unpack_into(folder)
    return MonitoringPrograms(
        prometheus=folder / "prometheus",
        promtool=folder / "promtool",
        alertmanager=folder / "prometheus-alertmanager",
        alertmanager_templates=tuple(folder / name for name in TEMPLATES),
        amtool=folder / "amtool",
    )


def _unpack_into(folder: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=f"{folder.name}.unfinished-", dir=folder.parent) as scratch:
        files = download(PACKAGES, Path(scratch, "apt"))
        root, result = Path(scratch, "root"), Path(scratch, "result")
        root.mkdir()
        result.mkdir()
        for package, wanted_files in PACKAGES.items():
            unpack(files[package], root)
            for wanted in wanted_files:
                shutil.move(root / wanted, result / Path(wanted).name)
        result.rename(folder)
