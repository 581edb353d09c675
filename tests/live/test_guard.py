"""The guard in real pods: it sets what the gates say, one of several acts, and without Prometheus nothing moves.

Prometheus is a made one, which the pods reach at the node's own address; everything else is as it is in production. At
the end it is killed at each of its stages, as a process of this machine with the rights of its pod.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sluice.local.cluster.layout import NODE_ADDRESS
from sluice.rollout import Action, read, replay
from sluice.rollout.guard.notes import judgement_of
from tests.live.guard_process import Credentials, GuardProcess, Kill, credentials, guarding
from tests.live.guards import GUARD, config_map, leader, stop_guards
from tests.live.project import AGENTS, NAMESPACE, LiveProject, edit
from tests.rollout.made_prometheus import SCRAPE, MadePrometheus, serving
from tests.rollout.report_takers import taking_posts

pytestmark = pytest.mark.long

USERS = tuple(f"user-{number}" for number in range(40))
GOOD = {"candidate": {"ok": 6}, "baseline": {"ok": 54}}
BAD = {"candidate": {"fallback": 6}, "baseline": {"ok": 54}}


class Scraping:
    """Goes on scraping made traffic of two agents, as the time passes."""

    def __init__(self, made: MadePrometheus) -> None:
        self.made = made
        self.traffic: dict[str, Mapping[str, Mapping[str, int]]] = {"qa": GOOD, "legal": GOOD, "support": GOOD}
        self._next = datetime.now(UTC) - timedelta(minutes=10)
        self._lock = threading.Lock()

    def catch_up(self) -> None:
        with self._lock:
            while self._next <= datetime.now(UTC):
                for agent, each in self.traffic.items():
                    self.made.traffic(agent, 10, self._next, self._next, each_scrape=each)
                self._next += SCRAPE


@contextmanager
def scraping(made: MadePrometheus) -> Iterator[Scraping]:
    one, over = Scraping(made), threading.Event()

    def go_on() -> None:
        one.catch_up()
        while not over.wait(1):
            one.catch_up()

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield one
    finally:
        over.set()
        thread.join()


@pytest.fixture(scope="module")
def made() -> Iterator[Scraping]:
    with (
        serving(MadePrometheus(environment={"namespace": NAMESPACE}), NODE_ADDRESS) as prometheus,
        scraping(prometheus) as one,
    ):
        yield one


@pytest.fixture(scope="module")
def posted() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """Who takes the report, which pods reach at the node's own address."""
    with taking_posts(host=NODE_ADDRESS) as taking:
        yield taking


@pytest.fixture(scope="module")
def guarded(project: LiveProject, made: Scraping, posted: tuple[str, list[tuple[str, bytes]]]) -> Iterator[LiveProject]:
    settings = project.folder / "Pulumi.live.yaml"
    before = settings.read_text()
    image = f"sluice.local/guard@sha256:{'0' * 64}"
    wanted = f"  sluice:prometheus: {{url: '{made.made.url}'}}\n  sluice:guard: {{image: '{image}', replicas: 2}}"
    wanted += f"\n  sluice:report: {{schedule: '0 0 1 1 *', to: {{post: '{posted[0]}'}}}}"
    edit(settings, r"  sluice:cache:", f"{wanted}\n  sluice:cache:")
    project.roll_out(dict.fromkeys(AGENTS, 0) | {"qa": 10, "legal": 10, "support": 10})
    project.up()
    project.wait_for(lambda: bool(leader(project)))
    yield project
    settings.write_text(before)
    project.end_guard()


def events(project: LiveProject) -> list[dict[str, Any]]:
    found = project.kubectl("get", "events", "--field-selector", "reason=RolledBack", "--output", "json")
    return list(json.loads(found.stdout)["items"])


