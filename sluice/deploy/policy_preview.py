"""`make policy`: the policy pack asked by Pulumi's own preview, of environments as git has them, with nobody's secrets.

It needs neither a cluster nor a passphrase nor a state, so that CI can run it from a clone: a copy of the project lies
in a folder that is gone afterwards, with a made value for each key and a made image where none is named yet. What is
previewed is the making of the whole environment, so that each rule sees each object.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sluice.deploy.errors import PulumiFailed
from sluice.errors import SluiceError
from sluice.local.folders import PROJECT, cache_folder
from sluice.local.toolchain import PulumiTools, ensure_pulumi
from sluice.local.toolchain.python_environment import python_environment
from sluice.progress import Progress
from sluice.registry import Environment, environments, image_variable, load_environment
from sluice.render import render

_PASSPHRASE = "made-for-a-preview"  # noqa: S105 - what it encrypts is made, and gone afterwards
_MADE_IMAGE = "sluice.local/made@sha256:" + "1" * 64
_LINKED = ("Pulumi.yaml", "__main__.py", "components", "registry", "sluice", "stacks", ".venv")
_RUNTIME = "script"


@dataclass(frozen=True, slots=True)
class Previewed:
    """What Pulumi said of an environment; `keeps_the_rules` is False where a rule was broken."""

    environment: str
    keeps_the_rules: bool
    said: str


def preview_policy(environment: str, progress: Progress, project: Path = PROJECT) -> Previewed:
    """Ask the pack of all that `environment` of `project` would make.

    Raises `InvalidRegistry`, what making Pulumi or the pack's packages raises, and `PulumiFailed` where the preview
    failed for another reason than a rule.
    """
    declared = load_environment(project, environment)
    tools = ensure_pulumi(cache_folder(), progress)
    lock = project / "requirements" / "policy.lock"
    python = python_environment(lock, "what the policy pack runs on", cache_folder(), progress) / "bin" / "python"
    with tempfile.TemporaryDirectory(prefix="sluice-policy-") as scratch, progress.step(f"policy of {environment}"):
        folder = Path(scratch, "project")
        _copy_project(project, folder)
        programs = Path(scratch, "programs")
        _write_analyzer(programs, python)
        variables = _variables(declared, tools, programs, Path(scratch))
        _call(tools, folder, variables, "stack", "init", environment, "--secrets-provider", "passphrase")
        made = [word for key in _keys(declared) for word in ("--secret", f"{key}=made")]
        _call(tools, folder, variables, "config", "set-all", "--path", "--stack", environment, *made)
        _add_settings(folder / f"Pulumi.{environment}.yaml", project)
        asked = ("preview", "--policy-pack", "policy", "--stack", environment, "--color", "never")
        ran = _run(tools, folder, variables, *asked)
    said = ran.stdout + ran.stderr
    if ran.returncode != 0 and "[mandatory]" not in said:
        raise PulumiFailed(f"the preview of {environment}", [said.strip()])
    if "sluice@v" not in said:
        raise PulumiFailed(f"the preview of {environment}", [f"Pulumi did not ask the policy pack:\n{said.strip()}"])
    return Previewed(environment, ran.returncode == 0, said)


def _copy_project(project: Path, folder: Path) -> None:
    folder.mkdir()
    for name in _LINKED:
        if (project / name).exists():
            (folder / name).symlink_to(project / name)
    pack = folder / "policy"
    shutil.copytree(project / "policy", pack, ignore=shutil.ignore_patterns(".venv", "__pycache__"))
    # A language host that is older than the CLI cannot answer it about a pack in Python. A pack of another runtime is
    # run by a program of that runtime's name, which starts the same pack in the same way.
    described = yaml.safe_load((pack / "PulumiPolicy.yaml").read_text())
    (pack / "PulumiPolicy.yaml").write_text(yaml.safe_dump({**described, "runtime": _RUNTIME}))


def _add_settings(file: Path, project: Path) -> None:
    """Write the environment's settings beside the made keys. Pulumi itself would write `true` as text."""
    made = yaml.safe_load(file.read_text())
    settings = yaml.safe_load((project / file.name).read_text())["config"]
    # What is encrypted there is so by another passphrase, and has a made value here.
    plain = {name: value for name, value in settings.items() if not _is_encrypted(value)}
    file.write_text(yaml.safe_dump({**made, "config": {**plain, **made["config"]}}))


def _is_encrypted(value: Any) -> bool:
    return isinstance(value, dict) and "secure" in value


def _keys(declared: Environment) -> list[str]:
    """Return the settings that get a made value, by their paths: keys of providers, and digests of callers."""
    rendered = render(declared.registry, declared.rollout, declared.settings)
    callers = rendered.caller_keys.keys if rendered.caller_keys else ()
    return [f"sluice:{key}" for key in rendered.provider_keys.keys] + [f"sluice:callers.{team}" for team in callers]


def _write_analyzer(folder: Path, python: Path) -> None:
    folder.mkdir()
    program = folder / f"pulumi-analyzer-policy-{_RUNTIME}"
    program.write_text(f'#!/bin/sh\nexec "{python}" -u -m pulumi.policy "$1" "$2"\n')
    program.chmod(0o755)


def _variables(declared: Environment, tools: PulumiTools, programs: Path, scratch: Path) -> dict[str, str]:
    outer = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PULUMI_", "SLUICE_")) and name != "PYTHONPATH"
    }
    state = scratch / "state"
    state.mkdir()
    path = tools.variables.get("PATH", outer.get("PATH", ""))
    return {
        **outer,
        **tools.variables,
        **dict.fromkeys(map(image_variable, declared.settings.images), _MADE_IMAGE),
        "PATH": f"{programs}{os.pathsep}{path}",
        "PULUMI_BACKEND_URL": f"file://{state}",
        "PULUMI_CONFIG_PASSPHRASE": _PASSPHRASE,
        "KUBECONFIG": str(scratch / "no-cluster"),
    }


def _call(tools: PulumiTools, folder: Path, variables: Mapping[str, str], *arguments: str) -> None:
    ran = _run(tools, folder, variables, *arguments)
    if ran.returncode != 0:
        raise PulumiFailed(f"pulumi {' '.join(arguments[:2])}", [ran.stderr or ran.stdout])


def _run(
    tools: PulumiTools, folder: Path, variables: Mapping[str, str], *arguments: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [tools.pulumi, *arguments, "--non-interactive"],
        cwd=folder,
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


def main(names: Iterable[str]) -> int:
    """Ask of each environment, of all where none is named; return 0, or 1 where a rule is broken, or 3."""
    progress = Progress()
    exit_code = 0
    for name in tuple(names) or environments(PROJECT):
        try:
            previewed = preview_policy(name, progress)
        except SluiceError as error:
            print(f"sluice policy: {error}", file=sys.stderr)
            return error.exit_code
        if previewed.keeps_the_rules:
            print(f"{name}: keeps every rule")
        else:
            print(previewed.said, file=sys.stderr)
            print(f"{name}: breaks a rule, as Pulumi says above")
            exit_code = 1
    return exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
