"""The study as text for a terminal and as one page with plots."""

from __future__ import annotations

from collections.abc import Sequence

from sluice.rollout.plot import Bar, bars, page, short, table
from sluice.rollout.simulation.study import Outcome

_HEAD = (
    "judge", "candidate", "rolled back", "to 100 %", "asks a person", "time to catch", "95 % within", "users harmed",
    "days to 100 %",
)  # fmt: skip
_INTRODUCTION = (
    "<p>Made traffic through the gates themselves, and the same traffic through fixed thresholds. Users harmed are "
    "those whom a worse candidate answered before it was taken back; without a rollback, all of them.</p>"
)
_JUDGES = 46
_CANDIDATES = 42


def as_text(outcomes: Sequence[Outcome]) -> str:
    """Write a table for each volume."""
    blocks = []
    for volume in dict.fromkeys(one.requests_per_day for one in outcomes):
        rows = [_HEAD, *(_row(one) for one in outcomes if one.requests_per_day == volume)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
        lines = [
            "  ".join(
                cell.ljust(width) if column < 2 else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        ]
        blocks.append(f"{volume:,} requests a day, {_runs(outcomes, volume)}\n\n" + "\n".join(lines))
    return "\n\n".join(blocks)


def as_page(outcomes: Sequence[Outcome]) -> str:
    """Make one HTML page that needs nothing else."""
    body = [_INTRODUCTION]
    judges = {name: number for number, name in enumerate(dict.fromkeys(one.judge for one in outcomes))}
    for volume in dict.fromkeys(one.requests_per_day for one in outcomes):
        here = [one for one in outcomes if one.requests_per_day == volume]
        harmed = [one for one in here if one.mean_users_harmed is not None]
        body.append(f"<h2>{volume:,} requests a day</h2><p>{_runs(outcomes, volume)}</p>")
        body.append(table(_HEAD, [_row(one) for one in here]))
        body.append(
            bars(
                "Users harmed before the rollback", "users, mean of all runs, logarithmic",
                [Bar(_label(one), one.mean_users_harmed, judges[one.judge]) for one in harmed], logarithmic=True,
            )
        )  # fmt: skip
        good = [one for one in here if one.candidate == here[0].candidate]
        body.append(
            bars(
                "A good candidate blamed", "percent of rollouts",
                [Bar(_label(one), 100 * one.rolled_back / one.runs, judges[one.judge]) for one in good],
            )
        )  # fmt: skip
    return page("How fast is a bad model caught, and how often a good one blamed", body)


def minutes(value: float | None) -> str:
    """Write a time that may be seconds or days."""
    if value is None:
        return "-"
    if value < 2:
        return f"{60 * value:.0f} s"
    if value < 120:
        return f"{value:.0f} min"
    return f"{value / 60:.0f} h" if value < 2880 else f"{value / 1440:.1f} d"


def _row(one: Outcome) -> tuple[str, ...]:
    return (
        one.judge,
        one.candidate,
        _percent(one.rolled_back, one.runs),
        _percent(one.reached_all, one.runs),
        _percent(one.asked_a_person, one.runs),
        minutes(one.median_minutes_to_catch),
        minutes(one.p95_minutes_to_catch),
        "-" if one.mean_users_harmed is None else short(one.mean_users_harmed),
        "-" if one.median_days_to_all is None else f"{one.median_days_to_all:.1f}",
    )


def _label(one: Outcome) -> str:
    ours = one.judge == "sluice"
    return one.candidate[:_CANDIDATES] if ours else f"{one.judge.replace(', ', ' ')[:_JUDGES]}"


def _percent(some: int, runs: int) -> str:
    return f"{100 * some / runs:.3g} %"


def _runs(outcomes: Sequence[Outcome], volume: int) -> str:
    counts = sorted({one.runs for one in outcomes if one.requests_per_day == volume})
    return f"{' and '.join(f'{count:,}' for count in counts)} rollouts of each candidate"
