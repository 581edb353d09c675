"""The way back by hand: the override set, every pod asked whether it heard, the effect shown, git told.

The order is that of an emergency. The one write that stops the candidate comes first and depends on nothing but the
API server: not on Pulumi, its state or its lock, not on Prometheus, not on a registry that can be read. All that
follows looks and records, and a failure of it takes nothing back.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import ClassVar

from sluice.errors import SluiceError
from sluice.override import ALL, NAME, Override, moment
from sluice.registry.policy import RollbackPolicy
from sluice.rollout import post_mortem
from sluice.rollout.cluster import Cluster
from sluice.rollout.effect import Clock, Proof, Reached, prove, wait_until_reached
from sluice.rollout.override_map import Change, lower
from sluice.rollout.rollback_commit import Record, record
from sluice.rollout.wanted import Wanted, read_wanted

MANAGER = "sluice-rollback"
_REACHED_WITHIN_SECONDS = 30.0
_PROOF_PATIENCE_SECONDS = 150.0
"""As long as an answer that had begun before may take, and a little."""


class UnknownAgent(SluiceError):
    """Neither the cluster's flags nor the registry have an agent of that name."""

    exit_code: ClassVar[int] = 2

    def __init__(self, agent: str, known: Iterable[str]) -> None:
        agents = list(known)
        near = get_close_matches(agent, agents, n=1)
        meant = f"did you mean {near[0]}? " if near else ""
        super().__init__(f"there is no agent {agent!r}; {meant}the agents are {', '.join(agents)}")


class HeldAlone(SluiceError):
    """One candidate is held, the flags may name another by now, and what would hold every one cannot be written."""

    def __init__(self, agent: str, candidate: str, why: SluiceError) -> None:
        super().__init__(
            f"{agent}: the override holds {candidate} alone, and the rollout may name another by now; "
            f"run it again: {why}"
        )


@dataclass(frozen=True, slots=True)
class Request:
    """Who is to be rolled back, where, by whom and why. `agent` None means every agent."""

    environment: str
    namespace: str
    agent: str | None
    by: str
    reason: str
    evidence: str = ""
    prove_seconds: float = 10.0
    """For how long the baseline must answer alone; 0 asks for no proof."""
    post_mortem_within: timedelta = RollbackPolicy().post_mortem_within
    another_ends_it: bool = False
    """Whether the registry lets another candidate of the agent end the override."""

    @property
    def key(self) -> str:
        """The key of the override."""
        return ALL if self.agent is None else self.agent


@dataclass(frozen=True, slots=True)
class Rollback:
    """What came of it. `weights` are what git wanted when it was set; None where the cluster's flags say nothing."""

    change: Change
    set_after_seconds: float
    weights: Mapping[str, Wanted] | None
    pods: tuple[Reached, ...]
    proof: Proof | None
    record: Record

    @property
    def reached_every_pod(self) -> bool:
        """Whether each pod said so; not where there was none to ask."""
        return bool(self.pods) and all(pod.seconds is not None for pod in self.pods)


@dataclass(frozen=True, slots=True)
class Listener:
    """Who wants to hear how far it is."""

    on_change: Callable[[Change, float], None] = lambda _change, _seconds: None
    on_pod: Callable[[Reached], None] = lambda _: None
    on_proving: Callable[[], None] = lambda: None


