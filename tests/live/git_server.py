"""A git server on 127.0.0.1: git's own HTTP backend, behind a few lines that hand it each request."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from tests.answering import answering


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    root: Path


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        variables = {
            "GIT_PROJECT_ROOT": str(self.server.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": parts.path,
            "QUERY_STRING": parts.query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_ADDR": "127.0.0.1",
            "REMOTE_USER": "tests",
        }
        ran = subprocess.run(
            ["git", "http-backend"],
            env={**os.environ, **variables},
            input=self.rfile.read(int(self.headers.get("Content-Length", 0))),
            stdout=subprocess.PIPE,
            check=True,
        )
        head, _, body = ran.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = _serve  # noqa: N815 - http.server looks for these names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named so by http.server
        """Say nothing."""


@contextmanager
def git_server(root: Path) -> Iterator[str]:
    """Serve the bare repositories in a folder, for reading and writing, until the block ends; its address."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.root = root
    with answering(server):
        yield f"http://127.0.0.1:{server.server_address[1]}"
