"""The dashboards keep the rules of dashboard-linter, and the check of them notices when one is broken."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from sluice.render.alerts.panels import AGENT
from tests.dashboards.linter import findings
from tests.dashboards.rendered import PAGES


@pytest.mark.parametrize("uid", PAGES)
def test_nothing_is_found_in_a_dashboard(uid: str) -> None:
    assert findings(PAGES[uid]) == []


def _panel(page: dict[str, Any]) -> dict[str, Any]:
    panel: dict[str, Any] = page["panels"][6]
    assert "$__rate_interval" in panel["targets"][1]["expr"]
    return panel


def _target(page: dict[str, Any]) -> dict[str, Any]:
    target: dict[str, Any] = _panel(page)["targets"][1]
    return target


def _in_query(before: str, after: str) -> Callable[[dict[str, Any]], None]:
    def change(page: dict[str, Any]) -> None:
        assert before in _target(page)["expr"]
        _target(page)["expr"] = _target(page)["expr"].replace(before, after)

    return change


BREAKAGES: list[tuple[str, Callable[[dict[str, Any]], object]]] = [
    ("template-datasource-rule", lambda page: page["templating"]["list"].pop(0)),
    ("template-datasource-rule", lambda page: page["templating"]["list"][0].update(label="Prometheus")),
    ("namespace", lambda page: page["templating"]["list"].pop(1)),
    ("template-label-promql-rule", lambda page: page["templating"]["list"][1].update(query="namespaces(a)")),
    ("template-on-time-change-reload-rule", lambda page: page["templating"]["list"][2].update(refresh=1)),
    ("panel-datasource-rule", lambda page: page["templating"]["list"][2]["datasource"].update(uid="P1809F7CD")),
    ("uneditable-dashboard", lambda page: page.update(editable=True)),
    ("page", lambda page: page.pop("uid")),
    ("page", lambda page: page.update(id=7)),
    ("unique-ids", lambda page: _panel(page).update(id=page["panels"][0]["id"])),
    ("places", lambda page: _panel(page)["gridPos"].update(y=0, x=0)),
    ("places", lambda page: _panel(page)["gridPos"].update(w=25)),
    ("panel-title-description-rule", lambda page: _panel(page).pop("title")),
    ("panel-title-description-rule", lambda page: _panel(page).update(description="")),
    ("panel-datasource-rule", lambda page: _panel(page)["datasource"].update(uid="prometheus")),
    ("panel-datasource-rule", lambda page: _target(page).update(datasource={"uid": "prometheus"})),
    ("panel-units-rule", lambda page: _panel(page)["fieldConfig"]["defaults"].pop("unit")),
    ("panel-units-rule", lambda page: _panel(page)["fieldConfig"]["defaults"].update(unit="seconds")),
    ("panel-no-targets-rule", lambda page: _panel(page).update(targets=[])),
    ("letters", lambda page: _target(page).update(refId="A")),
    ("letters", lambda page: page["panels"][0]["targets"].pop()),
    ("target-rate-interval-rule", _in_query("[$__rate_interval]", "[5m]")),
    ("target-counter-agg-rule", _in_query("rate(", "max_over_time(")),
    ("variables", _in_query("$agent", "$agents")),
    ("namespace", _in_query('namespace="$namespace", ', "")),
    ("legend", lambda page: _target(page).update(legendFormat="")),
    ("table", lambda page: _panel(page).update(type="table")),
]


@pytest.mark.parametrize(("rule", "breakage"), BREAKAGES)
def test_a_broken_rule_is_found(rule: str, breakage: Callable[[dict[str, Any]], object]) -> None:
    page = copy.deepcopy(PAGES[AGENT])

    breakage(page)

    assert rule in {found.partition(":")[0] for found in findings(page)}
