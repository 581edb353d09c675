from __future__ import annotations

import asyncio
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from sluice.gateway.authentication import CallerKeys, CallerUnknown
from sluice.gateway.configuration import Callers

KEY = "sluice-web-" + "k" * 43
OTHER = "sluice-web-" + "o" * 43
ASK = {"model": "qa", "user": "u", "messages": [{"role": "user", "content": "hello"}]}


def digest(key: str) -> str:
    return f"sha256:{sha256(key.encode()).hexdigest()}"


def bearer(key: str) -> dict[bytes, bytes]:
    return {b"authorization": f"Bearer {key}".encode()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "web").write_text(f"# issued on a Friday\n{digest(KEY)}\n{digest(OTHER)} # the new one\n")
    return tmp_path


def keys(folder: Path, callers: Callers = Callers.REQUIRED) -> CallerKeys:
    ring = CallerKeys(folder, callers)
    ring.refresh()
    return ring


def test_a_caller_is_its_team_by_either_of_two_keys(folder: Path) -> None:
    ring = keys(folder)
    assert ring.authenticate(bearer(KEY)) == "web"
    assert ring.authenticate(bearer(OTHER)) == "web"
    assert ring.authenticate({b"authorization": f"bearer  {KEY} ".encode()}) == "web"
    assert ring.authenticate({b"x-api-key": KEY.encode()}) == "web"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {b"authorization": b""},
        {b"authorization": b"Bearer "},
        {b"authorization": KEY.encode()},
        {b"authorization": f"Basic {KEY}".encode()},
        bearer("wrong"),
        bearer(KEY + "x"),
        bearer(KEY[:-1]),
        bearer(digest(KEY)),
        bearer(KEY.upper()),
        {b"authorization": b"Bearer \xff\x00"},
    ],
)
def test_without_a_key_of_a_team_a_caller_is_refused_where_one_is_required(
    folder: Path, headers: dict[bytes, bytes]
) -> None:
    with pytest.raises(CallerUnknown, match="Authorization: Bearer KEY"):
        keys(folder).authenticate(headers)
    assert keys(folder, Callers.OPEN).authenticate(headers) is None


def test_a_team_is_told_apart_where_none_is_asked_for(folder: Path) -> None:
    assert keys(folder, Callers.OPEN).authenticate(bearer(KEY)) == "web"


def test_no_folder_means_no_keys_and_an_empty_key_is_none(tmp_path: Path) -> None:
    with pytest.raises(CallerUnknown, match="is missing"):
        keys(tmp_path / "none").authenticate({})
    (tmp_path / "web").write_text(digest("") + "\n")
    with pytest.raises(CallerUnknown, match="is missing"):
        keys(tmp_path).authenticate({})


def test_a_revoked_key_and_a_removed_team_are_refused_from_then_on(folder: Path) -> None:
    ring = keys(folder)
    (folder / "web").write_text(digest(OTHER))
    ring.refresh()
    assert ring.authenticate(bearer(OTHER)) == "web"
    with pytest.raises(CallerUnknown, match="is not a key of any team"):
        ring.authenticate(bearer(KEY))
    (folder / "web").unlink()
    ring.refresh()
    with pytest.raises(CallerUnknown, match="is not a key of any team"):
        ring.authenticate(bearer(OTHER))


def test_a_link_to_nothing_is_a_team_that_is_gone(folder: Path) -> None:
    ring = keys(folder)
    (folder / "web").unlink()
    (folder / "web").symlink_to("..data/web")
    ring.refresh()
    with pytest.raises(CallerUnknown, match="is not a key of any team"):
        ring.authenticate(bearer(KEY))


def test_a_line_that_is_no_digest_is_told_by_its_place_and_never_shown(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "web").write_text(f"{KEY}\n{digest(OTHER)}\nsha256:abc\n")
    ring = keys(folder)
    assert ring.authenticate(bearer(OTHER)) == "web"
    with pytest.raises(CallerUnknown, match="is not a key of any team"):
        ring.authenticate(bearer(KEY))
    told = str([vars(record) for record in caplog.records])
    assert "line 1 is not sha256" in told
    assert "line 3 is not sha256" in told
    assert KEY not in told


@pytest.mark.parametrize("name", ["Web", "a_b", "-x", "x" * 64])
def test_a_file_that_is_not_named_like_a_team_holds_no_keys(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(digest(KEY))
    with pytest.raises(CallerUnknown, match="is not a key of any team"):
        keys(tmp_path).authenticate(bearer(KEY))


@pytest.mark.anyio
async def test_who_has_no_key_is_refused_before_anything_is_read_or_asked(
    start: Any, provider: Any, mounted: Any, eventually: Any
) -> None:
    recording, api = provider
    mounted.callers = "required"
    running = await start(api)
    async with running.post(b"not even JSON") as response:
        assert response.status == 401
        assert response.headers["www-authenticate"] == "Bearer"
        error = (await response.json())["error"]
    assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_api_key")
    async with running.client.get(f"{running.url}/v1/models") as response:
        assert (response.status, (await response.json())["error"]["code"]) == (401, "invalid_api_key")
    for path in ("healthz", "readyz"):
        async with running.client.get(f"{running.url}/{path}") as response:
            assert response.status == 200
    assert recording.bodies == []
    await eventually(
        lambda: running.metric("sluice_requests_total", agent="unknown", arm="none", outcome="rejected") == 1
    )


@pytest.mark.anyio
async def test_a_callers_key_is_replaced_while_requests_run_and_none_fails(
    start: Any, provider: Any, mounted: Any
) -> None:
    _, api = provider
    mounted.callers = "required"
    mounted.write_callers("web", digest(KEY))
    running = await start(api)
    statuses: list[int] = []

    async def call(key: str) -> int:
        async with running.post(ASK, Authorization=f"Bearer {key}") as response:
            statuses.append(response.status)
            return int(response.status)

    await call(KEY)
    mounted.write_callers("web", f"{digest(KEY)}\n{digest(OTHER)}\n")
    async with asyncio.timeout(5):
        while await call(OTHER) != 200:
            assert await call(KEY) == 200
            statuses.pop(-2)  # the new key before it was read
    mounted.write_callers("web", digest(OTHER))
    async with asyncio.timeout(5):
        while await call(KEY) == 200:
            assert await call(OTHER) == 200
    assert set(statuses[:-1]) == {200}
    assert statuses[-1] == 401


@pytest.mark.anyio
async def test_the_team_is_in_the_log_and_its_key_is_nowhere(
    start: Any, provider: Any, mounted: Any, eventually: Any, log_lines: list[dict[str, Any]]
) -> None:
    recording, api = provider
    mounted.callers = "required"
    mounted.write_callers("web", digest(KEY))
    running = await start(api)
    async with running.post(ASK, Authorization=f"Bearer {KEY}") as response:
        assert response.status == 200
    await eventually(lambda: any(line["event"] == "request" for line in log_lines))
    told = [line for line in log_lines if line["event"] == "request"]
    assert [(line["caller"], line["status"], line["outcome"]) for line in told] == [("web", 200, "ok")]
    assert KEY not in str(log_lines)
    assert KEY.encode() not in b"".join(value for _, value in recording.headers[0])
    assert "hello" not in str(told)
