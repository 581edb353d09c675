"""Whether an override has reached every pod, and then whether it did what it was set for.

First each pod must say that it serves no more than is allowed. Then, for a while, nobody must be answered by the
candidate any more, and what the baseline answers must be in order: a rollback that only moves the trouble is none.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from sluice.errors import SluiceError
from sluice.rollout.cluster import Cluster
from sluice.rollout.pod_page import Page, gateway_pods, pages

_LOOK_EVERY_SECONDS = 0.25
_SAMPLE_EVERY_SECONDS = 1.0
_CANDIDATE, _BASELINE = "candidate", "baseline"


@dataclass(frozen=True, slots=True)
class Reached:
    """One pod, and after how many seconds it said that it serves no more than is allowed; None, if it never did."""

    pod: str
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Clock:
    """What time it is, and how to let it pass; tests bring their own."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class AgentAfter:
    """What the pods counted of one agent in the time looked at; None where nothing says it. Shares are of 1."""

    agent: str
    candidate_requests: int
    baseline_requests: int
    error_share: float | None
    error_share_allowed: float | None
    p95_seconds: float | None
    p95_seconds_allowed: float | None
    quality: float | None

    @property
    def is_in_order(self) -> bool:
        """Whether errors and latency of the baseline are within what would end a rollout."""
        return _within(self.error_share, self.error_share_allowed) and _within(
            self.p95_seconds, self.p95_seconds_allowed
        )


@dataclass(frozen=True, slots=True)
class Proof:
    """What was seen over `seconds`, on so many pods, by agents that had requests or whose candidate still answered."""

    seconds: float
    pods: int
    agents: tuple[AgentAfter, ...]

    @property
    def is_baseline_alone(self) -> bool:
        """Whether no answer came from a candidate."""
        return self.pods > 0 and all(agent.candidate_requests == 0 for agent in self.agents)

    @property
    def holds(self) -> bool:
        """Whether the baseline answered alone, and in order."""
        return self.is_baseline_alone and all(agent.is_in_order for agent in self.agents)


def wait_until_reached(
    cluster: Cluster,
    namespace: str,
    agent: str | None,
    allowed_percent: int,
    *,
    began: float,
    patience_seconds: float,
    on_pod: Callable[[Reached], None] = lambda _: None,
    clock: Clock = Clock(),
) -> tuple[Reached, ...]:
    """Ask the gateway's pods until each serves at most `allowed_percent` of `agent`, None for every agent.

    `began` is the moment, by the clock, that seconds are counted from. Pods that come or go meanwhile are heeded.
    """
    reached: dict[str, float] = {}
    while True:
        try:
            pods = gateway_pods(cluster, namespace)
        except SluiceError:  # for the moment: the override is set, and the pods watch it by themselves
            pods = ()
        for pod, page in pages(cluster, namespace, [pod for pod in pods if pod not in reached]).items():
            if page is not None and _serves_at_most(page, agent, allowed_percent):
                reached[pod] = clock.now() - began
                on_pod(Reached(pod, reached[pod]))
        if pods and all(pod in reached for pod in pods):
            return tuple(Reached(pod, reached[pod]) for pod in pods)
        if clock.now() - began > patience_seconds:
            return tuple(Reached(pod, reached.get(pod)) for pod in sorted({*pods, *reached}))
        clock.sleep(_LOOK_EVERY_SECONDS)


def prove(
    cluster: Cluster,
    namespace: str,
    agents: Iterable[str],
    *,
    seconds: float,
    patience_seconds: float,
    clock: Clock = Clock(),
) -> Proof:
    """Look at what the pods count until, for `seconds`, no candidate of `agents` answered, or patience is over.

    Answers that had begun before count when they end; so the look begins anew with each of the candidate's.
    """
    wanted = frozenset(agents)
    began = clock.now()
    start, start_pages = began, _pages(cluster, namespace)
    while True:
        clock.sleep(_SAMPLE_EVERY_SECONDS)
        now, latest = clock.now(), _pages(cluster, namespace)
        after = _after(start_pages, latest, wanted)
        is_clean = bool(latest) and not any(agent.candidate_requests for agent in after)
        if (is_clean and now - start >= seconds) or now - began >= patience_seconds:
            return Proof(now - start, len(latest), after)
        if not is_clean:
            start, start_pages = now, latest


