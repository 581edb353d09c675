"""`sluice report` against a real Prometheus that holds two made weeks, of which the truth is known."""

from __future__ import annotations

import email
import email.policy
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sluice.cli import report as report_command
from sluice.cli.main import run
from sluice.local.monitoring_programs import MonitoringPrograms
from sluice.registry import ExternalPrometheus, load_environment
from sluice.registry.report_settings import Mail, ReportSettings
from sluice.render import render
from sluice.render.alerts import RECORDINGS
from sluice.render.report import DATA_KEY
from sluice.rollout import SCORE_EDGES, SECONDS_EDGES
from sluice.rollout.guard.in_cluster import Heard
from sluice.rollout.guard.prometheus import Prometheus
from sluice.rollout.report import asking, plots
from sluice.rollout.report.drawing import standing_alone
from sluice.rollout.report.findings import AgentFindings, Findings, find
from sluice.rollout.report.material import DIMENSIONS
from tests.rollout.filled_prometheus import filled_prometheus
from tests.rollout.made_cluster import MadeCluster, NoAnswer
from tests.rollout.made_week import AGENTS, UNTIL, MadeWeek
from tests.rollout.report_takers import taking_mail
from tests.rules.promtool import GROUPS, METRIC, PROJECT

OUTAGE = (6 * 24 - 4, 5 * 24 + 10)
"""In the second of the seven days, ten hours without a Prometheus."""


