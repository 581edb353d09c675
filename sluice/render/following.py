"""What a controller that follows git must leave alone, in the words of Flux and of Argo CD.

Pulumi needs none of it: it is told the same by its own options. Without it Flux takes back what `kubectl` writes into
an object of git's, an override too, and removes what is in git no more before that which comes after it is ready.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_FLUX: Final = "kustomize.toolkit.fluxcd.io"
_ARGO_CD: Final = "argocd.argoproj.io/sync-options"

OTHERS_WRITE: Final[Mapping[str, str]] = {f"{_FLUX}/ssa": "Merge"}
"""On what others write to while the system runs: only the fields that git names are git's, whoever wrote the rest.

Flux gives itself the fields of whoever is called `kubectl...`, and then takes away those that git does not name:
https://fluxcd.io/flux/components/kustomize/kustomizations/#controlling-the-apply-behavior-of-resources.
"""

KEPT: Final[Mapping[str, str]] = {f"{_FLUX}/prune": "disabled", _ARGO_CD: "Prune=false,Delete=false"}
"""On what holds a record that git does not: it stays when git, or the follower itself, has it no more."""

OUTLIVES_ITS_SUCCESSOR: Final[Mapping[str, str]] = {f"{_FLUX}/prune": "disabled", _ARGO_CD: "PruneLast=true"}
"""On a ConfigMap named by its content: pods of before need it until those of the next are ready, which may be never.

Flux prunes before it waits for the new pods, so that there it is left lying; Argo CD prunes it last.
"""
