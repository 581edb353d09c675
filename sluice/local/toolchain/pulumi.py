"""Pulumi's CLI, its Python language host and the Kubernetes provider, from the PATH or built.

A Pulumi that a person has installed is used as it is, with its own home and its own ways of getting plugins. One that
was built here gets a home of its own in the cache, so that it never touches `~/.pulumi`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sluice.errors import SluiceError
from sluice.local.toolchain import go_build
from sluice.local.toolchain.catalog import (
    KUBERNETES_PROVIDER,
    PULUMI,
    PULUMI_KUBERNETES_VERSION,
    PYTHON_HOST,
)
from sluice.local.toolchain.installed import InstalledTool, find_on_path, on_path
from sluice.progress import Progress

_INSTALLED_PULUMI = InstalledTool("pulumi", ("version",), r"v(\d+)\.(\d+)", at_least=(3, 200), below=(4, 0))
_PLUGIN = f"resource-kubernetes-v{PULUMI_KUBERNETES_VERSION}"
_NO_LOGS = """\
This file keeps Pulumi from writing all that it does into a folder of this name, which took a third of each update.
To see what it does, run it with --logtostderr --verbose 9.
"""


class PluginNotInstalled(SluiceError):
    """Pulumi refused the Kubernetes provider that was built for it."""

    def __init__(self, said: str) -> None:
        super().__init__(f"Pulumi did not take its Kubernetes provider {PULUMI_KUBERNETES_VERSION}: {said.strip()}")


@dataclass(frozen=True, slots=True)
class PulumiTools:
    """A `pulumi` that can run a Python program against Kubernetes."""

    pulumi: Path
    variables: Mapping[str, str]
    """The environment it needs beside a backend and a passphrase: PATH, PULUMI_HOME and a few switches."""

    @property
    def home(self) -> Path:
        """Pulumi's home, with its plugins."""
        return Path(self.variables.get("PULUMI_HOME") or os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")


def ensure_pulumi(cache: Path, progress: Progress) -> PulumiTools:
    """Find or build Pulumi. Raises what `go_build.build` raises, and `PluginNotInstalled`."""
    installed = find_on_path((_INSTALLED_PULUMI,))
    if installed is not None and on_path("pulumi-language-python") is not None:
        return _installed_tools(installed["pulumi"], cache, progress)
    built = go_build.build((PULUMI, PYTHON_HOST, KUBERNETES_PROVIDER), cache, progress)
    folder = _side_by_side(built[PULUMI], built[PYTHON_HOST])
    tools = PulumiTools(
        pulumi=folder / PULUMI.binary,
        variables={
            **_variables(folder),
            "PULUMI_HOME": str(cache / "pulumi-home"),
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        },
    )
    _keep_no_logs(tools.home)
    _install_plugin(tools, built[KUBERNETES_PROVIDER] / KUBERNETES_PROVIDER.binary)
    return tools


def _installed_tools(pulumi: Path, cache: Path, progress: Progress) -> PulumiTools:
    tools = PulumiTools(pulumi=pulumi, variables=_variables())
    if not (tools.home / "plugins" / _PLUGIN).is_dir() and not _downloaded(tools, progress):
        built = go_build.build((KUBERNETES_PROVIDER,), cache, progress)
        _install_plugin(tools, built[KUBERNETES_PROVIDER] / KUBERNETES_PROVIDER.binary)
    return tools


def _side_by_side(pulumi: Path, host: Path) -> Path:
    """Return a folder with both builds: a language host that lies elsewhere on the PATH is warned of at every run."""
    folder = pulumi.with_name(f"{pulumi.name}-{host.name}")
    if not folder.is_dir():
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            gathered = Path(scratch, "gathered")
            for build in (pulumi, host):
                # Links to the content, not to the name: Pulumi asks the kernel where its own binary lies.
                shutil.copytree(build, gathered, copy_function=os.link, dirs_exist_ok=True)
            with contextlib.suppress(OSError):  # another run was faster
                gathered.rename(folder)
    return folder


def _variables(*folders: Path) -> dict[str, str]:
    # The language host runs the `python3` it finds first; only this environment's has our dependencies.
    path = (str(Path(sys.prefix, "bin")), *map(str, folders), os.environ.get("PATH", os.defpath))
    return {"PATH": os.pathsep.join(path), "PULUMI_SKIP_UPDATE_CHECK": "true"}


def _keep_no_logs(home: Path) -> None:
    """Put a file where Pulumi would make the folder of its logs; it then goes on without them.

    It writes down, encrypted, each word that it could say at its most talkative, and has no switch for that. An update
    of production with nothing to do spent a third of its time on five megabytes of it, and five hundred were kept.
    """
    logs = home / "logs"
    if logs.is_file():
        return
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.rmtree(logs, ignore_errors=True)
    with contextlib.suppress(OSError):  # an update that runs just now has made it again; the next run sees to it
        logs.write_text(_NO_LOGS)


def _downloaded(tools: PulumiTools, progress: Progress) -> bool:
    with progress.step(f"fetching Pulumi's Kubernetes provider {PULUMI_KUBERNETES_VERSION}"):
        return _plugin_install(tools).returncode == 0


def _install_plugin(tools: PulumiTools, binary: Path) -> None:
    # The plugin's folder bears the version alone, so a binary built from other sources must be told apart by content.
    source = tools.home / "plugins" / f"{_PLUGIN}.source"
    present = tools.home / "plugins" / _PLUGIN / KUBERNETES_PROVIDER.binary
    if present.is_file() and source.is_file() and source.read_text() == binary.parent.name:
        return
    result = _plugin_install(tools, "--file", str(binary), "--reinstall")
    if result.returncode != 0:
        raise PluginNotInstalled(result.stderr or result.stdout)
    source.write_text(binary.parent.name)


def _plugin_install(tools: PulumiTools, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [tools.pulumi, "plugin", "install", "resource", "kubernetes", PULUMI_KUBERNETES_VERSION, *options],
        env={**os.environ, **tools.variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
