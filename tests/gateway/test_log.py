from __future__ import annotations

import json
import logging
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
