"""How both arms of every agent fare, and what the gates make of it: what Prometheus says beside what the cluster does.

Prometheus may be away, or there may be none: then this says so, and what the cluster shows is shown all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sluice.deploy.cluster_access import ClusterAccess
from sluice.deploy.prometheus_access import NoPrometheus, match_of, prometheus_of
from sluice.errors import SluiceError
from sluice.override import Overrides
from sluice.registry import Environment
from sluice.rollout import Record
from sluice.rollout.guard.loop import CannotSee
from sluice.rollout.guard.measuring import Measuring
from sluice.rollout.guard.prometheus import Prometheus
from sluice.rollout.measurements import ArmCounts
from sluice.rollout.outlook import Outlook, outlook_of
from sluice.rollout.override_map import OverrideMap, read_override_map
from sluice.rollout.spent import month_spend
from sluice.rollout.verdicts import standing_of, verdict_of
from sluice.rollout.view import view_of

_WINDOW = timedelta(days=1)
_SHORTEST = timedelta(minutes=1)
_AT_ONCE = 6


@dataclass(frozen=True, slots=True)
class Fare:
    """One agent: its arms over the same time, and where it has a candidate the judgement and what comes next."""

    agent: str
    window: timedelta
    candidate: ArmCounts
    baseline: ArmCounts
    record: Record | None = None
    outlook: Outlook | None = None


@dataclass(frozen=True, slots=True)
class Fares:
    """Every agent, or why nothing could be measured; `is_named` is false where there is no Prometheus to ask."""

    agents: Mapping[str, Fare] = field(default_factory=dict)
    month_dollars: float | None = None
    """What fine-tuned models cost this month."""
    why_not: str = ""
    is_named: bool = True


@dataclass(slots=True)
class Faring:
    """Measures an environment again and again: what is over is asked of Prometheus once."""

    access: ClusterAccess
    instead: str | None = None
    """The address of a Prometheus to ask in place of the one that the settings name."""
    _measuring: dict[str, Measuring] = field(default_factory=dict)

    def look(self, declared: Environment, now: datetime) -> Fares:
        """Measure and judge every agent. Raises nothing: what could not be had is said."""
        try:
            prometheus = prometheus_of(self.access, declared.settings, self.instead)
        except NoPrometheus as error:
            return Fares(why_not=str(error), is_named=False)
        overrides = self._overrides(declared.settings.namespace)
        try:
            with ThreadPoolExecutor(max_workers=_AT_ONCE) as several:
                found = several.map(
                    lambda agent: self._fare(declared, overrides, prometheus, agent, now), declared.rollout.agents
                )
                agents = {fare.agent: fare for fare in found}
            month = month_spend(prometheus, match_of(declared.settings), now)
        except CannotSee as error:
            return Fares(why_not=str(error))
        return Fares(agents, month)

    def _fare(
        self, declared: Environment, overrides: OverrideMap, prometheus: Prometheus, agent: str, now: datetime
    ) -> Fare:
        measuring = self._measuring.setdefault(agent, Measuring(prometheus, match_of(declared.settings)))
        record = None
        if declared.rollout.agents[agent].candidate is not None:
            standing = standing_of(overrides, declared.rollout, agent)
            record = verdict_of(declared.registry, declared.rollout, agent, now, measuring, standing)
        window = _WINDOW
        began = view_of(record.case).began if record else None
        if began is not None and record is not None and record.case.weight_percent:
            window = min(window, max(_SHORTEST, now - began))
        candidate, baseline = measuring.lately(agent, window, now)
        return Fare(agent, window, candidate, baseline, record, outlook_of(record) if record else None)

    def _overrides(self, namespace: str) -> OverrideMap:
        try:
            return read_override_map(self.access, namespace)
        except SluiceError:  # that it cannot be read is shown where the cluster is
            return OverrideMap("", Overrides({}))
