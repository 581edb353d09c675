"""What `sluice status` prints: one screen for a person, and the same as data for a program."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from sluice.deploy.fares import Fare, Fares
from sluice.deploy.status import AgentStatus, Status
from sluice.override import UNKNOWN
from sluice.rollout import Action, ArmCounts, Verdict
from sluice.rollout.conditions import UNSIGNED
from sluice.rollout.numerals import two_digits
from sluice.rollout.outlook import Outlook, Wait
from sluice.rollout.verdict import Gate


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found: of the cluster, and of the metrics."""

    found: Status
    fares: Fares
    at: datetime

    @property
    def gist(self) -> object:
        """What a person would call a change: not each number that moves."""
        said = tuple(
            (agent, fare.record.verdict.action, {wait.gate for wait in fare.outlook.waits})
            for agent, fare in self.fares.agents.items()
            if fare.record and fare.outlook
        )
        return self.found, said, bool(self.fares.why_not)


def page(look: Look) -> RenderableType:
    """Lay a look out on one screen."""
    found = look.found
    if not found.is_there:
        return Text(f"nothing of {found.environment} is in this cluster; `sluice up {found.environment}` puts it there")
    parts: list[RenderableType] = [_weights(found)]
    if look.fares.agents:
        parts += [Text(""), _arms(look.fares)]
    nexts = [line for fare in look.fares.agents.values() for line in _next(found.environment, fare)]
    lines = [*([""] if nexts else []), *nexts, "", *_metrics(look.fares), *_cluster(found)]
    parts += [Text(line, overflow="ellipsis", no_wrap=True) for line in lines]
    return Group(*parts)


def _weights(found: Status) -> Table:
    table = _table("agent", "candidate", right=("wanted", "allowed", "served"))
    table.add_column("", no_wrap=True)
    for agent in found.agents:
        served = " or ".join(f"{weight:g}" for weight in agent.served_percent) or "?"
        wanted, allowed = str(agent.wanted_percent), str(agent.allowed_percent)
        table.add_row(agent.agent, agent.candidate or "-", wanted, allowed, served, _why(agent))
    return table


def _arms(fares: Fares) -> Table:
    table = _table("agent", right=("over", "requests", "quality", "p95, s", "errors, %", "spend, $"))
    table.title, table.title_justify, table.title_style = "candidate | baseline", "left", "dim"
    for fare in fares.agents.values():
        both = (fare.candidate, fare.baseline)
        cells = (" | ".join(cell(arm) for arm in both) for cell in (_requests, _quality, _p95, _errors_percent, _spend))
        table.add_row(fare.agent, shown_time(fare.window), *cells)
    return table


def _next(environment: str, fare: Fare) -> Iterator[str]:
    """Say what the gates make of an agent, what comes next and when, and what it waits for."""
    if fare.record is None or fare.outlook is None:
        return
    case, verdict, outlook = fare.record.case, fare.record.verdict, fare.outlook
    following = "graduation" if outlook.next_weight_percent is None else f"{outlook.next_weight_percent} %"
    head = f"{fare.agent}: {verdict.action} at {case.weight_percent} %"
    if verdict.action is Action.ADVANCE:
        yield f"{head}: {following} may come, `sluice advance {environment} {fare.agent}`"
        return
    if verdict.action is Action.ROLLBACK:
        yield f"{head}: `sluice rollback {environment} {fare.agent}`, unless the guard has done so"
    else:
        yield f"{head}: {following} {_when(verdict, outlook)}"
    by_gate: dict[Gate, list[Wait]] = {}
    for wait in outlook.waits:
        by_gate.setdefault(wait.gate, []).append(wait)
    for gate, waits in by_gate.items():
        likely = max((wait.likely for wait in waits if wait.likely), default=None)
        # Before the sentence, which a narrow terminal cuts.
        when = f", likely by {_day(likely)}" if likely else ""
        yield f"  {gate}{when}: {'; '.join(wait.text.removeprefix(UNSIGNED) for wait in waits)}"


def _when(verdict: Verdict, outlook: Outlook) -> str:
    if verdict.asks_a_person:
        return "is for a person to decide: it has had the longest time that a step may take"
    return f"is likely by {_day(outlook.likely)}" if outlook.likely else "waits for more than time"


def _metrics(fares: Fares) -> Iterator[str]:
    if fares.why_not:
        yield f"not measured: {fares.why_not}"
    elif fares.month_dollars is not None:
        yield f"fine-tuned models cost ${fares.month_dollars:,.2f} this month"


def _cluster(found: Status) -> Iterator[str]:
    yield _pods(found)
    if found.follower:
        yield str(found.follower)
    for key, entry in found.overrides.items():
        named = _candidate(found, key)
        for one in entry.each:
            said = ", ".join(part for part in (one.by, one.at, one.reason) if part)
            ended = "" if one.holds(named) else f" {one.why_ended(named)}"
            yield f"override: {key} at most {one.weight_percent} %{f' ({said})' if said else ''}{ended}"
    yield from found.complaints
    yield from (f"drift: {difference}" for difference in found.differences)
    if found.differences:
        yield f"`{_mending(found)}` makes it as git says"
    if found.unseen:
        yield f"not looked at, for want of the right to read: {', '.join(found.unseen)}"
    if found.is_as_git_says:
        yield "the rest is what git says" if found.unseen else "the cluster is what git says"


