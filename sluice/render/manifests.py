"""Writes rendered objects as the files that people review: one object a file, the same bytes each time.

Beside them lies a kustomization.yaml that lists them, for `kubectl apply -k`, Argo CD and Flux.

The folder holds what was rendered and nothing else: a file whose object is gone is removed, but a folder that holds
anything that is not a manifest is left alone.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, LiteralScalarString

from sluice.errors import SluiceError
from sluice.render.environment import Rendered
from sluice.render.gateway_configuration import NAME_PREFIX
from sluice.render.kubernetes_object import KubernetesObject

# Kubernetes reads YAML 1.1, where more words and numbers than in 1.2 are not text: what is not plainly text is quoted.
_PLAINLY_TEXT = re.compile(r"[A-Za-z/][A-Za-z0-9_./:@-]*")
_WORDS_OF_YAML_1_1 = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})

# ruamel.yaml looks at each character in turn, a megabyte in seconds: lines that need no care are put in afterwards.
_LONG = 10_000
_PLAIN_LINES = re.compile(r"(?! )(?:[ -~]*[!-~]\n)+")
_DIGEST = re.compile(r"^( +)([0-9a-f]{64})\n", re.MULTILINE)

KUSTOMIZATION = "kustomization.yaml"
"""The file that names the others to whoever applies the folder."""

_KUSTOMIZATION_NOTE = (
    "# the Secret with the providers' keys is not among these: it must be there before the pods start\n"
)


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
    objects = {file_name(item): header + yaml_text(item.body) for item in rendered.objects()}
    return dict(sorted({**objects, KUSTOMIZATION: header + _KUSTOMIZATION_NOTE + _kustomization(objects)}.items()))


def _kustomization(files: Iterable[str]) -> str:
    listed = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": sorted(files)}
    return yaml_text(listed)


def file_name(item: KubernetesObject) -> str:
    """Return the name of an object's file: kind and name, without the hash of a name that changes with the content."""
    name = re.sub(rf"^({NAME_PREFIX})-[0-9a-f]{{8}}((?:-\d+)?)$", r"\1\2", item.name)
    return f"{item.kind.lower()}-{name}.yaml"


def write_manifests(rendered: Rendered, folder: Path) -> Written:
    """Make `folder` hold the manifests and nothing else. Raises ManifestsNotWritten, before anything is changed."""
    wanted = manifests(rendered)
    try:
        found = _found(folder)
        folder.mkdir(parents=True, exist_ok=True)
        changed = [name for name, text in wanted.items() if found.get(name) != text.encode()]
        for name in changed:
            (folder / name).write_bytes(wanted[name].encode())
        removed = sorted(found.keys() - wanted.keys())
        for name in removed:
            (folder / name).unlink()
    except OSError as error:
        raise ManifestsNotWritten(folder, f"cannot be written: {error.strerror}", "choose another by --out") from error
    return Written(tuple(changed), tuple(removed), tuple(name for name in wanted if name not in changed))


def _found(folder: Path) -> dict[str, bytes]:
    """Return the manifests a folder holds; refuse one that holds other things, which must be somebody's."""
    if not folder.exists():
        return {}
    if not folder.is_dir():
        raise ManifestsNotWritten(folder, "is not a folder", "choose another by --out")
    found = {}
    for file in sorted(folder.iterdir()):
        content = file.read_bytes() if file.is_file() else b""
        if not content.startswith(b"# rendered by `sluice render "):
            raise ManifestsNotWritten(
                folder, f"holds {file.name}, which is no manifest", "move it, or choose another by --out"
            )
        found[file.name] = content
    return found


def yaml_text(body: dict[str, Any]) -> str:
    """Write an object as YAML that Kubernetes reads as exactly this object."""
    writer = YAML()
    writer.default_flow_style = False
    writer.width = 4096  # a line is never folded, so that a change of one word is a change of one line
    writer.indent(mapping=2, sequence=4, offset=2)
    text = io.StringIO()
    long: dict[str, str] = {}
    writer.dump(_styled(body, long), text)
    return _DIGEST.sub(lambda found: _indented(long.get(found[2], f"{found[2]}\n"), found[1]), text.getvalue())


def _indented(text: str, by: str) -> str:
    return "".join(f"{by}{line}\n" for line in text.splitlines())


def _styled(value: Any, long: dict[str, str]) -> Any:
    """Say how each text is to be written; what is long goes into `long`, and its digest stands in its place."""
    match value:
        case dict():
            return {_styled(key, long): _styled(item, long) for key, item in value.items()}
        case list():
            return [_styled(item, long) for item in value]
        case str() if len(value) > _LONG and _PLAIN_LINES.fullmatch(value):
            digest = hashlib.sha256(value.encode()).hexdigest()
            long[digest] = value
            return LiteralScalarString(f"{digest}\n")
        case str() if "\n" in value:
            return LiteralScalarString(value)
        case str() if not _PLAINLY_TEXT.fullmatch(value) or value.lower() in _WORDS_OF_YAML_1_1:
            return DoubleQuotedScalarString(value)
        case _:
            return value
