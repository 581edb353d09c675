"""A Pulumi that makes nothing: it notes how it is called, and says and writes the events that it is told to."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any


def summary(seconds: int = 3, **changes: int) -> dict[str, Any]:
    return {"sequence": 9, "summaryEvent": {"durationSeconds": seconds, "resourceChanges": changes, "PolicyPacks": {}}}


def outputs(kind: str = "pulumi:pulumi:Stack", **values: Any) -> dict[str, Any]:
    new = {"type": kind, "urn": f"urn:pulumi:dev::sluice::{kind}::sluice-dev", "outputs": values}
    return {"resOutputsEvent": {"metadata": {"op": "same", "type": kind, "new": new}}}


def diagnostic(message: str, severity: str = "error") -> dict[str, Any]:
    return {"diagnosticEvent": {"urn": "urn:made", "message": message, "color": "raw", "severity": severity}}


@dataclass
class FakePulumi:
    """A `pulumi` in `folder` that notes how it is called and says what it is told to."""

    folder: Path

    def install(
        self, events: list[dict[str, Any]] | None = None, *, exit_code: int = 0, say: str = "", torn: str = ""
    ) -> Path:
        """Write the program: its events, what it prints, and how it ends."""
        self.folder.mkdir(exist_ok=True)
        lines = "".join(f"{json.dumps(event)}\n" for event in events or [summary(same=1)])
        (self.folder / "events").write_text(lines + torn)
        (self.folder / "said").write_bytes(say.encode("latin-1"))
        program = self.folder / "pulumi"
        program.write_text(
            f"""#!{sys.executable}
import json, os, sys
from pathlib import Path
here = Path({str(self.folder)!r})
with (here / "calls").open("a") as calls:
    calls.write(json.dumps([sys.argv[1:], dict(os.environ), os.getcwd()]) + "\\n")
if "--event-log" in sys.argv:
    log = Path(sys.argv[sys.argv.index("--event-log") + 1])
    assert log.stat().st_mode & 0o077 == 0, "outputs may be secrets"
    log.write_text((here / "events").read_text())
elif sys.argv[1:3] == ["stack", "select"] and (here / "stack-fails").is_file():
    sys.exit((here / "stack-fails").read_text())
elif sys.argv[1:3] == ["stack", "select"]:
    file = Path(os.environ["PULUMI_BACKEND_URL"].removeprefix("file://"), ".pulumi/stacks/sluice/dev.json")
    file.parent.mkdir(parents=True)
    file.write_text("{{}}")
    sys.exit()
sys.stdout.buffer.write((here / "said").read_bytes())
sys.stdout.flush()
sys.exit({exit_code})
"""
        )
        program.chmod(0o755)
        return program

    def calls(self) -> list[list[str]]:
        """The arguments of each call."""
        return [arguments for arguments, _, _ in self._notes()]

    def variables(self) -> dict[str, str]:
        """The environment of the last call."""
        variables: dict[str, str] = self._notes()[-1][1]
        return variables

    def folders(self) -> list[str]:
        """Where each call was made."""
        return [folder for _, _, folder in self._notes()]

    def _notes(self) -> list[list[Any]]:
        return [json.loads(line) for line in (self.folder / "calls").read_text().splitlines()]
