from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Any

import fakeredis
import pytest
from prometheus_client import CollectorRegistry

from sluice.gateway.after_metrics import AfterMetrics
from sluice.gateway.aftercare import Aftercare, ReviewRule
from sluice.gateway.agent_flag import AgentFlag, read_agent_flag
from sluice.gateway.keeping import Keeping, Served
from sluice.gateway.off_path import OffPath
from sluice.gateway.outcome import Arm, Outcome
from sluice.gateway.review import ReviewItem, ReviewQueue, Status
from sluice.gateway.store import SharedStore, StoreAway

pytestmark = pytest.mark.anyio

RULES = {
    "legal": Aftercare(review=ReviewRule("a lawyer", None, 90)),
    "qa": Aftercare(review=ReviewRule("a person", 3, None), failed_queries=5, worst_queries=2),
}
TEXT = "Please write to jane.doe@corp.example or call +49 30 1234567."


@pytest.fixture
def redis() -> Any:
    return fakeredis.FakeAsyncRedis()


@pytest.fixture
async def store(redis: Any) -> AsyncIterator[SharedStore]:
    shared = SharedStore("dev", redis, CollectorRegistry())
    await shared.open()
    yield shared
    await shared.close()


def keeping_on(store: SharedStore, registry: CollectorRegistry | None = None) -> Keeping:
    registry = registry or CollectorRegistry()
    return Keeping(RULES, {"legal-20251031"}, store, AfterMetrics(RULES, registry), OffPath(registry))


def flag_of(agent: str, make_flag: Any, since: str | None) -> AgentFlag:
    document = make_flag(agent, 50)
    if since is not None:
        document["metadata"]["since"] = since
    return read_agent_flag(agent, document, {"qa-20251031": 1, "legal-20251031": 1, "gpt-4o": 1})


def served(agent: str = "qa", **more: Any) -> Served:
    usual: dict[str, Any] = {
        "agent": agent,
        "arm": Arm.CANDIDATE,
        "model": "m",
        "outcome": Outcome.OK,
        "question": TEXT,
        "answer": TEXT,
        "wants_json": False,
        "cut": False,
        "at_seconds": datetime.now(UTC).timestamp(),
    }
    return Served(**{**usual, **more})


@pytest.mark.parametrize(
    ("day", "due"), [(date(2025, 11, 6), True), (date(2026, 2, 3), True), (date(2026, 2, 4), False)]
)
async def test_every_output_of_either_arm_is_reviewed_for_its_days(
    store: SharedStore, make_flag: Any, day: date, due: bool
) -> None:
    flag = flag_of("legal", make_flag, "2025-11-06")
    now = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    for arm in (Arm.CANDIDATE, Arm.BASELINE):
        assert (await keeping_on(store).review_due("legal", arm, flag, now) is not None) is due


@pytest.mark.parametrize(("models", "due"), [(["legal-20251031", "gpt-4o"], True), (["gpt-4o"], False)])
async def test_a_graduation_ends_no_review_though_it_names_no_day(
    store: SharedStore, make_flag: Any, models: list[str], due: bool
) -> None:
    document = make_flag("legal", 0)
    document["variants"] = {"baseline": {"models": models}}
    document |= {"targeting": {}, "metadata": {"weight": 0}}
    flag = read_agent_flag("legal", document, {"legal-20251031": 1, "gpt-4o": 1})

    assert flag.since is None
    assert (await keeping_on(store).review_due("legal", Arm.BASELINE, flag) is not None) is due


async def test_the_first_outputs_of_a_candidate_are_counted_over_all_replicas(
    store: SharedStore, make_flag: Any
) -> None:
    flag = flag_of("qa", make_flag, "2025-11-06")
    replicas = [keeping_on(store), keeping_on(store)]
    ids = [await replicas[turn % 2].review_due("qa", Arm.CANDIDATE, flag) for turn in range(10)]

    assert [item_id is not None for item_id in ids] == [True] * 3 + [False] * 7
    assert await replicas[0].review_due("qa", Arm.BASELINE, flag) is None


