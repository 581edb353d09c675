"""What Pulumi writes into its log of events: what it has begun with, read while it runs, and all of it at the end."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

OPERATIONS: Final[Mapping[str, str]] = {
    "create": "create",
    "update": "update",
    "delete": "delete",
    "create-replacement": "replace",
}
"""What is done to an object, by the name of the step in which Pulumi does it."""


@dataclass(slots=True)
class EventLog:
    """A file of events, one a line, that Pulumi adds to."""

    file: Path
    _read_bytes: int = 0
    _begun: set[str] = field(default_factory=set)

    def events(self) -> Iterator[dict[str, Any]]:
        """Read the events up to the first that is not whole: a Pulumi that was killed leaves half of one."""
        with self.file.open() as lines:
            for line in lines:
                try:
                    event: dict[str, Any] = json.loads(line)
                except ValueError:
                    return
                yield event

    def begun(self) -> frozenset[str]:
        """Return what Pulumi has begun to make, change or delete, as `kind/name`. It reads only what is new."""
        with self.file.open("rb") as lines:
            lines.seek(self._read_bytes)
            for line in lines:
                if not line.endswith(b"\n"):
                    break  # it is being written
                self._read_bytes += len(line)
                self._note(line)
        return frozenset(self._begun)

    def _note(self, line: bytes) -> None:
        # The content of every object is in some event: only those that are looked for are worth being parsed.
        if b'"resourcePreEvent"' not in line:
            return
        try:
            metadata = json.loads(line)["resourcePreEvent"]["metadata"]
        except (ValueError, KeyError, TypeError):
            return
        if metadata.get("op") in OPERATIONS and str(metadata.get("type")).startswith("kubernetes:"):
            self._begun.add(object_name(metadata))


def object_name(metadata: Mapping[str, Any]) -> str:
    """Return kind and name of the Kubernetes object that an event is about."""
    state = metadata.get("new") or metadata.get("old") or {}
    name = state.get("inputs", {}).get("metadata", {}).get("name") or metadata["urn"].rpartition("::")[2]
    return f"{metadata['type'].rpartition(':')[2].lower()}/{name}"
