"""The judgement of what git says: measured by Prometheus, held by the override."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from sluice.override import Override, read_overrides
from sluice.registry import Registry, load_registry
from sluice.rollout import Action, Measurements, RolledBack, UnreadableRecord, read, replay, written
from sluice.rollout.guard.loop import Watched
from sluice.rollout.override_map import Lifted, OverrideMap
from sluice.rollout.verdicts import NothingToMeasureWith, standing_of, verdict_of
from tests.rollout.examples import NOW, good
from tests.rollout.test_case import REGISTRY
from tests.rollout.test_next_step import standing_at


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry(REGISTRY)


class Measured:
    """Measures what it was given, and keeps what it was asked."""

    def __init__(self, found: Measurements) -> None:
        self.found, self.asked = found, list[Watched]()

    def of(self, watched: Watched, now: datetime) -> Measurements:
        self.asked.append(watched)
        return self.found


def held(*lifted: Lifted, **entries: object) -> OverrideMap:
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in entries.items()}
    return OverrideMap("1", read_overrides(texts), lifted)


def test_what_the_file_says_is_measured_judged_and_kept_to_be_judged_again(registry: Registry) -> None:
    measures = Measured(good())

    record = verdict_of(registry, standing_at(registry, 10), "qa", NOW, measures)

    assert measures.asked == [Watched("qa", "qa-20251031", 10)]
    assert record.verdict.action is Action.ADVANCE
    assert replay(read(written(record))) == record.verdict


def test_without_a_prometheus_nobody_with_users_is_judged(registry: Registry) -> None:
    with pytest.raises(NothingToMeasureWith, match="no Prometheus says how they fare"):
        verdict_of(registry, standing_at(registry, 10), "qa", NOW, None)
    assert verdict_of(registry, standing_at(registry, 0), "qa", NOW, None).verdict.action is Action.ADVANCE


@pytest.mark.parametrize("key", ["qa", "all"])
def test_an_override_that_holds_says_who_and_why(key: str, registry: Registry) -> None:
    said = {"weight": 0, "by": "guard", "reason": "errors", "at": "2025-11-11T09:30:00Z"}

    standing = standing_of(held(**{key: said}), standing_at(registry, 25), "qa")

    assert standing.rolled_back == RolledBack(datetime(2025, 11, 11, 9, 30, tzinfo=UTC), "guard", "errors")


def test_an_override_of_another_or_above_the_weight_holds_nobody(registry: Registry) -> None:
    assert standing_of(held(legal="0"), standing_at(registry, 25), "qa").rolled_back is None
    assert standing_of(held(qa="50"), standing_at(registry, 25), "qa").rolled_back is None
    capped = standing_of(held(qa="25", all="50"), standing_at(registry, 25), "qa")
    assert capped.rolled_back == RolledBack(None, "somebody", "no reason is given")


def test_who_lifted_it_last_says_since_when_the_way_begins_anew(registry: Registry) -> None:
    lifted = [Lifted(key, "Ada", "mended", at, "0") for key, at in (("qa", "2025-11-10T08:00:00Z"), ("all", "soon"))]
    later = Lifted("legal", "Ada", "mended", "2025-11-12T08:00:00Z", "0")

    standing = standing_of(held(later, *lifted), standing_at(registry, 10), "qa")

    assert standing.resumed_at == datetime(2025, 11, 10, 8, tzinfo=UTC)
    measures = Measured(good())
    verdict_of(registry, standing_at(registry, 10), "qa", NOW + timedelta(0), measures, standing)
    assert measures.asked[0].resumed_at == standing.resumed_at


def test_what_a_soak_lifted_was_no_candidates_fall(registry: Registry) -> None:
    lifted = Lifted("all", "soak", "over", "2025-11-10T08:00:00Z", Override(0, by="soak", reason="a drill").text)

    assert standing_of(held(lifted), standing_at(registry, 25), "qa").resumed_at is None


def test_a_record_from_before_a_field_was_there_is_read_all_the_same(registry: Registry) -> None:
    record = json.loads(written(verdict_of(registry, standing_at(registry, 10), "qa", NOW, Measured(good()))))
    del record["case"]["frozen_since"]
    assert read(json.dumps(record)).case.frozen_since is None

    del record["case"]["weight_percent"]
    with pytest.raises(UnreadableRecord, match="weight_percent"):
        read(json.dumps(record))


def test_an_override_for_another_candidate_holds_nobody_and_its_end_is_no_resumption(registry: Registry) -> None:
    other = Override(0, "guard", "errors", at="2025-11-09T08:00:00Z", candidate="qa-0")
    lifted = Lifted("qa", "Ada", "tidied", "2025-11-10T08:00:00Z", other.text)

    standing = standing_of(held(lifted, qa=other.text), standing_at(registry, 25), "qa")

    assert (standing.rolled_back, standing.resumed_at) == (None, None)


def test_an_override_that_another_candidate_may_end_says_so(registry: Registry) -> None:
    own = Override(0, "guard", "errors", candidate="qa-20251031")
    where = standing_at(registry, 25)

    standing = standing_of(held(qa=own.text), where, "qa")
    record = verdict_of(registry, where, "qa", NOW, Measured(good()), standing)

    assert record.verdict.why[0].text.endswith("errors; `sluice resume` or another candidate ends that")
    assert replay(read(written(record))) == record.verdict
    with_all = standing_of(held(qa=own.text, all="0"), where, "qa")
    assert with_all.rolled_back is not None
    assert not with_all.rolled_back.another_ends_it
