"""A soak asks everything once, at its pace, within its budget, and goes on where it was killed."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import urllib.request
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from sluice.deploy.ask import NoReply, Reply, reply_of
from sluice.deploy.cluster_access import Answer
from sluice.deploy.soak import BudgetSpent, CannotSoak, Soaking, SoakTime, plan_soak
from sluice.deploy.soak_record import SoakRecord
from sluice.gateway.scoring.features import Expects
from sluice.gateway.scoring.scorer import score
from sluice.local.folders import PROJECT
from sluice.registry import AgentRollout, Environment, load_environment
from sluice.registry.evidence import SoakMadeOf
from sluice.registry.soak_contents import query_digests
from sluice.rollout.soak import Answered, soaked_model
from tests.gateway.conftest import MountedFolder, mounted, served, stub  # noqa: F401 - fixtures
from tests.gateway.process import running

REGISTRY = PROJECT / "registry"
MADE_OF = SoakMadeOf({"qa": "q"}, "s", "g")
GOOD = "1. Run `pytest -q`.\n2. Read the first failure.\n3. Mend it, and add a test for the empty list."


class MadeTime:
    """Time that passes where somebody sleeps."""

    def __init__(self) -> None:
        self.at, self.slept = datetime(2025, 11, 5, 12, tzinfo=UTC), list[float]()

    def time(self) -> SoakTime:
        return SoakTime(lambda: self.at, self.sleep)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += timedelta(seconds=seconds)


@pytest.fixture(scope="module")
def staging() -> Environment:
    declared = load_environment(PROJECT, "dev")
    agents = {
        name: AgentRollout(name, f"{name}-20251031", 100, date(2025, 11, 6), ("gpt-4o",)) for name in ("qa", "legal")
    }
    return dataclasses.replace(
        declared, rollout=dataclasses.replace(declared.rollout, environment="staging", agents=MappingProxyType(agents))
    )


def reply(agent: str, user: str, **other: Any) -> Reply:
    usual = Reply(agent, user, "candidate", f"{agent}-20251031", GOOD, 800.0, 0.002)
    return dataclasses.replace(usual, **other)


def refusal(status: int) -> NoReply:
    return NoReply("qa", Answer(status, {}, b'{"error": {"message": "made"}}', 1.0))


def soaking(
    staging: Environment, folder: Path, ask: Callable[[str, str, str], Reply], *, queries: int = 4, **other: Any
) -> Soaking:
    plan = plan_soak(staging, REGISTRY, (), timedelta(0), queries)
    record = SoakRecord.of(folder, "staging", {"qa-20251031": "ft:qa"}, MADE_OF)
    usual: dict[str, Any] = {"budget_dollars": 5.0, "time": MadeTime().time()}
    return Soaking(staging, plan, record, ask, **(usual | other))


def test_each_query_is_asked_once_the_agents_in_turn(staging: Environment, tmp_path: Path) -> None:
    asked: list[tuple[str, str]] = []

    def ask(agent: str, text: str, user: str) -> Reply:
        asked.append((agent, text))
        return reply(agent, user)

    one = soaking(staging, tmp_path, ask)
    one.run()

    assert [agent for agent, _ in asked[:4]] == ["qa", "legal", "qa", "legal"]
    assert len(asked) == len(set(asked)) == 8
    question = one.plan.queries["qa"][0]
    assert one.record.answers["qa", 0].points == round(score(question, GOOD, expects=Expects.CODE).overall, 3)
    assert one.record.cost_dollars == pytest.approx(0.016)


def test_the_pace_keeps_the_providers_and_the_agents_rates(staging: Environment, tmp_path: Path) -> None:
    made = MadeTime()
    one = soaking(staging, tmp_path, lambda agent, _, user: reply(agent, user), time=made.time())

    one.run()

    # Each agent takes one a second, and two are asked in turn: slower than the provider's five a second.
    assert one.plan.slot_seconds == 0.5
    assert made.slept == [0.5] * 7


def test_the_queries_are_spread_over_the_time_that_is_wanted(staging: Environment) -> None:
    plan = plan_soak(staging, REGISTRY, (), timedelta(hours=24), 100)

    assert plan.slot_seconds == pytest.approx(86400 / 199)


def test_a_soak_that_was_killed_goes_on_and_asks_nothing_twice(staging: Environment, tmp_path: Path) -> None:
    asked: list[str] = []

    def ask(agent: str, text: str, user: str) -> Reply:
        if len(asked) == 3:
            raise KeyboardInterrupt
        asked.append(text)
        return reply(agent, user)

    with pytest.raises(KeyboardInterrupt):
        soaking(staging, tmp_path, ask).run()
    (file,) = tmp_path.iterdir()
    with file.open("a") as cut:
        cut.write('{"agent": "qa", "numb')  # it was killed while it wrote

    asked.append("killed")
    again = soaking(staging, tmp_path, ask)
    assert len(again.record.answers) == 3
    again.run()

    assert len(again.record.answers) == 8
    assert len(set(asked)) == len(asked) == 9


def test_a_record_is_read_by_its_own_lines(tmp_path: Path) -> None:
    error = "the provider said:\u2028no\x85more"
    record = SoakRecord.of(tmp_path, "staging", {"qa-1": "a"}, MADE_OF)
    record.add(Answered("qa", 0, datetime(2025, 11, 5, 12, tzinfo=UTC), 0.0, None, 0.0, error))

    assert SoakRecord.of(tmp_path, "staging", {"qa-1": "a"}, MADE_OF).answers["qa", 0].error == error


def test_a_soak_of_some_of_the_queries_is_of_the_file_that_the_rule_looks_at(staging: Environment) -> None:
    some = plan_soak(staging, REGISTRY, (), timedelta(0), 4)

    assert len(some.queries["qa"]) == 4
    assert some.digests == {agent: query_digests(REGISTRY)[agent] for agent in ("qa", "legal")}


def test_another_model_or_another_query_begins_anew(tmp_path: Path) -> None:
    paths = {
        SoakRecord.of(tmp_path, "staging", {"qa-1": identity}, SoakMadeOf({"qa": queries}, scorer, gateway)).path
        for identity in ("a", "b") for queries in ("a", "b") for scorer in ("a", "b") for gateway in ("a", "b")
    }  # fmt: skip

    assert len(paths) == 16


def test_a_soak_ends_where_its_budget_is_spent_and_goes_on_with_a_greater_one(
    staging: Environment, tmp_path: Path
) -> None:
    def ask(agent: str, _: str, user: str) -> Reply:
        return reply(agent, user, cost_dollars=0.4)

    with pytest.raises(BudgetSpent, match=r"\$1\.2000 of the soak's \$1 is spent, and 5 queries are left"):
        soaking(staging, tmp_path, ask, budget_dollars=1.0).run()
    more = soaking(staging, tmp_path, ask, budget_dollars=9.0)
    more.run()

    assert len(more.record.answers) == 8


def test_too_many_requests_are_the_paces_fault_and_asked_again(staging: Environment, tmp_path: Path) -> None:
    refusals = [429, 429]

    def ask(agent: str, _: str, user: str) -> Reply:
        if refusals:
            raise refusal(refusals.pop())
        return reply(agent, user)

    one = soaking(staging, tmp_path, ask, queries=1)
    one.run()

    assert [answer.error for answer in one.record.answers.values()] == ["", ""]


def test_an_error_and_a_baseline_that_stood_in_are_errors_of_the_candidate(
    staging: Environment, tmp_path: Path
) -> None:
    def ask(agent: str, _: str, user: str) -> Reply:
        if agent == "qa":
            raise refusal(502)
        return reply(agent, user, model="gpt-4o")

    one = soaking(staging, tmp_path, ask, queries=1)
    one.run()

    errors = [answer.error for answer in one.record.answers.values()]
    assert errors == ["agent qa did not answer: status 502: made", "gpt-4o answered in the candidate's place"]


def test_where_not_everybody_is_on_the_candidate_users_are_asked_as_who_are(
    staging: Environment, tmp_path: Path
) -> None:
    users: list[str] = []

    def ask(agent: str, _: str, user: str) -> Reply:
        users.append(user)
        return reply(agent, user, arm="candidate" if int(user.rpartition("-")[2]) % 3 == 0 else "baseline")

    one = soaking(staging, tmp_path, ask, queries=20)
    one.run()

    assert len(one.record.answers) == 40
    assert not any(answer.error for answer in one.record.answers.values())
    assert len(users) < 80


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"environment": "production"}, "production has users: a soak is for staging"),
        ({"enabled": False}, "staging: no agent: no users are on a candidate"),
    ],
)
def test_there_is_nothing_to_soak(change: dict[str, Any], said: str, staging: Environment) -> None:
    declared = dataclasses.replace(staging, rollout=dataclasses.replace(staging.rollout, **change))

    with pytest.raises(CannotSoak, match=said):
        plan_soak(declared, REGISTRY, (), timedelta(0), 1)


def test_an_agent_without_queries_says_where_to_write_them(staging: Environment, tmp_path: Path) -> None:
    with pytest.raises(CannotSoak, match=r"queries/qa\.txt: cannot be read .*; write qa's queries there, one a line"):
        plan_soak(staging, tmp_path, ("qa",), timedelta(0), 1)


@pytest.mark.slow
@pytest.mark.anyio
async def test_a_gateway_that_runs_is_soaked_killed_and_soaked_on(
    staging: Environment,
    tmp_path: Path,
    mounted: MountedFolder,  # noqa: F811 - the fixture
    stub: str,  # noqa: F811 - the fixture
) -> None:
    mounted.write_configuration(stub)
    mounted.write_flags(qa=100, legal=100)
    async with running(mounted.path) as process:
        asked = 0

        def ask(agent: str, text: str, user: str) -> Reply:
            nonlocal asked
            asked += 1
            if asked == 6:
                raise KeyboardInterrupt
            body = json.dumps({"model": agent, "user": user, "messages": [{"role": "user", "content": text}]}).encode()
            request = urllib.request.Request(f"{process.url}/v1/chat/completions", body)
            with urllib.request.urlopen(request, timeout=30) as response:
                headers = {name.lower(): value for name, value in response.headers.items()}
                return reply_of(staging.registry, agent, user, Answer(response.status, headers, response.read(), 120.0))

        def soak() -> Soaking:
            one = soaking(staging, tmp_path / "soaks", ask, queries=10, time=SoakTime(sleep=lambda _: None))
            one.run()
            return one

        with pytest.raises(KeyboardInterrupt):
            await asyncio.to_thread(soak)
        done = await asyncio.to_thread(soak)

    assert asked == 21
    answers = [answer for answer in done.record.answers.values() if answer.agent == "qa"]
    found = soaked_model("ft:qa", answers)
    assert (found.queries, found.error_rate_percent) == (10, 0.0)
    assert 0 < found.quality <= 10
    assert done.record.cost_dollars > 0
