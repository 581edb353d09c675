"""What panels ask: PromQL that promtool takes, of series that somebody shows, recorded ones where there are any."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from sluice.render.alerts import RECORDINGS
from sluice.render.dashboards import DASHBOARDS, queries
from sluice.render.dashboards.shown import highest
from tests.dashboards.rendered import PAGES, expressions
from tests.rules.promtool import METRIC, PROJECT

ASKED = queries("sluice-production", "qa")
_LISTED = re.compile(r"^\| `([a-z_0-9]+)`", re.MULTILINE)
_ENDINGS = re.compile(r"_(bucket|sum|count)$")
_RECORDED = re.compile(r"\bsluice:[a-zA-Z0-9_:]+")
_COUNTED = re.compile(r"\b(?:sluice|gen_ai_client)_\w+(?=\{[^{}]*\}\[)")


def test_promtool_reads_every_query(promtool: Path, tmp_path: Path) -> None:
    rules = [{"record": f"asked_{number}", "expr": query.expression} for number, query in enumerate(ASKED)]
    file = tmp_path / "rules.json"
    file.write_text(json.dumps({"groups": [{"name": "asked", "rules": rules}]}))

    ran = subprocess.run([promtool, "check", "rules", file], capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"{len(ASKED)} rules found" in ran.stdout


def test_promtool_would_refuse_one_that_is_no_promql(promtool: Path, tmp_path: Path) -> None:
    broken = ASKED[-1].expression.replace("rate(", "rate((", 1)
    assert broken != ASKED[-1].expression
    file = tmp_path / "rules.json"
    file.write_text(json.dumps({"groups": [{"name": "asked", "rules": [{"record": "asked", "expr": broken}]}]}))

    ran = subprocess.run([promtool, "check", "rules", file], capture_output=True, text=True, check=False)

    assert ran.returncode == 1


def test_queries_are_those_of_the_panels_with_a_value_for_each_variable() -> None:
    in_pages = sum(len(panel["targets"]) for page in PAGES.values() for panel in page["panels"])

    assert len(ASKED) == in_pages == sum(len(shown.queries) for page in DASHBOARDS for shown in page.panels)
    assert [query.expression for query in ASKED if "$" in query.expression] == []


def test_every_metric_that_is_asked_for_is_on_the_page_of_metrics_or_the_guards() -> None:
    pages = [(PROJECT / "docs" / page).read_text() for page in ("metrics.md", "guard.md")]
    listed = {name for page in pages for name in _LISTED.findall(page)}
    read = {_ENDINGS.sub("", name) for query in ASKED for name in METRIC.findall(query.expression)}

    assert read <= listed, f"on no page: {read - listed}"


def test_every_recorded_series_that_is_asked_for_is_recorded() -> None:
    recorded = {recording.name for recording in RECORDINGS}

    assert {name for query in ASKED for name in _RECORDED.findall(query.expression)} <= recorded


def test_what_rules_have_counted_is_not_counted_again() -> None:
    """But for refused requests, which no rule counts: they are nobody's answers."""
    counted = {name for recording in RECORDINGS for name in _COUNTED.findall(recording.expression)}
    again = [
        query.expression
        for query in ASKED
        if counted & set(_COUNTED.findall(query.expression)) and 'outcome="rejected"' not in query.expression
    ]

    assert "sluice_requests_total" in counted
    assert again == []


def test_a_graph_draws_few_of_a_thousand_agents_or_models() -> None:
    """What is of one agent names it; what is of several says how many."""
    many = re.compile(r"\{\{(agent|model|gen_ai_request_model)\}\}")
    drawn = [query for query in ASKED if many.search(query.legend)]

    assert len(drawn) > 10
    assert [
        query.expression
        for query in drawn
        if not re.search(r" and on \(\w+\) (top|bottom)k\(20, .* @ end\(\)", query.expression)
    ] == []


def test_the_few_are_those_that_are_highest_where_the_graph_ends(promtool: Path, tmp_path: Path) -> None:
    """Also where they have ended themselves: whoever looks after a breakdown wants to see what was."""
    asked = highest('sluice_rollout_weight{kind="served"}')
    series = [
        {"series": f'sluice_rollout_weight{{agent="a{number}", kind="served"}}', "values": f"{number}x60 stale"}
        for number in range(25)
    ]
    chosen = asked.partition(" and on (agent) ")[2]
    tests = [
        {"expr": expression, "eval_time": at, "exp_samples": [{"labels": "{}", "value": value}]}
        for expression, at, value in (
            (f"count({asked})", "1h", 20),
            (f"min({asked})", "1h", 5),
            (f"count({chosen})", "2h", 20),
        )
    ]
    file = tmp_path / "tests.json"
    file.write_text(json.dumps({"tests": [{"interval": "1m", "input_series": series, "promql_expr_test": tests}]}))

    ran = subprocess.run([promtool, "test", "rules", file], capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_no_page_asks_more_than_a_prometheus_answers_at_once() -> None:
    """Each query is one request of each viewer every minute."""
    for page in PAGES.values():
        assert sum(len(expressions(panel)) for panel in page["panels"]) < 60
