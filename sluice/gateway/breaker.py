"""Leaves a model alone that has failed several times in a row, so that callers do not wait for what will not come.

After its time has passed one request may try it; its end decides. All of it is memory of this process, and its time is
monotonic: a decision takes no other machine, and a clock that is set moves nothing. What replicas tell each other is
kept as `News` for `breaker_sharing.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sluice.gateway import log
from sluice.gateway.configuration import Breaker as Limits


@dataclass(slots=True)
class News:
    """What happened to one model since the others were last told. `reset` comes before the failures."""

    limits: Limits
    reset: bool = False
    failures: int = 0
    opened: bool = False


@dataclass(slots=True)
class _State:
    limits: Limits
    failures: int = 0
    open_until: float | None = None
    trying: bool = False
    known_to_others: bool = False


class Breaker:
    """The models that have failed lately, by name. A model that is in order takes no memory and one look-up."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._states: dict[str, _State] = {}
        self._news: dict[str, News] = {}

    def admits(self, model: str) -> bool:
        """Whether `model` may be asked now."""
        state = self._states.get(model)
        if state is None or state.open_until is None:
            return True
        return self._clock() >= state.open_until and not state.trying

    def is_open(self, model: str) -> bool:
        """Whether `model` is left alone now."""
        state = self._states.get(model)
        return state is not None and state.open_until is not None and self._clock() < state.open_until

    def begin(self, model: str) -> None:
        """Note that `model` is asked; one of `succeeded`, `failed` and `undecided` must follow."""
        state = self._states.get(model)
        if state is not None and state.open_until is not None:
            state.trying = True

    def undecided(self, model: str) -> None:
        """Note that the request says nothing about `model`: its caller left, or asked what it does not take."""
        state = self._states.get(model)
        if state is not None:
            state.trying = False

    def succeeded(self, model: str) -> None:
        """Note a good answer: it ends every row of failures."""
        state = self._states.get(model)
        if state is None:
            return
        if state.open_until is not None:
            if not state.trying:
                return  # it was asked before the breaker opened; the trial decides
            log.info("breaker closed", model=model)
        del self._states[model]
        self._news[model] = News(state.limits, reset=True)

    def failed(self, model: str, limits: Limits) -> None:
        """Note a failure."""
        state = self._states.setdefault(model, _State(limits))
        news = self._news.setdefault(model, News(limits))
        if state.open_until is not None:
            if state.trying:
                self._open(model, state)
                news.opened = True
            return
        state.failures += 1
        state.limits = news.limits = limits
        news.failures += 1
        if state.failures >= limits.failures:
            self._open(model, state)
            news.opened = True

    def take_news(self) -> dict[str, News]:
        """Return what the others should know, and forget it."""
        news, self._news = self._news, {}
        return news

    def keep_news(self, news: Mapping[str, News]) -> None:
        """Take back what could not be told; only what still holds is worth telling later."""
        for model, old in news.items():
            if old.opened and self.is_open(model):
                self._news.setdefault(model, News(old.limits)).opened = True

    def learn(self, open_seconds: Mapping[str, float]) -> None:
        """Take over which models the others leave alone, and for how much longer; the rest they do not."""
        now = self._clock()
        for model, seconds in open_seconds.items():
            state = self._states.setdefault(model, _State(Limits()))
            if not self.is_open(model):
                log.warning("breaker opened by another replica", model=model, seconds=round(seconds, 1))
                state.open_until, state.trying = now + seconds, False
            state.known_to_others = True
        for model in [name for name, state in self._states.items() if state.known_to_others]:
            if model not in open_seconds and self.is_open(model):
                log.info("breaker closed by another replica", model=model)
                del self._states[model]

    def _open(self, model: str, state: _State) -> None:
        state.open_until = self._clock() + state.limits.open_seconds
        state.trying = state.known_to_others = False
        state.failures = 0
        log.warning("breaker opened", model=model, seconds=state.limits.open_seconds)
