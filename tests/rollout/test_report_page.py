"""The page: it stands alone, says what is not known, and takes no text for markup. And the same as JSON."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from html.parser import HTMLParser

import pytest

from sluice.rollout.report.data import as_json
from sluice.rollout.report.findings import find
from sluice.rollout.report.material import Material, Note, Query
from sluice.rollout.report.page import as_page
from tests.rollout.report_examples import DAY, UNTIL, agent, day, days, material

pytestmark = pytest.mark.slow

_VOID = {"meta", "line", "polyline", "polygon", "circle"}


class _Tags(HTMLParser):
    """Every tag and attribute of a page; complains of what is not closed in its order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def page(found: Material) -> str:
    return as_page(find(found))


def tags(text: str) -> _Tags:
    found = _Tags()
    found.feed(text)
    assert found.open == []
    return found


def query(text: str, **others: object) -> Query:
    about = {"agent": "qa", "arm": "candidate", "model": "qa-20251031", "at": UNTIL - DAY, "score": 2.5}
    return Query(**{**about, "question": text, "answer": text, **others})  # type: ignore[arg-type]


def test_the_page_needs_no_network_and_no_script() -> None:
    found = tags(page(material(worst=(query("why?"),))))

    assert not found.tags & {"script", "link", "img", "iframe", "object", "base"}
    addresses = [value for name, value in found.attributes if name in {"src", "href", "action", "data"}]
    assert all(value and value.startswith("#") for value in addresses)
    assert "url(" not in page(material())
    assert "@import" not in page(material())


def test_an_agent_has_its_verdict_its_strength_and_its_drawings() -> None:
    text = page(material())

    assert "As good as its baseline in quality, errors and latency." in text
    assert "sure at 95 %" in text
    for drawing in ("weight", "overall", "specificity", "P95", "errors", "a request"):
        assert f"<title>qa: {drawing}</title>" in text


def test_an_agent_at_its_threshold_is_marked() -> None:
    assert "watch it closely" in page(material(agent(watched_closely=True)))
    assert "watch it closely" not in page(material())


def test_events_are_listed_under_the_numbers_they_are_drawn_with() -> None:
    notes = (
        Note("qa", UNTIL - 3 * DAY, "guard", "errors above 5 %"),
        Note("qa", UNTIL - DAY, "Ada Example", "mended", lifted=True),
    )
    text = page(material(notes=notes))

    listed = re.findall(r"<li>([^<]*override[^<]*)</li>", text)
    assert listed == ["09 Nov 12:00: override set by guard: errors above 5 %",
                      "11 Nov 12:00: override lifted by Ada Example: mended"]  # fmt: skip
    assert text.count("<title>override set by guard: errors above 5 %</title>") == text.count("<title>qa: ")


def test_what_is_missing_is_said_in_words() -> None:
    unseen = days(7, outcomes=None, cost_dollars=None, slow=None, scores=None)
    bare = agent(
        weights={}, overridden=(), days={"candidate": unseen, "baseline": unseen}, latency={}, quantiles_seconds={},
        run=None,
    )  # fmt: skip

    text = page(material(bare, worst=None, month_spend_dollars=None, missing=("the worst answers: no gateway",)))

    assert "What is missing" in text
    assert "The worst answers: no gateway." in text
    assert "Nothing is known of its weight in this time." in text
    assert "what fine-tuned models cost this month is not known" in text
    assert text.count(">nothing was measured<") == text.count("<title>qa: ")


def test_the_worst_answers_come_with_their_points_and_are_cut_where_they_are_endless() -> None:
    text = page(material(worst=(query("short"), query("x" * 5000, score=1.0))))

    assert "<b>2.5</b> of 10" in text
    assert "x" * 601 not in text


def test_late_answers_are_counted_by_day_and_those_of_unmeasured_days_are_not_zero() -> None:
    some = (*days(13)[:-1], day(0, slow=None))
    text = page(material(agent(days={"candidate": some, "baseline": some})))

    assert "Answers later than 5 s" in text
    assert "<td>4</td><td>not known</td></tr>" in text


@pytest.mark.parametrize("hostile", ["<script>alert(1)</script><img src=x>", "\"'><img src=x onerror=alert(1)>"])
def test_no_text_of_others_becomes_markup(hostile: str) -> None:
    notes = (Note("qa", UNTIL - DAY, hostile, hostile),)

    found = tags(page(material(notes=notes, worst=(query(hostile),), missing=(hostile,))))

    assert not found.tags & {"script", "img"}


def test_the_same_findings_are_written_as_json() -> None:
    found = json.loads(as_json(find(material(month_spend_dollars=None, worst=(query("why?"),)))))

    (one,) = found["agents"]
    assert one["comparison"]["compared"] == "as good"
    assert one["arms"]["candidate"]["answers"] == 700
    assert one["arms"]["candidate"]["means"]["overall"][-1]["mean"] == 8.0
    assert (found["month_spend_dollars"], found["moving_mean"]) == (None, timedelta(days=7).total_seconds())
    assert found["worst"][0]["question"] == "why?"
