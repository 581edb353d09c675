"""A push brings every blob and the manifest, leaves out what is there, and logs in as Docker would."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request

import pytest

from sluice.local.images import archive
from sluice.local.images.archive import Parts
from sluice.local.images.building import Image
from sluice.local.images.credentials import Credentials, bearer_token
from sluice.local.images.errors import PushError, RegistryNameError
from sluice.local.images.push import push
from tests.answering import answering

pytestmark = pytest.mark.slow


@dataclass
class Registry:
    """The part of the distribution API that a push uses, on 127.0.0.1: what was pushed, and how it is to behave."""

    address: str = ""
    user: str | None = None
    password: str | None = None
    bearer: bool = False
    refuse: int | None = None
    token: bytes = b'{"token": "made-token"}'
    location: str | None = None
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    token_query: dict[str, list[str]] = field(default_factory=dict)

    def basic(self) -> str:
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()

    def allows(self, authorization: str | None) -> bool:
        if self.user is None:
            return True
        return authorization == ("Bearer made-token" if self.bearer else self.basic())

    def challenge(self) -> str:
        if self.bearer:
            return f'Bearer realm="http://{self.address}/token",service="made",scope="repository:gateway:pull"'
        return 'Basic realm="made"'


class _Handler(BaseHTTPRequestHandler):
    registry: Registry

    def answer(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        address, registry = urlsplit(self.path), self.registry
        registry.requests.append(f"{self.command} {address.path}")
        authorization = self.headers.get("Authorization")
        if address.path == "/token":
            registry.token_query = parse_qs(address.query)
            good = authorization == registry.basic()
            self.answer(200 if good else 401, body=registry.token if good else b"")
        elif not registry.allows(authorization):
            self.answer(401, {"WWW-Authenticate": registry.challenge()})
        elif registry.refuse is not None:
            self.answer(registry.refuse, body=b'{"errors":[{"code":"DENIED"}]}')
        else:
            self.distribute(address.path, parse_qs(address.query), body)

    def distribute(self, path: str, query: dict[str, list[str]], body: bytes) -> None:
        registry = self.registry
        if self.command == "HEAD":
            self.answer(200 if path.rpartition("/")[2] in registry.blobs else 404)
        elif self.command == "POST":
            self.answer(202, {"Location": registry.location or f"/v2/upload/{len(registry.requests)}?state=made"})
        elif "/manifests/" in path:
            registry.manifests[path] = (self.headers["Content-Type"], body)
            self.answer(201)
        elif query.get("state") == ["made"] and query["digest"] == ["sha256:" + hashlib.sha256(body).hexdigest()]:
            registry.blobs[query["digest"][0]] = body
            self.answer(201)
        else:
            self.answer(400, body=b"the digest is not that of the content")

    do_HEAD = do_GET = do_POST = do_PUT = handle_any  # noqa: N815 - the names that http.server looks for

    def log_message(self, *_arguments: Any) -> None:
        """Keep the test's output to what the test prints."""


@pytest.fixture
def image(parts: list[Parts], tmp_path: Path) -> Image:
    archive.write(parts, tmp_path / "images.tar")
    return Image("sluice.local/gateway", parts[0].digest, tmp_path / "images.tar", 10)


@pytest.fixture(autouse=True)
def docker_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "docker"
    folder.mkdir()
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    return folder


@pytest.fixture
def registry() -> Iterator[Registry]:
    registry = Registry()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"registry": registry}))
    registry.address = f"127.0.0.1:{server.server_address[1]}"
    with answering(server):
        yield registry


def _log_in(folder: Path, registry: Registry, password: str = "made-password") -> None:
    kept = base64.b64encode(f"made-user:{password}".encode()).decode()
    (folder / "config.json").write_text(json.dumps({"auths": {registry.address: {"auth": kept}}}))


def test_everything_arrives_and_the_reference_names_it_by_digest(image: Image, registry: Registry) -> None:
    reference = push(image, f"{registry.address}/team")
    assert reference == f"{registry.address}/team/gateway@{image.digest}"
    [(path, (kind, manifest))] = registry.manifests.items()
    assert path == f"/v2/team/gateway/manifests/{image.digest}"
    assert kind == "application/vnd.oci.image.manifest.v1+json"
    assert "sha256:" + hashlib.sha256(manifest).hexdigest() == image.digest
    described = json.loads(manifest)
    assert set(registry.blobs) == {blob["digest"] for blob in (described["config"], *described["layers"])}