def _pages(cluster: Cluster, namespace: str) -> dict[str, Page]:
    try:
        pods = gateway_pods(cluster, namespace)
    except SluiceError:
        return {}
    return {pod: page for pod, page in pages(cluster, namespace, pods).items() if page is not None}


def _serves_at_most(page: Page, agent: str | None, allowed_percent: int) -> bool:
    """Say whether a pod serves no more; one that does not know the agent serves nothing of it, if it knows others."""
    known = page.agents
    asked = known if agent is None else known & {agent}
    return bool(known) and all(
        (page.value("sluice_rollout_weight", agent=each, kind=kind) or 0) <= allowed_percent
        for each in asked
        for kind in ("allowed", "served")
    )


def _after(before: Mapping[str, Page], after: Mapping[str, Page], agents: frozenset[str]) -> tuple[AgentAfter, ...]:
    counted: dict[str, dict[tuple[str, ...], float]] = defaultdict(lambda: defaultdict(float))
    allowed: dict[tuple[str, str], float] = {}
    for pod, page in after.items():
        earlier = before.get(pod)
        for (name, labels), value in page.series.items():
            said = dict(labels)
            agent = said.get("agent", "")
            if agent not in agents:
                continue
            if name == "sluice_threshold":
                allowed[agent, said.get("name", "")] = value
                continue
            was = earlier.series.get((name, labels), 0.0) if earlier else 0.0
            risen = value - was if value >= was else value  # a pod that restarted counts from 0
            key = (name, said.get("arm", ""), said.get("outcome") or said.get("le") or said.get("dimension", ""))
            counted[agent][key] += risen
    found = (_agent_after(agent, counted[agent], allowed) for agent in sorted(counted))
    return tuple(one for one in found if one.candidate_requests or one.baseline_requests)


def _agent_after(
    agent: str, counted: Mapping[tuple[str, ...], float], allowed: Mapping[tuple[str, str], float]
) -> AgentAfter:
    requests = {
        (arm, outcome): count for (name, arm, outcome), count in counted.items() if name == "sluice_requests_total"
    }
    # What was refused because of the request itself was answered by no model.
    answered = {key: count for key, count in requests.items() if key[1] != "rejected"}
    baseline = sum(count for (arm, _), count in answered.items() if arm == _BASELINE)
    errors = answered.get((_BASELINE, "error"), 0.0)
    percent = allowed.get((agent, "error_rate_rollback_percent"))
    scored = counted.get(("sluice_quality_score_count", _BASELINE, "overall"), 0.0)
    return AgentAfter(
        agent=agent,
        candidate_requests=round(sum(count for (arm, _), count in answered.items() if arm == _CANDIDATE)),
        baseline_requests=round(baseline),
        error_share=errors / baseline if baseline else None,
        error_share_allowed=None if percent is None else percent / 100,
        p95_seconds=_p95(counted),
        p95_seconds_allowed=allowed.get((agent, "p95_rollback_seconds")),
        quality=counted.get(("sluice_quality_score_sum", _BASELINE, "overall"), 0.0) / scored if scored else None,
    )


def _p95(counted: Mapping[tuple[str, ...], float]) -> float | None:
    """Return the edge below which 95 of 100 answers of the baseline took: never less than they did."""
    buckets = sorted(
        (float(edge), count)
        for (name, arm, edge), count in counted.items()
        if name == "sluice_request_duration_seconds_bucket" and arm == _BASELINE
    )
    if not buckets or not buckets[-1][1]:
        return None
    return next(edge for edge, count in buckets if count >= 0.95 * buckets[-1][1])


def _within(value: float | None, allowed: float | None) -> bool:
    return value is None or allowed is None or value <= allowed
