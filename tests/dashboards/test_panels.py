"""Alerts, panels and dashboards fit together: who is paged opens the graph of what paged him, with its limit in it."""

from __future__ import annotations

import re
from collections import Counter
from urllib.parse import parse_qs, urlsplit

import pytest

from sluice.render.alerts import ALERTS
from sluice.render.alerts.panels import Panel
from sluice.render.alerts.rule import Alert
from sluice.render.dashboards import DASHBOARDS
from tests.dashboards.rendered import PAGES, PANELS, expressions
from tests.rules.promtool import DECLARED, GROUPS

NAMED = {f"{alert.name} {alert.labels.get('percent', '')}".strip(): alert for alert in ALERTS}
_READ = re.compile(r"\bsluice[_:][a-zA-Z0-9_:]+")
_LIMIT = re.compile(r'name="([a-z0-9_]+)"')
_WINDOW = re.compile(r"(:|increase)\d+[mhd]$")
NUMBERED = {
    "sluice-overview": ("WEIGHT OVERRIDE CANDIDATES COMPARISON VERDICTS FIRING TRAFFIC"),
    "sluice-agent": (
        "QUALITY SPECIFICITY ERRORS FALLBACKS LATENCY REQUESTS REQUEST_COST REVIEW DROP LATE DIMENSIONS "
        "AGENT_WEIGHT SAVING USERS"
    ),
    "sluice-cost": ("DAY_SPEND MONTH_SPEND MONTH_REQUESTS CAP SAVED SAVINGS AGENTS_SPEND ARMS_SPEND TOKENS"),
    "sluice-operations": (
        "GATEWAY GUARD FLAGS STORE CERTIFICATES KEYS PROVIDERS MODEL_FAILURES REFUSED MEMORY PROCESSOR "
        "AFTER_ANSWERS CACHE"
    ),
}
"""The panels of each dashboard in the order of their numbers. One may go, but its number goes to no other."""


def families(expression: str) -> list[str]:
    """The series that are read, in their order; the same over another window is the same."""
    return [_WINDOW.sub(r"\1", name) for name in _READ.findall(expression) if name != "sluice_threshold"]


def shown(alert: Alert) -> list[str]:
    return expressions(PANELS[alert.panel.value])


def test_every_panel_is_on_the_dashboard_that_its_number_is_of_once() -> None:
    assert Counter(panel.panel for page in DASHBOARDS for panel in page.panels) == Counter(Panel)
    for page in DASHBOARDS:
        assert {panel.panel.dashboard for panel in page.panels} == {page.uid}


def test_numbers_that_links_of_past_years_hold_are_what_they_were() -> None:
    numbered = {(uid, number): name for uid, names in NUMBERED.items() for number, name in enumerate(names.split(), 1)}

    assert {panel.value: panel.name for panel in Panel} == numbered


@pytest.mark.parametrize("name", NAMED)
def test_an_alert_leads_to_a_panel_that_shows_what_it_is_about(name: str) -> None:
    alert = NAMED[name]
    on_the_panel = {family for expression in shown(alert) for family in families(expression)}

    assert families(alert.expression)[0] in on_the_panel


@pytest.mark.parametrize("name", NAMED)
def test_the_limit_that_an_alert_holds_is_drawn_where_it_leads(name: str) -> None:
    wanted = set(_LIMIT.findall(NAMED[name].expression))
    drawn = {limit for expression in shown(NAMED[name]) for limit in _LIMIT.findall(expression)}

    assert wanted <= drawn


@pytest.mark.parametrize("rule", [rule for group in GROUPS for rule in group["rules"] if "alert" in rule], ids=str)
def test_the_link_of_an_alert_opens_that_panel_with_what_the_page_can_choose(rule: dict[str, dict[str, str]]) -> None:
    address = urlsplit(rule["annotations"]["dashboard_url"])
    chosen = {name: value for name, [value] in parse_qs(address.query).items()}
    uid = address.path.removeprefix("/d/")
    variables = {variable["name"]: variable for variable in PAGES[uid]["templating"]["list"]}

    assert f"https://{address.netloc}" == DECLARED.settings.monitoring.dashboards
    assert (uid, int(chosen.pop("viewPanel"))) in PANELS
    assert chosen.pop("var-namespace") == DECLARED.settings.namespace
    assert {name.removeprefix("var-") for name in chosen} == variables.keys() & {"agent"}
    if chosen.get("var-agent") == "$__all":
        assert variables["agent"]["includeAll"], "the page shows one agent, and the alert is about all"


@pytest.mark.parametrize("key", PANELS, ids=str)
def test_a_panel_links_the_runbooks_of_its_alerts(key: tuple[str, int]) -> None:
    runbooks = DECLARED.settings.monitoring.runbooks
    wanted = {f"{runbooks}/{alert.name}.md" for alert in ALERTS if alert.panel.value == key}

    assert {link["url"] for link in PANELS[key].get("links", ())} == wanted


def test_agents_in_tables_open_a_page_that_is_there() -> None:
    addresses = [
        link["url"]
        for panel in PANELS.values()
        for override in panel["fieldConfig"]["overrides"]
        for one in override["properties"]
        if one["id"] == "links"
        for link in one["value"]
        if link["url"].startswith("/d/")
    ]

    assert addresses
    for address in addresses:
        uid = urlsplit(address).path.removeprefix("/d/")
        named = set(re.findall(r"var-(\w+)=|\$\{(\w+):queryparam\}", address))
        assert {one or other for one, other in named} == {
            variable["name"] for variable in PAGES[uid]["templating"]["list"]
        }


def test_every_page_links_the_others_with_what_is_chosen_on_it() -> None:
    for page in PAGES.values():
        [link] = page["links"]
        assert link["type"] == "dashboards"
        assert set(link["tags"]) <= set.intersection(*(set(one["tags"]) for one in PAGES.values()))
        assert link["includeVars"]
        assert link["keepTime"]


def test_a_table_names_its_columns_and_draws_them_by_these_names() -> None:
    for panel in PANELS.values():
        if panel["type"] != "table":
            continue
        steps = {step["id"]: step["options"] for step in panel["transformations"]}
        headings = steps["organize"]["renameByName"]
        assert steps["filterFieldsByName"]["include"]["names"] == list(headings)
        drawn = {override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]}
        assert drawn <= set(headings.values())
