"""`sluice guard`, from the command line to a made cluster and a made Prometheus."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from sluice.cli import guard as guard_command
from sluice.cli.main import run
from sluice.deploy import guard as looking
from sluice.local.folders import PROJECT
from sluice.registry import load_environment
from tests.rollout import made_cluster
from tests.rollout.made_cluster import MadeCluster
from tests.rollout.made_prometheus import MadePrometheus, serving

GOOD = {"candidate": {"ok": 6}, "baseline": {"ok": 54}}
BAD = {"candidate": {"error": 6}, "baseline": {"ok": 54}}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> MadeCluster:
    """A made cluster in the place of dev's."""
    made = MadeCluster(weights={"qa": 10}, candidates={"qa": "qa-20251031"})
    dev = load_environment(PROJECT, "dev").settings.namespace
    real = made.ask

    def ask(method: str, path: str, body: object = None, **more: object) -> object:
        return real(method, path.replace(f"/{dev}/", f"/{made_cluster.NAMESPACE}/"), body, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(made, "ask", ask)
    monkeypatch.setattr(guard_command, "target", lambda context: SimpleNamespace(connect=lambda: made))
    return made


@pytest.fixture
def prometheus() -> Iterator[MadePrometheus]:
    with serving(MadePrometheus(environment={"namespace": "sluice-dev"})) as made:
        yield made


@pytest.mark.parametrize(("each", "action", "code"), [(GOOD, "hold", 0), (BAD, "rollback", 1)])
def test_it_says_what_it_makes_of_each_agent_and_changes_nothing(
    cluster: MadeCluster,
    prometheus: MadePrometheus,
    capsys: pytest.CaptureFixture[str],
    each: dict[str, dict[str, int]],
    action: str,
    code: int,
) -> None:
    now = datetime.now(UTC)
    prometheus.traffic("qa", 10, now - timedelta(minutes=20), now, each_scrape=each)

    assert run(["guard", "dev", "--prometheus", f"{prometheus.url}/", "--format", "json"]) == code
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["agent"], told["action"]) == ("qa", action)
    assert cluster.writes == 0


def test_without_prometheus_it_could_not_be_done(cluster: MadeCluster, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["guard", "dev", "--prometheus", "http://127.0.0.1:9"]) == 3
    assert "stage measure, why Prometheus: 127.0.0.1:9 does not answer" in capsys.readouterr().err


def test_an_environment_without_a_prometheus_asks_for_one(
    cluster: MadeCluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    dev = load_environment(PROJECT, "dev")
    without = replace(dev, settings=replace(dev.settings, prometheus=None, guard=None))
    monkeypatch.setattr(looking, "declared_environment", lambda name: without)

    assert run(["guard", "dev"]) == 2
    assert "name one there, or by --prometheus" in capsys.readouterr().err


def test_where_nobody_is_on_a_candidate_it_says_so(cluster: MadeCluster, capsys: pytest.CaptureFixture[str]) -> None:
    cluster.weights = {"qa": 0}

    assert run(["guard", "dev", "--prometheus", "http://127.0.0.1:9"]) == 0
    assert capsys.readouterr().out == "no agent has users on a candidate\n"
