"""An API server of a few pages on 127.0.0.1, and a kubeconfig that leads to it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from tests.answering import answering

TOKEN = "made-token"
KUBE_SYSTEM = {"metadata": {"name": "kube-system", "uid": "5f0c4a1e-made"}}


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked; header names are in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """What is answered."""

    status: int
    body: bytes
    headers: dict[str, str]


@dataclass
class ApiServer:
    """Answers what was put at a path, to whoever holds the token; 404 as Kubernetes says it elsewhere."""

    port: int
    pages: dict[tuple[str, str, tuple[tuple[str, str], ...]], Page] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)

    def put(
        self,
        path: str,
        body: object,
        *,
        method: str = "GET",
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> None:
        """Answer `body`, text as it is and anything else as JSON, to requests of `path` with at least this query."""
        content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.pages[method, path, tuple((query or {}).items())] = Page(status, content, dict(headers or {}))

    def answer(self, request: Request) -> Page:
        """Find the page that fits a request; of several the one with the longest query."""
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return _status(401, "Unauthorized")
        fitting = [
            (len(query), page)
            for (method, path, query), page in self.pages.items()
            if (method, path) == (request.method, request.path) and set(query) <= set(request.query.items())
        ]
        return max(fitting, key=lambda found: found[0])[1] if fitting else _status(404, "the server could not find it")

    def kubeconfig(self, file: Path, *, token: str = TOKEN, port: int | None = None, context: str = "made") -> Path:
        """Write a kubeconfig whose current context leads here, and whose context `nowhere` leads to a closed port."""
        clusters = {context: port or self.port, "nowhere": 9}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": context,
            "clusters": [
                {"name": name, "cluster": {"server": f"http://127.0.0.1:{port}"}} for name, port in clusters.items()
            ],
            "users": [{"name": "made", "user": {"token": token}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": "made"}} for name in clusters],
        }
        file.write_text(json.dumps(document))
        return file


def _status(code: int, message: str) -> Page:
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code}
    return Page(code, json.dumps(body).encode(), {})


class _Http(ThreadingHTTPServer):
    api: ApiServer


class _Handler(BaseHTTPRequestHandler):
    def _serve(self) -> None:
        parts = urlsplit(self.path)
        request = Request(
            self.command,
            parts.path,
            dict(parse_qsl(parts.query)),
            {name.lower(): value for name, value in self.headers.items()},
            self.rfile.read(int(self.headers.get("Content-Length", 0))),
        )
        assert isinstance(self.server, _Http)
        self.server.api.requests.append(request)
        page = self.server.api.answer(request)
        self.send_response(page.status)
        for name, value in {**page.headers, "Content-Length": str(len(page.body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(page.body)

    do_GET = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815 - http.server looks for these names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named so by http.server
        """Say nothing."""


@contextmanager
def running_api_server() -> Iterator[ApiServer]:
    """Serve until the block ends."""
    http = _Http(("127.0.0.1", 0), _Handler)
    http.api = server = ApiServer(http.server_address[1])
    server.put("/api/v1/namespaces/kube-system", KUBE_SYSTEM)
    with answering(http):
        yield server
