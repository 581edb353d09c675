from __future__ import annotations

import dataclasses
import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sluice.local.cluster import conditions, logs, processes, records
from sluice.local.cluster.components import Name
from sluice.local.cluster.conditions import Condition
from sluice.local.cluster.errors import NotReadable, UnknownComponent
from sluice.local.cluster.layout import Layout
from sluice.local.cluster.records import Record


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path)
    layout.create()
    return layout


@pytest.fixture
def record() -> Record:
    me = processes.find(os.getpid())
    assert me is not None
    return Record(Name.ETCD, me, 1000.5, "digest")


def test_a_record_comes_back_as_it_was_saved(layout: Layout, record: Record) -> None:
    records.save(layout, record)
    assert records.load(layout, Name.ETCD) == record
    records.forget(layout, Name.ETCD)
    assert records.load(layout, Name.ETCD) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"component": "etcd"}', '{"component": "etcd", "process": {"a": 1}}'])
def test_a_record_that_cannot_be_read_is_none(layout: Layout, text: str) -> None:
    (layout.run / "etcd.json").write_text(text)
    assert records.load(layout, Name.ETCD) is None


def test_the_digest_changes_with_command_program_and_inputs(tmp_path: Path) -> None:
    program, other, config = tmp_path / "program", tmp_path / "other", tmp_path / "config"
    program.write_text("one")
    other.write_text("other")
    config.write_text("a")
    first = records.digest_of((str(program), "--x"), (config,))
    assert records.digest_of((str(program), "--x"), (config,)) == first
    assert records.digest_of((str(program), "--y"), (config,)) != first
    assert records.digest_of((str(other), "--x"), (config,)) != first
    config.write_text("b")
    assert records.digest_of((str(program), "--x"), (config,)) != first


def test_running_processes_are_known_by_their_marks(layout: Layout) -> None:
    environment = {"SLUICE_CLUSTER": str(layout.state), "SLUICE_COMPONENT": "etcd"}
    code = "print('ready', flush=True); input()"
    child = subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout is not None
        child.stdout.readline()
        (mark,) = [mark for mark in records.marked_processes() if mark.state == str(layout.state)]
        assert (mark.process.pid, mark.component) == (child.pid, "etcd")
    finally:
        child.kill()
        child.communicate()


def test_the_status_tells_running_from_dead_and_stopped(layout: Layout, record: Record) -> None:
    gone = dataclasses.replace(record.process, start_ticks=1)
    records.save(layout, record)
    records.save(layout, dataclasses.replace(record, component=Name.KUBELET, process=gone))
    found = conditions.status(layout.state)
    told = {part.name: part for part in found.components}
    assert told[Name.ETCD].condition is Condition.RUNNING
    assert told[Name.ETCD].pid == os.getpid()
    assert (told[Name.ETCD].resident_mib or 0) > 1
    assert told[Name.KUBELET].condition is Condition.DEAD
    assert told[Name.DNS].condition is Condition.STOPPED
    assert found.node_is_ready is None
    assert not found.is_up


def test_nothing_started_is_stopped(tmp_path: Path) -> None:
    found = conditions.status(tmp_path / "never")
    assert {part.condition for part in found.components} == {Condition.STOPPED}
    assert not found.is_up


def refuse(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the kernel's refusal come for reading `path`, which root, who may run these tests, never gets."""
    read = Path.read_text

    def read_text(self: Path, *arguments: Any, **named: Any) -> str:
        if self == path:
            raise PermissionError(errno.EACCES, "Permission denied", str(self))
        return read(self, *arguments, **named)

    monkeypatch.setattr(Path, "read_text", read_text)


def test_who_may_not_read_the_kubeconfig_is_not_told_that_a_running_cluster_is_down(
    layout: Layout, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in Name:
        records.save(layout, dataclasses.replace(record, component=name))
    refuse(layout.kubeconfig, monkeypatch)
    with pytest.raises(
        NotReadable, match=r"cannot be known, since only root may read .*/kubeconfig: .* sudo"
    ) as caught:
        conditions.status(layout.state)
    assert caught.value.exit_code == 3


def test_a_component_that_does_not_run_is_a_no_for_everybody(
    layout: Layout, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in set(Name) - {Name.DNS}:
        records.save(layout, dataclasses.replace(record, component=name))
    refuse(layout.kubeconfig, monkeypatch)
    found = conditions.status(layout.state)
    assert (found.is_up, found.node_is_ready) == (False, None)


def test_records_that_may_not_be_read_do_not_mean_stopped(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(layout.run / "kubelet.json", monkeypatch)
    with pytest.raises(NotReadable, match=r"only root may read .*/run/kubelet\.json"):
        conditions.status(layout.state)


def test_a_log_of_no_component_is_refused(layout: Layout) -> None:
    with pytest.raises(UnknownComponent, match=r"postgres is no component of .*; there are etcd, ") as caught:
        logs.read(layout.state, ["postgres"])
    assert caught.value.exit_code == 2


def test_logs_are_read_with_names_followed_and_survive_being_emptied(layout: Layout) -> None:
    path = logs.log_file(layout.state, "etcd")
    path.write_text("one\ntwo\nthree\n")
    assert list(logs.read(layout.state, ["etcd"], lines=2)) == ["two", "three"]
    assert "etcd                    | three" in list(logs.read(layout.state))
    following = logs.read(layout.state, ["etcd"], lines=1, follow=True)
    assert next(following) == "three"
    with path.open("a") as stream:
        stream.write("four\n")
    assert next(following) == "four"
    path.write_text("5\n")
    assert next(following) == "5"


def test_a_failure_shows_what_the_latest_process_said_alone(layout: Layout) -> None:
    path = logs.log_file(layout.state, "etcd")
    for word in ("first", "second"):
        logs.begin(path, ("etcd", "--flag"))
        with path.open("a") as stream:
            stream.write(f"{word}\n")
    assert logs.lines_since_start(path, 8) == ["second"]


def test_a_long_log_is_put_aside_while_its_writer_goes_on(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_BOUND_BYTES", 10)
    path = logs.log_file(layout.state, "etcd")
    with path.open("a") as writer:
        writer.write("a long line indeed\n")
        writer.flush()
        logs.bound(layout)
        writer.write("after\n")
    assert path.read_text() == "after\n"
    assert path.with_name("etcd.log.1").read_text() == "a long line indeed\n"
