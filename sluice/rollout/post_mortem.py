"""The post-mortem of a rollback as a draft: what the override and the pods said, and the questions that people answer.

It is part of the rollback's commit, so that nobody begins with an empty page. docs/runbooks/post-mortem.md is the same
with nothing filled in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sluice.override import ALL, Override, read_moment
from sluice.rollout.wanted import Wanted

FOLDER = "docs/post-mortems"
_MOST_CHARACTERS = 1_500


@dataclass(frozen=True, slots=True)
class Rollback:
    """What is known of one rollback: whose, the entry of the override, what git wanted, and what was seen of it."""

    environment: str
    namespace: str
    key: str
    entry: Override
    wanted: Sequence[Wanted]
    seen: str
    within: timedelta

    @property
    def name(self) -> str:
        """The name of its file."""
        return f"{self.environment}-{self.key}-{moment_of(self.entry):%Y%m%dT%H%M%SZ}.md"


def moment_of(entry: Override) -> datetime:
    """Return when an entry was set; whoever wrote it by hand may have written anything, and then it is now."""
    return (read_moment(entry.at) or datetime.now(UTC)).astimezone(UTC)


def draft(rollback: Rollback) -> str:
    """Write what is known, and leave the rest to people."""
    entry, at = rollback.entry, moment_of(rollback.entry)
    whose = "every agent" if rollback.key == ALL else rollback.key
    had = ", ".join(f"{one.agent}: {one.candidate} at {one.weight_percent} %" for one in rollback.wanted)
    seen = [f"- {line}" for line in rollback.seen.splitlines() if line]
    return _page(
        f"Post-mortem of {whose} in {rollback.environment}",
        f"Due at {at + rollback.within:%Y-%m-%d %H:%M} UTC. It blames no person: it says what the system let happen.",
        (had, rollback.environment, _cell(f"{at:%Y-%m-%d %H:%M:%S} UTC, {entry.by or 'nobody said by whom'}"),
         _cell(entry.reason or entry.unreadable_because), _cell(entry.evidence)),
        [one.agent for one in rollback.wanted] or ([] if rollback.key == ALL else [rollback.key]),
        (rollback.environment, rollback.namespace),
        "\n".join([f"- {at:%H:%M:%S} the override was set.", *seen]),
    )  # fmt: skip


def blank() -> str:
    """Write the page with nothing filled in, for who begins without a rollback of `sluice`'s."""
    return _page(
        "Post-mortem of AGENT in ENV",
        "Due within 24 hours of a rollback (`rollback.post_mortem_within` of the registry). `sluice rollback` leaves\n"
        "it in its commit, filled in as far as it knows; else copy this page. It blames no person: it says what the\n"
        "system let happen.",
        ("",) * 5,
        ["AGENT"],
        ("ENV", "sluice-ENV"),
        "",
    )  # fmt: skip


def _page(
    title: str, about: str, facts: Sequence[str], agents: Sequence[str], where: tuple[str, str], by_the_clock: str
) -> str:
    rows = zip(
        (
            "Agent, candidate, weight",
            "Environment",
            "Rolled back at, by whom or what (guard, person)",
            "Reason that the override says",
            "Evidence that the override says",
        ),
        facts,
        strict=True,
    )
    table = "\n".join(f"| {name} | {fact} |".replace("|  |", "| |") for name, fact in rows)
    environment, namespace = where
    commands = "\n".join(
        [f"kubectl -n {namespace} get configmap override -o yaml"]
        + [f"sluice failures {environment} {agent}{more}" for agent in agents for more in ("", " --worst --days 7")]
    )
    return f"""# {title}

{about}

| | |
|---|---|
{table}
| First sign, and the alert that told of it | |
| Users and requests that were affected | |
| Minutes from the first sign to the page, from the page to the override, from the override to 100 % on the baseline | |

The override's own record, and what was kept of the answers:

```sh
{commands}
```

## What users saw

## What happened, by the clock (UTC)
{by_the_clock and f"{chr(10)}{by_the_clock}{chr(10)}"}
## Why it happened

## Why it was not seen before: benchmark, soak, gates, canary

## What went well

## What will be changed

| change | who | until |
|---|---|---|
| | | |

## Verified afterwards

- [ ] All users are on the baseline, on every pod.
- [ ] Quality and latency of the baseline are back to what they were.
- [ ] The candidate's model, evidence and failed queries are kept.
- [ ] A new date, with the fixes, is set or the candidate is given up.
"""


def _cell(text: str) -> str:
    """Write a text into a cell of a table: on one line, and as text alone."""
    line = " ".join(text.split())[:_MOST_CHARACTERS]
    return line.replace("|", "\\|").replace("<", "&lt;")
