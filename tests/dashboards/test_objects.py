"""How dashboards reach a Grafana: by its sidecar, by its operator, or as files, with the same content each time."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sluice.cli.main import run
from sluice.registry import Grafana, Monitoring, Settings, environments, load_environment
from sluice.render import KubernetesObject
from sluice.render.dashboards import dashboard_files, dashboards
from tests.dashboards.rendered import FILES, PAGES
from tests.rules.promtool import DECLARED, PROJECT


def settings(**monitoring: Any) -> Settings:
    return dataclasses.replace(DECLARED.settings, monitoring=Monitoring(**monitoring))


def of_kind(kind: str, of: Settings) -> list[KubernetesObject]:
    return [item for item in dashboards(of) if item.kind == kind]


def test_an_environment_that_names_no_grafana_gets_none() -> None:
    assert dashboards(settings()) == ()
    assert dashboards(load_environment(PROJECT, "dev").settings) == ()


def test_the_sidecar_finds_a_config_map_for_each_dashboard() -> None:
    made = dashboards(settings(grafana=Grafana.SIDECAR))

    assert [item.kind for item in made] == ["ConfigMap"] * len(PAGES)
    for item in made:
        assert item.body["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert item.body["metadata"]["annotations"] == {"grafana_folder": "Sluice"}
        [(file, text)] = item.body["data"].items()
        assert file == f"{json.loads(text)['uid']}.json"


def test_grafanas_operator_is_told_of_each_config_map_that_no_sidecar_takes_as_well() -> None:
    of = settings(grafana=Grafana.OPERATOR, grafana_labels={"instance": "main"})
    held = {item.name: item for item in of_kind("ConfigMap", of)}
    told = of_kind("GrafanaDashboard", of)

    assert len(told) == len(held) == len(PAGES)
    for item in told:
        spec = item.body["spec"]
        config_map = held[spec["configMapRef"]["name"]]
        assert list(config_map.body["data"]) == [spec["configMapRef"]["key"]]
        assert "grafana_dashboard" not in config_map.body["metadata"]["labels"]
        assert spec["instanceSelector"] == {"matchLabels": {"instance": "main"}}


def test_environments_before_one_grafana_bring_it_the_same_files() -> None:
    """Its sidecar puts the files of all namespaces into one folder, and Grafana takes an uid once."""
    for environment in environments(PROJECT):
        assert dashboard_files(load_environment(PROJECT, environment).settings) == FILES


def test_a_dashboard_is_far_smaller_than_a_config_map_may_be() -> None:
    assert max(len(text.encode()) for text in FILES.values()) < 2**20 / 8


def test_no_agent_is_named_so_that_a_thousand_need_no_more() -> None:
    names = "|".join(DECLARED.registry.agents)

    for text in FILES.values():
        for agent in names.split("|"):
            assert f'\\"{agent}\\"' not in text


def test_plain_files_say_what_the_objects_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    assert run(["render", "production", "--out", "out", "--dashboards", "grafana/dashboards"]) == 0

    assert {file.name: file.read_text() for file in Path("grafana/dashboards").iterdir()} == FILES


def test_a_folder_that_cannot_be_written_is_said_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("taken").write_text("")

    assert run(["render", "production", "--out", "out", "--dashboards", "taken"]) == 3

    assert "sluice: taken: File exists" in capsys.readouterr().err


def test_only_who_renders_dashboards_waits_for_grafanas_library() -> None:
    script = (
        "import sys; from sluice.cli.main import run; run(['validate']); "
        "import sluice.render.dashboards, sluice.cli.render; "
        "print([m for m in sys.modules if 'grafana_foundation_sdk' in m])"
    )
    output = subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=True
    ).stdout

    assert output.endswith("\n[]\n")
