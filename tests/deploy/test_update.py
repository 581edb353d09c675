"""What an update did, read from the events that Pulumi wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.deploy.engine import Update, _result
from sluice.deploy.event_log import EventLog
from tests.deploy.fake_pulumi import outputs, summary


@pytest.mark.parametrize(
    ("changes", "unchanged", "said"),
    [
        ({"same": 9}, True, "9 unchanged"),
        ({"same": 9, "update": 0}, True, "9 unchanged, 0 updated"),
        ({}, True, "nothing to do"),
        ({"same": 8, "update": 1}, False, "8 unchanged, 1 updated"),
        (
            {"same": 1, "create": 2, "update": 3, "replace": 4, "delete": 5, "import": 6},
            False,
            "2 created, 5 deleted, 6 import, 4 replaced, 1 unchanged, 3 updated",
        ),
    ],
)
def test_an_update_says_what_it_changed(changes: dict[str, int], unchanged: bool, said: str) -> None:
    update = Update({}, changes, 1.0)

    assert (update.unchanged, str(update)) == (unchanged, said)


def test_an_update_that_said_nothing_changed_nothing() -> None:
    assert _result("up", 0, "", []) == Update({}, {}, 0.0)
    assert _result("up", 0, "", [{"summaryEvent": {"resourceChanges": None}}]) == Update({}, {}, 0.0)


def test_only_the_stacks_own_outputs_are_its_outputs() -> None:
    removed = {"resOutputsEvent": {"metadata": {"op": "delete", "type": "pulumi:pulumi:Stack", "new": None}}}

    assert _result("up", 0, "", [outputs("kubernetes:core/v1:Secret", url="x"), summary()]).outputs == {}
    assert _result("destroy", 0, "", [removed, summary()]).outputs == {}
    assert _result("up", 0, "", [outputs(url="first"), outputs(url="last"), summary()]).outputs == {"url": "last"}


def test_events_are_read_up_to_where_the_writer_was_stopped(tmp_path: Path) -> None:
    log = tmp_path / "events"
    log.write_text('{"sequence": 1}\n{"sequence": 2}\n{"seq')

    assert list(EventLog(log).events()) == [{"sequence": 1}, {"sequence": 2}]


def _made(operation: str, kind: str, name: str, *, gone: bool = False) -> dict[str, object]:
    state = {"inputs": {"metadata": {"name": name}}}
    metadata = {"op": operation, "type": kind, "urn": "urn:made::x", "old": state, "new": None if gone else state}
    return {"resOutputsEvent": {"metadata": metadata}}


def test_an_update_names_the_objects_that_it_changed_and_what_became_of_them() -> None:
    events = [
        _made("refresh", "kubernetes:core/v1:Service", "gateway"),
        _made("update", "kubernetes:core/v1:ConfigMap", "flags"),
        _made("create-replacement", "kubernetes:core/v1:ConfigMap", "gateway-config-2"),
        _made("update", "kubernetes:apps/v1:Deployment", "gateway"),
        _made("delete-replaced", "kubernetes:core/v1:ConfigMap", "gateway-config-1", gone=True),
        _made("delete", "kubernetes:core/v1:Service", "cache", gone=True),
        _made("update", "sluice:index:Gateway", "gateway"),
        summary(update=2, replace=1, delete=1),
    ]

    update = _result("up", 0, "", events)

    assert update.named() == [
        "deleted: service/cache",
        "replaced: configmap/gateway-config-2",
        "updated: configmap/flags, deployment/gateway",
    ]


def test_an_update_that_made_everything_names_nothing() -> None:
    events = [_made("create", "kubernetes:core/v1:ConfigMap", f"made-{number}") for number in range(13)]

    assert _result("up", 0, "", events).named() == []
