"""Callers that hang up, trickle or send garbage cost the others nothing, and garbage is told what it is."""

from __future__ import annotations

import json
import random
import socket
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.live.faults.world import BASELINES, CANDIDATES, DEADLINE_SECONDS, Harm, World
from tests.live.project import PORT

_BAD_CALLERS = 20

_CHAT = {"model": "qa", "user": "mallory", "messages": [{"role": "user", "content": "Hello"}]}


def request(body: bytes, *headers: str, length: int | None = None) -> bytes:
    """Return a chat completion's bytes as they go over the wire."""
    lines = ["POST /v1/chat/completions HTTP/1.1", "Host: gateway", *headers]
    lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


@contextmanager
def connected() -> Iterator[socket.socket]:
    """Give a connection to the gateway."""
    with socket.create_connection(("127.0.0.1", PORT), timeout=10) as connection:
        yield connection


def status_of(sent: bytes) -> int | None:
    """Send bytes and return the status that comes back; None where the connection is ended without one."""
    with connected() as connection:
        with suppress(ConnectionError):
            connection.sendall(sent)
        answer = b""
        with suppress(ConnectionError):
            answer = connection.recv(4096)
    return int(answer.split()[1]) if answer.startswith(b"HTTP/1.1 ") else None


def assert_others_are_served(harm: Harm) -> None:
    assert harm.load.failed == []
    assert harm.load.fallen_back == []
    assert all(len(arms) == 1 for arms in harm.load.arms().values())
    took = [call.seconds for call in harm.load.calls if not call.streams]
    # A machine that is busy holds up some of them; a gateway that these callers held up would hold up all.
    assert statistics.median(took) < 1
    assert max(took) < DEADLINE_SECONDS


def hung_up(world: World) -> int:
    """Return how many answers were left by who had asked for them, as the providers saw it."""
    return sum(each["hung_up"] for provider in (CANDIDATES, BASELINES) for each in world.asked(provider).values())


def test_callers_that_hang_up_stop_the_providers_work_and_nobody_elses(world: World) -> None:
    for provider in (CANDIDATES, BASELINES):
        world.dial(provider, chunk_delay_ms=100)
    before = hung_up(world)
    whole = request(json.dumps({**_CHAT, "stream": True}).encode())
    with world.harm("callers hang up") as harm:
        for number in range(_BAD_CALLERS):
            with connected() as connection:
                if number % 2:
                    connection.sendall(whole)
                    assert connection.recv(64).startswith(b"HTTP/1.1 200")  # and leaves in the middle of the stream
                else:
                    connection.sendall(whole[:-10])  # and leaves in the middle of the body
        harm.stay(3)
        harm.note = f"{_BAD_CALLERS} of them"

    assert_others_are_served(harm)
    world.project.wait_for(lambda: hung_up(world) - before >= _BAD_CALLERS // 2)


def test_callers_that_trickle_hold_up_nobody(world: World) -> None:
    whole = request(json.dumps(_CHAT).encode())
    with world.harm("callers trickle") as harm:
        connections = [socket.create_connection(("127.0.0.1", PORT), timeout=10) for _ in range(_BAD_CALLERS)]
        for piece in (whole[at : at + 1] for at in range(40)):
            for connection in connections:
                connection.sendall(piece)
            time.sleep(0.15)
        for connection in connections:
            connection.sendall(whole[40:])
        statuses = [int(connection.recv(4096).split()[1]) for connection in connections]
        for connection in connections:
            connection.close()
        harm.note = f"{_BAD_CALLERS} of them, a byte each 150 ms; answered in the end"

    assert_others_are_served(harm)
    assert statuses == [200] * _BAD_CALLERS


def test_garbage_is_refused_or_cut_and_never_a_fault_of_the_gateway(world: World) -> None:
    chance = random.Random(0)
    pods = world.project.pods()
    kinds = {
        "noise": chance.randbytes(2000),
        "no length that is one": b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: -7\r\n\r\n{}",
        "not JSON": request(chance.randbytes(300)),
        "not an object": request(b'["qa"]'),
        "nested without end": request(b'{"model": "qa", "messages": ' + b"[" * 20_000),
        "an agent that nobody knows": request(json.dumps({**_CHAT, "model": "../../etc"}).encode()),
        "messages of another kind": request(json.dumps({**_CHAT, "messages": {"role": 7}}).encode()),
        "a header of 200 KB": request(b"{}", "X-Long: " + "a" * 200_000),
        "a body of another encoding": request(chance.randbytes(300), "Content-Encoding: br"),
        "more than may be sent": request(b"{", length=2**40),
    }
    with world.harm("callers send garbage") as harm:
        statuses = {kind: [status_of(sent) for _ in range(4)] for kind, sent in kinds.items()}
        harm.note = f"{4 * len(kinds)} of {len(kinds)} kinds"

    assert_others_are_served(harm)
    for kind, found in statuses.items():
        assert all(status is None or 400 <= status < 500 for status in found), (kind, found)
    assert statuses["not JSON"] == [400] * 4
    assert world.project.pods() == pods