def test_one_guard_acts_and_good_candidates_stay(guarded: LiveProject, made: Scraping) -> None:
    asked = len(made.made.queries)
    # It leaves alone for a minute whose override was lifted, as tests before this one may have done.
    guarded.wait_for(lambda: len(made.made.queries) > asked + 40, seconds=150)

    assert config_map(guarded, "override") == {}
    assert guarded.kubectl("get", "pods", *GUARD, "--output", "name").stdout.count("pod/") == 2
    assert set(guarded.up()["changes"]) == {"same"}, "what the guard writes is no difference to an update"


def test_the_report_is_made_by_its_job_and_posted(
    guarded: LiveProject, made: Scraping, posted: tuple[str, list[tuple[str, bytes]]]
) -> None:
    made.made.knows_no_other_form = True
    started = guarded.kubectl("create", "job", "--from=cronjob/sluice-report", "report-now")
    assert started.exit_code == 0, started.stderr
    waited = guarded.kubectl("wait", "--for=condition=complete", "job/report-now", "--timeout=50s")
    log = guarded.kubectl("logs", "job/report-now").stdout

    assert waited.exit_code == 0, waited.stderr + log
    assert json.loads(log)["message"] == "posted"
    ((kind, page),) = posted[1]
    assert kind.startswith("text/html")
    assert b"<h1>live: 7 days to " in page
    assert b"Prometheus has recorded nothing of this environment in this time" in page


def test_a_bad_candidate_is_rolled_back_and_without_prometheus_nothing_moves(
    guarded: LiveProject, made: Scraping
) -> None:
    made.made.answer = (503, "gone")
    made.traffic["qa"] = BAD
    time.sleep(40)
    assert config_map(guarded, "override") == {}, "nothing moves by what is not seen"

    made.made.answer = None
    back = time.monotonic()
    guarded.wait_for(lambda: "qa" in config_map(guarded, "override"), seconds=40)
    set_after = time.monotonic() - back
    guarded.wait_for(lambda: set(guarded.arms("qa", USERS).values()) == {"baseline"}, seconds=5)

    entry = json.loads(config_map(guarded, "override")["qa"])
    print(f"\nPrometheus back: rolled back after {set_after:.1f} s: {entry['reason']}")
    assert (entry["weight"], entry["by"]) == (0, "guard")
    guarded.wait_for(lambda: bool(config_map(guarded, "rollbacks")))
    (facts,) = (json.loads(text) for text in config_map(guarded, "rollbacks").values())
    assert replay(read(judgement_of(facts))).action is Action.ROLLBACK
    (event,) = events(guarded)
    assert event["message"].startswith("qa went back to the baseline")
    assert set(guarded.up()["changes"]) == {"same"}


def test_when_the_guard_that_acts_is_killed_another_finishes_and_nothing_is_doubled(
    guarded: LiveProject, made: Scraping
) -> None:
    first = leader(guarded)
    made.traffic["legal"] = BAD
    began = time.monotonic()
    killed = guarded.kubectl("delete", "pod", first, "--grace-period=0", "--force", "--wait=false")
    assert killed.exit_code == 0, killed.stderr

    guarded.wait_for(lambda: "legal" in config_map(guarded, "override"), seconds=120)
    print(f"\nthe guard that acts killed as legal goes bad: rolled back {time.monotonic() - began:.0f} s later")
    assert leader(guarded) != first
    guarded.wait_for(lambda: len(config_map(guarded, "rollbacks")) == 2)
    assert sorted(config_map(guarded, "override")) == ["legal", "qa"]
    assert len(events(guarded)) == 2


DECIDED, UNHEARD = "decided, and nothing is set", "the override is set, and it does not hear of it"
OVERRIDE, FACTS, EVENTS = "/configmaps/override", "/configmaps/rollbacks", "/events"
STAGES = {
    "as it begins to read": Kill("GET", OVERRIDE, is_obeyed=False),
    "as it measures": None,
    DECIDED: Kill("PATCH", OVERRIDE, is_obeyed=False),
    UNHEARD: Kill("PATCH", OVERRIDE, is_obeyed=True),
    "before the Event": Kill("POST", EVENTS, is_obeyed=False),
    "after the Event": Kill("POST", EVENTS, is_obeyed=True),
    "before the facts of the post-mortem": Kill("PATCH", FACTS, is_obeyed=False),
    "all is done, and no page was ever scraped": Kill("PATCH", FACTS, is_obeyed=True),
}
HELD = json.dumps({"weight": 0, "by": "ada"})


