"""What is deployed: production as git has it, but for its size, namespaces and made keys; a namespace for each tool.

The kinds that others bring are defined in the cluster for the time of the benchmark, and nobody acts on them.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from bench.measured import ENVIRONMENT, PROJECT
from sluice.deploy.engine import DEV_PASSPHRASE
from sluice.local.toolchain import definition
from sluice.local.toolchain.catalog import CRDS
from sluice.registry import image_variable

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
        for file in rendered.glob("*.yaml"):
            if file.name != "kustomization.yaml":
                text = _with_images(file.read_text().replace(_PULUMI, namespace), self.variables)
                (folder / file.name.replace(_PULUMI, namespace)).write_text(text)
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "provider-keys", "namespace": namespace},
            "stringData": dict.fromkeys(_KEYS, "made-key-that-opens-nothing"),
        }
        (folder / "secret-provider-keys.yaml").write_text(yaml.safe_dump(secret))
        return folder

    def define_kinds(self) -> list[str]:
        """Define the kinds of others in the cluster, and return the command that takes the definitions away."""
        files = [word for kind in CRDS.files for word in ("-f", str(definition(kind)))]
        self.run(["kubectl", "apply", "--server-side", *files])
        self.run(["kubectl", "wait", "--for=condition=Established", "--timeout=60s", *files])
        return ["kubectl", "delete", "--wait=false", *files]

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
        process = self.start(command)
        said, _ = process.communicate(timeout=300)
        if process.returncode != 0:
            sys.exit(f"{' '.join(command)} ended with {process.returncode}:\n{said[-5000:]}")

    def start(self, command: list[str]) -> subprocess.Popen[str]:
        """Start a command in the project; what it says, it says to its standard output."""
        return subprocess.Popen(
            command,
            cwd=self.project,
            env={**ENVIRONMENT, **self.variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


def _with_images(manifest: str, variables: Mapping[str, str]) -> str:
    """Put the images that were built in place of those that git does not name yet."""
    return re.sub(r"\S+/sluice/(\w+)@sha256:0{64}", lambda image: variables[image_variable(image[1])], manifest)


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
    settings = settings.replace("  sluice:protected: true\n", "").replace("requests: {cpu: 500m", "requests: {cpu: 20m")
    file.write_text("\n".join((settings.rstrip(), *keys, *salt)) + "\n")
    passphrase = scratch / "passphrase"
    passphrase.write_text(DEV_PASSPHRASE)
    own = {"PYTHONPATH": str(project), "PULUMI_CONFIG_PASSPHRASE_FILE": str(passphrase)}
    script = f'exports=$({sys.executable} -m sluice env {STACK}); eval "$exports"; exec env -0'
    printed = subprocess.run(
        ["bash", "-euc", script], cwd=project, env={**ENVIRONMENT, **own}, stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    variables = dict(line.split("=", 1) for line in printed.split("\0") if line)
    return BenchedEnvironment(project, {**variables, **own})
