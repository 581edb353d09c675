"""How agents are rolled out and kept in bounds: ladders, limits, safeguards, budgets, gates.

The defaults are the table of the first team, so that a registry which says nothing of limits still has them. Times are
`timedelta`, money is dollars, scores are points of 10.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated

from sluice.registry.judgement import Judgement
from sluice.registry.typed import InFileAs

_SECONDS_OF_BURST = 10

LADDER = (10, 25, 50, 75, 100)
"""The weights, in percent of an agent's users, that a step of a ladder may have."""


def is_production(environment: str) -> bool:
    """Whether an environment has real users: `production`, or a name that ends in it, such as `eu-production`."""
    return environment == "production" or environment.endswith("-production")


class Role(StrEnum):
    """On whose behalf somebody signs before production."""

    TECHNICAL = "technical"
    SECURITY = "security"
    COST = "cost"
    LEGAL = "legal"


class Watch(StrEnum):
    """How closely an agent is watched: one that stands at a threshold is, closely."""

    NORMALLY = "normally"
    CLOSELY = "closely"


class Screen(StrEnum):
    """What becomes of a request that holds a dangerous prompt."""

    BLOCK = "block"
    COUNT = "count"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Step:
    """One weight of a ladder and how long it must hold before the next."""

    weight_percent: Annotated[int, InFileAs("weight")]
    hold: timedelta


@dataclass(frozen=True, slots=True)
class Ladder:
    """The steps a candidate climbs, in order. One without a name is what holds where no ladder is named."""

    name: str = ""
    steps: tuple[Step, ...] = tuple(Step(weight, timedelta()) for weight in LADDER)

    @property
    def weights_percent(self) -> tuple[int, ...]:
        """The weights of the steps."""
        return tuple(step.weight_percent for step in self.steps)

    def next_after(self, weight_percent: int) -> int | None:
        """Return the first weight above `weight_percent`, None where it is the last."""
        return next((weight for weight in self.weights_percent if weight > weight_percent), None)

    def hold_at(self, weight_percent: int) -> timedelta:
        """Return how long a weight must hold; a weight that is no step has no time to hold."""
        return next((step.hold for step in self.steps if step.weight_percent == weight_percent), timedelta())


@dataclass(frozen=True, slots=True)
class QualityLimits:
    """What answers must be worth by themselves."""

    least: float = 7.5
    spread_percent: Annotated[float, InFileAs("spread")] = 10.0


@dataclass(frozen=True, slots=True)
class QualityDropLimits:
    """How many percent the candidate's mean quality may fall below the baseline's."""

    warning_percent: Annotated[float, InFileAs("warning")] = 10.0
    critical_percent: Annotated[float, InFileAs("critical")] = 20.0
    rollback_percent: Annotated[float, InFileAs("rollback")] = 20.0
    canary_percent: Annotated[float, InFileAs("canary")] = 15.0


@dataclass(frozen=True, slots=True)
class ErrorRateLimits:
    """How many percent of requests may end in an error that the caller sees; `over` is the window of a rollback."""

    goal_percent: Annotated[float, InFileAs("goal")] = 1.0
    critical_percent: Annotated[float, InFileAs("critical")] = 5.0
    rollback_percent: Annotated[float, InFileAs("rollback")] = 5.0
    canary_percent: Annotated[float, InFileAs("canary")] = 5.0
    over: timedelta = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class LatencyLimits:
    """How long an answer may take, at the 95th and the 99th percentile."""

    p95_goal: timedelta = timedelta(seconds=2)
    p95_warning: timedelta = timedelta(seconds=5)
    p95_rollback: timedelta = timedelta(seconds=10)
    p99_goal: timedelta = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class RequestCostLimits:
    """What a request may cost a candidate, in dollars, and how many percent cheaper it must be."""

    goal_dollars: Annotated[float, InFileAs("goal")] = 0.003
    saving_percent: Annotated[float, InFileAs("saving")] = 80.0


@dataclass(frozen=True, slots=True)
class Limits:
    """When a candidate is warned of, when people are woken, when it is rolled back."""

    quality: QualityLimits = QualityLimits()
    quality_drop: QualityDropLimits = QualityDropLimits()
    error_rate: ErrorRateLimits = ErrorRateLimits()
    latency: LatencyLimits = LatencyLimits()
    request_cost: RequestCostLimits = RequestCostLimits()


@dataclass(frozen=True, slots=True)
class Review:
    """Who looks at production's outputs: the first ones, or every one for a number of days; one of the two is set."""

    by: str
    first_outputs: int | None = None
    days: int | None = None


@dataclass(frozen=True, slots=True)
class Safeguards:
    """What stands between an agent's answers and harm. `hand_over_below` is in points of 10."""

    review: Review | None = None
    watermark: str | None = None
    hand_over_below: float | None = None
    tone: str | None = None
    watch: Watch = Watch.NORMALLY
    screen: Screen = Screen.BLOCK
    sign_offs: tuple[Role, ...] = ()


@dataclass(frozen=True, slots=True)
class Breaker:
    """After how many failures in a row the candidate is left alone, and how long."""

    failures: int = 5
    open: timedelta = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Cache:
    """How long an answer is kept for the same question, of the same user or of any; no time keeps none."""

    keep: timedelta = timedelta(hours=1)
    across_users: bool = False


@dataclass(frozen=True, slots=True)
class Rate:
    """How many requests a second the gateway takes; `burst`, how many at once after a quiet time."""

    requests_per_second: float
    burst: int | None = None

    @property
    def most_at_once(self) -> int:
        """The burst, ten seconds' worth where none is set."""
        return self.burst or max(1, math.ceil(self.requests_per_second * _SECONDS_OF_BURST))


