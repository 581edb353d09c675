from __future__ import annotations

import re
from pathlib import Path

import pytest

from sluice.registry import Grafana, InvalidRegistry, Monitoring, Settings, load_registry, load_settings

REGISTRY = load_registry(Path(__file__).parent / "right")
IMAGE = f"a/b@sha256:{'0' * 64}"


def load(monitoring: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Settings:
    monkeypatch.chdir(folder)
    head = f"config:\n  sluice:namespace: a\n  sluice:gateway: {{image: '{IMAGE}', replicas: 1}}\n"
    Path("Pulumi.dev.yaml").write_text(f"{head}  sluice:monitoring: {monitoring}\n" if monitoring else head)
    return load_settings(Path(), "dev", REGISTRY)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("", Monitoring()),
        ("{by: none}", Monitoring()),
        ("{grafana: none}", Monitoring()),
        ("{grafana: sidecar}", Monitoring(grafana=Grafana.SIDECAR)),
        (
            "{grafana: operator, grafana_labels: {team: llm}}",
            Monitoring(grafana=Grafana.OPERATOR, grafana_labels={"team": "llm"}),
        ),
        ("{by: operator, labels: {release: a}}", Monitoring(by_operator=True, labels={"release": "a"})),
        (
            '{runbooks: "https://w.example.com/r", dashboards: "http://g:3000", slack_channel: "#a"}',
            Monitoring(runbooks="https://w.example.com/r", dashboards="http://g:3000", slack_channel="#a"),
        ),
    ],
)
def test_what_is_left_out_of_monitoring_has_its_default(
    written: str, expected: Monitoring, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert load(written, monkeypatch, tmp_path).monitoring == expected


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{by: datadog}", 'config.sluice:monitoring.by: "datadog" '),
        ("{runbook: x}", 'config.sluice:monitoring.runbook: is not a field here; did you mean "runbooks"?'),
        ("{runbooks: wiki/r/}", 'config.sluice:monitoring.runbooks: "wiki/r/" cannot be used here'),
        ("{slack_channel: llm}", 'config.sluice:monitoring.slack_channel: "llm" cannot be used here'),
        ("{grafana: helm}", 'config.sluice:monitoring.grafana: "helm" '),
        ("{grafana_labels: {}}", "config.sluice:monitoring.grafana_labels: "),
        ("{labels: {release: 1}}", "config.sluice:monitoring.labels.release: 1 is not text"),
    ],
)
def test_a_mistake_is_named_with_its_place(
    written: str, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(InvalidRegistry, match=re.escape(f": {said}")):
        load(written, monkeypatch, tmp_path)
