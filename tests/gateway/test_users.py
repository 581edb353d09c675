"""Users are counted once in a rollout, whichever replica answers them, and again only in another rollout."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from sluice.gateway.gathered import Gathered
from sluice.gateway.seen_before import SeenBefore, fingerprint, positions
from sluice.gateway.store import SharedStore, StoreAway
from tests.gateway.conftest import MountedFolder, Running
from tests.gateway.process import running

pytestmark = pytest.mark.anyio

JSON = (b"content-type", b"application/json")
USERS = [f"user-{number}" for number in range(20)]


def ask(user: str | None, agent: str = "qa") -> dict[str, Any]:
    named = {} if user is None else {"user": user}
    return {"model": agent, "messages": [{"role": "user", "content": "hello"}], **named}


async def call(one: Running, *users: str | None) -> None:
    """Ask as each of them, and wait until everything after the answers is done."""
    for user in users:
        async with one.post(ask(user)) as response:
            await response.read()
    while one.gateway.off_path.busy:
        await asyncio.sleep(0.01)


def users(one: Running, arm: str, per: str = "rollout", agent: str = "qa") -> float:
    return one.metric("sluice_users_total", agent=agent, arm=arm, per=per)


def failing(one: Running, arm: str, agent: str = "qa") -> float:
    return one.metric("sluice_failing_users_total", agent=agent, arm=arm)


def of_both(count: Any, *replicas: Running) -> float:
    return sum(float(count(one, arm)) for one in replicas for arm in ("candidate", "baseline"))


async def set_weight(mounted: MountedFolder, weight: int, *replicas: Running) -> None:
    mounted.write_flags(qa=weight)
    await look(*replicas)


async def look(*replicas: Running) -> None:
    for one in replicas:
        one.refresh()
        one.gateway.afterwards.users.look()
        while one.gateway.off_path.busy:
            await asyncio.sleep(0.01)


@pytest.fixture
def failing_provider(provider: Any, answer_with: Any) -> tuple[Any, str]:
    recording, api = provider
    recording.respond = answer_with(500, b"{}", JSON)
    return recording, api


async def test_a_user_counts_once_however_often_asking(start: Any, stub: str, mounted: MountedFolder) -> None:
    mounted.write_flags(qa=50)
    one = await start(stub)

    await call(one, *USERS, *USERS, *USERS)

    assert of_both(users, one) == len(USERS)
    assert 0 < users(one, "candidate") < len(USERS)
    assert users(one, "candidate", "step") == users(one, "candidate")
    assert of_both(failing, one) == 0


async def test_a_user_whom_two_replicas_answer_counts_once(
    start: Any, stub: str, mounted: MountedFolder, connect_redis: Any
) -> None:
    mounted.write_flags(qa=50)
    one, other = await start(stub, connect_redis()), await start(stub, connect_redis())

    await call(one, *USERS[:15])
    await call(other, *USERS[5:])

    assert of_both(users, one, other) == len(USERS)
    assert of_both(users, other) == 5


async def test_without_a_redis_each_process_counts_whom_it_sees(
    start: Any, stub: str, mounted: MountedFolder, connect_redis: Any, redis_server: Any, eventually: Any
) -> None:
    mounted.write_flags(qa=50)
    one, other = await start(stub, connect_redis()), await start(stub)

    await call(one, *USERS[:10])
    redis_server.connected = False
    await eventually(lambda: not one.gateway.store.up)
    await call(one, *USERS)
    await call(other, *USERS)

    assert of_both(users, one) == len(USERS)
    assert of_both(users, other) == len(USERS)


async def test_who_fails_again_and_again_is_one_failing_user(
    start: Any, failing_provider: tuple[Any, str], mounted: MountedFolder
) -> None:
    mounted.write_flags(qa=100)
    one = await start(failing_provider[1])

    await call(one, "ada", "ada", "ada", "grace")

    assert one.metric("sluice_requests_total", agent="qa", arm="candidate", outcome="error") == 4
    assert failing(one, "candidate") == 2
    assert users(one, "candidate") == 2


async def test_who_failed_on_the_baseline_is_no_news_on_the_candidate(
    start: Any, failing_provider: tuple[Any, str], mounted: MountedFolder
) -> None:
    mounted.write_flags(qa=50)
    one = await start(failing_provider[1])
    await call(one, *USERS)
    on_baseline, on_candidate = failing(one, "baseline"), failing(one, "candidate")
    assert on_baseline + on_candidate == len(USERS)

    await set_weight(mounted, 100, one)
    await call(one, *USERS)

    assert (failing(one, "baseline"), failing(one, "candidate")) == (on_baseline, on_candidate)
    assert users(one, "candidate") == len(USERS)
    assert users(one, "candidate", "step") == on_candidate + len(USERS)


async def test_a_candidate_that_comes_back_is_another_rollout_on_every_replica(
    start: Any, failing_provider: tuple[Any, str], mounted: MountedFolder, connect_redis: Any
) -> None:
    mounted.write_flags(qa=100)
    one, other = [await start(failing_provider[1], connect_redis()) for _ in range(2)]
    await call(one, "ada")
    await call(other, "ada", "grace")
    assert of_both(failing, one, other) == 2

    for value in ('{"weight": 0, "by": "guard"}', '{"weight": 100}'):
        mounted.write_override(qa=value)
        await look(one, other)
    await call(one, "ada")
    await call(other, "ada", "grace")

    assert of_both(failing, one, other) == 4
    assert of_both(users, one, other) == 4


async def test_a_step_up_forgets_nobody_and_a_step_down_everybody(
    start: Any, stub: str, mounted: MountedFolder, connect_redis: Any
) -> None:
    mounted.write_flags(qa=25)
    one = await start(stub, connect_redis())
    await call(one, *USERS)
    on_candidate = users(one, "candidate")

    await set_weight(mounted, 50, one)
    await call(one, *USERS)
    assert users(one, "baseline") == len(USERS) - on_candidate
    await set_weight(mounted, 25, one)
    await call(one, *USERS)
    assert users(one, "baseline") == 2 * (len(USERS) - on_candidate)


async def test_who_is_not_drawn_is_not_counted(start: Any, stub: str, mounted: MountedFolder) -> None:
    one = await start(stub)
    await call(one, "ada")  # no rollout runs
    await set_weight(mounted, 50, one)
    await call(one, None)  # nobody is named
    async with one.post(b"{") as response:  # refused
        assert response.status == 400

    assert of_both(users, one) == of_both(failing, one) == 0


async def test_redis_keeps_bits_that_end_and_no_user(
    start: Any, stub: str, mounted: MountedFolder, connect_redis: Any
) -> None:
    mounted.write_flags(qa=50)
    redis = connect_redis()
    await call(await start(stub, connect_redis()), "ada@example.com")

    (key,) = await redis.keys("*:users:*")
    assert key == b"sluice:dev:users:qa:qa-20251031"
    assert 0 < await redis.ttl(key) <= 40 * 86400
    assert b"ada" not in await redis.get(key)
    assert len(await redis.get(key)) <= 256 * 1024


def test_what_was_seen_is_never_taken_for_new() -> None:
    seen = SeenBefore()
    things = [positions(fingerprint(f"user {number}"), "step", "10", "candidate") for number in range(2_000)]
    for thing in things:
        seen.add(thing)

    assert all(seen.has(thing) for thing in things)
    assert not seen.has(positions(fingerprint("user 0"), "step", "25", "candidate"))


@pytest.mark.slow
def test_of_a_hundred_thousand_things_one_in_a_hundred_at_most_is_taken_for_seen() -> None:
    seen = SeenBefore()
    for number in range(100_000):
        seen.add(positions(fingerprint(f"user {number // 4}"), "step", str(number % 4), "candidate"))

    wrong = sum(seen.has(positions(fingerprint(f"user {number}"), "failure")) for number in range(20_000))

    assert wrong <= 200


@pytest.mark.slow
async def test_a_gateway_that_runs_shows_the_users_of_a_failing_candidate(
    mounted: MountedFolder, stub: str, provider: Any, answer_with: Any
) -> None:
    recording, candidates = provider
    recording.respond = answer_with(500, b"{}", JSON)  # the candidate fails, the baseline answers in its place
    mounted.write_configuration(stub, candidates_api=candidates)
    mounted.write_flags(qa=50)
    async with running(mounted.path) as process, aiohttp.ClientSession() as session, asyncio.timeout(90):
        for name in [*USERS, *USERS]:
            async with session.post(f"{process.url}/v1/chat/completions", json=ask(name)) as response:
                assert response.status == 200
                await response.read()
        while (await _shown(session, process.metrics_url))["per rollout"] < len(USERS):
            await asyncio.sleep(0.1)
        shown = await _shown(session, process.metrics_url)  # the last user's failure is counted a moment later

    drawn = shown["sluice_users_total", "candidate", "rollout"]
    assert 0 < drawn < len(USERS)
    assert drawn + shown["sluice_users_total", "baseline", "rollout"] == len(USERS)
    assert shown["sluice_failing_users_total", "candidate", ""] == drawn
    assert shown["sluice_failing_users_total", "baseline", ""] == 0


async def _shown(session: aiohttp.ClientSession, metrics_url: str) -> dict[Any, float]:
    """Read the page: the users of qa by arm, and how many there are of both."""
    async with session.get(metrics_url) as response:
        text = await response.text()
    counts: dict[Any, float] = {"per rollout": 0.0}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            about = sample.labels
            if sample.name in {"sluice_users_total", "sluice_failing_users_total"} and about["agent"] == "qa":
                counts[sample.name, about["arm"], about.get("per", "")] = sample.value
                counts["per rollout"] += sample.value * (about.get("per") == "rollout")
    return counts


async def test_a_new_users_marks_are_set_in_one_trip(
    start: Any, stub: str, mounted: MountedFolder, connect_redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounted.write_flags(qa=50)
    one = await start(stub, redis=connect_redis())
    asked: list[tuple[Any, ...]] = []
    ask_gathered = Gathered.ask

    async def noted(gathered: Gathered, *command: Any) -> Any:
        asked.append(command)
        return await ask_gathered(gathered, *command)

    monkeypatch.setattr(Gathered, "ask", noted)
    await call(one, *USERS)

    of_users = [command[0] for command in asked if any(":users:" in str(part) for part in command)]
    assert of_users.count("EVALSHA") == len(USERS)  # the rollout's mark and its step's together
    assert of_users.count("EVAL") >= 1  # Redis did not know the script; whoever asked before it did sends it too
    assert of_users.count("EXPIRE") == 1  # and not again within a minute
    assert of_both(users, one) == len(USERS)


async def test_whom_another_replica_counted_is_not_counted_again_where_redis_leaves_in_the_middle(
    start: Any, stub: str, mounted: MountedFolder, connect_redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounted.write_flags(qa=50)
    one, two = [await start(stub, redis=connect_redis()) for _ in range(2)]
    await call(one, *USERS)
    await set_weight(mounted, 60, one, two)
    ask_store = SharedStore.ask

    async def leaves(store: SharedStore, *command: Any) -> Any:
        if command[0] == "EXPIRE":
            raise StoreAway
        return await ask_store(store, *command)

    monkeypatch.setattr(SharedStore, "ask", leaves)
    await call(two, *USERS)  # new to this step, and not to the rollout

    assert of_both(lambda each, arm: users(each, arm, "step"), two) == len(USERS)
    assert users(two, "baseline") == 0
    assert users(two, "candidate") < len(USERS) / 2, "none but who has come to the candidate with this step"
