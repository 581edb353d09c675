"""The page about the judges says what is excused, and excuses cover what they say."""

from __future__ import annotations

import pytest

from tests.judges.exceptions import EXCEPTIONS, PAGE, Excused, Finding, Judge, page, unexcused, unused

FOUND = Finding(Judge.CHECKOV, "CKV_K8S_11", "dev/Deployment/gateway", "CPU limits should be set")


def test_the_page_is_written_from_the_exceptions(pytestconfig: pytest.Config) -> None:
    if pytestconfig.getoption("--refresh-expected"):
        PAGE.write_text(page())
    assert PAGE.read_text() == page(), "run: pytest tests/judges/test_exceptions.py --refresh-expected"


def test_every_exception_has_a_reason_and_stands_once() -> None:
    assert all(len(excused.reason.split()) > 5 for excused in EXCEPTIONS)
    assert len({(item.judge, item.check, item.subjects) for item in EXCEPTIONS}) == len(EXCEPTIONS)


@pytest.mark.parametrize(
    ("judge", "check", "subjects", "covered"),
    [
        (Judge.CHECKOV, "CKV_K8S_11", "*/Deployment/*", True),
        (Judge.CHECKOV, "CKV_K8S_11", "dev/*", True),
        (Judge.CHECKOV, "CKV_K8S_11", "production/*", False),
        (Judge.CHECKOV, "CKV_K8S_12", "*", False),
        (Judge.KUBE_SCORE, "CKV_K8S_11", "*", False),
    ],
)
def test_an_exception_covers_a_check_of_a_judge_on_the_objects_it_names(
    judge: Judge, check: str, subjects: str, covered: bool
) -> None:
    excused = Excused(judge, check, subjects, "because")

    assert unexcused([FOUND], [excused]) == ([] if covered else [FOUND])
    assert unused(judge, [FOUND], [excused]) == ([] if covered else [excused])
