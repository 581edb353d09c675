"""The guard as a process: its configuration, its ticks, its pages, and what it stands on."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client.metrics import MetricWrapperBase

from bench.validate.made_registry import make_registry
from sluice.local.images import recipe
from sluice.registry import ExternalPrometheus, load_environment
from sluice.render import render
from sluice.rollout.guard.__main__ import main
from sluice.rollout.guard.configuration import read_configuration
from sluice.rollout.guard.in_cluster import NotHeard, PodAccess
from sluice.rollout.guard.lease import Lease
from sluice.rollout.guard.loop import Guard, Ruling, Watched
from sluice.rollout.guard.metrics import GuardMetrics
from sluice.rollout.guard.running import ROUND_EVERY_SECONDS, Running, serve
from sluice.rollout.told import ConfigurationUnreadable
from tests.deploy.api_server import TOKEN, ApiServer, running_api_server
from tests.rollout.made_cluster import NAMESPACE, MadeClock, MadeCluster, said
from tests.rollout.made_guard import MadeCourt

PROJECT = Path(__file__).parent.parent.parent
ROW = re.compile(r"^\| `([a-z_0-9]+)` \| ([a-z_, ]*) ?\| .+ \|$", re.MULTILINE)


@pytest.fixture
def rendered(tmp_path: Path) -> Path:
    """The configuration as it is rendered for production."""
    declared = load_environment(PROJECT, "production")
    (found,) = [
        item
        for item in render(declared.registry, declared.rollout, declared.settings).guard
        if item.name.startswith("guard-config-")
    ]
    file = tmp_path / "guard.json"
    file.write_text(found.body["data"]["guard.json"])
    return file


def running(cluster: MadeCluster, clock: MadeClock, name: str, court: MadeCourt | None = None) -> Running:
    def say(text: str, about: Mapping[str, str]) -> None:
        """Nobody reads it here."""

    metrics = GuardMetrics()
    lease = Lease(cluster, NAMESPACE, "made", name, clock.now)
    guard = Guard(
        cluster, "made", NAMESPACE, court or MadeCourt(frozenset({"qa"})), metrics, lambda: lease.is_held, say
    )
    return Running(guard, lease, metrics)


def test_what_is_rendered_is_what_is_read(rendered: Path) -> None:
    declared = load_environment(PROJECT, "production")
    wanted = declared.settings.prometheus
    assert isinstance(wanted, ExternalPrometheus)

    read = read_configuration(rendered)

    assert (read.environment, read.namespace) == ("production", "sluice-production")
    assert (read.prometheus, read.match) == (wanted.url, 'namespace="sluice-production"')
    assert read.registry == replace(declared.registry, providers={}, evidence={})


def test_what_thousands_of_agents_say_lies_in_several_files_and_is_read_as_one(tmp_path: Path) -> None:
    make_registry(tmp_path / "registry", agents=1_500, models=2_500)
    declared = load_environment(PROJECT, "dev", folder=tmp_path / "registry")
    of_guard = render(declared.registry, declared.rollout, declared.settings).guard
    made = [item for item in of_guard if item.kind == "ConfigMap"]
    files = {name: text for item in made for name, text in item.body.get("data", {}).items()}
    for name, text in files.items():
        (tmp_path / name).write_text(text)

    assert len(files) > 1
    assert max(map(len, files.values())) < 1_048_576
    assert read_configuration(tmp_path / "guard.json").registry == replace(declared.registry, providers={}, evidence={})

    (tmp_path / "guard-1.json").unlink()
    with pytest.raises(ConfigurationUnreadable, match=r"guard-1\.json: cannot be read"):
        read_configuration(tmp_path / "guard.json")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 1}', '{"version": 2, "registry": []}'])
def test_a_configuration_that_is_none_is_one_sentence(tmp_path: Path, text: str) -> None:
    file = tmp_path / "guard.json"
    file.write_text(text)

    with pytest.raises(ConfigurationUnreadable, match=r"guard\.json: is .*update both together"):
        read_configuration(file)


def test_the_one_with_the_lease_does_its_rounds_and_the_other_stands_by() -> None:
    cluster, clock = MadeCluster(weights={"qa": 10}), MadeClock()
    first, second = running(cluster, clock, "first"), running(cluster, clock, "second")

    for _ in range(int(3 * ROUND_EVERY_SECONDS)):
        first.tick()
        second.tick()
        clock.sleep(1)

    assert first.metrics.registry.get_sample_value("sluice_guard_leader") == 1
    assert second.metrics.registry.get_sample_value("sluice_guard_leader") == 0
    assert second.metrics.registry.get_sample_value("sluice_guard_heartbeat_timestamp_seconds") == 0
    assert first.metrics.registry.get_sample_value("sluice_guard_rollbacks_total", {"agent": "qa"}) == 1
    heartbeat = first.metrics.registry.get_sample_value("sluice_guard_heartbeat_timestamp_seconds")
    assert heartbeat == pytest.approx(datetime.now(UTC).timestamp(), abs=60)


def test_a_suspect_is_looked_at_again_soon_and_everybody_only_in_the_next_round() -> None:
    clock, asked = MadeClock(), dict[float, list[str]]()
    court = MadeCourt(suspect=frozenset({"qa"}))
    runs = running(MadeCluster(weights={"qa": 10, "legal": 10}), clock, "first", court)
    began = clock.now()

    for _ in range(int(2 * ROUND_EVERY_SECONDS) + 1):
        runs.tick()
        if court.asked:
            asked[clock.now() - began] = sorted(one.agent for one in court.asked)
            court.asked.clear()
        clock.sleep(1)

    everybody = ["legal", "qa"]
    assert asked == {0: everybody, 5: ["qa"], 10: ["qa"], 15: everybody, 20: ["qa"], 25: ["qa"], 30: everybody}


def test_when_the_one_that_acts_dies_the_other_acts_within_twenty_seconds() -> None:
    cluster, clock = MadeCluster(weights={}), MadeClock()
    first, second = running(cluster, clock, "first"), running(cluster, clock, "second")
    first.tick()
    second.tick()
    cluster.weights = {"qa": 10}
    died = clock.now()

    while cluster.override == {}:
        second.tick()
        clock.sleep(1)

    print(f"\nthe second guard acted {clock.now() - died:.0f} s after the first one's end")
    assert clock.now() - died <= 20


def test_a_prometheus_that_is_slow_costs_nobody_the_lease() -> None:
    cluster, clock = MadeCluster(weights={"qa": 10}), MadeClock()
    first, second = running(cluster, clock, "first"), running(cluster, clock, "second")

    class Slow(MadeCourt):
        """Fifteen queries of four seconds, and the lease asked for before each, as Prometheus' client does."""

        def judge(self, watched: Watched, now: datetime) -> Ruling:
            for _ in range(15):
                first.lease.renew()
                assert not second.lease.renew()
                clock.sleep(4)
                assert first.is_alive
            return super().judge(watched, now)

    first.guard.court = Slow(frozenset({"qa"}))
    first.tick()

    assert "qa" in cluster.overrides.entries


