"""A server of the standard library that answers while a test runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import BaseServer

_LOOKS_EVERY_SECONDS = 0.01
"""How often a server looks whether it is to end."""


@contextmanager
def answering(server: BaseServer) -> Iterator[None]:
    """Answer by a thread until the block ends, and leave neither thread nor socket."""
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(_LOOKS_EVERY_SECONDS,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
