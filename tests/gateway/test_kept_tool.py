"""The program that `sluice review` and `sluice failures` run in a gateway pod, on a store with something in it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import fakeredis
import pytest
from prometheus_client import CollectorRegistry

from sluice.gateway import kept_tool
from sluice.gateway.capture import Capture, KeptQuery
from sluice.gateway.kept_tool import DecidedBefore, NoSuchItem
from sluice.gateway.review import ReviewItem, ReviewQueue
from sluice.gateway.store import SharedStore, StoreAway

pytestmark = pytest.mark.anyio


@pytest.fixture
async def store() -> AsyncIterator[SharedStore]:
    shared = SharedStore("dev", fakeredis.FakeAsyncRedis(), CollectorRegistry())
    await shared.open()
    for number, agent in enumerate(("qa", "legal")):
        item = ReviewItem(f"{agent}-1", agent, "candidate", "m", "why", "ada", time.time() + number, "asked", "said")
        await ReviewQueue(shared).put(item)
    yield shared
    await shared.close()  # else its probe is cancelled with the loop, and the client may swallow that


async def asked(store: SharedStore, configuration: Any, *arguments: str) -> Any:
    return await kept_tool.answer_from(store, configuration, kept_tool._parser().parse_args(arguments))


async def test_what_waits_is_listed_the_newest_first_or_by_agent(store: SharedStore, configuration: Any) -> None:
    listed = await asked(store, configuration, "review", "list")
    assert [item["id"] for item in listed] == ["legal-1", "qa-1"]

    assert [item["id"] for item in await asked(store, configuration, "review", "list", "--agent", "qa")] == ["qa-1"]
    assert await asked(store, configuration, "review", "list", "--status", "approved") == []


async def test_an_item_is_shown_then_decided_once(store: SharedStore, configuration: Any) -> None:
    assert (await asked(store, configuration, "review", "show", "qa-1"))["answer"] == "said"
    decided = await asked(store, configuration, "review", "reject", "qa-1", "--by", "ada", "--note", "wrong")

    assert (decided["status"], decided["reviewer"], decided["note"]) == ("rejected", "ada", "wrong")
    with pytest.raises(DecidedBefore, match="'qa-1' is rejected already, by ada"):
        await asked(store, configuration, "review", "approve", "qa-1", "--by", "bob")


async def test_an_item_that_is_not_there_is_a_no(store: SharedStore, configuration: Any) -> None:
    with pytest.raises(NoSuchItem, match="no output waits under 'qa-2'") as raised:
        await asked(store, configuration, "review", "show", "qa-2")
    assert raised.value.exit_code == 1


async def test_failed_and_worst_queries_are_apart(store: SharedStore, configuration: Any) -> None:
    usual: dict[str, Any] = {
        "agent": "qa",
        "arm": "candidate",
        "model": "m",
        "outcome": "ok",
        "at_seconds": time.time(),
    }
    failed = KeptQuery(**{**usual, "outcome": "error"}, why="status 500", question="failed", answer="")
    worst = KeptQuery(**usual, why="", question="poor", answer="said", score=1.0)
    await Capture(store).keep_failed(failed, 100)
    await Capture(store).keep_worst(worst, 10)

    assert [query["why"] for query in await asked(store, configuration, "failures", "qa")] == ["status 500"]
    assert [query["score"] for query in await asked(store, configuration, "failures", "qa", "--worst")] == [1.0]


async def test_a_store_that_is_away_is_said(configuration: Any) -> None:
    with pytest.raises(StoreAway):
        await asked(SharedStore("dev", None, CollectorRegistry()), configuration, "review", "list")


def test_an_environment_without_redis_says_so_in_one_line(
    mounted: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SLUICE_GATEWAY_FOLDER", str(mounted.path))
    monkeypatch.delenv("SLUICE_REDIS_URL", raising=False)

    assert kept_tool.main(["review", "list"]) == 3
    assert capsys.readouterr().err.splitlines() == [
        "this environment has no Redis (sluice:cache), and so keeps nothing that could be read"
    ]
