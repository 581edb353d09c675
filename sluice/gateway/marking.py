"""Puts the notice that the registry demands (`safeguards.watermark`) on every answer of an agent, of either arm.

A text gets it at its end, after an empty line; a stream as one more piece before the one that ends a choice. An answer
that is a JSON object stays one: the notice becomes its first field, `ai_notice`. An answer that only calls tools has no
text to carry it. The header x-sluice-notice says it always, percent-encoded where a header cannot carry it as it is.

Only what must change is written anew; the other events of a stream pass as the bytes they came in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson

FIELD = "ai_notice"
HEADER = b"x-sluice-notice"

_KEY = f'"{FIELD}"'
_PRINTABLE = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")
_SPACE = " \t\r\n"
_MOST_HELD = 1024
_LONGEST_LINE_BYTES = 4 * 1024**2
# Of an event, what does not belong to one choice alone.
_NOT_COPIED = frozenset({"choices", "usage", "obfuscation"})


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence that answers must carry."""

    text: str

    @property
    def suffix(self) -> str:
        """What stands behind a text."""
        return f"\n\n{self.text}"

    @property
    def header(self) -> tuple[bytes, bytes]:
        """Return the header that says it."""
        return HEADER, quote(self.text, safe=_PRINTABLE).strip().encode("ascii")


