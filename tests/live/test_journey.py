"""The whole journey of a model, in one cluster: from a request that names it, by a fall at 50 %, to everybody.

Every command is a user's own, typed in a clone of a bare repository. Calls are real ones through production's pods, a
real Prometheus counts them, and the gates judge by that. One dial is turned: at 50 % the provider of made answers is
told to refuse, until more is paid for. docs/journey.md is what is told here, with the outputs of one run;
`--refresh-expected` writes it, its record and its pictures.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from sluice.deploy.cluster_access import ClusterAccess
from sluice.deploy.judging import judging
from sluice.deploy.prometheus_access import prometheus_of
from sluice.local.folders import PROJECT
from sluice.registry import load_environment
from sluice.rollout import Action
from sluice.rollout.verdict import Verdict
from tests.live.journey_pictures import pictures
from tests.live.journey_team import (
    ALLOWED,
    ALLOWED_LATER,
    ENVIRONMENTS,
    ID,
    MODEL,
    Person,
    Team,
    namespace,
    sign_off,
    with_new_model,
)
from tests.live.load import Load
from tests.live.narration import commands_and_prose
from tests.live.project import LiveProject

pytestmark = pytest.mark.operators

CALLS_A_SECOND = 40.0
USERS = 1500
PAGE, RECORD = PROJECT / "docs/journey.md", PROJECT / "docs/journey/record.txt"
PICTURES = PROJECT / "docs/journey"
REQUEST = (r"^(dev|staging|production): ", r"^- \S", r"^  branch ")
"""What the page shows of a request: what it is, what the gates say, and where it lies."""


@dataclass
class Journey:
    """How far the story is."""

    team: Team
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    load: Load | None = None
    chapters: int = 0

    def chapter(self, number: int, title: str, text: str) -> None:
        """Begin a chapter, after the one before it."""
        assert self.chapters == number - 1, "the chapter before did not come to its end"
        self.team.narration.tell(f"## {number}. {title}\n\n{text}")

    def ends(self) -> None:
        self.chapters += 1

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        ran = LiveProject(self.team.ci.folder, self.team.cluster).kubectl(*arguments, stdin=stdin)
        assert ran.exit_code == 0, ran.stderr
        return ran.stdout

    def provider(self, **dials: object) -> None:
        """Have the provider answer for the new model as usual, or otherwise."""
        body = json.dumps({"latency_ms": 40, "latency_jitter_ms": 10, "chunk_delay_ms": 2, "quality": 9.0} | dials)
        stub = f"/api/v1/namespaces/{namespace('dev')}/services/stub-provider:http/proxy/control/models/{ID}"
        self.kubectl("replace", "--raw", stub, "--filename", "-", stdin=body)

    def verdict(self) -> Verdict:
        """What the gates say of production's qa now, as `sluice advance` asks them."""
        declared = load_environment(self.team.ci.folder, "production")
        judge = judging(self.team.cluster, declared.settings, datetime.now(UTC), None)
        standing = judge.standings(declared.rollout).get("qa")
        return judge.record(declared.registry, declared.rollout, "qa", standing).verdict

    def waits_for_gates(self) -> None:
        """Wait until the gates let the next step pass."""
        until = time.monotonic() + 240
        while True:
            verdict = self.verdict()
            if verdict.action is Action.ADVANCE:
                return
            assert verdict.action is Action.HOLD, [reason.text for reason in verdict.why]
            assert time.monotonic() < until, [reason.text for reason in verdict.why]
            time.sleep(5)

    def override(self) -> dict[str, str]:
        found = json.loads(
            self.kubectl("get", "configmap", "override", "-n", namespace("production"), "--output", "json")
        )
        return dict(found.get("data") or {})

    def arms_of_late(self, seconds: float = 4.0) -> set[str]:
        """The arms of the calls that began and ended in the last seconds."""
        assert self.load is not None
        since = time.monotonic() - seconds
        return {call.arm for call in list(self.load.calls) if call.began >= since and call.seconds}

    def steps(self, weight: int) -> None:
        """Ask for the next step, have it merged, and have it applied."""
        said = self.team.ada.sluice("advance", "production", "qa", shown=REQUEST)
        self.team.grace.merges(branch_in(said))
        self.team.applies("production")  # which fails where the pods do not serve what git says
        declared = load_environment(self.team.ci.folder, "production")
        assert declared.rollout.agents["qa"].weight_percent == weight


def branch_in(said: str) -> str:
    """Return the branch that a command pushed."""
    found = re.search(r"branch (\S+?)[:,] ", said)
    assert found, said
    return found[1]


