"""Servers that take what a report is sent by: mail, as little of SMTP as a sender needs, and posts."""

from __future__ import annotations

import socketserver
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

from tests.answering import answering


class MailServer(socketserver.ThreadingTCPServer):
    """What was taken, by its text; `refuses` is the answer to every recipient."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, refuses: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.refuses = refuses
        self.taken: list[str] = []
        self.recipients: list[str] = []

    @property
    def address(self) -> str:
        return f"smtp://127.0.0.1:{self.server_address[1]}"


class _Session(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self._say("220 made")
        while line := self.rfile.readline():
            word = line[:4].upper()
            if word == b"DATA":
                self._say("354 go on")
                # A line that begins with a dot was sent with one more (RFC 5321, 4.5.2).
                lines = iter(self.rfile.readline, b".\r\n")
                text = b"".join(line[1:] if line.startswith(b".") else line for line in lines)
                self.server.taken.append(text.decode())
                self._say("250 taken")
            elif word == b"RCPT":
                self.server.recipients.append(line.decode().partition("<")[2].partition(">")[0])
                self._say(self.server.refuses or "250 known")
            elif word == b"QUIT":
                self._say("221 over")
                return
            else:
                self._say("250 made")

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@contextmanager
def taking_mail(refuses: str = "") -> Iterator[MailServer]:
    """Serve one until the block ends."""
    server = MailServer(refuses)
    with answering(server):
        yield server


@contextmanager
def taking_posts(status: int = 201, host: str = "127.0.0.1") -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """Serve an address that answers posts with a status; what was sent is kept by its kind."""
    taken: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taken.append((self.headers["Content-Type"], body))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named so by http.server
            """Say nothing."""

    server = HTTPServer((host, 0), Handler)
    with answering(server):
        yield f"http://{host}:{server.server_address[1]}/reports", taken
