"""A plan as a person reads it: at a terminal, in a request, in a comment."""

from __future__ import annotations

from sluice.registry.findings import printed
from sluice.registry.plan import Plan


def plan_text(found: Plan, *, against: str | None = None) -> str:
    """Write a plan; `against` is what it was held beside in words, the commit's name where it is not given."""
    lines = [f"{found.environment}, against {against or found.against}:"]
    changed = [agent for agent in found.agents if agent.changes]
    width = max((len(agent.agent) for agent in found.agents), default=0)
    lines += [f"  {change}" for change in found.changes]
    for agent in changed:
        for number, change in enumerate(agent.changes):
            lines.append(f"  {agent.agent if number == 0 else '':{width}}  {change}")
    if not changed and not found.changes:
        lines.append("  nothing changes")
    elif len(changed) < len(found.agents):
        lines.append(f"  {_the_others(len(changed), len(found.agents) - len(changed))}: no change")
    for title, findings in (("forbidden by:", found.forbidding), ("beside that:", found.warnings)):
        if findings:
            lines += ["", title, *(f"  {line}" for line in printed(findings).splitlines())]
    return "\n".join(lines)


def _the_others(changed: int, same: int) -> str:
    agents = "agent" if same == 1 else f"{same} agents"
    return f"the other {agents}" if changed else f"{'the one ' if same == 1 else ''}{agents}"
