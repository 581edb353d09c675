"""A project of one environment with a made Pulumi, which keeps what it is told and notes every call."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sluice.local.toolchain import PulumiTools
from tests.everything import PROJECT

DIGEST = "sha256:" + "0" * 64
VALUE = "made-key-that-opens-nothing"

# Keeps values in a file of its own, writes what Pulumi would into the settings, and notes every call.
PULUMI = f"""#!{sys.executable}
import json, os, sys
from pathlib import Path
here = Path(__file__).parent
with (here / "calls").open("a") as calls:
    calls.write(json.dumps([sys.argv[1:], os.environ.get("SLUICE_GATEWAY_IMAGE")]) + "\\n")
kept = here / "kept.json"
values = json.loads(kept.read_text()) if kept.exists() else {{}}
if sys.argv[1] == "config":
    name = next(a for a in sys.argv if a.startswith("sluice:"))
    if sys.argv[2] == "get":
        print(values[name])
    if sys.argv[2] == "set":
        assert "--secret" in sys.argv
        values[name] = sys.stdin.read()
        kept.write_text(json.dumps(values))
        file = Path("Pulumi.dev.yaml")
        if name not in file.read_text():
            file.write_text(file.read_text() + f"  {{name}}: {{{{secure: v1:made:up}}}}\\n")
if sys.argv[1] == "up":
    Path(sys.argv[sys.argv.index("--event-log") + 1]).write_text(
        json.dumps({{"summaryEvent": {{"durationSeconds": 1, "resourceChanges": {{"update": 1}}}}}}) + "\\n")
    sys.exit((here / "up-fails").is_file() and "error: the API server said no")
"""


class Project:
    """A project of one environment, and what its made Pulumi was asked."""

    def __init__(self, folder: Path) -> None:
        self.settings = folder / "Pulumi.dev.yaml"
        self.programs = folder / "bin"

    def kept(self) -> dict[str, str]:
        file = self.programs / "kept.json"
        values: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
        return values

    def calls(self) -> list[list[str]]:
        file = self.programs / "calls"
        return [json.loads(line)[0] for line in file.read_text().splitlines()] if file.exists() else []

    def ups(self) -> list[tuple[list[str], str]]:
        lines = map(json.loads, (self.programs / "calls").read_text().splitlines())
        return [(arguments, image) for arguments, image in lines if arguments[0] == "up"]


Type = Callable[[str | bytes], None]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    made = Project(tmp_path)
    made.programs.mkdir()
    program = made.programs / "pulumi"
    program.write_text(PULUMI)
    program.chmod(0o755)
    made.settings.write_text(
        f"config:\n  sluice:namespace: a\n  sluice:gateway: {{image: 'a/b@{DIGEST}', replicas: 1}}\n"
    )
    (tmp_path / "registry").symlink_to(PROJECT / "registry")
    monkeypatch.chdir(tmp_path)
    tools = PulumiTools(program, {"PULUMI_HOME": str(tmp_path / "home")})
    for module in ("secret_values", "launch", "rotation"):
        monkeypatch.setattr(f"sluice.deploy.{module}.PROJECT", tmp_path)
        monkeypatch.setattr(f"sluice.deploy.{module}.ensure_pulumi", lambda *_: tools)
    return made


@pytest.fixture
def type_in(monkeypatch: pytest.MonkeyPatch) -> Type:
    """Give the command a standard input."""

    def give(content: str | bytes) -> None:
        data = content if isinstance(content, bytes) else content.encode()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    return give
