"""Gathers what a report is made from: Prometheus, the override and its record, and the queries that gateways kept.

Prometheus must answer, or there is no report. Where the cluster does not, the report says what it lacks for that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sluice.deploy.cluster_access import ClusterAccess
from sluice.deploy.in_gateway import kept
from sluice.deploy.launch import declared_environment
from sluice.deploy.prometheus_access import match_of, prometheus_of
from sluice.errors import SluiceError
from sluice.override import Override, read_moment, read_override
from sluice.registry import Environment
from sluice.rollout.guard.prometheus import Prometheus
from sluice.rollout.override_map import OverrideMap, read_override_map
from sluice.rollout.report.asking import LONGEST, Question, ask
from sluice.rollout.report.findings import Findings, find
from sluice.rollout.report.material import Material, Note, Query

Connect = Callable[[], ClusterAccess]


def report_of(
    connect: Connect, environment: str, days: int, prometheus: str | None, until: datetime | None = None
) -> Findings:
    """Make the report of the days before `until`, by default of the last ones.

    Raises `NoPrometheus`, `CannotSee`, and what loading an environment does.
    """
    declared = declared_environment(environment)
    settings = declared.settings
    # One that is named by its address needs no cluster to be asked.
    asked = Prometheus(prometheus.rstrip("/")) if prometheus else prometheus_of(connect(), settings)
    # By whole minutes, so that what comes back is found under the moment that was asked for.
    ends = (until or datetime.now(UTC)).replace(second=0, microsecond=0)
    question = Question(environment, declared.registry, declared.rollout, match_of(settings), ends, days)
    material = ask(asked, question)
    return find(_with_what_was_kept(_with_notes(material, connect, declared), connect, declared))


def _with_notes(material: Material, connect: Connect, declared: Environment) -> Material:
    try:
        found = read_override_map(connect(), declared.settings.namespace)
    except SluiceError as error:
        return _lacking(material, f"who set and lifted overrides, and why: {error}")
    return replace(material, notes=tuple(notes_of(found)))


def notes_of(found: OverrideMap) -> Iterator[Note]:
    """Return what the override and its record say: each entry that holds, and each that was lifted, set and lifted."""
    for key, entry in found.overrides.entries.items():
        yield from _set(key, entry)
    for one in found.lifted:
        yield from _set(one.key, read_override(one.was))
        if (at := read_moment(one.at)) is not None:
            yield Note(one.key, at, one.by, one.reason, lifted=True)


def _set(key: str, entry: Override) -> Iterator[Note]:
    for one in entry.each:
        if (at := read_moment(one.at)) is not None:
            yield Note(key, at, one.by, one.reason or one.unreadable_because, candidate=one.candidate)


def _with_what_was_kept(material: Material, connect: Connect, declared: Environment) -> Material:
    """Add the worst answers of all agents together, as many as the registry wants of one."""
    found: list[Query] = []
    days = min((datetime.now(UTC) - material.since).days + 2, LONGEST.days)
    try:
        cluster = connect()
        for agent in declared.registry.agents:
            arguments = ["failures", agent, "--worst", "--days", str(days)]
            found += [_query(one) for one in kept(cluster, declared.settings.namespace, arguments)]
    except SluiceError as error:
        return _lacking(material, f"the worst answers: {error}")
    recent = [one for one in found if material.since <= one.at <= material.until]
    worst = sorted(recent, key=lambda one: one.score)[: declared.registry.report.worst_queries]
    return replace(material, worst=tuple(worst))


def _query(one: dict[str, Any]) -> Query:
    at = datetime.fromtimestamp(one["at_seconds"], UTC)
    return Query(one["agent"], one["arm"], one["model"], at, one["score"] or 0.0, one["question"], one["answer"])


def _lacking(material: Material, what: str) -> Material:
    return replace(material, missing=(*material.missing, what))
