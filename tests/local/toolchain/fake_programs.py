"""Programs made of a few lines of shell: a Go that builds what it is told to, and a Pulumi that notes how it is run."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

SYSTEM_PATH = "/usr/bin:/bin"


def program(file: Path, script: str) -> Path:
    """Write an executable shell script."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return file


@dataclass
class FakeGo:
    """A `go` in `folder`: `go build -o FILE` writes the script that `results` holds for FILE's name, or one of its own.

    Files that a tool takes out of a Go module come from `modules`/MODULE.
    """

    folder: Path
    version: str = "go1.26.1"
    results: dict[str, str] = field(default_factory=dict)
    before_building: str = ""
    """Shell that runs before a result is written; `$out` is the file."""

    @property
    def modules(self) -> Path:
        """The folder of the made modules."""
        return self.folder.parent / "modules-of-go"

    @property
    def _log(self) -> Path:
        return self.folder.parent / "go.log"

    def install(self) -> None:
        """Write the program as it is described now."""
        results = "\n".join(
            f"*/{name}) printf '%s' {shlex.quote(script)} > \"$out\" ;;" for name, script in self.results.items()
        )
        program(
            self.folder / "go",
            f"""
case "$1" in
env) echo {shlex.quote(self.version)}; exit ;;
mod) printf '{{"Dir": "%s/%s"}}' {shlex.quote(str(self.modules))} "$4"; exit ;;
esac
for argument; do [ "$previous" = -o ] && out=$argument; previous=$argument; done
echo "$(basename "$out") $CGO_ENABLED $GOWORK $PWD" >> {shlex.quote(str(self._log))}
echo example.com/one >&2
{self.before_building}
case "$out" in
{results}
*) printf '#!/bin/sh\\necho made\\n' > "$out" ;;
esac
chmod 755 "$out"
""",
        )

    def module_file(self, module: str, path: str, content: str) -> None:
        """Put a file into a made module."""
        file = self.modules / module / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)

    def built(self) -> list[str]:
        """The names of the binaries that were built, in order."""
        return [line.split()[0] for line in self._builds()]

    def surroundings(self) -> list[list[str]]:
        """What each build was run with: CGO_ENABLED, GOWORK and the folder."""
        return [line.split()[1:] for line in self._builds()]

    def _builds(self) -> list[str]:
        return self._log.read_text().splitlines() if self._log.is_file() else []


@dataclass(frozen=True)
class FakePulumi:
    """A `pulumi` that knows its version, installs plugins as the real one does, and writes down each call."""

    log: Path
    version: str = "v3.250.0"
    download_works: bool = True
    file_works: bool = True

    @property
    def script(self) -> str:
        """The program's text."""
        download = "true" if self.download_works else "echo 'no such host' >&2; exit 1"
        file = "true" if self.file_works else "echo 'error: the plugin is not for this machine' >&2; exit 255"
        return f"""#!/bin/sh
if [ "$1" = version ]; then echo {self.version}; exit; fi
echo "$0 $*" >> {shlex.quote(str(self.log))}
folder=${{PULUMI_HOME:-$HOME/.pulumi}}/plugins/resource-kubernetes-v4.25.0
if [ "$6" = --file ]; then {file}; else {download}; fi
mkdir -p "$folder"
if [ "$6" = --file ]; then cp "$7" "$folder/pulumi-resource-kubernetes"; fi
"""

    def install(self, folder: Path) -> Path:
        """Put it into a folder of the PATH."""
        file = program(folder / "pulumi", "")
        file.write_text(self.script)
        return file

    def calls(self) -> list[list[str]]:
        """Each call but `version`: the program's path and its arguments."""
        return [line.split() for line in self.log.read_text().splitlines()] if self.log.is_file() else []


def path_of(folders: Iterable[Path], *, also: Sequence[str] = (SYSTEM_PATH,)) -> str:
    """Return a PATH of these folders and the system's."""
    return ":".join([*map(str, folders), *also])


def schema(version: str) -> str:
    """A provider's schema.json."""
    return json.dumps({"name": "kubernetes", "version": version})