def _candidate(found: Status, key: str) -> str | None:
    return next((agent.candidate for agent in found.agents if agent.agent == key), UNKNOWN)


def _mending(found: Status) -> str:
    if found.follower and not found.follower.is_stopped:
        return found.follower.at_once
    return f"sluice up {found.environment}"


def data(look: Look) -> dict[str, Any]:
    """Return a look as a program gets it."""
    found, fares = look.found, look.fares
    return {
        "environment": found.environment,
        "at": look.at.isoformat(timespec="seconds"),
        "as_git_says": found.is_as_git_says,
        "there": found.is_there,
        "measured": not fares.why_not and bool(fares.agents),
        "why_not_measured": fares.why_not,
        "month_dollars": fares.month_dollars,
        "agents": [
            {
                "agent": agent.agent,
                "candidate": agent.candidate,
                "wanted": agent.wanted_percent,
                "allowed": agent.allowed_percent,
                "served": list(agent.served_percent),
                **(_fare_data(fares.agents[agent.agent]) if agent.agent in fares.agents else {}),
            }
            for agent in found.agents
        ],
        "pods": [{"pod": pod, "answers": answers} for pod, answers in found.pods.items()],
        "overrides": {
            key: {**asdict(entry), "holds": any(one.holds(_candidate(found, key)) for one in entry.each)}
            for key, entry in found.overrides.items()
        },
        "complaints": list(found.complaints),
        "drift": [asdict(difference) for difference in found.differences],
        "not_looked_at": list(found.unseen),
        "followed_by": asdict(found.follower) if found.follower else None,
    }


def _fare_data(fare: Fare) -> dict[str, Any]:
    said: dict[str, Any] = {
        "over_seconds": fare.window.total_seconds(),
        "arms": {name: _arm_data(arm) for name, arm in (("candidate", fare.candidate), ("baseline", fare.baseline))},
    }
    if fare.record is not None and fare.outlook is not None:
        verdict, outlook = fare.record.verdict, fare.outlook
        said["verdict"] = {
            "action": str(verdict.action),
            "asks_a_person": verdict.asks_a_person,
            "reasons": [
                {"gate": str(one.gate), "action": str(one.action), "text": one.text} for one in verdict.reasons
            ],
        }
        said["next"] = {
            "weight": outlook.next_weight_percent,
            "graduates": outlook.next_weight_percent is None,
            "likely": outlook.likely.isoformat(timespec="minutes") if outlook.likely else None,
            "waits_for": [
                {
                    "gate": str(wait.gate),
                    "text": wait.text,
                    "likely": wait.likely.isoformat(timespec="minutes") if wait.likely else None,
                }
                for wait in outlook.waits
            ],
        }
    return said


def _arm_data(arm: ArmCounts) -> dict[str, Any]:
    scored = arm.scores if arm.scores and arm.scores.count else None
    return {
        "requests": arm.requests,
        "failed": arm.failed,
        "failed_users": arm.failed_users,
        "quality": round(scored.mean, 3) if scored else None,
        "p95_seconds": arm.seconds.quantile(0.95) if arm.seconds else None,
        "cost_dollars": arm.cost_dollars,
    }


def _requests(arm: ArmCounts) -> str:
    return "-" if arm.requests is None else f"{arm.requests:,}"


def _quality(arm: ArmCounts) -> str:
    return f"{arm.scores.mean:.2f}" if arm.scores and arm.scores.count else "-"


def _p95(arm: ArmCounts) -> str:
    value = arm.seconds.quantile(0.95) if arm.seconds else None
    return "-" if value is None else two_digits(value)


def _errors_percent(arm: ArmCounts) -> str:
    return two_digits(100 * arm.failed / arm.requests) if arm.requests and arm.failed is not None else "-"


def _spend(arm: ArmCounts) -> str:
    return "-" if arm.cost_dollars is None else f"{arm.cost_dollars:.2f}"


def _table(*left: str, right: tuple[str, ...]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in left:
        table.add_column(column, no_wrap=True)
    for column in right:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _why(agent: AgentStatus) -> str:
    if agent.is_as_git_says:
        return ""
    if agent.allowed_percent < agent.wanted_percent:
        return "overridden"
    return "not served" if agent.served_percent else "no pod answers"


def _pods(found: Status) -> str:
    count = len(found.pods)
    silent = [pod for pod, answers in found.pods.items() if not answers]
    text = "1 gateway pod" if count == 1 else f"{count} gateway pods"
    return f"{text}; no answer from {', '.join(silent)}" if silent else text


def shown_time(time: timedelta) -> str:
    """Write how long something lasts, roughly."""
    hours = time / timedelta(hours=1)
    if hours < 1:
        return f"{60 * hours:.0f} min"
    return f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.0f} d"


def _day(at: datetime | None) -> str:
    return f"{at:%a %d %b, %H:%M} UTC" if at else "nobody knows when"
