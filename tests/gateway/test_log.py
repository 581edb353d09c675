from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from sluice.gateway import log


@pytest.fixture(autouse=True)
def _loggers_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


def _lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_each_event_is_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure_logging()
    log.info("flags loaded", weights={"qa": 10})
    log.warning("two\nlines")
    first, second = _lines(capsys)
    assert (first["event"], first["level"], first["weights"]) == ("flags loaded", "info", {"qa": 10})
    assert second["event"] == "two\nlines"


def test_an_exception_is_told_by_class_and_place_and_never_by_its_words(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure_logging()
    try:
        raise ValueError("what the user wrote")
    except ValueError as error:
        log.error("request failed", exception=error)
        logging.getLogger("uvicorn.error").error("Exception in ASGI application\n", exc_info=error)
    told = _lines(capsys)
    assert [line["exception"] for line in told] == ["ValueError", "ValueError"]
    assert "test_log.py" in told[0]["at"][0]
    assert "what the user wrote" not in json.dumps(told)
    assert told[1]["logger"] == "uvicorn.error"


def test_what_fails_again_and_again_is_told_a_few_times_and_then_counted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    log.configure_logging()
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    for _ in range(500):
        log.warning("model failed", model="qa-1", agent="qa", what="status 500")
        log.warning("model failed", model="qa-2", agent="qa", what="status 500")
    told = _lines(capsys)
    assert [line["model"] for line in told].count("qa-1") == log.MOST_ALIKE
    assert [line["model"] for line in told].count("qa-2") == log.MOST_ALIKE
    now += log.ALIKE_SECONDS
    log.warning("model failed", model="qa-1", agent="qa", what="status 500")
    log.info("flags loaded")
    again, other = _lines(capsys)
    assert again["alike_before"] == 500 - log.MOST_ALIKE
    assert "alike_before" not in other


def test_kinds_of_trouble_are_remembered_within_bounds(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure_logging()
    guard = logging.getLogger().handlers[0].filters[0]
    for number in range(5000):
        logging.getLogger("some.library").warning(f"trouble {number}")
    assert len(guard._kinds) <= 256  # type: ignore[union-attr]
    assert len(_lines(capsys)) == 5000


@pytest.mark.parametrize(("level", "told"), [("info", 4), ("warning", 2), ("error", 1)])
def test_the_level_decides_what_is_told(capsys: pytest.CaptureFixture[str], level: str, told: int) -> None:
    log.configure_logging(level)
    log.info("as it should")
    log.warning("to be mended")
    log.error("felt by a caller")
    log.request({"agent": "qa"})
    assert len(_lines(capsys)) == told


def test_a_standard_output_that_nobody_reads_holds_nobody_up() -> None:
    code = (
        "import time; from sluice.gateway import log\n"
        "log.configure_logging(); log.write_in_background()\n"
        "began = time.perf_counter()\n"
        "for _ in range(30_000): log.request({'agent': 'qa' * 50})\n"
        "import sys; print(time.perf_counter() - began, file=sys.stderr, flush=True)\n"
        "import os; os._exit(0)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ
    )
    assert process.stderr is not None  # its standard output is a pipe of 64 KiB that is never read
    assert float(process.stderr.readline()) > 0  # a write that waits for a reader would wait for ever
    process.kill()
    process.communicate()


def test_lines_that_wait_are_written_at_the_end() -> None:
    code = (
        "from sluice.gateway import log\n"
        "log.configure_logging(); log.write_in_background()\n"
        "for _ in range(100): log.request({'agent': 'qa'})\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert len(ran.stdout.splitlines()) == 100


def test_a_text_with_half_a_character_is_logged_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure_logging()
    log.warning("told", by="J\udcfcrgen")
    assert json.loads(capsys.readouterr().out)["by"] == "J\udcfcrgen"
