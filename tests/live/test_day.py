"""A day of three agents' ladders through a real cluster, in minutes, by a clock that is set.

The ladder is production's with hours for its days. Each step is asked of the gates by `sluice advance`, merged, and
applied; a guard looks on every fifteen seconds, which is most of an hour of that day. Calls, pods, Prometheus and
judgements are real; the clock alone is not. One agent's answers turn bad at 25 %; the others end as first baselines.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from sluice.deploy.pods import gateway_pods, name_of
from sluice.local.folders import cache_folder
from sluice.local.monitoring_programs import ensure_monitoring_programs
from sluice.override import read_moment
from sluice.progress import Progress
from sluice.registry import load_environment
from sluice.rollout.set_clock import VARIABLE, SetClock
from tests.live.guard_process import credentials, guarding
from tests.live.guards import config_map, stop_guards
from tests.live.load import Load
from tests.live.project import AGENTS, NAMESPACE, STUB, URL, LiveProject, edit
from tests.live.prometheus_by_clock import measured_by
from tests.live.shown import shown

pytestmark = pytest.mark.operators

TIMES_AS_FAST = 200
CLIMBING = ("content", "legal", "support")
BAD = "legal"
CALLS_A_SECOND, USERS = 30.0, 1000
HOLDS = {10: timedelta(hours=4), 25: timedelta(hours=4), 50: timedelta(hours=4), 100: timedelta(hours=2)}
LONGEST = timedelta(hours=40)
NO_IMAGE = f"@sha256:{'0' * 64}"


@dataclass
class Day:
    """How far the day is: `changed` is when each agent came to each weight, by the clock; 0 is its graduation."""

    project: LiveProject
    prometheus: str
    clock: SetClock
    load: Load
    config: pytest.Config
    changed: dict[str, dict[int, datetime]] = field(default_factory=lambda: {agent: {} for agent in CLIMBING})

    @property
    def now(self) -> datetime:
        return self.clock.shown_at(datetime.now(UTC))

    def say(self, text: str) -> None:
        with shown(self.config):
            print(f"\n{self.now:%d. %H:%M}  {text}", end="", flush=True)

    def advance(self, *agents: str) -> tuple[set[str], str]:
        """Ask for the next step of agents, each for itself; return those that were merged, and what was refused."""
        ran = self.project.sluice(
            "advance", "live", *agents, "--merge", "--prometheus", self.prometheus, "--format", "json",
            **{VARIABLE: self.clock.text},
        )  # fmt: skip
        assert ran.exit_code in (0, 1), ran.stderr
        told = json.loads(ran.stdout)
        git(self.project, "fetch", "-q", "origin")
        git(self.project, "reset", "-q", "--hard", "origin/main")
        return (
            {agent for one in told if one["merged"] for agent in one["agents"]},
            "\n".join(one["error"] for one in told if one["error"]),
        )

    def steps(self, *agents: str) -> set[str]:
        """Ask for the next step, and have what was merged applied; return whose step it was."""
        before, at = self.weights(), self.now
        merged, _ = self.advance(*agents)
        for agent in merged:
            after = self.weights().get(agent, 0)
            self.changed[agent][after] = at
            self.say(f"{agent}: {before[agent]} % -> {f'{after} %' if after else 'the first baseline'}")
        if merged:
            self.project.up()
        return merged

    def weights(self) -> dict[str, int]:
        """The weight of each agent that has a candidate, as git has it."""
        agents = load_environment(self.project.folder, "live").rollout.agents
        return {name: one.weight_percent for name, one in agents.items() if one.candidate is not None}

    def is_due(self, agent: str) -> bool:
        """Whether an agent's step has had its time."""
        weight = self.weights().get(agent, 0)
        return weight in self.changed[agent] and self.now - self.changed[agent][weight] >= HOLDS[weight]

    def is_answered_by(self, agent: str, model: str) -> bool:
        """Whether one model alone answered the calls of the last seconds."""
        since = time.monotonic() - 3
        calls = [call for call in list(self.load.calls) if call.agent == agent and call.began > since and call.seconds]
        return {call.model for call in calls} == {model}