def test_a_second_push_uploads_nothing_again(image: Image, registry: Registry) -> None:
    push(image, registry.address)
    registry.requests.clear()
    push(image, registry.address)
    assert [request.split()[0] for request in registry.requests] == ["HEAD"] * 4 + ["PUT"]


@pytest.mark.parametrize("bearer", [False, True])
def test_a_registry_that_asks_who_pushes_is_told_what_docker_kept(
    image: Image, registry: Registry, docker_folder: Path, bearer: bool
) -> None:
    registry.user, registry.password, registry.bearer = "made-user", "made-password", bearer
    _log_in(docker_folder, registry)
    push(image, registry.address)
    assert len(registry.blobs) == 4
    if bearer:
        assert registry.token_query == {"service": ["made"], "scope": ["repository:gateway:pull,push"]}


@pytest.mark.parametrize("bearer", [False, True])
def test_a_wrong_log_in_is_one_sentence_without_the_password(
    image: Image, registry: Registry, docker_folder: Path, bearer: bool
) -> None:
    registry.user, registry.password, registry.bearer = "made-user", "made-password", bearer
    _log_in(docker_folder, registry, password="another-password")
    with pytest.raises(PushError, match="log in with `docker login`") as raised:
        push(image, registry.address)
    assert "another-password" not in str(raised.value)
    assert registry.blobs == {}


def test_without_a_log_in_the_person_is_told_to_log_in(image: Image, registry: Registry) -> None:
    registry.user, registry.password = "made-user", "made-password"
    with pytest.raises(PushError, match=r"wants to know who pushes; log in with `docker login`"):
        push(image, registry.address)


