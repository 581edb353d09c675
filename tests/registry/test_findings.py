from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.registry import Finding, InvalidRegistry, Severity
from sluice.registry.document import parse_document
from sluice.registry.findings import did_you_mean, nearest, one_for_each_cause, refuse_if_any
from sluice.registry.shape import check_shape

MANY = [f"model-{number}" for number in range(10_000)]
ERROR = Finding("b.yaml", 2, 1, "a", "is wrong", "mend it", "SL022")
WARNING = Finding("a.yaml", 1, 1, "", "is odd", "look at it", "SL061", Severity.WARNING)


def test_a_warning_says_that_it_is_one() -> None:
    assert str(ERROR) == "b.yaml:2:1: a: is wrong; mend it [SL022]"
    assert str(WARNING) == "a.yaml:1:1: is odd; look at it [SL061 warning]"


def test_warnings_refuse_nothing_and_are_shown_beside_errors_in_the_order_of_places() -> None:
    refuse_if_any([WARNING])

    with pytest.raises(InvalidRegistry, match=r"^refused, 1 mistake:\na\.yaml:1:1: .*\nb\.yaml:2:1: .*$"):
        refuse_if_any([ERROR, WARNING])


@pytest.mark.parametrize("wrong", ["model-99999", "modle-42", "model_42", "odel-42", "model-42.", "nodel-42"])
def test_a_slip_is_recognised_among_ten_thousand_names(wrong: str) -> None:
    assert nearest(wrong, MANY) in MANY


@pytest.mark.parametrize("wrong", ["gpt-4o", "x" * 5_000, "", "\x00"])
def test_what_is_no_slip_is_answered_with_the_first_names_and_a_count(wrong: str) -> None:
    assert did_you_mean(wrong, MANY, of="models").endswith("model-10, model-11 and 9988 more")


@given(st.sampled_from(MANY), st.integers(0, 10), st.sampled_from("abc019-."))
def test_every_change_of_one_character_is_a_slip(name: str, index: int, letter: str) -> None:
    assert nearest(name[:index] + letter + name[index:], MANY) is not None


def test_a_value_that_is_wrong_in_two_ways_is_one_finding() -> None:
    address = "ftp://" + "a" * 600
    text = f"version: 1\nproviders: {{mistral: {{api: {address}, key: k}}}}\nmodels: {{}}\nagents: {{}}\n"
    document, _ = parse_document(text.encode(), "models.yaml")
    assert document is not None

    assert [finding.path for finding in check_shape(document, "models")].count("providers.mistral.api") == 1


def test_a_value_that_is_refused_is_not_warned_of_too() -> None:
    warning = Finding("b.yaml", 2, 1, "a", "is odd", "look at it", "SL061", Severity.WARNING)

    assert one_for_each_cause([warning, ERROR, WARNING]) == (WARNING, ERROR)


def test_a_person_is_printed_a_hundred_findings_and_told_of_the_others() -> None:
    findings = [Finding("a.yaml", line, 1, "", "is wrong", "mend it", "SL022") for line in range(1, 251)]

    with pytest.raises(InvalidRegistry, match=r"^refused, 250 mistakes:\n") as refused:
        refuse_if_any(findings)

    assert len(refused.value.findings) == 250
    _, *lines, last = str(refused.value).splitlines()
    assert len(lines) == 100
    assert last == "and 150 more; mend these first, or see all of them by --format json"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("".join(f"u{number}: 1\n" for number in range(5_000)), "does not fit its schema in 1000 places or more"),
        ("".join(f"a{number}: 010\n" for number in range(5_000)), "is where the file passes 1000 mistakes"),
        ("models:\n" + "".join(f"  m{number}: {{}}\n" for number in range(5_000)), "does not fit its schema in 1000"),
    ],
)
def test_of_a_file_of_mistakes_a_thousand_are_listed(content: str, said: str) -> None:
    document, findings = parse_document(content.encode(), "file.yaml")
    findings = check_shape(document, "models") if document else findings

    assert 900 < len(findings) <= 1_001
    assert sum(finding.problem.startswith(said) for finding in findings) == 1


def test_a_mistake_behind_a_thousand_right_entries_has_its_place() -> None:
    right = "{provider: p, id: i, price: {input: 1, output: 1}}"
    entries = "".join(f"  m{number}: {right}\n" for number in range(2_500))
    wrong = f"{entries}  last: {right.replace('input', 'inptu')}\n"
    text = f"version: 1\nproviders: {{p: {{api: 'https://a.b', key: k}}}}\nmodels:\n{wrong}agents: {{}}\n"
    document, _ = parse_document(text.encode(), "file.yaml")
    assert document is not None

    found = sorted((finding.line, finding.path) for finding in check_shape(document, "models"))

    assert found == [(2504, "models.last.price.inptu"), (2505, "agents")]