@pytest.fixture(scope="module")
def alone(guarded: LiveProject, tmp_path_factory: pytest.TempPathFactory) -> Credentials:
    """What a guard is given, in a cluster where no other runs any more."""
    given = credentials(guarded, tmp_path_factory.mktemp("guard"))
    stop_guards(guarded)
    return given


def begun_anew(project: LiveProject) -> None:
    """Take every trace of a rollback away, and hold the agents that went bad in other tests as a person does."""
    for name, data in (("override", {"qa": HELD, "legal": HELD}), ("rollbacks", {})):
        patch = json.dumps([{"op": "add", "path": "/data", "value": data}])
        done = project.kubectl("patch", "configmap", name, "--type", "json", "--patch", patch)
        assert done.exit_code == 0, done.stderr
    assert project.kubectl("delete", "events", "--field-selector", "reason=RolledBack").exit_code == 0
    lease_ended(project)


def lease_ended(project: LiveProject) -> None:
    """Have the next guard act at once."""
    nobody = '{"spec": {"holderIdentity": ""}}'
    done = project.kubectl("patch", "lease", "sluice-guard", "--type", "merge", "--patch", nobody)
    assert done.exit_code == 0, done.stderr


@pytest.mark.parametrize("stage", STAGES)
def test_killed_at_each_stage_a_rollback_is_neither_lost_nor_doubled(
    guarded: LiveProject, made: Scraping, alone: Credentials, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun_anew(guarded)
    made.traffic["support"] = BAD

    with guarding(alone, STAGES[stage]) as first:
        if STAGES[stage] is None:
            at_the_fifth_query(made, first, monkeypatch)
        guarded.wait_for(lambda: first.is_dead, seconds=120)
    monkeypatch.undo()
    left = config_map(guarded, "override").get("support")
    if stage != DECIDED:  # after this one the lease ends by itself
        lease_ended(guarded)
    began = time.monotonic()
    with guarding(alone) as second:
        guarded.wait_for(lambda: bool(config_map(guarded, "rollbacks")), seconds=90)
        finished = time.monotonic() - began
        guarded.wait_for(lambda: 'sluice_guard_rolled_back{agent="support"} 1.0' in second.metrics(), seconds=30)
        if stage == UNHEARD:  # and it looks once more
            rounds = len(second.asked("GET", OVERRIDE))
            guarded.wait_for(lambda: len(second.asked("GET", OVERRIDE)) > rounds + 1, seconds=60)

    print(f"\nkilled {stage}: finished {finished:.1f} s after the next one was started")
    override = config_map(guarded, "override")
    assert (override.pop("qa"), override.pop("legal"), sorted(override)) == (HELD, HELD, ["support"])
    assert left in (None, override["support"]), "what was set is not set anew"
    obeyed = [status for one in (first, second) for status in one.asked("PATCH", OVERRIDE) if status == 200]
    assert obeyed == [200], "it was set once"
    ((name, text),) = config_map(guarded, "rollbacks").items()
    facts = json.loads(text)
    assert (".support." in name, facts["at"]) == (True, json.loads(override["support"])["at"])
    assert replay(read(judgement_of(facts))).action is Action.ROLLBACK
    (event,) = events(guarded)
    assert event["message"].startswith("support went back to the baseline")


def at_the_fifth_query(made: Scraping, guard: GuardProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have it die while Prometheus looks for the answer."""
    respond, asked = made.made.respond, iter(range(5))

    def dying(path: str, form: Mapping[str, str]) -> tuple[int, str]:
        if next(asked, None) is None and not guard.is_dead:
            guard.die()
        return respond(path, form)

    monkeypatch.setattr(made.made, "respond", dying)
