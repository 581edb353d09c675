"""What the registry lets one expect of an agent's models in force, for alerts to hold what is measured against.

It changes with the flags and not with the registry alone: which model is the candidate, and how many users it has.
"""

from __future__ import annotations

from dataclasses import dataclass

from sluice.gateway.agent_flag import AgentFlag
from sluice.gateway.configuration import Configuration
from sluice.gateway.outcome import Arm

_DAYS_OF_A_MONTH = 30


@dataclass(frozen=True, slots=True)
class Expectations:
    """The candidate's benchmark in points of 10, None where it has none, and dollars a day for fine-tuned models.

    No saving is asked of a candidate whose baseline was fine-tuned itself: it costs the same, and the gates ask none.
    """

    benchmark: float | None
    day_dollars: float
    saving_is_asked: bool


def expectations(flag: AgentFlag, configuration: Configuration) -> Expectations:
    """Return what is expected while `flag` is in force. An agent that says no traffic is expected to cost nothing."""
    models = configuration.models
    candidate = models.get(flag.candidate) if flag.candidate else None
    traffic = configuration.agents[flag.agent].traffic
    day_dollars = 0.0
    if traffic is not None:
        shares = {Arm.CANDIDATE: flag.served_percent, Arm.BASELINE: 100 - flag.served_percent}
        first = {arm: models[names[0]] for arm, names in flag.models.items()}
        requests = traffic.requests_per_month / _DAYS_OF_A_MONTH
        day_dollars = sum(
            requests * shares[arm] / 100 * model.dollars(traffic.input_tokens, traffic.output_tokens)
            for arm, model in first.items()
            if model.fine_tuned
        )
    return Expectations(
        None if candidate is None else candidate.benchmark,
        day_dollars,
        saving_is_asked=candidate is not None and not models[flag.models[Arm.BASELINE][0]].fine_tuned,
    )
