"""Which rates a request must pass: its caller's, its agent's, and, for each time a provider is asked, the provider's.

Callers and agents may come in bursts and are answered 429 beyond them. A provider's rate is what it allows in any
second, all replicas together; a request waits for it half a second at the most, and then another model may answer. What
is asked beside a request that is under way takes what room there is, and does not wait.
"""

from __future__ import annotations

import asyncio

from sluice.gateway.configuration import Configuration, Model
from sluice.gateway.limit_settings import Rate
from sluice.gateway.limited import AgentBusy, CallerBusy, Limited, ProviderBusy
from sluice.gateway.metrics import Metrics
from sluice.gateway.store import SharedStore
from sluice.gateway.window import Full, Window, pass_through

PROVIDER_WAIT_SECONDS = 0.5
PROVIDER_SECOND = 1.02
"""A second as the provider counts it, and a little more: requests do not all travel equally fast."""


class Rates:
    """All rates of one gateway; `replicas` is how many share them when the store is away."""

    def __init__(self, configuration: Configuration, store: SharedStore, metrics: Metrics, replicas: int) -> None:
        self._store = store
        self._metrics = metrics
        self._replicas = replicas
        self._limits = configuration.limits
        self._agents = {
            name: (agent.rate, self._bursting("agent", name, agent.rate))
            for name, agent in configuration.agents.items()
            if agent.rate is not None
        }
        self._callers: dict[str, tuple[Rate, Window]] = {}
        self._providers = {
            name: self._steady("provider", name, provider.requests_per_second)
            for name, provider in configuration.providers.items()
            if provider.requests_per_second is not None
        }
        self._models = {
            name: self._steady("model", name, model.requests_per_second)
            for name, model in configuration.models.items()
            if model.requests_per_second is not None
        }

    async def admit(self, agent: str, caller: str | None) -> None:
        """Count a request of `caller`, None where it has no name, for `agent`.

        Raises CallerBusy or AgentBusy.
        """
        rates = [found for found in (self._caller(caller), self._agents.get(agent)) if found is not None]
        if not rates:
            return
        try:
            await pass_through(self._store, [window for _, window in rates])
        except Full as full:
            rate, window = rates[-1]
            refusal: Limited
            if full.window is window and agent in self._agents:
                refusal = AgentBusy(agent, rate.requests_per_second, full.seconds)
            else:
                refusal = CallerBusy(str(caller), rates[0][0].requests_per_second, full.seconds)
            self._metrics.count_limited(agent, refusal.limit)
            raise refusal from full

    async def reach(self, model: Model, agent: str) -> None:
        """Return when the model's provider may be asked once, on behalf of `agent`.

        Raises ProviderBusy where that would take too long.
        """
        windows = self._windows(model)
        if not windows:
            return
        try:
            wait = await pass_through(self._store, windows)
        except Full as full:
            self._metrics.count_limited(agent, ProviderBusy.limit)
            raise ProviderBusy(model.provider.name, full.seconds) from full
        if wait > 0:
            await asyncio.sleep(wait)

    async def reach_now(self, model: Model) -> bool:
        """Return whether the model's provider may be asked at once; if so, it is counted as asked."""
        try:
            await pass_through(self._store, self._windows(model), now_or_never=True)
        except Full:
            return False
        return True

    def _windows(self, model: Model) -> list[Window]:
        found = (self._providers.get(model.provider.name), self._models.get(model.name))
        return [window for window in found if window is not None]

    def _caller(self, caller: str | None) -> tuple[Rate, Window] | None:
        if caller is None:
            return None
        found = self._callers.get(caller)
        if found is None:
            rate = self._limits.callers.get(caller, self._limits.caller)
            if rate is None:
                return None
            found = self._callers[caller] = (rate, self._bursting("caller", caller, rate))
        return found

    def _bursting(self, kind: str, name: str, rate: Rate) -> Window:
        stretch = rate.burst / rate.requests_per_second
        return Window(self._store.key("rate", kind, name), rate.burst, stretch, replicas=self._replicas)

    def _steady(self, kind: str, name: str, requests_per_second: int) -> Window:
        return Window(
            self._store.key("rate", kind, name),
            requests_per_second,
            PROVIDER_SECOND,
            replicas=self._replicas,
            most_wait_seconds=PROVIDER_WAIT_SECONDS,
        )