class OverrideEnds(StrEnum):
    """What ends an agent's override: a person alone, or another candidate that is merged as well."""

    RESUME = "resume"
    NEW_CANDIDATE = "new_candidate"


class Form(StrEnum):
    """The form that an agent's answers have, where a question does not ask for another."""

    GENERAL = "general"
    CODE = "code"
    JSON = "json"
    DOCUMENT = "document"
    MAIL = "mail"
    STEPS = "steps"


@dataclass(frozen=True, slots=True)
class Judge:
    """A model that scores some answers too; `share` is of those that are scored at all, the budget is for a day."""

    model: str
    budget_dollars: Annotated[float, InFileAs("budget_per_day")]
    share: float = 0.05


@dataclass(frozen=True, slots=True)
class Scoring:
    """Which answers are scored after they were given, both arms alike: a share of 1, and at most so many a second."""

    share: float = 1.0
    per_second: float = 20.0
    expects: Form = Form.GENERAL
    judge: Judge | None = None


@dataclass(frozen=True, slots=True)
class Traffic:
    """What is expected of an agent's callers."""

    requests_per_month: int
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Policy:
    """What holds for one agent, the defaults and its exceptions together. No rate, no traffic: nothing was said.

    `deadline` is for a whole answer, or the beginning of a stream, however many models are asked for it. After
    `hedge_after` the next model is asked beside one that has not begun to answer; never, where it is None or no time.
    """

    ladder: str | None = None
    limits: Limits = Limits()
    breaker: Breaker = Breaker()
    deadline: timedelta = timedelta(seconds=60)
    hedge_after: timedelta | None = None
    cache: Cache = Cache()
    rate: Rate | None = None
    traffic: Traffic | None = None
    safeguards: Safeguards = Safeguards()
    scoring: Scoring = Scoring()
    judgement: Judgement = Judgement()
    override_ends: OverrideEnds = OverrideEnds.RESUME


@dataclass(frozen=True, slots=True)
class DayBudget:
    """When a day's spend is worth a warning: dollars, and how many times the forecast."""

    warning_dollars: Annotated[float, InFileAs("warning")] = 5.0
    times_estimate: float = 2.0


class AtCap(StrEnum):
    """What becomes of a request for a fine-tuned model once the month's cap is spent."""

    BASELINE = "baseline"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class MonthBudget:
    """What fine-tuned models may cost a month, and how many requests the budget was made for."""

    budget_dollars: Annotated[float, InFileAs("budget")] = 50.0
    cap_dollars: Annotated[float, InFileAs("cap")] = 100.0
    at_cap: AtCap = AtCap.BASELINE
    requests: int = 15000


@dataclass(frozen=True, slots=True)
class TrainingBudget:
    """What training may cost in all, what was spent, and at which percentages of it people are told."""

    budget_dollars: Annotated[float, InFileAs("budget")] = 30.0
    spent_dollars: Annotated[float, InFileAs("spent")] = 0.0
    warn_at_percent: Annotated[tuple[float, ...], InFileAs("warn_at")] = (25.0, 50.0, 83.0)


@dataclass(frozen=True, slots=True)
class Budgets:
    """What fine-tuned models may cost. What the baselines cost was paid before there was a candidate."""

    day: DayBudget = DayBudget()
    month: MonthBudget = MonthBudget()
    training: TrainingBudget = TrainingBudget()


@dataclass(frozen=True, slots=True)
class DimensionScores:
    """Scores of 10 by dimension; None where one was not measured or is not asked for."""

    quality: float | None = None
    relevance: float | None = None
    format: float | None = None
    specificity: float | None = None


@dataclass(frozen=True, slots=True)
class BenchmarkGate:
    """The least score of a candidate, and the least mean of all candidates of an environment."""

    score: float = 7.5
    mean: float = 8.0


@dataclass(frozen=True, slots=True)
class SoakGate:
    """What the test in staging must have shown, for each agent."""

    lasts: timedelta = timedelta(hours=24)
    queries: int = 100
    quality: float = 8.0
    p95: timedelta = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Freeze:
    """Days, both included and by UTC, on which no weight is raised. A rollback asks for no leave."""

    first: Annotated[date, InFileAs("from")]
    last: Annotated[date, InFileAs("to")]
    reason: str


@dataclass(frozen=True, slots=True)
class Gates:
    """What must be true before a candidate enters production."""

    benchmark: BenchmarkGate = BenchmarkGate()
    soak: SoakGate = SoakGate()
    sign_offs: tuple[Role, ...] = (Role.TECHNICAL, Role.SECURITY, Role.COST)
    looked_at_every: timedelta = timedelta(hours=4)
    next_iteration: DimensionScores = DimensionScores()
    freezes: tuple[Freeze, ...] = ()


@dataclass(frozen=True, slots=True)
class RollbackPolicy:
    """What is done when an agent goes back to its baseline."""

    within: timedelta = timedelta(minutes=5)
    failed_queries: int = 100
    pages: str = "pagerduty"
    post_mortem_within: timedelta = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class ReportPolicy:
    """What people look at daily."""

    moving_mean: timedelta = timedelta(days=7)
    worst_queries: int = 10
    slow: timedelta = timedelta(seconds=5)


class Salt(StrEnum):
    """What is hashed before the user's key."""

    AGENT_AND_CANDIDATE = "agent/candidate/"


class UserKey(StrEnum):
    """How a user's key is made alike before it is hashed."""

    AS_SENT = "as sent"


@dataclass(frozen=True, slots=True)
class AssignmentPolicy:
    """How users are drawn: the generation of flagd's hash, and what it is taken over. Pinned while users are."""

    hash: int = 3
    salt: Salt = Salt.AGENT_AND_CANDIDATE
    key: UserKey = UserKey.AS_SENT
