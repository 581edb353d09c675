"""How long a rollback took, stage by stage: from the first bad answer to the last call that the candidate got."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tests.live.load import Call


@dataclass(frozen=True, slots=True)
class Stages:
    """When each stage was reached, in seconds since 1970 by this machine, on which all of it runs."""

    first_bad_answer: float
    scraped: float
    """The first scrape that holds it."""
    verdict: float
    override: float
    served: float
    """When the last call began that any pod gave to the candidate; it may be before the override was."""

    @property
    def seconds(self) -> float:
        """From the first bad answer to 100 % baseline on every pod."""
        return max(self.override, self.served) - self.first_bad_answer

    def __str__(self) -> str:
        named = {
            "scraped": self.scraped - self.first_bad_answer,
            "verdict": self.verdict - self.scraped,
            "override set": self.override - self.verdict,
            "every pod on the baseline": max(0.0, self.served - self.override),
        }
        shares = ", ".join(f"{name} after {seconds:.2f} s" for name, seconds in named.items())
        return f"first bad answer; {shares}; {self.seconds:.1f} s in all"


def last_of_candidate(calls: Mapping[str, Iterable[Call]]) -> dict[str, float]:
    """Return when the last call began that each pod gave to the candidate, by `time.monotonic`."""
    return {
        pod: max((call.began for call in of_pod if goes_to_candidate(call)), default=0.0)
        for pod, of_pod in calls.items()
    }


def goes_to_candidate(call: Call) -> bool:
    """Say whether the candidate was asked, whoever answered in the end."""
    return call.arm == "candidate" or call.outcome == "fallback"
