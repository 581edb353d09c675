"""What the gateway counts, under the names that alerts and dashboards rely on (docs/architecture.md).

Label values come from the configuration and from `outcome.py` alone, never from a request: an agent that is not known
counts as "unknown". Series of known agents exist from the start, so that a first error is an increase from 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

from sluice.gateway.configuration import Model
from sluice.gateway.expectations import Expectations
from sluice.gateway.limited import Limit
from sluice.gateway.outcome import Arm, Outcome
from sluice.gateway.series import Series
from sluice.gateway.usage import Usage

UNKNOWN_AGENT = "unknown"

# Each limit of a rollout (2, 5 and 10 s) is an edge, so that a quantile near it is not interpolated across it.
DURATION_BUCKETS_SECONDS = (0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 5, 7.5, 10, 15, 30, 60, 120)

_OUTCOMES_WITHOUT_ARM = (Outcome.REJECTED, Outcome.ERROR)
"""How a request can end before it has an arm."""


@dataclass(slots=True)
class Record:
    """What is known of one request by its end; filled in as it passes."""

    agent: str = UNKNOWN_AGENT
    arm: Arm = Arm.NONE
    outcome: Outcome = Outcome.ERROR
    model: Model | None = None
    usage: Usage | None = None
    fell_back: bool = False
    """`model` is not the one that the assignment names first."""
    status: int = 0
    """Of the answer; 0 where none began."""
    trace_id: str | None = None
    provider_request_id: str | None = None
    """What the provider that answered calls this request."""
    answer_began: bool = False
    cache: str | None = None
    """`hit` or `miss`, where the answer may be one that was kept."""
    caller: str | None = None
    """The team whose key came with it."""
    why_failed: str = ""
    """What the last failure of this request was, the candidate's too where a baseline answered in its place."""


@dataclass(frozen=True, slots=True)
class Weights:
    """An agent's share of users on the candidate, in percent: git wants it, the override allows it, it is served."""

    wanted: int
    allowed: int
    served: int


