"""What dashboard-linter holds against a dashboard, by its rules' names, and what we hold against one beside it.

Its own program cannot be had here. Left out are its rules for a `job` and an `instance` to choose: ours is `namespace`,
because what rules have recorded has neither. That each query is PromQL, promtool says (test_queries.py).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

UNITS = {"short", "none", "percent", "s", "d", "currencyUSD", "bytes", "bool_yes_no"}
"""Of those that Grafana knows, the ones in use: a name with a slip is no unit, and Grafana says nothing of it."""

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
_LABEL_VALUES = re.compile(r"^label_values\(\w+(\{[^{}]*\})?, \w+\)$")
_RATE = re.compile(r"\bi?rate\(\w+(?:\{[^{}]*\})?\[([^\]]*)\]")
_COUNTED = re.compile(r"\b(?:i?rate|increase)\((\w+_total)(?:\{[^{}]*\})?\[")
_COUNTER = re.compile(r"\b\w+_total\b")
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::\w+)?\}|(\w+))")
_METRIC = re.compile(r"\b(?:sluice[_:]|gen_ai_client_|process_|ALERTS)[\w:]*(\{[^{}]*\}|)")


def findings(dashboard: dict[str, Any]) -> list[str]:
    """Return each finding as `rule: what is wrong`; none for a good dashboard."""
    pages = (*_of_variables(dashboard), *_of_page(dashboard), *_of_places(dashboard))
    return [*pages, *(found for panel in dashboard["panels"] for found in _of_panel(panel, dashboard))]


def _of_variables(dashboard: dict[str, Any]) -> Iterator[str]:
    variables = {one["name"]: one for one in dashboard["templating"]["list"]}
    datasource = variables.get("datasource", {})
    if (datasource.get("type"), datasource.get("label")) != ("datasource", "Data source"):
        yield "template-datasource-rule: no variable for the data source"
    if "namespace" not in variables:
        yield "namespace: no variable for it"
    for variable in variables.values():
        if variable["type"] == "query":
            yield from _of_variable(variable)


def _of_page(dashboard: dict[str, Any]) -> Iterator[str]:
    if dashboard.get("editable") is not False:
        yield "uneditable-dashboard: it can be edited"
    if not dashboard.get("uid") or not dashboard.get("title") or not dashboard.get("description"):
        yield "page: no uid, title or description"
    if dashboard.get("id"):
        yield "page: it has a number of one Grafana's database"
    for number, times in Counter(panel["id"] for panel in dashboard["panels"]).items():
        if times > 1:
            yield f"unique-ids: {number} is there {times} times"


def _of_places(dashboard: dict[str, Any]) -> Iterator[str]:
    places = [panel["gridPos"] for panel in dashboard["panels"]]
    if any(_meet(one, other) for index, one in enumerate(places) for other in places[:index]):
        yield "places: two panels overlap"
    if any(place["x"] + place["w"] > 24 for place in places):
        yield "places: a panel is wider than the page"


def _of_variable(variable: dict[str, Any]) -> Iterator[str]:
    if not _LABEL_VALUES.match(variable["query"]):
        yield f"template-label-promql-rule: {variable['query']}"
    if variable.get("refresh") != 2:
        yield f"template-on-time-change-reload-rule: {variable['name']}"
    if variable.get("datasource") != DATASOURCE:
        yield f"panel-datasource-rule: the variable {variable['name']}"


def _of_panel(panel: dict[str, Any], dashboard: dict[str, Any]) -> Iterator[str]:
    title = panel.get("title")
    if not title or not panel.get("description"):
        yield f"panel-title-description-rule: {panel['id']}"
    if panel.get("datasource") != DATASOURCE or any(
        target.get("datasource", DATASOURCE) != DATASOURCE for target in panel.get("targets", ())
    ):
        yield f"panel-datasource-rule: {title}"
    overrides = panel["fieldConfig"].get("overrides", [])
    said = [one["value"] for override in overrides for one in override["properties"] if one["id"] == "unit"]
    if not {panel["fieldConfig"]["defaults"].get("unit"), *said} <= UNITS:
        yield f"panel-units-rule: {title}"
    if not panel.get("targets"):
        yield f"panel-no-targets-rule: {title}"
    letters = [target["refId"] for target in panel.get("targets", ())]
    if len(letters) != len(set(letters)):
        yield f"letters: two queries of {title} have the same"
    drawn = {override["matcher"]["options"] for override in overrides if override["matcher"]["id"] == "byFrameRefID"}
    if not drawn <= set(letters):
        yield f"letters: {title} says how to draw what is not asked"
    for target in panel.get("targets", ()):
        yield from (f"{found} in {title}: {target['expr']}" for found in _of_query(target, panel, dashboard))


def _of_query(target: dict[str, Any], panel: dict[str, Any], dashboard: dict[str, Any]) -> Iterator[str]:
    expression = target["expr"]
    if any(window != "$__rate_interval" for window in _RATE.findall(expression)):
        yield "target-rate-interval-rule: another window"
    if len(_COUNTER.findall(expression)) != len(_COUNTED.findall(expression)):
        yield "target-counter-agg-rule: a counter as it is"
    known = {variable["name"] for variable in dashboard["templating"]["list"]} | {"__rate_interval"}
    if not {braced or bare for braced, bare in _VARIABLE.findall(expression)} <= known:
        yield "variables: one that is not on the page"
    if any('namespace="$namespace"' not in selector for selector in _METRIC.findall(expression)):
        yield "namespace: a metric of any"
    if panel["type"] == "timeseries" and not target.get("legendFormat"):
        yield "legend: none"
    if panel["type"] == "table" and not (target.get("instant") and target.get("format") == "table"):
        yield "table: not what is now"


def _meet(one: dict[str, int], other: dict[str, int]) -> bool:
    return (
        one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    )