def git(project: LiveProject, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=project.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"git {arguments}: {done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def climbing(project: LiveProject) -> Iterator[LiveProject]:
    """An environment of which git is the record, with nobody on a candidate yet, and with what a guard needs."""
    settings, models = project.folder / "Pulumi.live.yaml", project.folder / "registry/models.yaml"
    before = {file: file.read_text() for file in (settings, models)}
    # Its own guard sees nothing, and so moves nothing, should an update bring it back.
    wanted = (
        f"  sluice:prometheus: {{url: 'http://127.0.0.1:9'}}\n  sluice:guard: {{image: 'sluice.local/guard{NO_IMAGE}'}}"
    )
    edit(settings, r"  sluice:cache:", f"{wanted}\n  sluice:cache:")
    models.write_text(re.sub(r"hold: (\d)d", lambda found: f"hold: {2 * int(found[1])}h", models.read_text()))
    edit(models, r"(?m)^defaults:.*\n", "defaults:\n  judgement: {stale: 1h}\n")
    project.roll_out(dict.fromkeys(AGENTS, 0))
    project.up()
    forge = project.folder.parent / "forge.git"
    git(project, "init", "-q", "-b", "main")
    (project.folder / ".git/info/exclude").write_text(".venv\n")
    git(project, "config", "user.name", "Ada")
    git(project, "config", "user.email", "ada@example.com")
    git(project, "add", "--all")
    git(project, "commit", "-q", "-m", "Begin")
    git(project, "clone", "-q", "--bare", ".", str(forge))
    git(project, "remote", "add", "origin", str(forge))
    git(project, "fetch", "-q", "origin")
    git(project, "remote", "set-head", "origin", "main")
    yield project
    for file, text in before.items():
        file.write_text(text)
    project.roll_out(dict.fromkeys(AGENTS, 50))
    shutil.rmtree(project.folder / ".git")
    project.kubectl("delete", "--raw", f"{STUB}/models")
    project.end_guard()


@pytest.fixture(scope="module")
def day(
    climbing: LiveProject, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Day]:
    """The day that begins: its clock shows yesterday's midnight."""
    folder = tmp_path_factory.mktemp("day")
    programs = ensure_monitoring_programs(cache_folder(), Progress(quiet=True))
    given = credentials(climbing, folder)
    stop_guards(climbing)
    real = datetime.now(UTC)
    yesterday = (real - timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    clock = SetClock(yesterday, real, TIMES_AS_FAST)
    with (
        measured_by(programs, folder, pages(climbing), NAMESPACE, clock) as prometheus,
        Load(URL, CLIMBING, calls_a_second=CALLS_A_SECOND, tries=3, users=USERS) as load,
    ):
        edit(folder / "guard.json", "http://127.0.0.1:9", prometheus)
        with guarding(given, None, **{VARIABLE: clock.text}):
            yield Day(climbing, prometheus, clock, load, request.config)
            print(f"\n{(folder / 'guard.log').read_text()}")


def pages(project: LiveProject) -> dict[str, str]:
    """The names of the gateway's pods by the addresses of their metrics."""
    return {f"{pod['status']['podIP']}:9090": name_of(pod) for pod in gateway_pods(project.cluster, NAMESPACE)}


def bad(project: LiveProject, agent: str) -> None:
    """Have the provider's answers for an agent's candidate be worth little."""
    model = load_environment(project.folder, "live").registry.models[f"{agent}-20251031"].id
    dials = json.dumps({"latency_ms": 40, "latency_jitter_ms": 10, "chunk_delay_ms": 2, "quality": 1.0})
    ran = project.kubectl("replace", "--raw", f"{STUB}/models/{model}", "--filename", "-", stdin=dials)
    assert ran.exit_code == 0, ran.stderr


def test_in_a_day_those_that_are_good_climb_to_everybody_and_the_one_that_turns_bad_comes_down(day: Day) -> None:
    project, began = day.project, day.now
    assert day.steps(*CLIMBING) == set(CLIMBING)
    early, why = day.advance(*CLIMBING)
    assert early == set()
    assert len(re.findall(r"time: 10 % holds for [\d.]+ (hours|minutes), (4|240) are wanted", why)) == len(CLIMBING), (
        why
    )

    turned: datetime | None = None
    good = [agent for agent in CLIMBING if agent != BAD]
    while any(agent in day.weights() for agent in good) or not turned or BAD not in config_map(project, "override"):
        assert day.now - began < LONGEST, f"{day.weights()}; {day.advance(*day.weights())}"
        due = [agent for agent in CLIMBING if agent in day.weights() and day.is_due(agent)]
        due = [agent for agent in due if agent != BAD or turned is None]
        if due:
            day.steps(*due)
        if turned is None and day.weights()[BAD] == 25:
            bad(project, BAD)
            turned = day.now
            day.say(f"{BAD}: the answers of its candidate turn bad")
        time.sleep(2)

    entry = json.loads(config_map(project, "override")[BAD])
    fell = read_moment(entry["at"])
    assert turned is not None
    assert fell is not None
    day.say(
        f"{BAD}: sent back by the guard {(fell - turned) / timedelta(minutes=1):.0f} minutes later: {entry['reason']}"
    )
    assert (entry["weight"], entry["by"], turned < fell < day.now) == (0, "guard", True)
    assert sorted(config_map(project, "override")) == [BAD], "nobody else was sent back"
    refused, why = day.advance(BAD)
    assert refused == set()
    assert re.search(r"was rolled back at [\d: -]+ by guard: points are", why), why

    for agent in good:
        times = day.changed[agent]
        assert list(times) == [10, 25, 50, 100, 0], "one step at a time"
        for before, after in zip(list(times), list(times)[1:], strict=False):
            assert times[after] - times[before] >= HOLDS[before]
        project.wait_for(partial(day.is_answered_by, agent, f"{agent}-20251031"))
        stands = load_environment(project.folder, "live").rollout.agents[agent]
        assert stands.baseline[:2] == (f"{agent}-20251031", "gpt-4o")
    project.wait_for(partial(day.is_answered_by, BAD, "gpt-4o"))
    day.say(f"{(day.now - began) / timedelta(hours=1):.1f} hours; {len(day.load.calls)} calls: {day.load.counts()}")
    assert [str(call) for call in day.load.failed if call.seconds or not call.tries] == [], (
        "a call under way has no whole answer yet"
    )
    steps = [line for line in git(project, "log", "--format=%s", "main").splitlines() if line.startswith("live: ")]
    assert len(steps) == 5 * len(good) + 2, steps
