from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.local.stub_provider.answers import made_answer

QA = "ft:open-mistral-7b:5010731d:20251031:ecc3829c"


@given(model=st.text(), message=st.text(), quality=st.floats(0, 10))
def test_every_text_says_that_it_is_made_and_is_the_same_again(model: str, message: str, quality: float) -> None:
    text = made_answer(model, message, quality)
    assert text.endswith(f"\n(stub: {model})")
    assert text == made_answer(model, message, quality)
    assert "{subject}" not in text


@pytest.mark.parametrize(
    ("job", "word"),
    [
        ("ecc3829c", "test"),
        ("547960f9", "reader"),
        ("eb2da6b7", "clause"),
        ("f997bebc", "ticket"),
        ("9ae05c7c", "cohort"),
    ],
)
def test_a_fine_tuned_model_answers_on_its_agents_topic(job: str, word: str) -> None:
    texts = " ".join(made_answer(f"ft:open-mistral-7b:5010731d:20251031:{job}", f"question {n}", 10) for n in range(10))
    assert word in texts


def test_another_model_guesses_the_topic_from_the_message() -> None:
    assert "GDPR" in " ".join(made_answer("gpt-4o", f"Is this privacy clause fine? {n}", 10) for n in range(10))
    assert "refund" in " ".join(made_answer("gpt-4o", f"I cannot login, help {n}", 10) for n in range(10))


def test_the_better_the_longer_and_the_more_structured() -> None:
    texts = [made_answer(QA, "Test parse_date(text)", quality) for quality in (1, 4, 6, 8, 10)]
    assert [len(text) for text in texts] == sorted(len(text) for text in texts)
    assert [text.count("\n- ") for text in texts] == [0, 0, 0, 4, 5]
    assert texts[-1].startswith("## Parse_date\n")
    assert "parse_date" not in texts[0]
