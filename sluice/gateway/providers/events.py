"""Cuts a stream of server-sent events into whole events, however its pieces were cut on the way."""

from __future__ import annotations

import re

from sluice.gateway.providers.dialect import AnswerUnusable

EVENT_LIMIT_BYTES = 4 * 1024**2
_BLANK_LINES = (b"\n\n", b"\r\n\r\n")
_BLANK_LINE = re.compile(rb"\r\n\r\n|\n\n")


class EventCutter:
    """Holds back what is no whole event yet."""

    def __init__(self) -> None:
        self._rest = b""

    @property
    def rest(self) -> bytes:
        """What is held back."""
        return self._rest

    def feed(self, chunk: bytes) -> bytes:
        """Return all whole events that are there now, as the bytes they came in.

        Raises AnswerUnusable where an event has no end.
        """
        text = self._rest + chunk if self._rest else chunk
        end = max((text.rfind(blank) + len(blank) for blank in _BLANK_LINES if blank in text), default=0)
        self._rest = text[end:]
        if len(self._rest) > EVENT_LIMIT_BYTES:
            raise AnswerUnusable(f"an event is larger than {EVENT_LIMIT_BYTES // 1024**2} MiB")
        return text[:end]


def events_in(text: bytes) -> list[bytes]:
    """Return each event of some whole events, its blank line included."""
    events: list[bytes] = []
    begin = 0
    for blank in _BLANK_LINE.finditer(text):
        events.append(text[begin : blank.end()])
        begin = blank.end()
    if begin < len(text):
        events.append(text[begin:])
    return events


def data_of(event: bytes) -> bytes | None:
    """Return the data of an event, its lines joined; None where it has none, as a comment or a ping."""
    lines = [line[5:].strip() for line in event.splitlines() if line.startswith(b"data:")]
    return b"\n".join(lines) if lines else None
