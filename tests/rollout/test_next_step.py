"""What should change in git after a judgement: one step, a graduation, or a refusal that names what is missing."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from sluice.registry import AgentRollout, Registry, Rollout, load_registry, load_rollout
from sluice.registry.editing import edit_file
from sluice.registry.policy import Freeze
from sluice.rollout import Case, Gate, NoCandidate, RolledBack, Standing, Users, record_of
from sluice.rollout.next_step import entry, next_step
from sluice.rollout.proposal import Force, Kind, NextStep, NoReason, Refused
from sluice.rollout.verdicts import judged
from tests.rollout.examples import NOW, arm, case, dear, good, measured, period
from tests.rollout.test_case import REGISTRY, signed

FELL = RolledBack(datetime(2025, 11, 11, 9, 30, tzinfo=UTC), "guard", "points are 22 % below the baseline's")
GO_ON = Force("Ada", "the questions of Monday were our own load test")


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry(REGISTRY)


def rollout(registry: Registry, environment: str = "staging", **agents: AgentRollout) -> Rollout:
    declared = load_rollout(REGISTRY, environment, registry)
    return dataclasses.replace(declared, agents=MappingProxyType({**declared.agents, **agents}))


def standing_at(registry: Registry, weight: int, environment: str = "staging") -> Rollout:
    qa = AgentRollout("qa", "qa-20251031", weight, date(2025, 11, 9), registry.agents["qa"].baseline)
    return rollout(registry, environment, qa=qa)


def asked(registry: Registry, one: Case, **others: Any) -> NextStep | Refused:
    where = standing_at(registry, one.weight_percent, one.environment)
    return next_step(registry, where, record_of(one), **others)


def step(found: NextStep | Refused) -> NextStep:
    assert isinstance(found, NextStep), found.text
    return found


def refusal(found: NextStep | Refused) -> Refused:
    assert isinstance(found, Refused), found.text
    return found


def few(days: int = 1, environment: str = "staging") -> Case:
    """Make a rollout that nothing is wrong with but that few have asked."""
    began = NOW - timedelta(days=days)
    return case(measured(period(arm(12), dear(900), began=began)), environment=environment, since=began)


def test_an_advance_is_the_next_step_from_today_on(registry: Registry) -> None:
    found = step(asked(registry, case()))

    assert (found.kind, found.weight_percent, found.since) == (Kind.STEP, 25, date(2025, 11, 12))
    assert found.text == "qa of production: 10 % of users on qa-20251031 become 25 %"


def test_the_first_users_come_at_the_first_step(registry: Registry) -> None:
    found = step(asked(registry, case(weight_percent=0, since=None)))

    assert (found.kind, found.weight_percent) == (Kind.ENTRY, 10)


def test_a_refusal_names_each_thing_that_is_missing_and_since_when(registry: Registry) -> None:
    found = refusal(asked(registry, few()))

    assert found.by_force
    assert {one.gate for one in found.missing} >= {Gate.TIME, Gate.SAMPLE}
    assert "  time: 10 % holds for 1.0 days, 2 are wanted (since 2025-11-11 12:00 UTC)" in found.text
    assert "  sample: 12 requests to the candidate at this step, 20 are the least (since 2025-11-11" in found.text


def test_a_metric_that_stopped_is_missing_since_it_was_last_seen(registry: Registry) -> None:
    stopped = NOW - timedelta(hours=2)
    newest = dataclasses.replace(good().newest, quality=stopped)
    found = refusal(asked(registry, case(dataclasses.replace(good(), newest=newest))))

    assert [(one.gate, one.since) for one in found.missing] == [(Gate.QUALITY, stopped)]


def test_a_person_goes_on_with_a_reason_that_is_kept(registry: Registry) -> None:
    found = step(asked(registry, few(), force=GO_ON))

    assert (found.weight_percent, found.forced) == (25, GO_ON)
    assert {one.gate for one in found.despite} >= {Gate.TIME, Gate.SAMPLE}


def test_a_reason_that_nothing_stood_against_is_not_kept(registry: Registry) -> None:
    found = step(asked(registry, case(), force=GO_ON))

    assert (found.forced, found.despite) == (None, ())


def test_going_on_without_a_reason_is_refused() -> None:
    with pytest.raises(NoReason, match="--force needs a reason"):
        Force("Ada", "  ")


def test_no_reason_goes_over_harm(registry: Registry) -> None:
    bad = case(measured(period(arm(300, failed=25), dear(2700, failed=27))))

    found = refusal(asked(registry, bad, force=GO_ON))

    assert not found.by_force
    assert "25 of 52 users who met a failure are on the candidate" in found.text


@pytest.mark.parametrize(
    ("change", "gate"),
    [
        ({"freeze": "the holidays, until 2025-11-20", "frozen_since": NOW - timedelta(days=2)}, Gate.FREEZE),
        ({"missing_sign_offs": ("cost: nobody signed",)}, Gate.SIGN_OFFS),
        ({"standing": Standing(FELL)}, Gate.ROLLOUT),
        ({"enabled": False}, Gate.ROLLOUT),
    ],
)
def test_no_reason_goes_over_what_is_changed_elsewhere(change: dict[str, Any], gate: Gate, registry: Registry) -> None:
    found = refusal(asked(registry, case(**change), force=GO_ON))

    assert not found.by_force
    assert [one.gate for one in found.missing] == [gate]


def test_a_freeze_is_named_with_its_first_day(registry: Registry) -> None:
    freeze = Freeze(date(2025, 11, 10), date(2025, 11, 20), "the fair")
    frozen = dataclasses.replace(registry, gates=dataclasses.replace(registry.gates, freezes=(freeze,)))

    found = next_step(frozen, standing_at(frozen, 10), judged(frozen, standing_at(frozen, 10), "qa", good(), NOW))

    assert "freeze: no weight is raised now: the fair, until 2025-11-20 (since 2025-11-10 00:00 UTC)" in found.text


def test_in_production_no_reason_shortens_a_step_because_a_rule_keeps_it(registry: Registry) -> None:
    assert not refusal(asked(registry, few(environment="production"), force=GO_ON)).by_force


def test_a_judgement_of_another_step_or_candidate_moves_nothing(registry: Registry) -> None:
    already = next_step(registry, standing_at(registry, 25), record_of(case()))

    assert "was judged as qa-20251031 at 10 %, and the file says qa-20251031 at 25 %" in refusal(already).text


def test_who_was_rolled_back_waits_for_a_person_and_then_begins_at_the_first_step(registry: Registry) -> None:
    fallen = case(weight_percent=0, standing=Standing(FELL))
    held = refusal(asked(registry, fallen))

    assert [(one.gate, one.since) for one in held.missing] == [(Gate.ROLLOUT, FELL.at)]
    let_in = case(weight_percent=0, standing=Standing(resumed_at=NOW))
    assert step(asked(registry, let_in)).weight_percent == 10


def test_a_weight_that_was_resumed_where_it_fell_goes_down_to_the_first_step(registry: Registry) -> None:
    resumed = NOW - timedelta(hours=1)
    seen = measured(period(arm(100), dear(900), weight=25, began=resumed))

    found = step(asked(registry, case(seen, weight_percent=25, standing=Standing(resumed_at=resumed))))

    assert (found.kind, found.weight_before_percent, found.weight_percent) == (Kind.RE_ENTRY, 25, 10)


def test_a_raise_merged_as_the_candidate_fell_goes_no_further_and_then_down_to_the_first_step(
    registry: Registry,
) -> None:
    # Judged at 25 % and merged at 50 % while the guard set its override: nobody was ever served more than 25 %.
    merged = case(weight_percent=50, standing=Standing(FELL))
    held = refusal(asked(registry, merged, force=GO_ON))

    assert not held.by_force
    assert [(one.gate, one.since) for one in held.missing] == [(Gate.ROLLOUT, FELL.at)]
    resumed = NOW - timedelta(hours=1)
    seen = measured(period(arm(100), dear(100), weight=50, began=resumed))
    found = step(asked(registry, case(seen, weight_percent=50, standing=Standing(resumed_at=resumed))))
    assert (found.kind, found.weight_before_percent, found.weight_percent) == (Kind.RE_ENTRY, 50, 10)


def test_a_failed_agent_holds_nobody_up(registry: Registry) -> None:
    assert step(asked(registry, case(), standings={"legal": Standing(FELL)})).weight_percent == 25


def test_a_failed_agent_holds_up_who_is_coupled_to_it(registry: Registry) -> None:
    qa = dataclasses.replace(registry.agents["qa"], coupled_to=("legal",))
    coupled = dataclasses.replace(registry, agents=MappingProxyType({**registry.agents, "qa": qa}))

    assert step(asked(coupled, case(), standings={"content": Standing(FELL)})).weight_percent == 25
    found = refusal(asked(coupled, case(), standings={"legal": Standing(FELL)}, force=GO_ON))
    assert [(one.gate, one.since) for one in found.missing] == [(Gate.ROLLOUT, FELL.at)]
    assert "legal, which it is coupled to, was rolled back by guard: points are 22 %" in found.text


def test_after_the_longest_time_a_step_may_take_a_person_decides(registry: Registry) -> None:
    assert refusal(asked(registry, few(days=20))).asks_a_person
    assert not refusal(asked(registry, few())).asks_a_person


def last_step() -> Case:
    before = period(arm(300), dear(300), weight=50, began=NOW - timedelta(days=4))
    alone = period(arm(400), dear(0, scores=None, seconds=None), weight=100, began=NOW - timedelta(days=2))
    return case(
        measured(before, dataclasses.replace(alone, baseline=dear(0)), users=Users(500, 300)), weight_percent=100
    )


def test_after_the_last_step_the_candidate_leads_the_baselines(registry: Registry, tmp_path: Path) -> None:
    found = step(asked(registry, last_step()))
    assert found.kind is Kind.GRADUATION
    assert found.baseline == ("qa-20251031", "gpt-4o", "claude-sonnet-4")

    file = tmp_path / "production.yaml"
    file.write_text(
        "version: 1\nenabled: true   # the kill switch\nagents:\n"
        "  qa: {candidate: qa-20251031, weight: 100, since: 2025-11-10}   # closely\n"
        "  legal: {candidate: legal-20251031, weight: 10}\n"
    )
    edit_file(file, found.changes)

    assert file.read_text() == (
        "version: 1\nenabled: true   # the kill switch\nagents:\n"
        "  qa: {baseline: [qa-20251031, gpt-4o, claude-sonnet-4]}   # closely\n"
        "  legal: {candidate: legal-20251031, weight: 10}\n"
    )


def test_a_second_fine_tune_is_judged_against_the_first_that_graduated(registry: Registry) -> None:
    graduate = step(asked(registry, last_step()))
    second = dataclasses.replace(registry.models["qa-20251031"], name="qa-20260301", id="ft:qa:20260301")
    later = dataclasses.replace(registry, models=MappingProxyType({**registry.models, "qa-20260301": second}))
    where = rollout(later, qa=AgentRollout("qa", "qa-20260301", 0, None, graduate.baseline))

    first = step(next_step(later, where, judged(later, where, "qa", good(), NOW)))
    assert (first.kind, first.candidate, first.weight_percent) == (Kind.ENTRY, "qa-20260301", 10)

    where = rollout(later, qa=AgentRollout("qa", "qa-20260301", 10, date(2025, 11, 9), graduate.baseline))
    as_good = judged(later, where, "qa", measured(period(arm(100, failed=1), arm(900, failed=9))), NOW)
    assert as_good.case.baseline == "qa-20251031"
    assert step(next_step(later, where, as_good)).weight_percent == 25

    # Four times the failures of the first fine-tune end it, although gpt-4o's bad days had as many.
    worse = judged(later, where, "qa", measured(period(arm(300, failed=30), arm(2700, failed=27))), NOW)
    assert "of 57 users who met a failure are on the candidate" in refusal(next_step(later, where, worse)).text


def test_what_staging_tried_enters_production_at_the_first_step(registry: Registry) -> None:
    papers = signed(registry)

    found = step(entry(papers, rollout(papers), rollout(papers, "production"), "qa", NOW))

    assert (found.kind, found.environment, found.candidate) == (Kind.ENTRY, "production", "qa-20251031")
    assert dict(found.changes) == {
        ("agents", "qa", "candidate"): "qa-20251031",
        ("agents", "qa", "weight"): 10,
        ("agents", "qa", "since"): date(2025, 11, 12),
    }


def test_entering_production_names_the_sign_offs_that_are_missing(registry: Registry) -> None:
    found = entry(registry, rollout(registry), rollout(registry, "production"), "legal", NOW)

    assert [one.text.rpartition("not there: ")[2] for one in refusal(found).missing] == [
        f"{role}: nobody signed" for role in ("technical", "security", "cost", "legal")
    ]


@pytest.mark.parametrize(
    ("there", "said"),
    [
        (("qa-20251031", 10), "qa-20251031 has 10 % in production already: `sluice advance` goes on"),
        (("qa-20260301", 25), "qa-20260301 has 25 % in production: let it graduate, or roll it back"),
    ],
)
def test_who_has_users_already_does_not_enter_again(there: tuple[str, int], said: str, registry: Registry) -> None:
    qa = AgentRollout("qa", *there, date(2025, 11, 9), registry.agents["qa"].baseline)

    assert said in entry(registry, rollout(registry), rollout(registry, "production", qa=qa), "qa", NOW).text


def test_what_nobody_tried_does_not_enter(registry: Registry) -> None:
    source = standing_at(registry, 0)
    found = entry(registry, source, rollout(registry, "production"), "qa", NOW)
    assert "qa-20251031 answers nobody in staging: it was not tried there" in found.text

    nobody = rollout(registry, qa=AgentRollout("qa", None, 0, None, ("gpt-4o",)))
    with pytest.raises(NoCandidate, match="staging: qa has no candidate"):
        entry(registry, nobody, rollout(registry, "production"), "qa", NOW)