async def test_without_a_store_each_replica_reviews_its_own_first_outputs_and_answers_go_on(make_flag: Any) -> None:
    flag = flag_of("qa", make_flag, None)
    alone = keeping_on(SharedStore("dev", None, CollectorRegistry()))
    ids = [await alone.review_due("qa", Arm.CANDIDATE, flag) for _ in range(5)]
    await alone.keep_failed(served())

    assert [item_id is not None for item_id in ids] == [True] * 3 + [False] * 2


async def test_a_since_that_is_no_day_is_refused(make_flag: Any) -> None:
    from sluice.gateway.agent_flag import FlagUnusable

    with pytest.raises(FlagUnusable, match=r"metadata\.since must be a day such as 2025-11-06"):
        flag_of("qa", make_flag, "soon")


async def test_an_output_waits_redacted_and_with_an_expiry(store: SharedStore, redis: Any) -> None:
    registry = CollectorRegistry()
    keeping = keeping_on(store, registry)
    await keeping.put_review("legal-1", served("legal"), "review of all outputs")
    await keeping.refresh()
    (item,) = await ReviewQueue(store).items(["legal", "qa"], Status.PENDING)

    assert item.question == item.answer == "Please write to [e-mail] or call [phone]."
    assert (item.reviewed_by, item.status, item.agent) == ("a lawyer", Status.PENDING, "legal")
    assert registry.get_sample_value("sluice_review_pending", {"agent": "legal"}) == 1
    for key in await redis.keys("*"):
        assert key.startswith(b"sluice:dev:")
        assert await redis.ttl(key) > 0
        assert b"jane.doe" not in (await redis.dump(key))


async def test_an_item_is_decided_once(store: SharedStore) -> None:
    queue = ReviewQueue(store)
    await keeping_on(store).put_review("qa-1", served(), "review of first outputs")
    item = await queue.item("qa-1")
    assert item is not None
    decided = await queue.decide(item, Status.REJECTED, "ada", "names a wrong law")

    assert decided is not None
    assert await queue.decide(item, Status.APPROVED, "bob", None) is None
    assert await queue.item("qa-1") == decided
    assert [one.reviewer for one in await queue.items(["qa"], Status.REJECTED)] == ["ada"]
    assert await queue.items(["qa"], Status.PENDING) == []
    assert await queue.pending(["qa"]) == {"qa": 0}


async def test_what_could_not_be_written_is_written_when_the_store_is_back(redis: Any) -> None:
    store = SharedStore("dev", redis, CollectorRegistry())  # not opened yet: away
    keeping = keeping_on(store)
    for number in range(3):
        await keeping.put_review(f"qa-{number}", served(), "review of first outputs")
    with pytest.raises(StoreAway):
        await ReviewQueue(store).pending(["qa"])
    await store.open()
    await keeping.refresh()

    assert await ReviewQueue(store).pending(["qa"]) == {"qa": 3}
    await store.close()


async def test_the_last_failed_queries_are_kept_bounded_and_redacted(store: SharedStore, redis: Any) -> None:
    from sluice.gateway.capture import TEXT_CHARACTERS, Capture

    keeping = keeping_on(store)
    for number in range(8):
        await keeping.keep_failed(served(why=f"status 50{number}", outcome=Outcome.ERROR, question=TEXT + "x" * 20_000))
    kept = await Capture(store).failed("qa")

    assert [query.why for query in kept] == [f"status 50{number}" for number in (7, 6, 5, 4, 3)]
    assert all(len(query.question) <= TEXT_CHARACTERS and "jane.doe" not in query.question for query in kept)
    assert all([await redis.ttl(key) > 0 for key in await redis.keys("*")])


async def test_the_worst_of_a_day_are_kept_over_all_replicas(store: SharedStore) -> None:
    from sluice.gateway.capture import Capture

    replicas = [keeping_on(store), keeping_on(store)]
    for number, score in enumerate((6.0, 9.0, 3.0, 5.0, 1.0, 8.0)):
        await replicas[number % 2].keep_if_worst(served(answer=f"answer {number}"), score)

    assert [query.score for query in await Capture(store).worst("qa", 1, 10)] == [1.0, 3.0]


