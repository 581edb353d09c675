"""What a request says of itself: the plan in words, the gates' verdict, what is rendered, what it costs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sluice import __version__

_LONGEST_DIFF = 20_000


@dataclass(frozen=True, slots=True)
class Described:
    """What there is to say of a change. `cost` is dollars a month of fine-tuned models and their cap, before, after."""

    environment: str
    base: str
    plan: str
    verdicts: Mapping[str, tuple[str, ...]]
    records: Mapping[str, str]
    forced: str
    cost: tuple[tuple[float, float], tuple[float, float]]
    rollout_diff: str
    diff: str

    @property
    def said(self) -> str:
        """The text of the commit's message: the same in short, without what the commit itself shows."""
        lines = [self.plan]
        for agent, verdict in self.verdicts.items():
            lines += ["", f"{agent}, by its gates:", *(f"- {line}" for line in verdict)] if verdict else []
        if self.forced:
            lines += ["", f"Forced past the gates by {self.forced}"]
        lines += ["", self.costs]
        for agent, record in self.records.items():
            lines += ["", f"Record of the judgement of {agent}:", record]
        return "\n".join(lines)

    @property
    def costs(self) -> str:
        """What the change costs, in a sentence."""
        (before, _), (after, cap) = self.cost
        share = f", {100 * after / cap:.0f} % of the cap of ${cap:g}" if cap else ""
        if abs(after - before) < 0.005:
            return f"Fine-tuned models cost ${after:,.2f} a month by forecast, as before{share}."
        return f"Fine-tuned models cost ${before:,.2f} a month by forecast, and will cost ${after:,.2f}{share}."


def body_of(change: Described) -> str:
    """Write the text of a request, in the Markdown that GitHub and GitLab share."""
    parts = ["## What users get", fenced(change.plan, "text"), fenced(change.rollout_diff, "diff")]
    if change.forced:
        parts += [f"> **Forced past the gates** by {_inline(change.forced)}"]
    if any(change.verdicts.values()):
        parts.append("## What the gates say")
        for agent, verdict in change.verdicts.items():
            parts.append("\n".join([f"**{agent}**", "", *(f"- {_inline(line)}" for line in verdict)]))
    parts += ["## What it costs", change.costs, "## What is rendered"]
    parts.append(_rendered(change.diff))
    parts.append(
        f"Judged on commit `{change.base[:12]}` by sluice {__version__}. "
        "What is pushed to this branch by hand is left alone, and was not judged."
    )
    return "\n\n".join(parts) + "\n"


def _rendered(diff: str) -> str:
    files = len(re.findall(r"^diff --git ", diff, flags=re.MULTILINE))
    if not files:
        return "Nothing else: no manifest changes."
    shown = diff if len(diff) <= _LONGEST_DIFF else f"{diff[:_LONGEST_DIFF]}\n... and more, in the commit"
    title = f"{files} manifest{'' if files == 1 else 's'} of the environment"
    return f"<details><summary>{title}</summary>\n\n{fenced(shown, 'diff')}\n\n</details>"


def fenced(text: str, language: str) -> str:
    """Put a text between fences that are longer than any in it."""
    longest = max((len(found) for found in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def _inline(text: str) -> str:
    """Write a text that others gave so that it mentions nobody and is no markup."""
    one_line = " ".join(text.split())
    return re.sub(r"([\\`*_\[\]<>#|~])", r"\\\1", one_line).replace("@", "@\u200b")