def roll_back(
    cluster: Cluster,
    request: Request,
    registry: Path,
    declared_agents: Iterable[str] = (),
    *,
    listener: Listener = Listener(),
    clock: Clock = Clock(),
) -> Rollback:
    """Send an agent, or all, to the baseline; wait until every pod says so; prove it; leave the commit.

    `declared_agents` are those of the registry, as far as it can be read. Raises `UnknownAgent`, `HeldAlone`, and what
    setting the override raises; what comes after that is said in the result.
    """
    weights = _weights(cluster, request.namespace)
    known = list(dict.fromkeys([*(weights or ()), *declared_agents]))
    if request.agent is not None and known and request.agent not in known:
        raise UnknownAgent(request.agent, known)
    began = clock.now()
    entry = Override(0, by=request.by, reason=request.reason, evidence=request.evidence, at=moment())
    change = _lowered(cluster, request, entry, weights, clock)
    set_after = clock.now() - began
    listener.on_change(change, set_after)
    pods = wait_until_reached(
        cluster,
        request.namespace,
        request.agent,
        0,
        began=began,
        patience_seconds=_REACHED_WITHIN_SECONDS,
        on_pod=listener.on_pod,
        clock=clock,
    )
    proof = None
    if request.prove_seconds > 0 and any(pod.seconds is not None for pod in pods):
        listener.on_proving()
        proof = prove(
            cluster,
            request.namespace,
            known if request.agent is None else [request.agent],
            seconds=request.prove_seconds,
            patience_seconds=max(_PROOF_PATIENCE_SECONDS, 2 * request.prove_seconds),
            clock=clock,
        )
    had = [one for one in (weights or {}).values() if request.agent in (None, one.agent) and one.weight_percent]
    seen = _seen(had, pods, proof)
    holds = change.entry or entry
    about = post_mortem.Rollback(
        request.environment, request.namespace, request.key, holds, had, seen, request.post_mortem_within
    )
    made = record(registry, about)
    return Rollback(change, set_after, weights, pods, proof, made)


def patch_command(request: Request) -> str:
    """Return the line that does the same at a shell with nothing but kubectl."""
    entry = Override(0, by=request.by, reason=request.reason, evidence=request.evidence, at=moment())
    patch = json.dumps({"data": {request.key: entry.text}}, ensure_ascii=False)
    return f"kubectl -n {request.namespace} patch configmap {NAME} --type merge -p {shlex.quote(patch)}"


def _lowered(
    cluster: Cluster, request: Request, entry: Override, weights: Mapping[str, Wanted] | None, clock: Clock
) -> Change:
    """Set the override: for the candidate that the flags name alone, where the registry lets another end it.

    Flags that name another by the time it is set were changed meanwhile, and of those that cannot be read again it is
    not known. Whoever typed this wanted the agent stopped, and then it holds every candidate. Raises `HeldAlone`.
    """

    def set_for(candidate: str) -> Change:
        own = replace(entry, candidate=candidate)
        return lower(cluster, request.namespace, request.key, own, manager=MANAGER, pause=clock.sleep)

    candidate = _named(request, weights)
    change = set_for(candidate)
    if not candidate or _named(request, _weights(cluster, request.namespace)) == candidate:
        return change
    try:
        return set_for("")
    except SluiceError as error:
        raise HeldAlone(request.key, candidate, error) from error


def _named(request: Request, weights: Mapping[str, Wanted] | None) -> str:
    """Return the candidate to hold alone; empty where every one is to be held."""
    stands = (weights or {}).get(request.key)
    return (stands.candidate or "") if request.another_ends_it and request.agent and stands else ""


def _weights(cluster: Cluster, namespace: str) -> Mapping[str, Wanted] | None:
    try:
        return read_wanted(cluster, namespace)
    except SluiceError:  # flags that cannot be read are one more reason to roll back
        return None


def _seen(had: Iterable[Wanted], pods: tuple[Reached, ...], proof: Proof | None) -> str:
    lines = [f"{one.agent} had {one.weight_percent} % of its users on {one.candidate}." for one in had]
    heard = [pod.seconds for pod in pods if pod.seconds is not None]
    if heard:
        lines.append(f"{len(heard)} of {len(pods)} pods served the baseline alone, the last after {max(heard):.1f} s.")
    if proof:
        asked = sum(agent.baseline_requests for agent in proof.agents)
        left = sum(agent.candidate_requests for agent in proof.agents)
        lines.append(
            f"In the {proof.seconds:.0f} s looked at, the baseline answered {asked} requests, the candidate {left}."
        )
    return "\n".join(lines) or "The override is set; nothing else could be asked."
