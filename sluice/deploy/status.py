"""How an environment is now: what git wants of each agent, what is allowed, what its pods serve, and where it drifted.

Git is the checkout, the override a ConfigMap, what is served the gateway's own metrics, and drift the rendered objects
held against those in the cluster. Nothing is written and no Pulumi is asked, so that a person on call may look.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

from sluice.deploy.by_hand import look_at_objects
from sluice.deploy.cluster_access import ClusterAccess, NotAllowed
from sluice.deploy.drift import Difference
from sluice.deploy.follower import Follower, follower
from sluice.deploy.pods import gateway_pods, name_of
from sluice.override import ALL, NAME, Override, Overrides, read_overrides
from sluice.registry import Environment

_AT_ONCE = 8
_WEIGHT = "sluice_rollout_weight"
_FLAGS_BROKEN = "sluice_flags_broken"

_Gauges = Mapping[tuple[str, str, str], float]
"""Values of a pod's gauges by the metric's name, its agent and its kind."""


@dataclass(frozen=True, slots=True)
class AgentStatus:
    """One agent. Weights are percentages of its users on the candidate."""

    agent: str
    candidate: str | None
    wanted_percent: int
    """What git says."""
    allowed_percent: int
    """What the override says, 100 where it says nothing."""
    served_percent: tuple[float, ...]
    """What the gateway's pods say they serve, each value once, in order; empty where no pod says anything."""

    @property
    def is_as_git_says(self) -> bool:
        """Whether every pod serves what git wants."""
        return self.served_percent == (self.wanted_percent,)


@dataclass(frozen=True, slots=True)
class Status:
    """An environment as it was at a moment."""

    environment: str
    namespace: str
    is_there: bool
    """Whether the cluster has anything of it."""
    pods: Mapping[str, bool] = field(default_factory=dict)
    """The gateway's pods by name, and whether each answered."""
    agents: tuple[AgentStatus, ...] = ()
    overrides: Mapping[str, Override] = field(default_factory=dict)
    """By agent, or `all`."""
    complaints: tuple[str, ...] = ()
    """What cannot be used of flags and override, in sentences."""
    differences: tuple[Difference, ...] = ()
    unseen: tuple[str, ...] = ()
    """The objects that the person has no right to read, as `kind/name`."""
    follower: Follower | None = None
    """Who applies git in the cluster, where that is not Pulumi."""

    @property
    def is_as_git_says(self) -> bool:
        """Whether the cluster is what git says, as far as it could be seen."""
        return (
            self.is_there
            and any(self.pods.values())
            and all(self.pods.values())
            and all(agent.is_as_git_says for agent in self.agents)
            and not self.complaints
            and not (self.follower and self.follower.trouble)
            and not self.differences
        )


def status(access: ClusterAccess, declared: Environment) -> Status:
    """Look at an environment. Raises `ClusterUnreachable`; what the person may not read is named in the result."""
    settings, rollout = declared.settings, declared.rollout
    namespace = settings.namespace
    looks = look_at_objects(access, declared)
    if not any(look.is_there for look in looks if look.item.namespace):
        return Status(settings.environment, namespace, is_there=False)
    pods = tuple(map(name_of, gateway_pods(access, namespace)))
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as several:
        texts = several.map(lambda pod: _metrics(access, namespace, pod), pods)
        metrics = {pod: _gauges(text) for pod, text in zip(pods, texts, strict=True) if text}
    overrides = _overrides(access, namespace)
    return Status(
        settings.environment,
        namespace,
        is_there=True,
        pods={pod: pod in metrics for pod in pods},
        agents=tuple(
            AgentStatus(
                agent,
                of_agent.candidate,
                rollout.wanted_weight_percent(agent),
                overrides.allowed_percent(agent, of_agent.candidate),
                _served(agent, metrics.values()),
            )
            for agent, of_agent in rollout.agents.items()
        ),
        overrides=overrides.entries,
        complaints=tuple(_complaints(overrides, rollout.agents, metrics)),
        differences=tuple(difference for look in looks for difference in look.differences),
        unseen=tuple(look.name for look in looks if not look.is_allowed),
        follower=follower(access, namespace),
    )


def _metrics(access: ClusterAccess, namespace: str, pod: str) -> str:
    return access.text(f"/api/v1/namespaces/{namespace}/pods/{pod}:9090/proxy/metrics")


def _gauges(text: str) -> _Gauges:
    return {
        (sample.name, sample.labels.get("agent", ""), sample.labels.get("kind", "")): sample.value
        for family in text_string_to_metric_families(text)
        if family.name in (_WEIGHT, _FLAGS_BROKEN)
        for sample in family.samples
    }


def _served(agent: str, pods: Iterable[_Gauges]) -> tuple[float, ...]:
    weights = (gauges.get((_WEIGHT, agent, "served")) for gauges in pods)
    return tuple(sorted({weight for weight in weights if weight is not None}))


def _overrides(access: ClusterAccess, namespace: str) -> Overrides:
    try:
        config_map = access.find(f"/api/v1/namespaces/{namespace}/configmaps/{NAME}")
    except NotAllowed:
        return Overrides({})  # it is among what could not be seen, and what pods serve shows an override all the same
    return read_overrides((config_map or {}).get("data") or {})


def _complaints(overrides: Overrides, agents: Iterable[str], pods: Mapping[str, _Gauges]) -> Iterator[str]:
    known = {*agents, ALL}
    for key, entry in overrides.entries.items():
        for one in entry.each:
            if one.unreadable_because:
                yield f"override.{key}: {one.unreadable_because}; until then it counts as 0"
        if key not in known:
            yield f"override.{key}: is no agent, and stops nobody"
    for pod, gauges in pods.items():
        if gauges.get((_FLAGS_BROKEN, "", "")):
            yield f"pod {pod}: it cannot use some of the flags, and goes by those before; its log says which"
