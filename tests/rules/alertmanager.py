"""Debian's own Alertmanager with a configuration, in a root of its own.

Its default template lies at a fixed path, which this machine's own root need not have.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from sluice.local.monitoring_programs import MonitoringPrograms


def root_of_its_own(programs: MonitoringPrograms, file: Path) -> Path:
    """A folder with Alertmanager, what it is linked with, its template and its configuration."""
    root = file.parent / "root"
    linked = subprocess.run(["ldd", programs.alertmanager], capture_output=True, text=True, check=True).stdout
    placed = {
        "prometheus-alertmanager": programs.alertmanager,
        **{
            f"usr/share/prometheus/alertmanager/{template.name}": template
            for template in programs.alertmanager_templates
        },
        "alertmanager.yaml": file,
        **{library.lstrip("/"): Path(library) for library in re.findall(r"(/\S+) \(0x", linked)},
    }
    for name, source in placed.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, root / name)
    return root


def command(root: Path, address: str) -> list[str]:
    """Return the command that runs it in its root, listening at an address."""
    changing_root = ["chroot"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "chroot"]
    return [
        *(*changing_root, str(root), "/prometheus-alertmanager", "--config.file=/alertmanager.yaml"),
        *("--storage.path=/data", f"--web.listen-address={address}"),
        *("--cluster.listen-address=", "--log.level=warn"),
    ]
