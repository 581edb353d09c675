"""What a soak's answers come to, and the file that says it."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from sluice.registry.building import evidence_of
from sluice.registry.document import parse_document
from sluice.registry.evidence import SoakedModel, SoakMadeOf
from sluice.registry.shape import check_shape
from sluice.registry.soak_contents import digest_of_queries, digest_of_soak, read_queries, scorer_digest
from sluice.rollout.soak import Answered, Exercised, evidence_text, lasted, soak_evidence, soaked_model

NOON = datetime(2025, 11, 5, 12, tzinfo=UTC)
DIGEST = f"sha256:{'a' * 64}"
MADE_OF = SoakMadeOf({"qa": DIGEST}, scorer_digest(), DIGEST)
EXERCISED = Exercised(rollback=True, health_checks=True, alerts=False)
QUERIES = Path(__file__).parent.parent.parent / "registry" / "queries"


def answer(number: int, *, points: float | None = 8.0, seconds: float = 1.0, at: datetime = NOON) -> Answered:
    return Answered("qa", number, at, seconds, points, 0.001, "" if points is not None else "it failed")


def test_a_model_is_what_its_answers_were_and_errors_are_of_all_queries() -> None:
    answers = [answer(number, seconds=0.1 * number, points=7.0 + (number % 2)) for number in range(1, 20)]
    answers.append(answer(20, points=None))

    assert soaked_model("ft:qa", answers) == SoakedModel("ft:qa", 19, 7.53, timedelta(seconds=1.9), 5.0)


def test_a_model_that_never_answered_passes_nothing() -> None:
    found = soaked_model("ft:qa", [answer(1, points=None)])

    assert (found.queries, found.quality, found.error_rate_percent) == (0, 0.0, 100.0)
    assert found.p95 > timedelta(days=1)


def test_a_night_in_which_the_soak_was_dead_is_no_soak() -> None:
    moments = [NOON, NOON + timedelta(minutes=10), NOON + timedelta(hours=10), NOON + timedelta(hours=10, minutes=10)]
    answers = [answer(number, at=at) for number, at in enumerate(moments)]

    assert lasted(answers, slot_seconds=600) == timedelta(minutes=40)
    assert lasted(answers[:1], slot_seconds=600) == timedelta()


def test_the_file_is_evidence_of_the_registry_and_its_digest_is_of_what_it_says() -> None:
    models = {"qa-20251031": SoakedModel("ft:open-mistral-7b:x", 100, 8.13, timedelta(seconds=1.234), 0.5)}
    soak = soak_evidence("staging", models, timedelta(hours=24), EXERCISED, MADE_OF)

    text = evidence_text(soak, date(2025, 11, 5), "$0.10: no alert was seen")
    document, findings = parse_document(text.encode(), "soak.yaml")

    assert document is not None
    assert (findings, tuple(check_shape(document, "evidence"))) == ((), ())
    read = evidence_of(document, "soak").soak
    assert read == soak
    assert read.digest == digest_of_soak(read)


def test_whatever_is_changed_by_hand_changes_the_digest() -> None:
    models = {"qa-20251031": SoakedModel("ft:qa", 100, 7.9, timedelta(seconds=1), 0.5)}
    soak = soak_evidence("staging", models, timedelta(hours=24), EXERCISED, MADE_OF)
    better = {"qa-20251031": dataclasses.replace(models["qa-20251031"], quality=8.1)}

    for changed in (
        dataclasses.replace(soak, models=better),
        dataclasses.replace(soak, alerts_seen=True),
        dataclasses.replace(soak, lasted=timedelta(hours=25)),
        dataclasses.replace(soak, made_of=dataclasses.replace(MADE_OF, scorer=DIGEST)),
    ):
        assert digest_of_soak(changed) != soak.digest


def test_every_agent_of_the_first_team_has_a_hundred_different_queries() -> None:
    sets = {file.stem: read_queries(file) for file in QUERIES.glob("*.txt")}

    assert set(sets) == {"qa", "content", "legal", "support", "analyst"}
    assert {name: len(set(queries)) for name, queries in sets.items()} == dict.fromkeys(sets, 100)


def test_a_comment_is_no_query_and_another_query_is_another_digest(tmp_path: Path) -> None:
    file = tmp_path / "qa.txt"
    file.write_text("# what it is\n\n  Write a test.  \nReview this.\n")

    assert read_queries(file) == ("Write a test.", "Review this.")
    assert digest_of_queries(["a", "b"]) != digest_of_queries(["a b"])
