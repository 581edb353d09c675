"""Writes dashboards down in Grafana's words, with the builders that Grafana generates from its own schema.

The only file that knows the library, and nobody reads it before a dashboard is rendered: it takes a tenth of a second.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from string import ascii_uppercase
from typing import Final, TypeVar

from grafana_foundation_sdk.builders import common, dashboard, prometheus, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as words
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from sluice.render.alerts.panels import AGENT, Panel
from sluice.render.alerts.rules import ALERTS
from sluice.render.dashboards.shown import Dashboard, Kind, Line, Query, Shown, Unit
from sluice.render.json_text import json_text

TAG: Final = "sluice"
"""All of ours have it: so each page links the others, with what is chosen on it."""

_STEP: Final = "30s"
"""The shortest of a graph. From it Grafana computes how long a window a rate needs: two minutes, eight scrapes."""

_DECIMALS: Final[Mapping[Unit | None, int]] = {Unit.DOLLARS: 4, Unit.PERCENT: 1, Unit.POINTS: 2, Unit.YES_OR_NO: 0}

_PROMETHEUS: Final = words.DataSourceRef(type_val="prometheus", uid="${datasource}")
_TO_AGENT: Final = f"/d/{AGENT}?${{datasource:queryparam}}&${{namespace:queryparam}}&var-agent=${{__value.raw}}"

_Panel = TypeVar("_Panel", table.Panel, timeseries.Panel)


def dashboard_json(page: Dashboard, runbooks: str) -> str:
    """Return a dashboard as JSON, the same bytes each time; `runbooks` is where its panels' alerts have their pages."""
    return json_text(json.loads(json.dumps(_built(page, runbooks), cls=JSONEncoder)))