@pytest.fixture(scope="module")
def journey(cluster: ClusterAccess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journey]:
    team = Team(tmp_path_factory.mktemp("journey"), cluster)
    team.narration.tell(
        "# The journey of a model\n\n"
        "`make journey` types every command here, in clones of one repository, against a Kubernetes, real pods and a "
        "real Prometheus. Steps hold for a minute and the soak lasts half of one, in place of days: that is "
        "configuration. A stub provider makes the answers up, and is told when to refuse and when to stop; for them a "
        "soak asks for 7 points by 10 queries, not for 8 by 100. Ada trains and rolls out, Grace reviews and merges, "
        "`ci` applies what was merged. A merge's message, which says who approved, is not shown. "
        "What is left out of an output is `...`, and stands in [the record](journey/record.txt)."
    )
    made = Journey(team)
    try:
        yield made
    finally:
        if made.load is not None:
            made.load.__exit__(AssertionError, None, None)
        (team.folder / "record.txt").write_text(team.narration.record())
        print(f"\nthe record so far: {team.folder / 'record.txt'}")
        team.is_gone()


def rendered(person: Person) -> None:
    for environment in ENVIRONMENTS:
        person.sluice("render", environment, shown=("^manifests/",))


def test_a_new_model_enters_dev_by_a_request(journey: Journey) -> None:
    team = journey.team
    journey.chapter(
        1,
        "A new model enters dev",
        f"The second fine-tune for `qa` is trained: `{MODEL}`. Ada adds it to `registry/models.yaml`, with its audit, "
        "and makes it the candidate of dev.",
    )
    with_new_model(team.ada)
    team.ada.sluice("validate", shown=("^valid",))
    team.ada.sluice("plan", "dev", shown=("^dev", "qa  ", "other"))
    rendered(team.ada)
    team.ada.proposes(f"model/{MODEL}", f"Try {MODEL} in dev")
    team.ada.sluice("ci", "check", "--against", "origin/main", shown=("order",))
    team.narration.tell("Grace reads it and merges it, and CI applies it: dev first.")
    team.grace.merges(f"model/{MODEL}")
    team.applies()
    team.measured()
    journey.provider()

    said = team.ada.sluice(
        "ask", "dev", "qa", "Write a unit test for a function that adds two numbers.", "--user", "ada"
    )

    assert re.search(rf"-- qa, (candidate arm, {MODEL}|baseline arm, gpt-4o), ", said), said
    journey.ends()


def test_it_soaks_in_staging_and_others_sign_for_it(journey: Journey) -> None:
    team = journey.team
    journey.chapter(
        2,
        "It soaks in staging, and is signed off",
        "The way into another environment is a request as well. Production waits for evidence, and says which.",
    )
    team.ada.is_up_to_date()
    team.grace.merges(branch_in(team.ada.sluice("promote", "qa", "--from", "dev", "--to", "staging", shown=REQUEST)))
    team.applies("staging")
    team.ada.is_up_to_date()
    refused = team.ada.sluice("promote", "qa", "--from", "staging", "--to", "production", expects=1)
    for said in ("the sign-off that is wanted is not there: technical", "was not soaked"):
        assert said in refused
    team.narration.tell("The soak asks queries through staging's pods, and sends everybody to the baseline and back.")

    team.ada.sluice("soak", "staging", "--agent", "qa", shown=("queries  quality", MODEL, "^wrote"))

    today = datetime.now(UTC).date()
    for role in ("technical", "security", "cost"):
        file = team.ada.folder / f"registry/evidence/sign-off-{role}-{MODEL}.yaml"
        file.write_text(sign_off(role, "Grace", str(today), str(today + timedelta(days=90))))
    team.narration.tell(
        "Soak and sign-offs are files, and come by a request. That Ada wrote the sign-offs and Grace, whose name they "
        "bear, let them in is what git proves."
    )
    team.ada.proposes(f"evidence/{MODEL}", f"Keep the soak of {MODEL}, and who signs for it")
    team.ada.sluice("ci", "check", "--against", "origin/main", shown=("order",))
    team.grace.merges(f"evidence/{MODEL}")
    journey.ends()


def test_it_climbs_in_production_by_merged_requests(journey: Journey) -> None:
    team = journey.team
    journey.chapter(
        3,
        "Production: 10, 25, 50 %",
        f"{USERS:,} users ask production's `qa`, {CALLS_A_SECOND:g} times a second. The first step is a request.",
    )
    service = json.loads(
        journey.kubectl("get", "service", "gateway", "-n", namespace("production"), "--output", "json")
    )["spec"]
    url = f"http://{service['clusterIP']}:{service['ports'][0]['port']}"
    journey.load = Load(url, ("qa",), calls_a_second=CALLS_A_SECOND, tries=3, users=USERS).__enter__()
    team.ada.is_up_to_date()
    entry = team.ada.sluice("promote", "qa", "--from", "staging", "--to", "production", shown=REQUEST)
    team.grace.merges(branch_in(entry))
    team.applies("production")
    team.narration.tell("The next one may not come at once: the gates say what is missing.")
    team.ada.sluice("advance", "production", "qa", expects=1)
    for weight in (25, 50):
        journey.waits_for_gates()
        if weight == 25:
            team.narration.tell("A minute later they have seen enough, and every step is a request of its own.")
        journey.steps(weight)
    journey.ends()


