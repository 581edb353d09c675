"""Pulumi runs the program that came in the wheel, in a project that has nothing of a checkout."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from sluice.deploy.engine import DEV_PASSPHRASE
from sluice.local.folders import cache_folder
from sluice.local.toolchain import PulumiTools, ensure_pulumi
from sluice.progress import Progress
from sluice.registry import image_variable, load_environment
from tests.release.installation import Installed

pytestmark = pytest.mark.long

_MADE_IMAGE = "sluice.local/made@sha256:" + "1" * 64


def pulumi(tools: PulumiTools, project: Path, scratch: Path, *arguments: str) -> str:
    """Run Pulumi by hand, with a state of its own and no cluster."""
    outer = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PULUMI_", "SLUICE_")) and name not in ("PYTHONPATH", "VIRTUAL_ENV")
    }
    images = dict.fromkeys(map(image_variable, load_environment(project, "dev").settings.images), _MADE_IMAGE)
    own = {
        "PULUMI_BACKEND_URL": f"file://{scratch}",
        "PULUMI_CONFIG_PASSPHRASE": DEV_PASSPHRASE,
        "KUBECONFIG": str(scratch / "no-cluster"),
    }
    ran = subprocess.run(
        [tools.pulumi, *arguments, "--non-interactive", "--color", "never"],
        cwd=project,
        env={**outer, **tools.variables, **images, **own},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_a_new_project_of_the_wheel_is_previewed_with_the_program_in_the_wheel(
    installed: Installed, tmp_path: Path
) -> None:
    project, state = tmp_path / "project", tmp_path / "state"
    state.mkdir()
    assert installed.sluice(tmp_path, "init", str(project)).returncode == 0
    (project / ".venv").symlink_to(installed.environment)
    tools = ensure_pulumi(cache_folder(), Progress(quiet=True))

    pulumi(tools, project, state, "stack", "select", "--create", "dev")
    said = pulumi(tools, project, state, "preview", "--stack", "dev")

    assert "Deployment gateway-deployment create" in said
    assert "ConfigMap flags-configmap create" in said
    assert "Secret provider-keys-secret create" in said
