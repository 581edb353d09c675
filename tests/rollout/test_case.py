"""What a case takes from the registry: papers, freezes, money, the ladder."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from sluice.registry import Registry, Role, Rollout, load_registry, load_rollout
from sluice.registry.evidence import Condition, Evidence, EvidenceKind, SignOff
from sluice.registry.policy import Freeze
from sluice.rollout import Case, Measurements, NoCandidate, case_of

REGISTRY = Path(__file__).parent.parent.parent / "registry"
NOW = datetime(2025, 12, 24, 23, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry(REGISTRY)


@pytest.fixture(scope="module")
def production(registry: Registry) -> Rollout:
    return load_rollout(REGISTRY, "production", registry)


def made(registry: Registry, rollout: Rollout, agent: str = "qa", now: datetime = NOW) -> Case:
    return case_of(registry, rollout, agent, Measurements(now), now)


def signed(registry: Registry, ends: date = date(2026, 2, 5), *, met: bool = True, identity: str = "") -> Registry:
    """Sign for qa's candidate in every role."""
    identity = identity or registry.models["qa-20251031"].id
    papers = {
        f"{role}-1": Evidence(
            f"{role}-1", EvidenceKind.SIGN_OFF, date(2025, 11, 5), by="Ada Lovelace",
            sign_off=SignOff(role, ends, {"qa-20251031": identity}, (Condition("keys secured", met),)),
        )
        for role in Role
    }  # fmt: skip
    return dataclasses.replace(registry, evidence={**registry.evidence, **papers})


def test_production_asks_for_its_sign_offs_and_legal_for_one_more(registry: Registry, production: Rollout) -> None:
    assert made(registry, production).missing_sign_offs == tuple(
        f"{role}: nobody signed" for role in ("technical", "security", "cost")
    )
    assert made(registry, production, "legal").missing_sign_offs[-1] == "legal: nobody signed"


def test_other_environments_ask_for_none(registry: Registry) -> None:
    assert made(registry, load_rollout(REGISTRY, "staging", registry)).missing_sign_offs == ()


def test_a_sign_off_holds_to_its_last_day_with_its_conditions_met_for_the_very_model(
    registry: Registry, production: Rollout
) -> None:
    assert made(signed(registry), production).missing_sign_offs == ()
    assert made(signed(registry, NOW.date()), production).missing_sign_offs == ()
    assert (
        made(signed(registry, date(2025, 12, 23)), production).missing_sign_offs[0] == "technical: ended on 2025-12-23"
    )
    assert made(signed(registry, met=False), production).missing_sign_offs[0] == (
        "technical: condition not met: keys secured"
    )
    assert made(signed(registry, identity="ft:other"), production).missing_sign_offs[0] == "technical: nobody signed"


@pytest.mark.parametrize(("day", "frozen"), [(19, False), (20, True), (31, True)])
def test_a_freeze_holds_from_its_first_day_to_its_last(
    day: int, frozen: bool, registry: Registry, production: Rollout
) -> None:
    freeze = Freeze(date(2025, 12, 20), date(2025, 12, 31), "the holidays")
    closed = dataclasses.replace(registry, gates=dataclasses.replace(registry.gates, freezes=(freeze,)))

    found = made(closed, production, now=datetime(2025, 12, day, 12, tzinfo=UTC)).freeze

    assert found == ("the holidays, until 2025-12-31" if frozen else None)


def test_the_next_step_is_forecast_with_the_other_agents_where_they_stand(registry: Registry) -> None:
    dev = load_rollout(REGISTRY, "dev", registry)

    assert made(registry, dev, "content").next_month_dollars == pytest.approx(4 * 3.6 + 7.2)  # 50 % to 100 %


def test_without_a_candidate_there_is_nothing_to_judge(registry: Registry, production: Rollout) -> None:
    none = dataclasses.replace(production.agents["qa"], candidate=None)
    rollout = dataclasses.replace(production, agents={**production.agents, "qa": none})

    with pytest.raises(NoCandidate, match="qa has no candidate; name one in registry"):
        made(registry, rollout)
