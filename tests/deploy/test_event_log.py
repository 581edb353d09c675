"""Pulumi's log of events is read while it is being written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sluice.deploy.event_log import EventLog


def begins(kind: str, name: str, operation: str = "update") -> dict[str, Any]:
    metadata = {
        "op": operation,
        "type": f"kubernetes:apps/v1:{kind}",
        "urn": f"urn:pulumi:dev::sluice::kubernetes:apps/v1:{kind}::{name}-{kind.lower()}",
        "new": {"inputs": {"metadata": {"name": name}}},
    }
    return {"resourcePreEvent": {"metadata": metadata}}


def test_what_pulumi_has_begun_with_is_known_while_it_goes_on(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events")
    log.file.write_text("")
    assert log.begun() == frozenset()

    line = json.dumps(begins("Deployment", "sluice-guard")) + "\n"
    log.file.write_text(line[:40])
    assert log.begun() == frozenset(), "half an event is none yet"
    log.file.write_text(line + json.dumps({"resOutputsEvent": {}}) + "\n")
    assert log.begun() == {"deployment/sluice-guard"}
    with log.file.open("a") as more:
        more.write(json.dumps(begins("Service", "gateway", "create")) + "\n")
    assert log.begun() == {"deployment/sluice-guard", "service/gateway"}


def test_what_is_only_looked_at_or_left_the_same_has_not_been_begun(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events")
    stack = {"resourcePreEvent": {"metadata": {"op": "update", "type": "pulumi:pulumi:Stack", "urn": "urn:a::b"}}}
    events = [begins("Deployment", "gateway", "refresh"), begins("Deployment", "cache", "same"), stack, {}]
    log.file.write_text("".join(f"{json.dumps(event)}\n" for event in events) + '{"resourcePreEvent": "torn"}\n')

    assert log.begun() == frozenset()
