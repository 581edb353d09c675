"""The report as one HTML page that needs nothing else: no script, no network; for telephones and the dark too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from sluice.rollout.plot import short, table
from sluice.rollout.report import plots
from sluice.rollout.report.comparison import Compared, Comparison, OfGate
from sluice.rollout.report.findings import AgentFindings, ArmFindings, Findings
from sluice.rollout.report.material import ARMS, QUANTILES
from sluice.rollout.report.moving import Mean
from sluice.rollout.report.style import STYLE

NOT_KNOWN = "not known"
_NONE = "-"
_SHOWN_CHARACTERS = 600
_FOLDED = ("quality", "relevance", "format", "specificity", "p50", "p99")
"""Drawings that one looks at when another made one ask."""


def as_page(report: Findings) -> str:
    """Write the page."""
    title = f"{report.environment}: {_days(report)} to {report.until:%d %b %Y %H:%M} UTC"
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none';style-src 'unsafe-inline'\">"
        f"<title>{escape(title)}</title><style>{STYLE}</style>"
    )
    body = [f"<h1>{escape(title)}</h1>", *_short(report), *_missing(report)]
    for agent in report.agents:
        body += _agent(report, agent)
    body += [*_worst(report), *_slow(report), *_how_to_read(report)]
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>\n' + "\n".join([*body, "</body></html>\n"])


def _days(report: Findings) -> str:
    days = (report.until - report.since).days
    return "a day" if days == 1 else f"{days} days"


def _short(report: Findings) -> Iterator[str]:
    yield "<h2>In short</h2><ul class=verdicts>"
    for agent in report.agents:
        name = escape(agent.agent)
        yield f'<li><a href="#{name}">{name}</a> {_badge(agent)} <span>{escape(_verdict(agent))}</span></li>'
    yield "</ul>"
    head = ("agent", "on the candidate", "answers", "points", "errors", "P95", "a request", "saved")
    yield _wide(table(head, [_summary(agent) for agent in report.agents]))
    yield (
        f"<p class=small>The first of two values is the candidate's, the second the baseline's; {_NONE} is not known. "
        f"Points are the newest mean of {report.moving_mean.days} days.</p>"
    )
    yield f"<p>{escape(_money(report))}</p>"


def _summary(agent: AgentFindings) -> tuple[str, ...]:
    both = [agent.arms[arm] for arm in ARMS]
    served = agent.served_percent
    return (
        agent.agent,
        NOT_KNOWN if served is None else f"{served:.0f} %",
        _both(_count(arm.answers) for arm in both),
        _both(_mean(arm.mean("overall")) for arm in both),
        _both(_percent(arm.error_percent) for arm in both),
        _both(_seconds(arm.seconds.get("p95")) for arm in both),
        _both(_dollars(arm.request_cost_dollars) for arm in both),
        _saved(agent),
    )


def _verdict(agent: AgentFindings) -> str:
    if agent.comparison is not None:
        return agent.comparison.verdict
    if not agent.weights.get("served"):
        return "Nothing is known of its weight in this time."
    return "Nobody was on a candidate in this time."


def _badge(agent: AgentFindings) -> str:
    if agent.comparison is None:
        return '<span class="badge">no candidate</span>'
    compared = agent.comparison.compared
    kind = {Compared.WORSE: "bad", Compared.AS_GOOD: "good", Compared.BETTER: "good"}.get(compared, "")
    return f'<span class="badge {kind}">{escape(compared)}</span>'


def _money(report: Findings) -> str:
    savings = [agent.saving for agent in report.agents if agent.saving]
    parts = []
    if savings:
        parts.append(f"Candidates saved {_dollars(sum(one.dollars for one in savings))} in this time")
        if any(one.by_forecast for one in savings):
            parts[-1] += ", in part by the price that the registry forecasts for the baseline"
    else:
        parts.append("What candidates saved is not known")
    if report.month_spend_dollars is None:
        parts.append("what fine-tuned models cost this month is not known")
    else:
        cap = f" of ${report.month_cap_dollars:g}" if report.month_cap_dollars else ""
        parts.append(f"fine-tuned models have cost {_dollars(report.month_spend_dollars)}{cap} this month")
    return "; ".join(parts) + "."


def _missing(report: Findings) -> Iterator[str]:
    if report.missing:
        items = "".join(f"<li>{escape(_sentence(one))}</li>" for one in report.missing)
        yield f"<section class=missing><h2>What is missing</h2><ul>{items}</ul></section>"


def _agent(report: Findings, agent: AgentFindings) -> Iterator[str]:
    models = f"{agent.candidate or 'no candidate'} beside {agent.baseline}"
    if agent.watched_closely:
        models += "; at its threshold: watch it closely"
    yield f'<section><h2 id="{escape(agent.agent)}">{escape(agent.agent)} <small>{escape(models)}</small></h2>'
    yield f"<p>{_badge(agent)} {escape(_verdict(agent))}</p>"
    if agent.comparison is not None:
        yield from _comparison(agent.comparison)
    yield from _events(agent)
    drawn = plots.every(report, agent)
    yield _grid([one for name, one in drawn.items() if name not in _FOLDED])
    folded = _grid([one for name, one in drawn.items() if name in _FOLDED])
    yield f"<details><summary>By dimension, P50 and P99</summary>{folded}{_numbers(agent)}</details></section>"


def _comparison(comparison: Comparison) -> Iterator[str]:
    ended = "now" if comparison.ended is None else f"{comparison.ended:%d %b %H:%M}"
    first, last = comparison.weights_percent
    weights = f"{first} %" if first == last else f"{first} to {last} %"
    yield (
        f"<p class=small>{escape(comparison.candidate)} beside {escape(comparison.baseline)}, at {weights}, from "
        f"{comparison.began:%d %b %H:%M} to {ended}, by the gates:</p><ul class=gates>"
    )
    for gate in comparison.gates:
        yield f"<li>{_gate(gate)}</li>"
    yield "</ul>"


def _gate(gate: OfGate) -> str:
    said = "; ".join(reason.text for reason in gate.reasons) or "nothing was counted"
    strength = f" ({escape(gate.strength)})" if gate.strength else ""
    return f"<b>{escape(gate.gate)}: {escape(gate.compared)}</b>{strength}. {escape(_sentence(said))}"


def _events(agent: AgentFindings) -> Iterator[str]:
    if not agent.events:
        yield "<p class=small>Its weight did not change, and no override was set or lifted.</p>"
        return
    items = (f"<li>{event.at:%d %b %H:%M}: {escape(event.text)}</li>" for event in agent.events)
    yield f"<ol class=events>{''.join(items)}</ol>"


def _numbers(agent: AgentFindings) -> str:
    head = ("", "candidate", "baseline")
    rows: list[tuple[str, ...]] = [
        (f"{dimension}, newest mean", *(_mean(agent.arms[arm].mean(dimension)) for arm in ARMS))
        for dimension in agent.arms["candidate"].means
    ]
    rows += [(one.upper(), *(_seconds(agent.arms[arm].seconds.get(one)) for arm in ARMS)) for one in QUANTILES]
    rows.append(("fallbacks", *(_percent(agent.arms[arm].fallback_percent) for arm in ARMS)))
    return _wide(table(head, rows))


def _worst(report: Findings) -> Iterator[str]:
    yield "<h2>The worst answers</h2>"
    if report.worst is None:
        yield f"<p>{NOT_KNOWN.capitalize()}: they could not be read.</p>"
        return
    if not report.worst:
        yield "<p>None was kept in this time.</p>"
    for query in report.worst:
        yield (
            f"<article><p class=small>{escape(query.agent)}, {escape(query.arm)}, {escape(query.model or 'no model')}, "
            f"{query.at:%d %b %H:%M}: <b>{query.score:.1f}</b> of 10</p>"
            f"<p>{_text(query.question)}</p><blockquote>{_text(query.answer)}</blockquote></article>"
        )


def _slow(report: Findings) -> Iterator[str]:
    yield f"<h2>Answers later than {report.slow_seconds:g} s</h2>"
    rows = [(agent.agent, *(_share(agent.arms[arm]) for arm in ARMS)) for agent in report.agents]
    yield _wide(table(("agent", "candidate", "baseline"), rows))
    days = [day.ended for day in report.agents[0].arms["candidate"].days] if report.agents else []
    head = ("agent", *(f"{day:%d %b}" for day in days))
    yield f"<details><summary>By day, both arms; a day ends at {report.until:%H:%M} UTC</summary>"
    yield _wide(table(head, [(agent.agent, *_slow_days(agent)) for agent in report.agents])) + "</details>"


def _slow_days(agent: AgentFindings) -> list[str]:
    found = []
    for pair in zip(*(agent.arms[arm].days for arm in ARMS), strict=True):
        known = [day.slow for day in pair if day.slow is not None]
        found.append(_count(sum(known)) if known else NOT_KNOWN)
    return found


def _how_to_read(report: Findings) -> Iterator[str]:
    yield (
        "<h2>How to read this</h2><p>A candidate is compared over its last way up, by the functions that the guard and "
        "<code>sluice advance</code> decide with: <i>sure at 95 %</i> holds however often one looks; evidence is how "
        "many times better harm explains what was seen than chance does. Bands around means are of 95 % and for one "
        "look; answers of one user count as alike. Lines are broken where nothing was measured. Moments of weights are "
        f"up to five minutes late. A day is 24 hours, the last of them to {report.until:%H:%M} UTC.</p>"
    )


def _grid(drawings: Sequence[str]) -> str:
    return f"<div class=grid>{''.join(f'<figure>{one}</figure>' for one in drawings)}</div>"


def _wide(html: str) -> str:
    return f"<div class=wide>{html}</div>"


def _text(text: str) -> str:
    shown = " ".join(text.split())
    return escape(shown if len(shown) <= _SHOWN_CHARACTERS else f"{shown[:_SHOWN_CHARACTERS]}…") or "<i>empty</i>"


def _both(texts: Iterator[str]) -> str:
    first, second = texts
    if first == second == NOT_KNOWN:
        return NOT_KNOWN
    return " / ".join(_NONE if one == NOT_KNOWN else one for one in (first, second))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '?')) else '.'}"


def _count(value: float | None) -> str:
    return NOT_KNOWN if value is None else f"{value:,.0f}"


def _mean(mean: Mean | None) -> str:
    if mean is None or mean.mean is None or mean.low is None:
        return NOT_KNOWN
    return f"{mean.mean:.2f} ± {mean.mean - mean.low:.2f}"


def _percent(value: float | None) -> str:
    return NOT_KNOWN if value is None else f"{value:.2g} %" if value < 10 else f"{value:.0f} %"


def _seconds(value: float | None) -> str:
    return NOT_KNOWN if value is None else f"{short(value)} s"


def _dollars(value: float | None) -> str:
    if value is None:
        return NOT_KNOWN
    return f"${value:,.2f}" if abs(value) >= 0.1 else f"${value:.4f}"


def _saved(agent: AgentFindings) -> str:
    if agent.saving is None:
        return NOT_KNOWN
    return f"{_dollars(agent.saving.dollars)}, {agent.saving.percent:.0f} %{'*' if agent.saving.by_forecast else ''}"


def _share(arm: ArmFindings) -> str:
    if arm.slow is None or arm.answers is None:
        return NOT_KNOWN
    return f"{arm.slow:,.0f} of {arm.answers:,.0f}"
