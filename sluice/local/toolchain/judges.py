"""The judges of the tests: programs that others wrote, which look at the rendered manifests and at the history.

All of them are pinned, the Go programs by their go.sum and the Python ones by requirements/judges.lock. The Python ones
get an environment of their own in the cache, because checkov holds packages back that Pulumi wants newer. Nothing that
runs needs any of them: they are made when the tests first ask.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sluice.carried import carried
from sluice.local.toolchain import go_build
from sluice.local.toolchain.catalog import (
    ACTIONLINT,
    CRDS,
    GITLEAKS,
    JUDGES,
    KUBE,
    KUBE_SCORE,
    KUBECONFORM,
    RULE_JUDGE,
    ModuleFile,
)
from sluice.local.toolchain.python_environment import python_environment
from sluice.progress import Progress

LOCK = carried("requirements/judges.lock")

_PACKAGES = "the judges that are Python programs (0.4 GiB)"
_OPENAPI = ModuleFile("k8s.io/kubernetes", "api/openapi-spec/swagger.json")


@dataclass(frozen=True, slots=True)
class JudgeTools:
    """Where the judges are; every path exists."""

    kube_score: Path
    kubeconform: Path
    gitleaks: Path
    actionlint: Path
    rules: Path
    """prometheus-operator's own look at a PrometheusRule, as its admission webhook has it."""
    python: Path
    """The interpreter that has checkov and kubernetes-validate: each is run by `-m`."""
    openapi: Path
    """What the API server of the local Kubernetes takes, as OpenAPI 2 in JSON: part of the sources it is built from."""
    definitions: tuple[Path, ...]
    """The custom resource definitions of the kinds that others serve, each a file of YAML."""


def ensure_judges(cache: Path, progress: Progress) -> JudgeTools:
    """Make what is missing. Raises what `go_build.build` raises, and `PackagesNotInstalled`."""
    built = go_build.build(JUDGES, cache, progress)
    return JudgeTools(
        kube_score=built[KUBE_SCORE] / KUBE_SCORE.binary,
        kubeconform=built[KUBECONFORM] / KUBECONFORM.binary,
        rules=built[RULE_JUDGE] / RULE_JUDGE.binary,
        gitleaks=built[GITLEAKS] / GITLEAKS.binary,
        actionlint=built[ACTIONLINT] / ACTIONLINT.binary,
        python=python_environment(LOCK, _PACKAGES, cache, progress) / "bin" / "python",
        openapi=go_build.module_file(KUBE, _OPENAPI),
        definitions=tuple(map(definition, CRDS.files)),
    )


def definition(kind: str) -> Path:
    """Return the file with the custom resource definition of a kind. Raises `go_build.BuildFailed`."""
    return go_build.module_file(CRDS, CRDS.files[kind])