class Metrics:
    """The metrics of one gateway, in `registry` or else in one of their own.

    `goals_seconds` says by agent how soon its answers are wanted; of an agent without a goal none is late.
    """

    def __init__(
        self,
        agents: Iterable[str],
        registry: CollectorRegistry | None = None,
        models: Iterable[str] = (),
        goals_seconds: Mapping[str, float] | None = None,
    ) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry() if registry is None else registry
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "sluice_requests", "Requests by how they ended.", ["agent", "arm", "outcome"], registry=self.registry
        )
        self._duration = Histogram(
            "sluice_request_duration_seconds",
            "From a request's head to the last byte of its answer, for requests that an arm served.",
            ["agent", "arm"],
            buckets=DURATION_BUCKETS_SECONDS,
            registry=self.registry,
        )
        self._goals_seconds = goals_seconds or {}
        # Not taken from the histogram: a goal need not be one of its edges.
        self._slow = Counter(
            "sluice_slow_answers",
            "Requests that an arm served later than the goal of the 95th percentile.",
            ["agent", "arm"],
            registry=self.registry,
        )
        self._tokens = Counter(
            "sluice_tokens",
            "Tokens, as the provider counted them.",
            ["agent", "arm", "direction"],
            registry=self.registry,
        )
        self._cost = Counter(
            "sluice_cost_dollars",
            "Tokens by the price of the model that served them.",
            ["agent", "arm"],
            registry=self.registry,
        )
        self._weight = Gauge(
            "sluice_rollout_weight",
            "Percentage of the agent's users on its candidate.",
            ["agent", "kind"],
            multiprocess_mode="mostrecent",
            registry=self.registry,
        )
        self._benchmark = Gauge(
            "sluice_benchmark_score",
            "Points of 10 that the agent's candidate had in its benchmark; not a number where there is none.",
            ["agent"],
            multiprocess_mode="mostrecent",
            registry=self.registry,
        )
        self._estimate = Gauge(
            "sluice_estimate_day_dollars",
            "What the agent's fine-tuned models cost a day, by the traffic that is expected and the weight served.",
            ["agent"],
            multiprocess_mode="mostrecent",
            registry=self.registry,
        )
        self._saving_asked = Gauge(
            "sluice_saving_asked",
            "Whether the agent's candidate should be cheaper than its baseline: not where that was fine-tuned itself.",
            ["agent"],
            multiprocess_mode="mostrecent",
            registry=self.registry,
        )
        self._without_user = Counter(
            "sluice_requests_without_user",
            "Requests that name no user in any way, and so went to the baseline.",
            ["agent"],
            registry=self.registry,
        )
        self._estimated = Counter(
            "sluice_usage_estimated",
            "Streams whose tokens the provider did not say, so that tokens and cost are estimates.",
            ["agent", "arm"],
            registry=self.registry,
        )
        self._model_failures = Counter(
            "sluice_model_failures",
            "Failures of a model, most of them made good by the next.",
            ["model"],
            registry=self.registry,
        )
        self._breaker_open = Gauge(
            "sluice_breaker_open",
            "1 while the model that should answer first, the candidate where there is one, is left alone.",
            ["agent"],
            multiprocess_mode="livemax",
            registry=self.registry,
        )
        self._flags_loaded = Gauge(
            "sluice_flags_loaded_timestamp_seconds",
            "When flags were last taken over.",
            multiprocess_mode="livemin",
            registry=self.registry,
        )
        self._flags_broken = Gauge(
            "sluice_flags_broken",
            "1 while some of the flags cannot be used.",
            multiprocess_mode="livemax",
            registry=self.registry,
        )
        self._flags_source = Gauge(
            "sluice_flags_source",
            "1 for where flags and override come from: the API server's watch, or while it is away the mounted files.",
            ["source"],
            multiprocess_mode="livemin",
            registry=self.registry,
        )
        self._cluster_heard = Gauge(
            "sluice_cluster_heard_timestamp_seconds",
            "When the API server last said what flags and override are; 0 where it never did.",
            multiprocess_mode="livemin",
            registry=self.registry,
        )
        self._override_active = Gauge(
            "sluice_override_active",
            "1 while an override holds for the agent.",
            ["agent"],
            multiprocess_mode="livemax",
            registry=self.registry,
        )
        self._override_broken = Gauge(
            "sluice_override_broken",
            "1 while the override has a value that cannot be read, which stops its agent, or a key that is no agent.",
            multiprocess_mode="livemax",
            registry=self.registry,
        )
        self._limited = Counter(
            "sluice_limited",
            "Requests that a limit turned away, or, where it is the provider's, away from one model.",
            ["agent", "limit"],
            registry=self.registry,
        )
        self._in_flight = Gauge(
            "sluice_requests_in_flight",
            "Requests that are being answered, streams included.",
            multiprocess_mode="livesum",
            registry=self.registry,
        )
        self._limited.labels(UNKNOWN_AGENT, Limit.OVERLOAD)
        for model in models:
            self._model_failures.labels(model)
        for outcome in _OUTCOMES_WITHOUT_ARM:
            self._requests.labels(UNKNOWN_AGENT, Arm.NONE, outcome)
        self._screened = Counter(
            "sluice_screened",
            "Requests with a dangerous prompt, refused or counted alone.",
            ["agent", "family"],
            registry=self.registry,
        )
        self._ended, self._took = Series(self._requests), Series(self._duration)
        self._took_tokens, self._cost_dollars = Series(self._tokens), Series(self._cost)
        for agent in agents:
            self._prepare(agent)

    def count(self, record: Record, seconds: float) -> None:
        """Count a request that has ended after `seconds`."""
        served = record.agent, record.arm
        self._ended[*served, record.outcome].inc()
        if record.outcome is not Outcome.REJECTED and record.arm is not Arm.NONE:
            self._took[served].observe(seconds)
            if seconds > self._goals_seconds.get(record.agent, math.inf):
                self._slow.labels(*served).inc()
        if record.usage is None or record.model is None:
            return
        if record.usage.estimated:
            self._estimated.labels(*served).inc()
        self._took_tokens[*served, "input"].inc(record.usage.input_tokens)
        self._took_tokens[*served, "output"].inc(record.usage.output_tokens)
        self._cost_dollars[served].inc(record.usage.dollars(record.model))

    def count_screened(self, agent: str, family: str, times: int = 1) -> None:
        """Count a request that belongs to a family of dangerous prompts."""
        self._screened.labels(agent, family).inc(times)

    def count_without_user(self, agent: str) -> None:
        """Count a request with no user key."""
        self._without_user.labels(agent).inc()

    def count_limited(self, agent: str, limit: Limit) -> None:
        """Count a request that a limit turned away."""
        self._limited.labels(agent, limit).inc()

    def in_flight(self, count: int) -> None:
        """Say how many requests are being answered."""
        # Not asked for when metrics are read: with several workers, another process reads them.
        self._in_flight.set(count)

    def count_model_failure(self, model: str) -> None:
        """Count an attempt that brought no answer."""
        self._model_failures.labels(model).inc()

    def breaker_open(self, agent: str, is_open: bool) -> None:
        """Say whether the model that should answer for the agent is left alone."""
        self._breaker_open.labels(agent).set(int(is_open))

    def flags_loaded(self, timestamp_seconds: float) -> None:
        """Say when flags were taken over."""
        self._flags_loaded.set(timestamp_seconds)

    def flags_broken(self, broken: bool) -> None:
        """Say whether something of the flags cannot be used."""
        self._flags_broken.set(int(broken))

    def flags_source(self, source: str, sources: Iterable[str]) -> None:
        """Say which of the sources tells what flags and override are."""
        for each in sources:
            self._flags_source.labels(each).set(int(each == source))

    def cluster_heard(self, timestamp_seconds: float) -> None:
        """Say when the API server was heard."""
        self._cluster_heard.set(timestamp_seconds)

    def weights(self, agent: str, weights: Weights) -> None:
        """Set what holds for an agent from now on."""
        for kind in ("wanted", "allowed", "served"):
            self._weight.labels(agent, kind).set(getattr(weights, kind))

    def expected(self, agent: str, expected: Expectations) -> None:
        """Set what is expected of the agent's models in force."""
        self._benchmark.labels(agent).set(math.nan if expected.benchmark is None else expected.benchmark)
        self._estimate.labels(agent).set(expected.day_dollars)
        self._saving_asked.labels(agent).set(int(expected.saving_is_asked))

    def override_active(self, agent: str, active: bool) -> None:
        """Say whether an override holds for an agent."""
        self._override_active.labels(agent).set(int(active))

    def override_broken(self, broken: bool) -> None:
        """Say whether something of the override cannot be read, or stops nobody."""
        self._override_broken.set(int(broken))

    def _prepare(self, agent: str) -> None:
        self._without_user.labels(agent)
        for outcome in _OUTCOMES_WITHOUT_ARM:
            self._requests.labels(agent, Arm.NONE, outcome)
        self._override_active.labels(agent)
        for limit in Limit:
            if limit is not Limit.OVERLOAD:  # comes before the agent is known
                self._limited.labels(agent, limit)
        self._breaker_open.labels(agent)
        for arm in (Arm.CANDIDATE, Arm.BASELINE):
            self._estimated.labels(agent, arm)
            for outcome in Outcome:
                self._requests.labels(agent, arm, outcome)
            self._duration.labels(agent, arm)
            self._slow.labels(agent, arm)
            self._cost.labels(agent, arm)
            for direction in ("input", "output"):
                self._tokens.labels(agent, arm, direction)