@contextmanager
def served(running: Running) -> Iterator[str]:
    """The pages, and their address, until their thread has ended and their socket is closed."""
    server = serve(running, 0)
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_pages_tell_metrics_and_life_and_nothing_else() -> None:
    clock = MadeClock()
    cluster = MadeCluster()
    one = running(cluster, clock, "one")
    one.tick()
    with served(one) as at:
        with urllib.request.urlopen(f"{at}/metrics", timeout=5) as page:
            assert b"sluice_guard_leader 1.0" in page.read()
        with urllib.request.urlopen(f"{at}/healthz", timeout=5) as page:
            assert page.status == 200
        with urllib.request.urlopen(f"{at}/readyz", timeout=5) as page:
            assert page.status == 200
        cluster.fault = lambda method, path: said(503, {})
        clock.sleep(31)
        one.tick()
        with pytest.raises(urllib.error.HTTPError, match="503"):
            urllib.request.urlopen(f"{at}/readyz", timeout=5)
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{at}/", timeout=5)
        clock.sleep(120)
        with pytest.raises(urllib.error.HTTPError, match="503"):
            urllib.request.urlopen(f"{at}/healthz", timeout=5)


def test_the_page_in_docs_lists_every_metric_with_its_labels_and_no_other() -> None:
    registry = GuardMetrics().registry
    shown = {}
    for collector in {id(one): one for one in registry._names_to_collectors.values()}.values():
        if isinstance(collector, MetricWrapperBase):
            ending = "_total" if collector._type == "counter" else ""
            shown[f"{collector._name}{ending}"] = set(collector._labelnames)

    text = (PROJECT / "docs/guard.md").read_text()
    assert {name: set(labels.replace(" ", "").split(",")) - {""} for name, labels in ROW.findall(text)} == shown