def _built(page: Dashboard, runbooks: str) -> model.Dashboard:
    builder = (
        dashboard.Dashboard(page.title)
        .uid(page.uid)
        .description(page.description)
        .tags([TAG])
        .readonly()
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .time(f"now-{page.hours}h", "now")
        .refresh("1m")
        .link(
            dashboard.DashboardLink("Sluice")
            .type(model.DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .include_vars(True)
            .keep_time(True)
        )
    )
    for variable in _variables(page):
        builder = builder.with_variable(variable)
    for shown in page.panels:
        builder = builder.with_panel(_panel(shown, runbooks))
    return builder.build()


def _variables(page: Dashboard) -> Iterator[dashboard.DatasourceVariable | dashboard.QueryVariable]:
    yield dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus")
    yield _chosen("namespace", "Namespace", "label_values(sluice_requests_in_flight, namespace)")
    agents = 'label_values(sluice_rollout_weight{namespace="$namespace"}, agent)'
    if page.chooses_agent:
        yield _chosen("agent", "Agent", agents)
    if page.chooses_agents:
        everyone = model.VariableOption(selected=True, text=["All"], value=["$__all"])
        yield _chosen("agent", "Agent", agents).multi(True).include_all(True).all_value(".*").current(everyone)


def _chosen(name: str, label: str, query: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .query(query)
        .datasource(_PROMETHEUS)
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
    )


def _panel(shown: Shown, runbooks: str) -> table.Panel | timeseries.Panel:
    if shown.kind is Kind.TABLE:
        return _table(_begun(table.Panel(), shown, runbooks), shown, runbooks)
    return _graph(_begun(timeseries.Panel(), shown, runbooks), shown)


def _begun(panel: _Panel, shown: Shown, runbooks: str) -> _Panel:
    """Return a panel with all that graphs and tables have in common."""
    panel = (
        panel.id(shown.panel.number)
        .title(shown.title)
        .description(shown.description)
        .datasource(_PROMETHEUS)
        .height(shown.height)
        .span(shown.width)
        .interval(_STEP)
        .unit(shown.unit)
        .links([_runbook(alert, runbooks) for alert in _leading_to(shown.panel)])
    )
    if shown.decimals is not None:
        panel = panel.decimals(shown.decimals)
    if shown.no_value is not None:
        panel = panel.no_value(shown.no_value)
    return panel


def _leading_to(panel: Panel) -> list[str]:
    return list(dict.fromkeys(alert.name for alert in ALERTS if alert.panel is panel))


def _runbook(alert: str, runbooks: str) -> dashboard.DashboardLink:
    return (
        dashboard.DashboardLink(alert)
        .type(model.DashboardLinkType.LINK)
        .url(f"{runbooks}/{alert}.md")
        .target_blank(True)
    )


def _graph(panel: timeseries.Panel, shown: Shown) -> timeseries.Panel:
    for letter, query in _lettered(shown):
        asked = prometheus.Dataquery().ref_id(letter).expr(query.scoped).legend_format(query.legend).range()
        panel = panel.with_target(asked)
        properties = [*_drawn(query.line), *_on_the_right(query, shown)]
        if properties:
            panel = panel.override_by_query(letter, properties)
    panel = (
        panel.color_scheme(dashboard.FieldColor().mode(model.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
        .line_width(1)
        .fill_opacity(30 if shown.kind is Kind.STACKED else 0)
        .show_points(words.VisibilityMode.NEVER)
        .tooltip(common.VizTooltipOptions().mode(words.TooltipDisplayMode.MULTI))
        .legend(
            common.VizLegendOptions()
            .show_legend(True)
            .display_mode(words.LegendDisplayMode.LIST)
            .placement(words.LegendPlacement.BOTTOM)
        )
    )
    if shown.kind is Kind.STACKED:
        panel = panel.stacking(common.StackingConfig().mode(words.StackingMode.NORMAL).group("A"))
    return panel


def _drawn(line: Line) -> list[model.DynamicConfigValue]:
    if line is Line.MEASURED:
        return []
    return [
        model.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": line.value}),
        model.DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [10, 10]}),
    ]


def _on_the_right(query: Query, shown: Shown) -> list[model.DynamicConfigValue]:
    if query.unit in (None, shown.unit):
        return []
    most = [model.DynamicConfigValue("max", 1)] if query.unit is Unit.YES_OR_NO else []
    return [
        model.DynamicConfigValue("unit", query.unit),
        model.DynamicConfigValue("custom.axisPlacement", "right"),
        model.DynamicConfigValue("min", 0),
        *most,
    ]


def _table(panel: table.Panel, shown: Shown, runbooks: str) -> table.Panel:
    """Return a row for each set of labels, a column for each label and each query that has a name."""
    several = len(shown.queries) > 1
    headings = dict(shown.columns)
    for letter, query in _lettered(shown):
        asked = prometheus.Dataquery().ref_id(letter).expr(query.scoped).format(PromQueryFormat.TABLE).instant()
        panel = panel.with_target(asked)
        if query.legend:
            headings[f"Value #{letter}" if several else "Value"] = query.legend
            panel = panel.override_by_name(query.legend, list(_column(query)))
    if several:
        joined = {"byField": shown.columns[0][0], "mode": "outer"}
        panel = panel.with_transformation(model.DataTransformerConfig("joinByField", options=joined))
    for heading, address in _links(shown, runbooks).items():
        link = {"title": f"Open {heading.lower()} ${{__value.raw}}", "url": address}
        panel = panel.override_by_name(heading, [model.DynamicConfigValue("links", [link])])
    return panel.with_transformation(
        model.DataTransformerConfig("filterFieldsByName", options={"include": {"names": list(headings)}})
    ).with_transformation(
        model.DataTransformerConfig(
            "organize",
            options={
                "indexByName": {name: place for place, name in enumerate(headings)},
                "renameByName": headings,
            },
        )
    )


def _column(query: Query) -> Iterator[model.DynamicConfigValue]:
    if query.unit is not None:
        yield model.DynamicConfigValue("unit", query.unit)
    yield model.DynamicConfigValue("decimals", _DECIMALS.get(query.unit, 1))
    if query.unit is Unit.YES_OR_NO:
        steps = [{"color": "text", "value": None}, {"color": "red", "value": 1}]
        yield model.DynamicConfigValue("thresholds", {"mode": "absolute", "steps": steps})
        yield model.DynamicConfigValue("custom.cellOptions", {"type": "color-text"})


def _links(shown: Shown, runbooks: str) -> dict[str, str]:
    """Return where the cells of a column lead to, by its heading."""
    addresses = {"agent": _TO_AGENT if shown.leads_to_agent else "", "alertname": f"{runbooks}/${{__value.raw}}.md"}
    return {heading: addresses[label] for label, heading in shown.columns if addresses.get(label)}


def _lettered(shown: Shown) -> Iterator[tuple[str, Query]]:
    return zip(ascii_uppercase, shown.queries, strict=False)
