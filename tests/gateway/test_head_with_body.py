from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sluice.gateway.head_with_body import HeadWithBody

pytestmark = pytest.mark.anyio

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"


class Recording:
    """A transport that keeps each of its writes."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


@pytest.fixture
async def sent() -> tuple[Recording, HeadWithBody]:
    transport: Any = Recording()
    return transport, HeadWithBody(transport, asyncio.get_running_loop())


async def test_a_head_goes_with_its_body(sent: tuple[Recording, HeadWithBody]) -> None:
    transport, connection = sent
    connection.write(HEAD)
    connection.write(b"{}")
    await asyncio.sleep(0)
    assert transport.written == [HEAD + b"{}"]


async def test_a_head_whose_body_is_not_there_yet_goes_in_the_same_turn(sent: tuple[Recording, HeadWithBody]) -> None:
    transport, connection = sent
    connection.write(HEAD)
    await asyncio.sleep(0)
    assert transport.written == [HEAD]
    connection.write(b"{}")
    assert transport.written == [HEAD, b"{}"]


async def test_pieces_of_a_stream_are_never_held(sent: tuple[Recording, HeadWithBody]) -> None:
    transport, connection = sent
    connection.write(HEAD)
    for piece in (b"data: 1", b"data: 2"):
        connection.write(piece)
    assert transport.written == [HEAD + b"data: 1", b"data: 2"]


async def test_closing_loses_no_head(sent: tuple[Recording, HeadWithBody]) -> None:
    transport, connection = sent
    connection.write(HEAD)
    connection.close()
    await asyncio.sleep(0)
    assert transport.written == [HEAD]
    assert connection.is_closing()
