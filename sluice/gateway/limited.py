"""The refusals of limits: each names the limit under which it is counted, and when it is worth trying again."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import ClassVar

from sluice.gateway.refusals import Refusal


class Limit(StrEnum):
    """Which limit turned a request away; a label of `sluice_limited_total`."""

    AGENT_RATE = "agent_rate"
    CALLER_RATE = "caller_rate"
    PROVIDER_RATE = "provider_rate"
    OVERLOAD = "overload"
    SPEND = "spend"


class Limited(Refusal):
    """A request that a limit does not let through."""

    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"
    limit: ClassVar[Limit]

    def __init__(self, message: str, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = max(1, math.ceil(retry_after_seconds))

    def headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """Say when it is worth trying again."""
        return ((b"retry-after", b"%d" % self.retry_after_seconds),)


class AgentBusy(Limited):
    """All callers together ask an agent more than its rate."""

    limit = Limit.AGENT_RATE

    def __init__(self, agent: str, requests_per_second: float, seconds: float) -> None:
        super().__init__(f"Agent {agent!r} takes {requests_per_second:g} requests a second; try again later.", seconds)


class CallerBusy(Limited):
    """One caller asks more than its rate."""

    limit = Limit.CALLER_RATE

    def __init__(self, caller: str, requests_per_second: float, seconds: float) -> None:
        super().__init__(
            f"Caller {caller!r} may send {requests_per_second:g} requests a second; try again later.", seconds
        )


class ProviderBusy(Limited):
    """What a provider allows is used up for now: nothing has failed, and another model may answer."""

    limit = Limit.PROVIDER_RATE

    def __init__(self, provider: str, seconds: float) -> None:
        super().__init__(f"Provider {provider!r} is asked as often as it allows; try again later.", seconds)


class Overloaded(Limited):
    """The process has as much to do as it takes at once."""

    status = 503
    type = "server_error"
    code = "overloaded"
    limit = Limit.OVERLOAD

    def __init__(self, at_once: int) -> None:
        super().__init__(f"The gateway answers {at_once} requests at once and no more can wait; try again later.", 1)


class CapSpent(Limited):
    """The month's cap is spent, and the registry says to reject what it was for."""

    type = "insufficient_quota"
    code = "budget_exceeded"
    limit = Limit.SPEND

    def __init__(self, agent: str, cap_dollars: float, seconds: float) -> None:
        super().__init__(
            f"The month's cap of ${cap_dollars:g} for fine-tuned models is spent; agent {agent!r} answers again when "
            "the next month begins (UTC).",
            seconds,
        )