def mark_answer(body: bytes, notice: Notice) -> bytes:
    """Return a whole answer with the notice on each of its choices; what is no completion is returned as it is."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body
    changed = False
    for choice in _choices(document):
        message = choice.get("message")
        if isinstance(message, dict):
            changed |= _mark_message(message, notice)
    return orjson.dumps(document) if changed else body


class StreamMarking:
    """Marks one stream. `feed` gives what may go out now, `end` what was missing when no more comes."""

    def __init__(self, notice: Notice) -> None:
        self._notice = notice
        self._rest = b""
        self._choices: dict[int, _Choice] = {}
        self._head: dict[str, Any] = {}

    def feed(self, piece: bytes) -> bytes:
        """Take a piece, wherever it was cut, and return the events that are whole by now."""
        lines = (self._rest + piece).split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > _LONGEST_LINE_BYTES:  # no event of any provider; it must not grow
            lines.append(self._rest)
            self._rest = b""
            return b"\n".join(map(self._line, lines))
        return b"".join(self._line(line) + b"\n" for line in lines)

    def end(self) -> bytes:
        """Return what was held back, and the notice of each choice that did not come to its end."""
        rest, self._rest = self._rest, b""
        last = self._line(rest)
        missing = self._unfinished()
        return last + b"\n\n" + missing if last and missing else last + missing

    def _line(self, line: bytes) -> bytes:
        if not line.startswith(b"data:"):
            return line
        payload = line[5:].strip()
        if payload == b"[DONE]":
            return self._unfinished() + line
        try:
            event = orjson.loads(payload)
        except orjson.JSONDecodeError:
            return line
        choices = _choices(event)
        if not choices:
            return line
        if not self._head:
            self._head = {name: value for name, value in event.items() if name not in _NOT_COPIED}
        before, changed = b"", False
        for raw in choices:
            state = self._choices.setdefault(_index(raw), _Choice(self._notice))
            delta = raw.get("delta")
            if isinstance(delta, dict):
                changed |= state.take(delta)
            if raw.get("finish_reason") and (last := state.finish()):
                if isinstance(delta, dict) and isinstance(delta.get(state.field), str) and delta[state.field]:
                    delta[state.field] += last
                    changed = True
                else:
                    before += self._event(_index(raw), state.field, last)
        return before + (b"data: " + orjson.dumps(event) if changed else line)

    def _unfinished(self) -> bytes:
        ends = [(index, state.field, state.finish()) for index, state in self._choices.items()]
        return b"".join(self._event(index, field, text) for index, field, text in ends if text)

    def _event(self, index: int, field: str, text: str) -> bytes:
        choice = {"index": index, "delta": {field: text}, "finish_reason": None}
        return b"data: " + orjson.dumps({**self._head, "choices": [choice]}) + b"\n\n"


class _Choice:
    """What one choice of a stream has said so far, as far as the notice depends on it."""

    def __init__(self, notice: Notice) -> None:
        self._text = _TextMarking(notice)
        self._spoke = self._called = self._finished = False
        self.field = "content"

    def take(self, delta: dict[str, Any]) -> bool:
        """Mark the text of a delta in place and return whether it was changed."""
        if delta.get("tool_calls") or delta.get("function_call"):
            self._called = True
        if isinstance(delta.get("refusal"), str) and not self._spoke:
            self.field = "refusal"
        said = delta.get(self.field)
        if not said:
            return False
        self._spoke = True
        if not isinstance(said, str):  # a list of parts, as Mistral's reasoning models send
            self._text.give_up()
            return False
        delta[self.field] = self._text.feed(said)
        return bool(delta[self.field] != said)

    def finish(self) -> str:
        """Return what is still to be said; once."""
        if self._finished or (self._called and not self._spoke):
            return ""
        self._finished = True
        return self._text.end()


class _TextMarking:
    """Marks one text that comes in pieces: at the front where it begins as a JSON object does, else at the end."""

    def __init__(self, notice: Notice) -> None:
        self._notice = notice
        self._held = ""
        self._decided = False
        self._is_marked = False
        self._tail = ""

    def feed(self, text: str) -> str:
        """Return what may go out of the text so far; nothing is held but the very beginning of an object."""
        if self._decided:
            self._tail = (self._tail + text)[-len(self._notice.text) - 8 :]
            return text
        self._held += text
        begun = self._held.lstrip(_SPACE)
        if not begun or (begun[0] == "{" and not self._is_clear(begun[1:].lstrip(_SPACE))):
            if len(self._held) <= _MOST_HELD:
                return ""
        elif begun[0] == "{":
            self._open(begun[1:].lstrip(_SPACE))
        return self.give_up()

    def give_up(self) -> str:
        """Hold nothing back any more, and return what was held."""
        held, self._held, self._decided = self._held, "", True
        self._tail = held[-len(self._notice.text) - 8 :]
        return held

    def end(self) -> str:
        """Return what goes behind the text."""
        held = self.give_up() if self._held else ""
        if self._is_marked or self._tail.rstrip().endswith(self._notice.text):
            return held
        return held + self._notice.suffix

    @staticmethod
    def _is_clear(rest: str) -> bool:
        """Whether so much of what follows the brace is here that the notice can be put before it."""
        return bool(rest) and (rest.startswith(_KEY) or not _KEY.startswith(rest))

    def _open(self, rest: str) -> None:
        if rest[0] not in '"}':
            return
        self._is_marked = True
        if not rest.startswith(_KEY):
            before, _, after = self._held.partition("{")
            field = f"{_KEY}:{orjson.dumps(self._notice.text).decode()}"
            self._held = f"{before}{{{field}{'' if rest[0] == '}' else ','}{after}"


def _mark_message(message: dict[str, Any], notice: Notice) -> bool:
    content = message.get("content")
    if isinstance(content, list):
        content.append({"type": "text", "text": notice.suffix})
        return True
    field = "refusal" if content is None and isinstance(message.get("refusal"), str) else "content"
    text = message.get(field)
    if not text and (message.get("tool_calls") or message.get("function_call")):
        return False
    if not (text is None or isinstance(text, str)):
        return False
    marked = _marked(text or "", notice)
    message[field] = marked
    return marked != text


def _marked(text: str, notice: Notice) -> str:
    marking = _TextMarking(notice)
    if not _is_object(text):
        marking.give_up()
    return marking.feed(text) + marking.end()


def _is_object(text: str) -> bool:
    if not text.lstrip(_SPACE).startswith("{"):
        return False
    try:
        return isinstance(orjson.loads(text), dict)
    except orjson.JSONDecodeError:
        return False


def _choices(document: object) -> list[dict[str, Any]]:
    choices = document.get("choices") if isinstance(document, dict) else None
    return [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []


def _index(choice: dict[str, Any]) -> int:
    index = choice.get("index")
    return index if isinstance(index, int) else 0