def test_at_50_percent_it_turns_bad_and_the_guard_sends_it_back(journey: Journey) -> None:
    team = journey.team
    journey.chapter(
        4,
        "At 50 % it turns bad, and the guard sends it back",
        "With half of the users on it, the provider refuses every second request: so much was not paid for. The "
        "baseline answers in the candidate's place, so nobody sees an error; but a candidate that cannot answer is no "
        "better than a bad one. Nobody types anything: the guard in the cluster sees it and sets the override.",
    )
    assert journey.override() == {}, "nobody was sent back before"
    began = time.monotonic()
    journey.provider(error_rate=0.5, error_status=503)
    LiveProject(team.ci.folder, team.cluster).wait_for(lambda: "qa" in journey.override(), seconds=240)
    print(f"\nthe guard acted {time.monotonic() - began:.0f} s after the provider began to refuse")
    entry = json.loads(journey.override()["qa"])
    assert (entry["by"], entry["weight"]) == ("guard", 0)
    assert f"{MODEL} at 50 %" in entry["evidence"]
    LiveProject(team.ci.folder, team.cluster).wait_for(lambda: journey.arms_of_late() == {"baseline"}, seconds=30)
    team.ada.is_up_to_date()

    team.ada.sluice("status", "production", expects=1, shown=("^agent", "^qa", "override"))
    team.narration.tell("Ada looks at it, agrees, and has git say the same: a request that no gate takes back.")
    said = team.ada.sluice(
        "rollback", "production", "qa", "--reason", "the provider refuses every second request", "--prove-for", "5",
        "--request",
    )  # fmt: skip

    team.grace.merges(re.search(r"request: branch (\S+),", said)[1])  # type: ignore[index]
    journey.ends()


def test_it_is_fixed_by_a_request_and_resumed(journey: Journey) -> None:
    team = journey.team
    journey.chapter(
        5,
        "A request fixes it, and it is resumed",
        f"The next tier is paid for, and the provider refuses nobody any more. Ada writes down what it allows now: "
        f"{ALLOWED_LATER} requests a second.",
    )
    team.ada.is_up_to_date()
    team.ada.edit(
        "registry/models.yaml", f"requests_per_second: {ALLOWED}\n", f"requests_per_second: {ALLOWED_LATER}\n"
    )
    team.ada.sluice("plan", "production", shown=("^production", "mistral", "qa  ", "other"))
    rendered(team.ada)
    team.ada.proposes("provider/mistral", f"Ask Mistral for {ALLOWED_LATER} requests a second, as is paid for now")
    team.ada.sluice("ci", "check", "--against", "origin/main", shown=("order",))
    team.grace.merges("provider/mistral")
    journey.provider()
    team.applies()
    assert journey.arms_of_late() == {"baseline"}, "no update lifts an override"
    team.ada.is_up_to_date()

    team.ada.sluice("resume", "production", "qa", "--reason", "the provider allows enough now")

    assert "qa" not in journey.override()
    journey.ends()


def test_it_climbs_again_to_everybody(journey: Journey) -> None:
    team, load = journey.team, journey.load
    assert load is not None
    journey.chapter(6, "And up again, to everybody", "Resumed, it begins at the first step, and is judged anew.")
    for weight in (10, 25, 50, 100):
        journey.waits_for_gates()
        journey.steps(weight)
    LiveProject(team.ci.folder, team.cluster).wait_for(lambda: journey.arms_of_late() == {"candidate"}, seconds=60)
    load.__exit__(None, None, None)
    journey.load = None
    team.narration.tell("Who let what through, and when, is in git; the overrides are in the cluster.")
    team.ada.is_up_to_date()
    team.ada.sluice("log", "production", "qa")
    team.ada.sluice("status", "production", shown=("^agent", "^qa", "what git says"))
    team.ada.sluice("report", "production", "--since", "1d")
    print(f"\n{len(load.calls)} calls, {len(load.failed)} failed: {load.counts()}")
    assert [str(call) for call in load.failed] == []
    journey.ends()


def test_the_page_tells_this_journey(journey: Journey, pytestconfig: pytest.Config) -> None:
    assert journey.chapters == 6
    team = journey.team
    declared = load_environment(team.ci.folder, "production")
    drawn = pictures(prometheus_of(team.cluster, declared.settings), journey.began, datetime.now(UTC))
    team.narration.tell(
        "What Prometheus saw of it, from the first update to the last:\n\n"
        + "\n".join(f"![{picture.says}](journey/{name}.svg)" for name, picture in drawn.items())
    )
    if pytestconfig.getoption("--refresh-expected"):
        PICTURES.mkdir(exist_ok=True)
        PAGE.write_text(team.narration.page())
        RECORD.write_text(team.narration.record() + "\n")
        for name, picture in drawn.items():
            (PICTURES / f"{name}.svg").write_text(picture.svg)

    assert PAGE.is_file(), "docs/journey.md is not there: run it with --refresh-expected"
    told = commands_and_prose(team.narration.page())
    assert told == commands_and_prose(PAGE.read_text()), "it is told otherwise: run it with --refresh-expected"
