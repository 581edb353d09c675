"""The External Secrets Operator and the definitions of its objects, for the test of an environment with a store."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sluice.local.toolchain import go_build
from sluice.local.toolchain.catalog import EXTERNAL_SECRETS, ModuleFile
from sluice.progress import Progress

_DEFINITIONS = ModuleFile(EXTERNAL_SECRETS.package, "config/crds/bases")


@dataclass(frozen=True, slots=True)
class ExternalSecretsTools:
    """Where the operator's program is, and the folder of its custom resource definitions."""

    operator: Path
    definitions: Path


def ensure_external_secrets(cache: Path, progress: Progress) -> ExternalSecretsTools:
    """Build what is missing. Raises what `go_build.build` raises."""
    built = go_build.build([EXTERNAL_SECRETS], cache, progress)
    return ExternalSecretsTools(
        operator=built[EXTERNAL_SECRETS] / EXTERNAL_SECRETS.binary,
        definitions=go_build.module_file(EXTERNAL_SECRETS, _DEFINITIONS),
    )