async def test_callers_are_told_that_a_person_will_look_and_the_output_waits_under_that_id(
    start: Any, mounted: Any, provider: Any, answer_with: Any, make_flag: Any
) -> None:
    recording, api = provider
    body = json.dumps({"choices": [{"index": 0, "message": {"content": "An answer."}}]}).encode()
    recording.respond = answer_with(200, body, (b"content-type", b"application/json"))
    mounted.agent_fields["legal"] = {"review": {"by": "a lawyer", "days": 90}}
    redis = fakeredis.FakeAsyncRedis()
    running = await start(api, redis=redis)
    document = make_flag("legal", 100)
    document["metadata"]["since"] = datetime.now(UTC).date().isoformat()
    mounted.write_flags_text(json.dumps({"flags": {"legal": document, "qa": make_flag("qa", 0)}}))
    running.refresh()
    ask = {"model": "legal", "user": "u", "messages": [{"role": "user", "content": "Draft a clause for a@b.example"}]}
    async with running.post(ask) as response:
        assert response.headers["x-sluice-review"] == "pending"
        item_id = response.headers["x-sluice-review-id"]
    await running.gateway.off_path.close(2)
    item = await ReviewQueue(running.gateway.store).item(item_id)

    assert isinstance(item, ReviewItem)
    assert (item.answer, item.question, item.arm) == ("An answer.", "Draft a clause for [e-mail]", "candidate")


async def test_a_failed_query_is_kept_with_its_reason(
    start: Any, provider: Any, answer_with: Any, closed_port: int
) -> None:
    from sluice.gateway.capture import Capture

    running = await start(f"http://127.0.0.1:{closed_port}", redis=fakeredis.FakeAsyncRedis())
    async with running.post({"model": "qa", "user": "u", "messages": [{"role": "user", "content": "hello"}]}):
        pass
    await running.gateway.off_path.close(2)
    (kept,) = await Capture(running.gateway.store).failed("qa")

    assert (kept.question, kept.outcome, kept.arm) == ("hello", "error", "baseline")
    assert "could not be asked: no connection" in kept.why


async def test_a_fall_back_is_kept_with_what_the_candidate_did_wrong(
    start: Any, mounted: Any, stub: str, closed_port: int
) -> None:
    from sluice.gateway.capture import Capture

    dead = f"http://127.0.0.1:{closed_port}"
    mounted.change = lambda document: document["providers"]["mistral"].update(api=dead)
    running = await start(stub, redis=fakeredis.FakeAsyncRedis())
    running.mounted.write_flags(qa=100)
    running.refresh()
    async with running.post({"model": "qa", "user": "u", "messages": [{"role": "user", "content": "hello"}]}) as answer:
        assert answer.headers["x-sluice-model"] == "gpt-4o"
    await running.gateway.off_path.close(2)
    (kept,) = await Capture(running.gateway.store).failed("qa")

    assert (kept.outcome, kept.arm, kept.model) == ("fallback", "candidate", "gpt-4o")
    assert kept.why.startswith("qa-20251031: ")
    assert "no connection" in kept.why


async def test_a_poor_answer_waits_for_a_person_with_the_score_that_it_got(
    start: Any, mounted: Any, provider: Any, answer_with: Any
) -> None:
    recording, api = provider
    body = json.dumps({"choices": [{"index": 0, "message": {"content": "It depends, a@b.example."}}]}).encode()
    recording.respond = answer_with(200, body, (b"content-type", b"application/json"))
    mounted.agent_fields["qa"] = {"hand_over_below": 7}
    running = await start(api, redis=fakeredis.FakeAsyncRedis())
    ask = {"model": "qa", "user": "u", "messages": [{"role": "user", "content": "How do I reset my password?"}]}
    async with running.post(ask) as response:
        assert response.headers["x-sluice-hand-over"] == "true"
    await running.gateway.off_path.close(2)
    (item,) = await ReviewQueue(running.gateway.store).items(["qa"], Status.PENDING)

    assert item.reason.startswith("its score of ")
    assert item.reason.endswith("is below 7: a person should take over")
    assert (item.question, item.answer) == ("How do I reset my password?", "It depends, [e-mail].")
    assert (item.reviewed_by, item.model) == ("a person", "gpt-4o")