def test_the_guard_of_production_does_not_begin_by_a_clock_that_is_set(
    rendered: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SLUICE_GUARD_FILE", str(rendered))
    monkeypatch.setenv("SLUICE_CLOCK", "2025-11-06 2025-11-07 240")

    assert main() == 2

    assert "production is judged by no clock that is set" in capsys.readouterr().out


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """The guard's code as its image holds it."""
    for source in recipe.GUARD.sources:
        for file in [PROJECT / source] if (PROJECT / source).is_file() else (PROJECT / source).rglob("*.py"):
            copy = tmp_path / "image" / file.relative_to(PROJECT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.read_bytes())
    return tmp_path / "image"


def test_its_image_holds_all_it_needs_and_needs_little(image: Path, rendered: Path) -> None:
    unwanted = (
        "numpy",
        "scipy",
        "yaml",
        "ruamel",
        "ruamel.yaml",
        "jsonschema_rs",
        "kubernetes",
        "pulumi",
        "rich",
        "click",
    )
    code = (
        "import runpy, sys\n"
        f"for name in {unwanted!r}: sys.modules[name] = None\n"
        "sys.argv = ['guard']\n"
        "runpy.run_module('sluice.rollout.guard', run_name='__main__')\n"
    )
    outside = {name: value for name, value in os.environ.items() if not name.startswith("KUBERNETES_")}
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=image,
        env={**outside, "PYTHONPATH": str(image), "SLUICE_GUARD_FILE": str(rendered)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ran.returncode, ran.stderr) == (2, "")
    assert json.loads(ran.stdout)["message"].startswith("this is no pod of a cluster")


@pytest.fixture
def api() -> Iterator[ApiServer]:
    with running_api_server() as server:
        yield server


def test_a_pod_asks_with_its_token_and_hears_whatever_is_answered(api: ApiServer, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    api.put("/api/v1/namespaces/made/events", {"made": True}, method="POST", status=201)
    access = PodAccess(f"http://127.0.0.1:{api.port}", tmp_path)

    made = access.ask("POST", "/api/v1/namespaces/made/events", {"a": 1}, query={"fieldManager": "x"})
    missing = access.ask("GET", "/api/v1/nothing")

    assert (made.status, json.loads(made.body)) == (201, {"made": True})
    assert missing.status == 404
    assert api.requests[0].query == {"fieldManager": "x"}


def test_a_pod_without_its_token_or_api_server_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotHeard, match="token or authority cannot be read"):
        PodAccess("https://127.0.0.1:9", tmp_path).ask("GET", "/")
    (tmp_path / "token").write_text("made")
    with pytest.raises(NotHeard, match=r"127\.0\.0\.1:9 does not answer"):
        PodAccess("http://127.0.0.1:9", tmp_path).ask("GET", "/")
