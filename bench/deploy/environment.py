"""What is deployed: production as git has it, but for its size, namespaces and made keys; a namespace for each tool."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from bench.measured import PROJECT
from sluice.deploy.engine import DEV_PASSPHRASE

STACK = "production"
_KEYS = ("mistral-api-key", "openai-api-key", "anthropic-api-key")
_LEFT_OUT = (".git", ".venv", "__pycache__", ".*_cache", ".hypothesis", "dist", "tests", "manifests")
_PULUMI = "sluice-bench-pulumi"


@dataclass(frozen=True, slots=True)
class BenchedEnvironment:
    """A copy of the project whose production is Pulumi's to deploy, and that renders it for the others."""

    project: Path
    variables: Mapping[str, str]
    """What the shell has in which Pulumi, kubectl and helm run: the cluster, the images, Pulumi's state."""

    def folder(self, tool: str, scratch: Path) -> Path:
        """Write the manifests for a tool, in a namespace of its own, with the Secret that Pulumi makes beside them."""
        folder, namespace = scratch / tool, f"sluice-bench-{tool}"
        rendered = scratch / f"rendered-{tool}"
        self.run([sys.executable, "-m", "sluice", "render", STACK, "--out", str(rendered)])
        folder.mkdir(exist_ok=True)
        image = self.variables["SLUICE_GATEWAY_IMAGE"]
        for file in rendered.glob("*.yaml"):
            if file.name != "kustomization.yaml":
                text = file.read_text().replace(_PULUMI, namespace)
                (folder / file.name.replace(_PULUMI, namespace)).write_text(
                    re.sub(r"\S+/sluice/gateway@sha256:0{64}", image, text)
                )
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "provider-keys", "namespace": namespace},
            "stringData": dict.fromkeys(_KEYS, "made-key-that-opens-nothing"),
        }
        (folder / "secret-provider-keys.yaml").write_text(yaml.safe_dump(secret))
        return folder

    def change_flags(self, baselines: Sequence[str]) -> None:
        """Give an agent other baselines: a change of the flags alone, as a weight is one, which production refuses."""
        file = self.project / "registry/rollouts" / f"{STACK}.yaml"
        listed = f", baseline: [{', '.join(baselines)}]" if baselines else ""
        changed = rf"\1{listed}}}"
        text, count = re.subn(
            r"^(  qa: \{candidate: \S+, weight: 0).*\}$", changed, file.read_text(), flags=re.MULTILINE
        )
        assert count == 1, f"{file} has no qa at weight 0"
        file.write_text(text)

    def run(self, command: list[str]) -> None:
        """Run a command in the project; the benchmark ends where it fails."""
        environment = {**os.environ, **self.variables, "PYTHONPATH": str(self.project)}
        ran = subprocess.run(
            command, cwd=self.project, env=environment, capture_output=True, text=True, check=False, timeout=300
        )
        if ran.returncode != 0:
            sys.exit(f"{' '.join(command)} ended with {ran.returncode}:\n{ran.stdout[-3000:]}\n{ran.stderr[-3000:]}")


def benched_environment(scratch: Path) -> BenchedEnvironment:
    """Copy the project, make its production small, and learn what a shell needs for it."""
    project = scratch / "project"
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns(*_LEFT_OUT))
    (project / ".venv").symlink_to(PROJECT / ".venv")
    of_dev = (project / "Pulumi.dev.yaml").read_text()
    keys = re.findall(r"^  sluice:\S+-api-key:\n    secure: \S+$", of_dev, re.MULTILINE)
    salt = re.findall(r"^encryptionsalt: .*$", of_dev, re.MULTILINE)
    file = project / f"Pulumi.{STACK}.yaml"
    settings = file.read_text().replace(f"sluice-{STACK}\n", f"{_PULUMI}\n", 1)
    settings = settings.replace("by: operator", "by: none")  # whose kinds the local cluster does not have
    settings = settings.replace("  sluice:protected: true\n", "").replace("requests: {cpu: 500m", "requests: {cpu: 20m")
    file.write_text("\n".join((settings.rstrip(), *keys, *salt)) + "\n")
    passphrase = scratch / "passphrase"
    passphrase.write_text(DEV_PASSPHRASE)
    own = {"PYTHONPATH": str(project), "PULUMI_CONFIG_PASSPHRASE_FILE": str(passphrase)}
    script = f'exports=$({sys.executable} -m sluice env {STACK}); eval "$exports"; exec env -0'
    printed = subprocess.run(
        ["bash", "-euc", script], cwd=project, env={**os.environ, **own}, stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    variables = dict(line.split("=", 1) for line in printed.split("\0") if line)
    return BenchedEnvironment(project, {**variables, **own})