def test_a_log_in_kept_by_a_helper_is_asked_of_the_helper(
    image: Image, registry: Registry, docker_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.user, registry.password = "made-user", "made-password"
    helper = docker_folder / "docker-credential-made"
    answer = '{"Username": "made-user", "Secret": "made-password"}'
    helper.write_text(f"#!/bin/sh\nread host\n[ \"$1 $host\" = 'get {registry.address}' ] && echo '{answer}'\n")
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", str(docker_folder), prepend=":")
    (docker_folder / "config.json").write_text('{"credsStore": "made"}')
    push(image, registry.address)
    assert len(registry.blobs) == 4


@pytest.mark.parametrize(
    "config",
    [
        "[]",
        '{"auths": []}',
        '{"auths": {"HOST": {"auth": "made-secret"}}}',
        '{"auths": {"HOST": {"auth": "/////w=="}}}',
        '{"auths": {"HOST": {"auth": "bm8tY29sb24="}}}',
        '{"auths": {"HOST": {"auth": 7}}}',
        '{"auths": {"HOST": {"auth": "m\u00e4de"}}}',
    ],
)
def test_a_log_in_that_cannot_be_read_names_the_file_and_does_not_show_it(
    image: Image, registry: Registry, docker_folder: Path, config: str
) -> None:
    registry.user, registry.password = "made-user", "made-password"
    (docker_folder / "config.json").write_text(config.replace("HOST", registry.address))
    with pytest.raises(PushError, match=r"config\.json cannot be read; mend it, or log in again") as raised:
        push(image, registry.address)
    assert "made-secret" not in str(raised.value)


@pytest.mark.parametrize(
    "answer", ["", "made-secret", "[]", '{"Username": "made-user"}', '{"Username": "u", "Secret": 7}', r"\377\376"]
)
def test_a_helper_that_answers_nonsense_is_named_and_its_answer_not_shown(
    image: Image, registry: Registry, docker_folder: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    registry.user, registry.password = "made-user", "made-password"
    helper = docker_folder / "docker-credential-made"
    helper.write_text(f"#!/bin/sh\nprintf '{answer}'\n")
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", str(docker_folder), prepend=":")
    (docker_folder / "config.json").write_text('{"credsStore": "made"}')
    with pytest.raises(PushError, match=r"docker-credential-made answered with something") as raised:
        push(image, registry.address)
    assert "made-secret" not in str(raised.value)


def test_a_helper_that_is_missing_is_named(image: Image, registry: Registry, docker_folder: Path) -> None:
    registry.user, registry.password = "made-user", "made-password"
    (docker_folder / "config.json").write_text('{"credsStore": "no-such-helper"}')
    with pytest.raises(PushError, match=r"docker-credential-no-such-helper, that is missing or cannot be run"):
        push(image, registry.address)


@pytest.mark.parametrize("token", [b"[]", b"{}", b'{"token": 7}', b'{"token": "made\\nX-Made: 1"}'])
def test_a_token_service_without_a_token_is_no_defect(
    image: Image, registry: Registry, docker_folder: Path, token: bytes
) -> None:
    registry.user, registry.password, registry.bearer, registry.token = "made-user", "made-password", True, token
    _log_in(docker_folder, registry)
    with pytest.raises(PushError, match="its token service answered with no token"):
        push(image, registry.address)


@pytest.mark.parametrize(("is_plain", "host"), [(False, "127.0.0.1"), (False, "ADDRESS"), (True, "auth.example.com")])
def test_a_log_in_is_sent_unencrypted_to_this_machine_alone(registry: Registry, is_plain: bool, host: str) -> None:
    challenge = f'Bearer realm="http://{host.replace("ADDRESS", registry.address)}/token",service="made"'
    with pytest.raises(PushError, match="would be sent the log-in unencrypted, so it was not asked"):
        bearer_token(challenge, Credentials("made-user", "made-password"), "reg.example.com/x", is_plain=is_plain)
    assert registry.requests == []


def test_docker_hub_is_asked_by_the_host_of_its_api_with_the_log_in_docker_keeps_for_it(
    image: Image, docker_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = base64.b64encode(b"made-user:made-password").decode()
    (docker_folder / "config.json").write_text(json.dumps({"auths": {"https://index.docker.io/v1/": {"auth": kept}}}))
    asked: list[tuple[str, str | None]] = []

    def answer(request: Request, timeout: float) -> None:
        asked.append((request.full_url, request.get_header("Authorization")))
        headers = Message()
        headers["WWW-Authenticate"] = 'Basic realm="made"'
        raise HTTPError(request.full_url, 401, "made", headers, io.BytesIO(b""))

    monkeypatch.setattr("urllib.request.urlopen", answer)
    with pytest.raises(PushError, match=r"docker\.io/me/gateway: .* 401"):
        push(image, "docker.io/me")
    assert [header for _, header in asked] == [None, f"Basic {kept}"]
    assert all(address.startswith("https://registry-1.docker.io/v2/me/gateway/blobs/") for address, _ in asked)


def test_a_url_is_refused_before_anything_is_asked(image: Image, registry: Registry) -> None:
    with pytest.raises(RegistryNameError, match=f"like --images-to {registry.address}/x$"):
        push(image, f"http://{registry.address}/x")
    assert registry.requests == []


@pytest.mark.parametrize("location", ["file:///made", "http://[made"])
def test_an_upload_that_is_sent_on_to_no_web_address_is_no_defect(
    image: Image, registry: Registry, location: str
) -> None:
    registry.location = location
    with pytest.raises(PushError, match=r"is it a registry|is its address right"):
        push(image, registry.address)
    assert registry.blobs == {}


def test_a_refusal_says_what_the_registry_said(image: Image, registry: Registry) -> None:
    registry.refuse = 403
    with pytest.raises(PushError, match="answered HEAD with 403"):
        push(image, registry.address)


def test_a_registry_that_does_not_answer_is_named(image: Image) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    with pytest.raises(PushError, match=f"{address}/gateway: the registry did not take the image: .*refused"):
        push(image, address)


def test_a_damaged_archive_is_not_pushed(image: Image, registry: Registry) -> None:
    content = image.archive.read_bytes()
    assert content.count(b'"layers":[') == 5, "one for each manifest"
    image.archive.write_bytes(content.replace(b'"layers":[', b'"LAYERS":['))
    with pytest.raises(PushError, match="damaged"):
        push(image, registry.address)
    assert registry.manifests == {}


@pytest.mark.parametrize("content", [b"", b"no tar at all" * 100])
def test_an_archive_that_is_none_is_not_pushed(image: Image, registry: Registry, content: bytes) -> None:
    image.archive.write_bytes(content)
    with pytest.raises(PushError, match="damaged in it; delete the file and build again"):
        push(image, registry.address)
    assert registry.requests == []


def test_an_archive_without_the_image_is_not_pushed(image: Image, registry: Registry) -> None:
    with pytest.raises(PushError, match="damaged in it; delete the file and build again"):
        push(replace(image, digest="sha256:" + "0" * 64), registry.address)
    assert registry.requests == []


def test_credentials_do_not_print() -> None:
    assert "made" not in repr(Credentials("made-user", "made-password"))
