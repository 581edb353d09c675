"""The judges of the tests: programs that others wrote, which look at the rendered manifests and at the history.

All of them are pinned, the Go programs by their go.sum and the Python ones by requirements/judges.lock. The Python ones
get an environment of their own in the cache, because checkov holds packages back that Pulumi wants newer. Nothing that
runs needs any of them: they are made when the tests first ask.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sluice.errors import SluiceError
from sluice.local.folders import PROJECT
from sluice.local.toolchain import go_build
from sluice.local.toolchain.catalog import GITLEAKS, JUDGES, KUBE, KUBE_SCORE, KUBECONFORM, ModuleFile
from sluice.progress import Progress

LOCK = PROJECT / "requirements" / "judges.lock"

_OPENAPI = ModuleFile("k8s.io/kubernetes", "api/openapi-spec/swagger.json")


class PythonJudgesNotInstalled(SluiceError):
    """The packages of requirements/judges.lock could not be installed."""

    def __init__(self, said: str) -> None:
        last_lines = "\n  ".join(said.strip().splitlines()[-8:])
        super().__init__(f"{LOCK}: not installed; mend what pip says and run this again:\n  {last_lines}")


@dataclass(frozen=True, slots=True)
class JudgeTools:
    """Where the judges are; every path exists."""

    kube_score: Path
    kubeconform: Path
    gitleaks: Path
    python: Path
    """The interpreter that has checkov and kubernetes-validate: each is run by `-m`."""
    openapi: Path
    """What the API server of the local Kubernetes takes, as OpenAPI 2 in JSON: part of the sources it is built from."""


def ensure_judges(cache: Path, progress: Progress) -> JudgeTools:
    """Make what is missing. Raises what `go_build.build` raises, and `PythonJudgesNotInstalled`."""
    built = go_build.build(JUDGES, cache, progress)
    return JudgeTools(
        kube_score=built[KUBE_SCORE] / KUBE_SCORE.binary,
        kubeconform=built[KUBECONFORM] / KUBECONFORM.binary,
        gitleaks=built[GITLEAKS] / GITLEAKS.binary,
        python=_python_environment(cache, progress) / "bin" / "python",
        openapi=go_build.module_file(KUBE, _OPENAPI),
    )


def _python_environment(cache: Path, progress: Progress) -> Path:
    """Return the environment that has the packages of the lock; it appears in one rename when it is whole."""
    made_from = f"{sys.version}\n{sys.base_prefix}\n{LOCK.read_text()}"
    folder = cache / "toolchain" / f"judges-{hashlib.sha256(made_from.encode()).hexdigest()[:16]}"
    with go_build.alone(folder):
        if not folder.is_dir():
            with (
                progress.step("installing the judges that are Python programs (0.4 GiB)"),
                tempfile.TemporaryDirectory(prefix=f"{folder.name}.unfinished-", dir=folder.parent) as scratch,
            ):
                environment = Path(scratch, "environment")
                _run(sys.executable, "-m", "venv", "--without-pip", str(environment))
                pip = (sys.executable, "-m", "pip", "--python", str(environment), "--disable-pip-version-check")
                _run(*pip, "install", "--quiet", "--require-hashes", "-r", str(LOCK))
                environment.rename(folder)
    return folder


def _run(*command: str) -> None:
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode != 0:
        raise PythonJudgesNotInstalled(done.stdout)
