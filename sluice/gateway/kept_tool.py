"""`python -m sluice.gateway.kept_tool`, run inside a gateway pod by `sluice review` and `sluice failures`.

The pod has the shared store's address and may reach it; so nothing is opened for people, and the right to look is the
right to run a command in the pod (`pods/exec`). Prints one JSON value; exit codes are those of `sluice`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis

from sluice.errors import AnswerIsNo, SluiceError
from sluice.gateway.capture import Capture
from sluice.gateway.configuration import Configuration, load_configuration
from sluice.gateway.process_settings import ProcessSettings
from sluice.gateway.review import ReviewQueue, Status
from sluice.gateway.store import SharedStore, StoreAway, connect

_PATIENCE_SECONDS = 5.0


class NothingShared(SluiceError):
    """There is no store to read, or it does not answer."""

    def __init__(self, named: bool) -> None:
        super().__init__(
            "the Redis that the gateway's replicas share does not answer; try again when `sluice_store_up` is 1"
            if named
            else "this environment has no Redis (sluice:cache), and so keeps nothing that could be read"
        )


class NoSuchItem(AnswerIsNo):
    """An id that the queue does not have."""

    def __init__(self, item_id: str) -> None:
        super().__init__(f"no output waits under {item_id!r}: it was never there, or it has expired")


class DecidedBefore(AnswerIsNo):
    """Somebody else was quicker."""

    def __init__(self, item_id: str, status: str, reviewer: str | None) -> None:
        super().__init__(f"{item_id!r} is {status} already, by {reviewer or 'somebody else just now'}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments say and return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        answer = asyncio.run(_answer(options))
    except SluiceError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    sys.stdout.write(orjson.dumps(answer).decode())
    return 0


async def _answer(options: argparse.Namespace) -> Any:
    settings = ProcessSettings.from_environment(os.environ)
    configuration = load_configuration(settings.folder / "config" / "gateway.json")
    redis = connect_patiently(settings.redis_url, settings.folder / "keys" / "redis-password")
    store = SharedStore(configuration.environment, redis, CollectorRegistry())
    await store.open()
    try:
        return await answer_from(store, configuration, options)
    except StoreAway:
        raise NothingShared(named=redis is not None) from None
    finally:
        await store.close()


def connect_patiently(url: str | None, password_file: Path) -> Redis | None:
    """Return a client that waits as long as a person does, and not as a request may; None where there is no store."""
    if not url:
        return None
    return connect(url, password_file, connect_seconds=_PATIENCE_SECONDS, operation_seconds=_PATIENCE_SECONDS)


async def answer_from(store: SharedStore, configuration: Configuration, options: argparse.Namespace) -> Any:
    """Return what was asked of the store, as JSON values.

    Raises StoreAway, NoSuchItem or DecidedBefore.
    """
    if options.what == "failures":
        capture = Capture(store)
        rule = configuration.agents[options.agent].aftercare
        kept = await (
            capture.worst(options.agent, options.days, rule.worst_queries)
            if options.worst
            else capture.failed(options.agent)
        )
        return [asdict(query) for query in kept]
    queue = ReviewQueue(store)
    if options.action == "list":
        agents = [options.agent] if options.agent else list(configuration.agents)
        return [asdict(item) for item in await queue.items(agents, Status(options.status), options.most)]
    item = await queue.item(options.id)
    if item is None:
        raise NoSuchItem(options.id)
    if options.action == "show":
        return asdict(item)
    status = Status.APPROVED if options.action == "approve" else Status.REJECTED
    decided = await queue.decide(item, status, options.by, options.note)
    if decided is None:
        raise DecidedBefore(item.id, item.status, item.reviewer)
    return asdict(decided)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sluice.gateway.kept_tool")
    whats = parser.add_subparsers(dest="what", required=True)
    actions = whats.add_parser("review").add_subparsers(dest="action", required=True)
    listing = actions.add_parser("list")
    listing.add_argument("--agent")
    listing.add_argument("--status", choices=list(Status), default=Status.PENDING)
    listing.add_argument("--most", type=int, default=100)
    actions.add_parser("show").add_argument("id")
    for name in ("approve", "reject"):
        deciding = actions.add_parser(name)
        deciding.add_argument("id")
        deciding.add_argument("--by", required=True)
        deciding.add_argument("--note")
    failures = whats.add_parser("failures")
    failures.add_argument("agent")
    failures.add_argument("--worst", action="store_true")
    failures.add_argument("--days", type=int, default=1)
    return parser


if __name__ == "__main__":
    sys.exit(main())
