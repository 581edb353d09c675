"""The stub's errors, in the shape of OpenAI's, and how it sends JSON.

One class is enough here: a provider's errors are data to whoever asks it, and differ by status and code alone.
"""

from __future__ import annotations

import orjson
from starlette.types import Send

from sluice.errors import SluiceError


class StubRefusal(SluiceError):
    """An error that the stub answers with."""

    def __init__(self, status: int, kind: str, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self._error = {"message": message, "type": kind, "param": param, "code": code}

    def body(self) -> bytes:
        """Return the JSON of it."""
        return orjson.dumps({"error": self._error})

    async def send(self, send: Send) -> None:
        """Answer with it."""
        await send_json(send, self.status, self.body())


async def send_json(send: Send, status: int, body: bytes) -> None:
    """Answer with `body`, which is JSON."""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
