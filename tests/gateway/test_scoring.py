from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.scoring.__main__ import correlation, scored
from bench.scoring.labelled import read_labelled
from sluice.gateway.scoring.features import Expects
from sluice.gateway.scoring.sampling import Sampling
from sluice.gateway.scoring.scorer import NOTHING, score
from sluice.gateway.scoring.scores import Dimension
from sluice.local.stub_provider.answers import made_answer
from tests.computing import loops

QUESTION = "How do I reset my password if I no longer have access to my old e-mail address?"
GOOD = (
    "I am sorry, that is an awkward spot. Let us change the address first:\n\n1. Open https://help.example/recover.\n"
    "2. Enter your user name and the new e-mail address.\n3. Within 24 hours you get a link to reset the password.\n"
)


def test_held_out_answers_are_ranked_as_people_rank_them() -> None:
    held = [answer for answer in read_labelled() if answer.held_out]
    scores = scored(held)

    assert len(held) >= 40
    assert correlation(held, scores, Dimension.OVERALL) >= 0.7
    for dimension in Dimension:
        assert correlation(held, scores, dimension) >= 0.6


def test_no_question_is_in_both_halves() -> None:
    answers = read_labelled()
    held = {answer.question for answer in answers if answer.held_out}

    assert not held & {answer.question for answer in answers if not answer.held_out}
    assert {answer.agent for answer in answers if answer.held_out} == {"qa", "content", "legal", "support", "analyst"}


@pytest.mark.parametrize(
    "spoilt",
    [
        "I'm sorry, but I cannot help with that.",
        QUESTION,
        "Please wait. Please wait. Please wait. Please wait. Please wait. Please wait. Please wait. Please wait.",
        "Shipping is free for orders above 50 euros, and prices are shown in your currency.",
        "It depends. There are various reasons, so in general it is probably best to contact us.",
    ],
    ids=["refusal", "echo", "loop", "off topic", "hedging"],
)
def test_a_poor_answer_gets_less_than_half_of_a_good_one(spoilt: str) -> None:
    good = score(QUESTION, GOOD, expects=Expects.STEPS, empathetic=True)

    assert good.overall >= 7
    assert score(QUESTION, spoilt, expects=Expects.STEPS, empathetic=True).overall < good.overall / 2


def test_an_answer_that_was_cut_loses_format() -> None:
    assert score(QUESTION, GOOD, cut=True).format < score(QUESTION, GOOD).format - 2


def test_json_that_was_asked_for_and_is_broken_loses_format() -> None:
    whole, broken = '{"Graz": 41, "Linz": 38}', '{"Graz": 41, "Linz"'
    asked = "Extract the cities Graz and Linz with their order counts"

    assert score(asked, whole, expects=Expects.JSON).format > score(asked, broken, expects=Expects.JSON).format + 3


def test_nothing_is_worth_nothing() -> None:
    assert score(QUESTION, " \n") == NOTHING


def test_the_stubs_dial_of_quality_moves_the_score() -> None:
    question = "Write unit tests for parse_date that refuse an empty text"
    means = [score(question, made_answer("gpt-4o", question, quality)).overall for quality in (1, 4, 6, 9)]

    assert means == sorted(means)
    assert means[-1] > means[0] + 3


@given(st.text(max_size=300), st.text(max_size=3000), st.sampled_from(Expects), st.booleans())
def test_any_text_gets_points_between_0_and_10_and_the_same_ones_again(
    question: str, answer: str, expects: Expects, empathetic: bool
) -> None:
    scores = score(question, answer, expects=expects, empathetic=empathetic)

    assert all(0 <= points <= 10 for _, points in scores.items())
    assert score(question, answer, expects=expects, empathetic=empathetic) == scores


@pytest.mark.parametrize("piece", ["\n", " ", "`", '"', "a", "a_", "(", "**", "- ", "e-mail ", "1.", "Dear ", "\n>|#"])
def test_an_adversary_cannot_make_scoring_slow(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))

    assert (
        loops(lambda: score(text, text, empathetic=True)) < 1_000_000
    )  # as many turns of a loop take; it is 10,000 to 130,000


def test_sampling_keeps_the_share_while_there_is_room() -> None:
    now, draws = 0.0, iter([n / 1000 for n in range(1000)] * 2)
    sampling = Sampling(0.25, 1000, clock=lambda: now, draw=lambda: next(draws))

    assert sum(sampling.takes() for _ in range(1000)) == 250


def test_sampling_takes_no_more_than_its_rate_however_much_comes() -> None:
    clock = [0.0]
    sampling = Sampling(1.0, 20, clock=lambda: clock[0])
    taken = 0
    for _ in range(20_000):  # ten seconds at 2,000 a second
        clock[0] += 1 / 2000
        taken += sampling.takes()

    assert 200 <= taken <= 221
