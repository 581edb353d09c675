"""What gateway.json says of limits: rates, requests at once, how long answers are kept, what may be spent.

The words and their meaning are the registry's (docs/registry.md) and the environment's settings'. Times are in seconds,
money is dollars.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests a second, and `burst` at once after a quiet time."""

    requests_per_second: float
    burst: int


@dataclass(frozen=True, slots=True)
class CallerLimits:
    """Requests that this process answers at once, more that wait, and the rates of callers, by team.

    `caller` is the rate of each team that `callers` does not name; None allows any.
    """

    at_once: int = 512
    waiting: int = 256
    caller: Rate | None = None
    callers: Mapping[str, Rate] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class CacheSettings:
    """How long an answer is kept for the same question; 0 keeps none. Of the same user, unless `across_users`."""

    keep_seconds: float = 0.0
    across_users: bool = False


class AtCap(StrEnum):
    """What becomes of a request for a fine-tuned model once the month's cap is spent."""

    BASELINE = "baseline"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Budgets:
    """What fine-tuned models may cost. None is no limit."""

    day_warning_dollars: float | None = None
    month_budget_dollars: float | None = None
    month_cap_dollars: float | None = None
    at_cap: AtCap = AtCap.BASELINE


class LimitReading:
    """Reads the parts of gateway.json that are limits, and collects every fault."""

    def __init__(self) -> None:
        self.faults: list[str] = []

    def rate(self, path: str, value: object) -> Rate | None:
        """Read a rate; none where there is nothing to read."""
        if value is None:
            return None
        fields = self._fields(path, value)
        per_second = self._number(f"{path}.requests_per_second", fields.get("requests_per_second"), more_than=0)
        burst = self._number(f"{path}.burst", fields.get("burst"), more_than=0)
        return Rate(per_second, max(1, int(burst)))

    def requests_per_second(self, path: str, fields: Mapping[str, object]) -> int | None:
        """Read what a provider allows, if it says so."""
        value = fields.get("requests_per_second")
        if value is None:
            return None
        return max(1, int(self._number(f"{path}.requests_per_second", value, more_than=0)))

    def cache(self, path: str, value: object) -> CacheSettings:
        """Read how long answers are kept."""
        fields = self._fields(path, value)
        keep = self._number(f"{path}.keep", fields.get("keep", 0))
        return CacheSettings(keep, self.flag(f"{path}.across_users", fields.get("across_users", False)))

    def caller_limits(self, path: str, value: object) -> CallerLimits:
        """Read how much of its callers the gateway takes."""
        fields = self._fields(path, value)
        usual = CallerLimits()
        callers = self._fields(f"{path}.callers", fields.get("callers"))
        rates = {team: self.rate(f"{path}.callers.{team}", rate) for team, rate in callers.items()}
        return CallerLimits(
            int(self._number(f"{path}.at_once", fields.get("at_once", usual.at_once), more_than=0)),
            int(self._number(f"{path}.waiting", fields.get("waiting", usual.waiting))),
            self.rate(f"{path}.caller", fields.get("caller")),
            MappingProxyType({team: rate for team, rate in rates.items() if rate is not None}),
        )

    def budgets(self, path: str, value: object) -> Budgets:
        """Read what may be spent."""
        fields = self._fields(path, value)
        day, month = self._fields(f"{path}.day", fields.get("day")), self._fields(f"{path}.month", fields.get("month"))
        at_cap = month.get("at_cap", AtCap.BASELINE)
        if at_cap not in tuple(AtCap):
            self.faults.append(f"{path}.month.at_cap: {at_cap!r} is neither baseline nor reject")
            at_cap = AtCap.BASELINE
        return Budgets(
            self._dollars(f"{path}.day.warning", day.get("warning")),
            self._dollars(f"{path}.month.budget", month.get("budget")),
            self._dollars(f"{path}.month.cap", month.get("cap")),
            AtCap(str(at_cap)),
        )

    def flag(self, path: str, value: object) -> bool:
        """Read a yes or no."""
        if not isinstance(value, bool):
            self.faults.append(f"{path}: must be true or false")
        return value is True

    def _dollars(self, path: str, value: object) -> float | None:
        return None if value is None else self._number(path, value)

    def _number(self, path: str, value: object, more_than: float | None = None) -> float:
        number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
        if math.isfinite(number) and (number >= 0 if more_than is None else number > more_than):
            return number
        wanted = "0 or more" if more_than is None else f"more than {more_than:g}"
        self.faults.append(f"{path}: must be a number, {wanted}")
        return 1.0

    def _fields(self, path: str, value: object) -> Mapping[str, object]:
        if value is None:
            return {}
        if isinstance(value, dict):
            return value
        self.faults.append(f"{path}: must be an object")
        return {}