@pytest.fixture(scope="module")
def prometheus(programs: MonitoringPrograms, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with filled_prometheus(programs, MadeWeek(outage=OUTAGE), tmp_path_factory.mktemp("prometheus")) as url:
        yield url


@pytest.fixture(scope="module")
def told(prometheus: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The report as data, of a cluster that does not answer."""
    file = tmp_path_factory.mktemp("report") / "report.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report_command, "target", lambda context: SimpleNamespace(connect=_no_cluster))
        assert run([*_arguments(prometheus), "--format", "json", "--out", str(file)]) == 0
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def _arguments(prometheus: str) -> list[str]:
    return ["report", "production", "--until", f"{UNTIL:%Y-%m-%d}", "--prometheus", prometheus]


def _no_cluster() -> MadeCluster:
    raise NoAnswer("the API server does not answer")


def agent(told: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in told["agents"] if one["agent"] == name)
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "compared"),
    [("qa", "as good"), ("content", "worse"), ("legal", "not told yet"), ("analyst", "not measured")],
)
def test_the_verdict_is_what_was_made(told: dict[str, Any], name: str, compared: str) -> None:
    assert agent(told, name)["comparison"]["compared"] == compared


@pytest.mark.slow
def test_nobody_is_judged_who_had_no_users_on_a_candidate(told: dict[str, Any]) -> None:
    assert agent(told, "support")["comparison"] is None
    assert agent(told, "support")["arms"]["baseline"]["answers"] > 0


@pytest.mark.slow
def test_means_counts_shares_and_costs_are_those_that_were_made(told: dict[str, Any]) -> None:
    for name, made in AGENTS.items():
        for arm, truth in (("candidate", made.candidate), ("baseline", made.baseline)):
            found = agent(told, name)["arms"][arm]
            if not found["answers"] or found["answers"] < 100:
                continue
            assert found["error_percent"] == pytest.approx(100 * truth.errors, rel=0.05)
            assert found["slow"] == pytest.approx(found["answers"] * truth.late, rel=0.05)
            assert found["request_cost_dollars"] == pytest.approx(truth.dollars, rel=0.02)
            newest = found["means"]["overall"][-1]
            if truth.points is None:
                assert (newest["answers"], newest["mean"]) == (0, None)
            else:
                assert newest["mean"] == pytest.approx(truth.points, abs=0.05)
                assert newest["low"] < truth.points < newest["high"]
    # 60 requests an hour, but for ten hours: 10 % for two days, 25 % for two, 50 % for three.
    qa = agent(told, "qa")["arms"]
    assert qa["candidate"]["answers"] + qa["baseline"]["answers"] == pytest.approx(60 * (7 * 24 - 10), rel=0.01)


@pytest.mark.slow
def test_steps_and_the_rollback_are_events(told: dict[str, Any]) -> None:
    assert [event["text"] for event in agent(told, "qa")["events"]] == [
        "git: 0 to 10 %",
        "git: 10 to 25 %",
        "git: 25 to 50 %",
    ]
    assert [event["kind"] for event in agent(told, "content")["events"]] == ["step", "override"]
    assert agent(told, "content")["comparison"]["ended"].startswith(f"{UNTIL.replace(day=UNTIL.day - 2):%Y-%m-%dT00:0}")


@pytest.mark.slow
def test_what_could_not_be_had_is_said(told: dict[str, Any]) -> None:
    said = "\n".join(told["missing"])

    assert re.search(r"of the 24 hours to 2025-11-08 00:00, 5\d % were recorded", said)
    assert "who set and lifted overrides, and why: the API server does not answer" in said
    assert "the worst answers: the API server does not answer" in said
    assert "of the candidate of analyst there are requests, and no points" in said
    assert told["worst"] is None


@pytest.mark.slow
def test_a_line_has_a_hole_where_prometheus_was_away(told: dict[str, Any]) -> None:
    hours = len(agent(told, "qa")["latency"]["baseline p95"])

    assert 7 * 24 - 12 <= hours <= 7 * 24 - 9


@pytest.mark.slow
def test_the_page_is_written_and_the_verdicts_are_printed(
    prometheus: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(report_command, "target", lambda context: SimpleNamespace(connect=_no_cluster))
    monkeypatch.chdir(tmp_path)

    assert run(_arguments(prometheus)) == 0

    said = capsys.readouterr()
    assert "content: Worse than its baseline: quality.\n" in said.out
    assert said.out.endswith("the report is in report-production.html\n")
    assert "missing: the worst answers" in said.err
    assert "<h1>production: 7 days to 13 Nov 2025 00:00 UTC</h1>" in (tmp_path / "report-production.html").read_text()


def test_every_series_that_is_asked_for_exists() -> None:
    text = Path(str(asking.__file__)).read_text()
    recorded = {recording.name for recording in RECORDINGS}
    metrics = (PROJECT / "docs" / "metrics.md").read_text()

    asked = set(re.findall(r"sluice:[a-z_]+:[a-z0-9]+", text)) | {f"sluice:duration_seconds:{one}" for one in ("p95",)}
    assert asked <= recorded
    assert len(asked) > 4
    for name in METRIC.findall(text):
        if not name.startswith("sluice_quality_score"):
            assert f"`{name}`" in metrics


@pytest.mark.slow
def test_the_pods_program_makes_one_and_mails_it(prometheus: str, tmp_path: Path) -> None:
    """Told as a pod is; by the clock of today, at which this Prometheus knows nothing, and the mail says so."""
    declared = load_environment(PROJECT, "production")
    with taking_mail() as server:
        wanted = ReportSettings(mail=Mail(server.address, "sluice@example.com", ("a@example.com",)))
        settings = replace(declared.settings, report=wanted, prometheus=ExternalPrometheus(prometheus, ""))
        made = render(declared.registry, declared.rollout, settings).report
        (told,) = [item.body["data"][DATA_KEY] for item in made if item.kind == "ConfigMap"]
        file = tmp_path / DATA_KEY
        file.write_text(told)
        ran = subprocess.run(
            [sys.executable, "-m", "sluice.rollout.report"],
            env={**os.environ, "SLUICE_REPORT_FILE": str(file)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert json.loads(ran.stdout)["message"] == "mailed"
    (text,) = server.taken
    found = email.message_from_string(text, policy=email.policy.default)
    assert found["Subject"] == "sluice, production: no candidate has users"
    said = found.get_body(("plain",))
    assert said is not None
    assert "Prometheus has recorded nothing of this environment in this time" in said.get_content()


@pytest.mark.slow
def test_the_pods_program_says_in_one_line_what_it_could_not_do(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "sluice.rollout.report"],
        env={**os.environ, "SLUICE_REPORT_FILE": str(tmp_path / "none.json")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert (ran.returncode, ran.stderr) == (3, "")
    assert json.loads(ran.stdout)["why"].startswith(f"{tmp_path}/none.json: cannot be read")


PICTURES = PROJECT / "docs" / "pictures"
DRAWN: Mapping[str, Callable[[Findings, AgentFindings, AgentFindings], str]] = {
    "overview-steps": lambda found, qa, _: plots.weight(found, qa),
    "overview-rolled-back": lambda found, _, content: plots.weight(found, content),
    "agent-quality": lambda found, qa, _: plots.points_of(found, qa, "overall"),
    "agent-quality-worse": lambda found, _, content: plots.points_of(found, content, "overall"),
    "agent-latency": lambda found, qa, _: plots.latency(found, qa, "p95"),
    "cost-of-a-request": lambda found, qa, _: plots.request_cost(found, qa),
}


@pytest.mark.slow
def test_the_pictures_in_docs_are_drawn_from_the_made_week(prometheus: str, pytestconfig: pytest.Config) -> None:
    declared = load_environment(PROJECT, "production")
    match = f'namespace="{declared.settings.namespace}"'
    asked = asking.Question("production", declared.registry, declared.rollout, match, UNTIL, 7)
    found = find(asking.ask(Prometheus(prometheus), asked))
    agents = {one.agent: one for one in found.agents}
    drawn = {
        f"{name}.svg": standing_alone(draw(found, agents["qa"], agents["content"])) for name, draw in DRAWN.items()
    }
    if pytestconfig.getoption("--refresh-expected"):
        PICTURES.mkdir(exist_ok=True)
        for name, text in drawn.items():
            (PICTURES / name).write_text(text)

    assert {file.name: file.read_text() for file in PICTURES.glob("*.svg")} == drawn, "run it with --refresh-expected"


def _questions() -> list[str]:
    """Return each question of a report, as it is put for production."""
    declared = load_environment(PROJECT, "production")
    put: list[str] = []

    def send(path: str, form: Mapping[str, str]) -> Heard:
        put.append(form["query"])
        kind = "matrix" if path.endswith("query_range") else "vector"
        return Heard(200, json.dumps({"status": "success", "data": {"resultType": kind, "result": []}}).encode())

    match = f'namespace="{declared.settings.namespace}"'
    asked = asking.Question("production", declared.registry, declared.rollout, match, UNTIL, 1)
    asking.ask(Prometheus("http://made", send=send), asked)
    return sorted({query.replace("[1d:5m]", "[2h:5m]") for query in put})


def _shown_by_a_gateway(minutes: int) -> list[dict[str, str]]:
    """Return the series of one agent with both arms, in promtool's notation, a scrape each minute."""
    series = {'sluice_spend_dollars{agent="all",models="fine_tuned",window="month"': "1"}
    series |= {f'sluice_rollout_weight{{agent="qa",kind="{kind}"': "10" for kind in ("wanted", "allowed", "served")}
    series['sluice_override_active{agent="qa"'] = "0"
    for arm in ("candidate", "baseline"):
        about = f'agent="qa",arm="{arm}"'
        series |= {f'sluice_requests_total{{{about},outcome="{one}"': "0+1" for one in ("ok", "error", "fallback")}
        series[f"sluice_cost_dollars_total{{{about}"] = "0+0.01"
        seconds = (*SECONDS_EDGES, float("inf"))
        series |= {f'sluice_request_duration_seconds_bucket{{{about},le="{_le(edge)}"': "0+3" for edge in seconds}
        for dimension in DIMENSIONS:
            of = f'{about},dimension="{dimension}"'
            scores = (*SCORE_EDGES, float("inf"))
            series |= {f'sluice_quality_score_bucket{{{of},le="{_le(edge)}"': "0+1" for edge in scores}
            series |= {f"sluice_quality_score_{one}{{{of}": "0+1" for one in ("sum", "count")}
    where = 'namespace="sluice-production",pod="gateway-1"}'
    return [{"series": f"{name},{where}", "values": f"{value}x{minutes}"} for name, value in series.items()]


def _le(edge: float) -> str:
    return "+Inf" if edge == float("inf") else str(float(edge))


@pytest.mark.slow
def test_what_rules_record_of_a_gateway_is_what_a_report_asks_for(promtool: Path, tmp_path: Path) -> None:
    """By the rules themselves: a label that they drop, or a name that nobody records, leaves no answer.

    Over two hours in place of a day, because promtool loads ten thousand samples at the most.
    """
    minutes = 130
    asked = [
        {"expr": f"count({query}) > bool 0", "eval_time": f"{minutes}m", "exp_samples": [{"labels": "{}", "value": 1}]}
        for query in _questions()
    ]
    assert len(asked) > 12
    recorded = [{**group, "rules": [one for one in group["rules"] if "record" in one]} for group in GROUPS]
    test = {
        "interval": "1m",
        "input_series": _shown_by_a_gateway(minutes),
        "promql_expr_test": asked,
    }
    (tmp_path / "rules.yaml").write_text(json.dumps({"groups": [group for group in recorded if group["rules"]]}))
    (tmp_path / "tests.yaml").write_text(
        json.dumps({"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [test]})
    )

    ran = subprocess.run(
        [promtool, "test", "rules", "tests.yaml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
