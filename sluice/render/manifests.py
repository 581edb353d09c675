"""Writes rendered objects as the files that people review: one object a file, the same bytes each time.

Beside them lies a kustomization.yaml that lists them, for `kubectl apply -k`, Argo CD and Flux.

The folder holds what was rendered and nothing else: a file whose object is gone is removed, but a folder that holds
anything that is not a manifest is left alone.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sluice.errors import SluiceError
from sluice.render.environment import Rendered
from sluice.render.gateway_configuration import NAME_PREFIX
from sluice.render.guard import NAME_PREFIX as GUARD_PREFIX
from sluice.render.kubernetes_object import KubernetesObject
from sluice.render.litellm import CONFIGURATION_PREFIX as LITELLM_PREFIX
from sluice.render.prometheus import NAME_PREFIX as PROMETHEUS_PREFIX
from sluice.render.yaml_text import yaml_text

KUSTOMIZATION = "kustomization.yaml"
"""The file that names the others to whoever applies the folder."""

_UNFINISHED = ".unfinished-"
"""How the folder's name begins in which manifests are before all of them are written."""

_NOTE_OF_A_SECRET = "# the Secret with the providers' keys is not among these: it must be there before the pods start\n"  # noqa: S105 - it holds none
_NOTE_OF_A_STORE = "# the External Secrets Operator makes the Secrets: it and the store's object must be there\n"


class ManifestsNotWritten(SluiceError):
    """The folder for the manifests cannot be used."""

    def __init__(self, folder: Path, reason: str, remedy: str) -> None:
        self.folder = folder
        super().__init__(f"{folder}: {reason}; {remedy}")


@dataclass(frozen=True, slots=True)
class Written:
    """What writing a folder did, in names of files: those new or different, those gone, those as before."""

    changed: tuple[str, ...]
    removed: tuple[str, ...]
    unchanged: tuple[str, ...]


def manifests(rendered: Rendered) -> dict[str, str]:
    """Return the content of every manifest by its file's name, sorted by name."""
    header = (
        f"# rendered by `sluice render {rendered.environment}`; "
        f"edit registry/ or Pulumi.{rendered.environment}.yaml instead\n"
    )
    note = _NOTE_OF_A_STORE if rendered.external_secrets else _NOTE_OF_A_SECRET
    objects = {file_name(item): header + yaml_text(item.body) for item in rendered.objects()}
    return dict(sorted({**objects, KUSTOMIZATION: header + note + _kustomization(objects)}.items()))


def _kustomization(files: Iterable[str]) -> str:
    listed = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": sorted(files)}
    return yaml_text(listed)


def file_name(item: KubernetesObject) -> str:
    """Return the name of an object's file: kind and name, without the hash of a name that changes with the content."""
    hashed = "|".join((NAME_PREFIX, GUARD_PREFIX, LITELLM_PREFIX, PROMETHEUS_PREFIX))
    name = re.sub(rf"^({hashed})-[0-9a-f]{{8}}((?:-\d+)?)$", r"\1\2", item.name)
    return f"{item.kind.lower()}-{name}.yaml"


def write_manifests(rendered: Rendered, folder: Path) -> Written:
    """Make `folder` hold the manifests and nothing else. Raises ManifestsNotWritten, before anything is changed."""
    wanted = manifests(rendered)
    try:
        found = _found(folder)
        folder.mkdir(parents=True, exist_ok=True)
        changed = [name for name, text in wanted.items() if found.get(name) != text.encode()]
        _write_all(folder, {name: wanted[name] for name in changed})
        removed = sorted(found.keys() - wanted.keys())
        for name in removed:
            (folder / name).unlink()
    except OSError as error:
        raise ManifestsNotWritten(folder, f"cannot be written: {error.strerror}", "choose another by --out") from error
    return Written(tuple(changed), tuple(removed), tuple(name for name in wanted if name not in changed))


def _write_all(folder: Path, texts: Mapping[str, str]) -> None:
    """Write every file or, on a disk that is full, none: half a manifest would be somebody else's the next time."""
    if not texts:
        return
    with tempfile.TemporaryDirectory(prefix=_UNFINISHED, dir=folder) as inside:
        for name, text in texts.items():
            (Path(inside) / name).write_bytes(text.encode())
        for name in texts:
            (Path(inside) / name).replace(folder / name)


def _found(folder: Path) -> dict[str, bytes]:
    """Return the manifests a folder holds; refuse one that holds other things, which must be somebody's."""
    if not folder.exists():
        return {}
    if not folder.is_dir():
        raise ManifestsNotWritten(folder, "is not a folder", "choose another by --out")
    found = {}
    for file in sorted(folder.iterdir()):
        if file.name.startswith(_UNFINISHED):
            continue
        content = file.read_bytes() if file.is_file() else b""
        if not content.startswith(b"# rendered by `sluice render "):
            raise ManifestsNotWritten(
                folder, f"holds {file.name}, which is no manifest", "move it, or choose another by --out"
            )
        found[file.name] = content
    return found
