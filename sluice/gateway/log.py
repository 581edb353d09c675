"""One line of JSON on standard output for each thing worth telling: start, flags loaded, failures.

What is logged is chosen field by field. Keys, users and texts of messages are never fields, and an exception is told by
its class and its place alone, because its message may quote any of the three.
"""

from __future__ import annotations

import logging
import sys
import traceback
from datetime import UTC, datetime
from types import TracebackType

import orjson

_LOGGER = logging.getLogger("sluice.gateway")

Field = str | int | float | bool | None | list[str] | dict[str, int]


def configure_logging() -> None:
    """Send every logger of the process, uvicorn's and aiohttp's too, through the one-line format."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_OneLine())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)  # the libraries tell of trouble only
    _LOGGER.setLevel(logging.INFO)


def info(event: str, **fields: Field) -> None:
    """Tell that something happened as it should."""
    _LOGGER.info(event, extra={"fields": fields})


def warning(event: str, **fields: Field) -> None:
    """Tell of something that a person should mend, while requests are still answered."""
    _LOGGER.warning(event, extra={"fields": fields})


def error(event: str, *, exception: BaseException | None = None, **fields: Field) -> None:
    """Tell of something that a caller felt; `exception` adds its class and where it was raised."""
    _LOGGER.error(event, extra={"fields": fields}, exc_info=exception)


class _OneLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage().strip(),
        }
        if record.name != _LOGGER.name:
            line["logger"] = record.name
        line.update(getattr(record, "fields", {}))
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = record.exc_info[0].__name__
            line["at"] = _places(record.exc_info[2])
        return orjson.dumps(line, default=str).decode()


def _places(trace: TracebackType | None) -> list[str]:
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(trace)[-8:]]
