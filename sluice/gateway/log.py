"""One line of JSON on standard output for each thing worth telling: start, flags loaded, failures, every request.

What is logged is chosen field by field. Keys, users and texts of messages are never fields, and an exception is told by
its class and its place alone, because its message may quote any of the three. Of a warning that comes again and again a
few lines are written and the rest counted, so that a dead provider does not bury what else there is to see.
"""

from __future__ import annotations

import json
import logging
import time
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from types import TracebackType

import orjson

from sluice.gateway.line_writer import LineWriter

LEVELS = ("debug", "info", "warning", "error")

MOST_ALIKE = 10
"""How many lines of one kind are written before the rest of the time below are counted instead."""

ALIKE_SECONDS = 10.0
_MOST_KINDS = 256

_LOGGER = logging.getLogger("sluice.gateway")
_WRITER = LineWriter()

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the request that is being served: part of every line that is logged meanwhile."""

Field = str | int | float | bool | None | list[str] | dict[str, int]


def configure_logging(level: str = "info") -> None:
    """Send every logger of the process, uvicorn's and aiohttp's too, through the one-line format, from `level` up."""
    handler = _Handler()
    handler.addFilter(_FloodGuard())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(logging.WARNING, logging.getLevelName(level.upper())))  # the libraries tell of trouble only
    _LOGGER.setLevel(level.upper())


def write_in_background() -> None:
    """Write lines from a thread from now on: nobody waits for whoever reads standard output."""
    _WRITER.start()


def close() -> None:
    """Write what waits."""
    _WRITER.close()


def info(event: str, **fields: Field) -> None:
    """Tell that something happened as it should."""
    _LOGGER.info(event, extra={"fields": fields})


def warning(event: str, **fields: Field) -> None:
    """Tell of something that a person should mend, while requests are still answered."""
    _LOGGER.warning(event, extra={"fields": fields})


def error(event: str, *, exception: BaseException | None = None, **fields: Field) -> None:
    """Tell of something that a caller felt; `exception` adds its class and where it was raised."""
    _LOGGER.error(event, extra={"fields": fields}, exc_info=exception)


def request(fields: dict[str, object]) -> None:
    """Tell of a request that has ended, as information; past `logging`, which costs more than all of the line."""
    if _LOGGER.isEnabledFor(logging.INFO):
        head = {"time": _moment(time.time()), "level": "info", "event": "request", "request_id": request_id.get()}
        _WRITER.write(_dumped({**head, **fields}))


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        _WRITER.write(_line(record))


class _FloodGuard(logging.Filter):
    """Lets a few lines of a kind through, and adds to the first of the next stretch how many were held back."""

    def __init__(self) -> None:
        super().__init__()
        self._kinds: dict[tuple[object, ...], list[float]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING:
            return True
        fields = getattr(record, "fields", {})
        exception = record.exc_info[0] if record.exc_info else None
        kind = (record.name, record.msg, exception, fields.get("code"), fields.get("model"), fields.get("agent"))
        now = time.monotonic()
        if len(self._kinds) >= _MOST_KINDS and kind not in self._kinds:
            self._kinds.clear()
        seen = self._kinds.setdefault(kind, [now, 0])
        if now - seen[0] >= ALIKE_SECONDS:
            held_back = int(seen[1]) - MOST_ALIKE
            seen[:] = [now, 0]
            if held_back > 0:
                record.held_back = held_back
        seen[1] += 1
        return seen[1] <= MOST_ALIKE


def _line(record: logging.LogRecord) -> bytes:
    line: dict[str, object] = {
        "time": _moment(record.created),
        "level": record.levelname.lower(),
        "event": record.getMessage().strip(),
    }
    if record.name != _LOGGER.name:
        line["logger"] = record.name
    serving = request_id.get()
    if serving is not None:
        line["request_id"] = serving
    line.update(getattr(record, "fields", {}))
    held_back = getattr(record, "held_back", 0)
    if held_back:
        line["alike_before"] = held_back
    if record.exc_info and record.exc_info[0] is not None:
        line["exception"] = record.exc_info[0].__name__
        line["at"] = _places(record.exc_info[2])
    return _dumped(line)


def _dumped(line: dict[str, object]) -> bytes:
    """Write a line, whatever its texts hold: what cannot be written here must not stop what is logged."""
    try:
        return orjson.dumps(line, default=str)
    except TypeError:  # half a character, as in a text that was cut in the middle of one
        return json.dumps(line, default=str).encode("ascii")


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _places(trace: TracebackType | None) -> list[str]:
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(trace)[-8:]]
