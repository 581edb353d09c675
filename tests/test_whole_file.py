"""A file is written whole or not at all."""

from __future__ import annotations

import os
import resource
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sluice.whole_file import write_whole


@contextmanager
def room_for_100_bytes() -> Iterator[None]:
    """Have the kernel refuse longer files; no fixture, for pytest itself may write to a file between its phases."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


def test_without_room_the_old_text_stays_and_no_half_is_left(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    write_whole(file, "old")

    with room_for_100_bytes(), pytest.raises(OSError, match=r"report\.html") as raised:
        write_whole(file, "new" * 1000)
    assert raised.value.filename == str(file)
    assert [one.name for one in tmp_path.iterdir()] == ["report.html"]
    assert file.read_text() == "old"


def test_a_link_leads_to_what_is_written_and_others_may_read_it_as_before(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_whole(tmp_path / "link", "text")
    (tmp_path / "usual").write_text("")

    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "text"
    assert stat.S_IMODE((tmp_path / "real").stat().st_mode) == stat.S_IMODE((tmp_path / "usual").stat().st_mode)


def test_what_is_no_file_is_written_to_and_not_replaced() -> None:
    write_whole(Path(os.devnull), "text")

    assert Path(os.devnull).is_char_device()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"No such file or directory: '.*nowhere/report.html'"):
        write_whole(tmp_path / "nowhere" / "report.html", "text")
