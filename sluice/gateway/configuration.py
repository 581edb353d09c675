"""The gateway's configuration as mounted: agents, models with their prices, providers with their addresses.

It is read once, at the start: a change of it comes as a ConfigMap of another name and so as new pods. What may change
while the process runs (weights, candidates, keys) is in `flags.py` and `keys.py`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import orjson

from sluice.errors import SluiceError
from sluice.gateway.aftercare import Aftercare, read_aftercare
from sluice.gateway.draw import Draw
from sluice.gateway.limit_settings import Budgets, CacheSettings, CallerLimits, LimitReading, Rate
from sluice.gateway.thresholds import Thresholds, read_thresholds

DIALECTS = ("openai", "anthropic")
_DEALT_OUT = ("agents", "models")
_MOST_PARTS = 100
_KEY_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
Word = TypeVar("Word", bound=StrEnum)

_API_ADDRESS = re.compile(r"https?://[^\s/]+\S*")


class StreamUsageIs(StrEnum):
    """When a provider's streams say how many tokens they took."""

    ON_REQUEST = "on_request"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class Breaker:
    """After how many failures in a row a model is left alone, and for how long."""

    failures: int = 5
    open_seconds: float = 60.0


class Callers(StrEnum):
    """Whom the gateway serves: those with a key of their team, or everybody who reaches it."""

    REQUIRED = "required"
    OPEN = "open"


class Screen(StrEnum):
    """What becomes of a request that holds a dangerous prompt."""

    BLOCK = "block"
    COUNT = "count"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Traffic:
    """What is expected of an agent's callers: requests a month, and the tokens of one."""

    requests_per_month: float
    input_tokens: float
    output_tokens: float


@dataclass(frozen=True, slots=True)
class Agent:
    """A job that callers name as the OpenAI `model`; `watermark` is the notice that its answers carry.

    Without a rate, any number of requests is taken for it.
    """

    name: str
    summary: str
    breaker: Breaker = Breaker()
    deadline_seconds: float = 60.0
    aftercare: Aftercare = Aftercare()
    rate: Rate | None = None
    cache: CacheSettings = CacheSettings()
    watermark: str | None = None
    screen: Screen = Screen.BLOCK
    traffic: Traffic | None = None
    hedge_after_seconds: float | None = None
    """How long a model may be silent until the next is asked beside it; None: no two are asked at once."""


@dataclass(frozen=True, slots=True)
class Provider:
    """Who serves models: the address that a dialect's path is appended to, and the file name of its key."""

    name: str
    api: str
    key: str
    requests_per_second: int | None = None
    dialect: str = "openai"
    stream_usage: StreamUsageIs = StreamUsageIs.ON_REQUEST


@dataclass(frozen=True, slots=True)
class Model:
    """Something that answers; `id` is what its provider calls it. Prices are in dollars per 1,000 tokens."""

    name: str
    id: str
    provider: Provider
    input_price_per_1k_tokens: float
    output_price_per_1k_tokens: float
    fine_tuned: bool = False
    requests_per_second: int | None = None
    benchmark: float | None = None
    """Points of 10 that it had before anybody used it."""

    def dollars(self, input_tokens: float, output_tokens: float) -> float:
        """Return what a request of so many tokens costs."""
        return (input_tokens * self.input_price_per_1k_tokens + output_tokens * self.output_price_per_1k_tokens) / 1000


@dataclass(frozen=True, slots=True)
class Configuration:
    """All of gateway.json, its references resolved."""

    environment: str
    agents: Mapping[str, Agent]
    models: Mapping[str, Model]
    providers: Mapping[str, Provider]
    limits: CallerLimits = CallerLimits()
    budgets: Budgets = Budgets()
    thresholds: Thresholds = field(default_factory=dict)
    draw: Draw = Draw()
    callers: Callers = Callers.REQUIRED


class ConfigurationUnreadable(SluiceError):
    """The file cannot be read at all."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: cannot be read: {reason}; mount the gateway's ConfigMap there")


class ConfigurationInvalid(SluiceError):
    """The file does not say what it should; all faults at once, on one line to be the pod's last log line."""

    def __init__(self, path: Path, faults: list[str]) -> None:
        self.faults = tuple(faults)
        super().__init__(f"{path}: " + "; ".join(faults))


def load_configuration(path: Path) -> Configuration:
    """Read gateway.json, and what of its agents and models lies in gateway-1.json and so on beside it.

    Raises ConfigurationUnreadable or ConfigurationInvalid.
    """
    document = _document(path)
    if document.get("version") != 1:
        raise ConfigurationInvalid(
            path, [f"version: {document.get('version')!r} is not 1, the one that this gateway reads"]
        )
    for number in range(1, _parts(path, document)):
        _add_part(document, path.with_name(f"{path.stem}-{number}{path.suffix}"))
    reading = _Reading()
    configuration = reading.configuration(document)
    if reading.faults:
        raise ConfigurationInvalid(path, reading.faults)
    return configuration


def _document(path: Path) -> dict[str, Any]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationUnreadable(path, error.strerror or type(error).__name__) from error
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise ConfigurationInvalid(path, [f"is not JSON: {error}"]) from error
    if not isinstance(document, dict):
        raise ConfigurationInvalid(path, ["must be a JSON object"])
    return document


def _parts(path: Path, document: Mapping[str, object]) -> int:
    parts = document.get("parts", 1)
    if not isinstance(parts, int) or isinstance(parts, bool) or not 1 <= parts <= _MOST_PARTS:
        raise ConfigurationInvalid(path, [f"parts: {parts!r} is no number of files, 1 to {_MOST_PARTS}"])
    return parts


def _add_part(document: dict[str, Any], path: Path) -> None:
    for kind, added in _document(path).items():
        known = document.get(kind)
        if kind not in _DEALT_OUT or not isinstance(added, dict) or not isinstance(known, dict):
            raise ConfigurationInvalid(path, [f"{kind}: is none of the objects {' and '.join(_DEALT_OUT)}"])
        twice = sorted(known.keys() & added.keys())
        if twice:
            raise ConfigurationInvalid(path, [f"{kind}.{twice[0]}: stands in a file before it too"])
        document[kind] = {**known, **added}


class _Reading(LimitReading):
    """One pass over the document that collects every fault instead of stopping at the first."""

    def configuration(self, root: Mapping[str, object]) -> Configuration:
        providers = {
            name: self._provider(name, value)
            for name, value in self._object("providers", root.get("providers")).items()
        }
        models = {}
        for name, value in self._object("models", root.get("models")).items():
            model = self._model(name, value, providers)
            if model is not None:
                models[name] = model
        agents = {name: self._agent(name, value) for name, value in self._object("agents", root.get("agents")).items()}
        self.faults += [
            f"agents.{agent.name}.scoring.judge.model: {judge.model!r} is not among the models: {_names(models)}"
            for agent in agents.values()
            if (judge := agent.aftercare.judge) is not None and judge.model not in models
        ]
        return Configuration(
            self._text("environment", root.get("environment")),
            agents,
            models,
            providers,
            self.caller_limits("limits", root.get("limits")),
            self.budgets("budgets", root.get("budgets")),
            read_thresholds(root.get("thresholds"), agents, self.faults),
            self._draw(root.get("assignment", {})),
            self._word("callers", root.get("callers", Callers.REQUIRED), Callers),
        )

    def _draw(self, value: object) -> Draw:
        if not isinstance(value, dict) or not value.keys() <= {"hash", "salt", "key"}:
            self.faults.append("assignment: must be an object of hash, salt and key")
            return Draw()
        return Draw(**value)

    def _agent(self, name: str, value: object) -> Agent:
        path = f"agents.{name}"
        fields = self._object(path, value)
        breaker = self._breaker(f"{path}.breaker", fields.get("breaker"))
        deadline = self._at_least(f"{path}.deadline", fields.get("deadline", 60), least=0.1, unit="seconds")
        watermark, hedge_after = fields.get("watermark"), fields.get("hedge_after")
        if hedge_after is not None:
            hedge_after = self._at_least(f"{path}.hedge_after", hedge_after, least=0.1, unit="seconds")
        return Agent(
            name,
            self._text(f"{path}.summary", fields.get("summary")),
            breaker,
            deadline,
            read_aftercare(path, fields, self.faults),
            self.rate(f"{path}.rate", fields.get("rate")),
            self.cache(f"{path}.cache", fields.get("cache")),
            watermark=None if watermark is None else self._text(f"{path}.watermark", watermark),
            screen=self._word(f"{path}.screen", fields.get("screen", Screen.BLOCK), Screen),
            traffic=self._traffic(f"{path}.traffic", fields.get("traffic")),
            hedge_after_seconds=hedge_after,
        )

    def _traffic(self, path: str, value: object) -> Traffic | None:
        if value is None:
            return None
        fields = self._object(path, value)
        units = {"requests_per_month": "requests", "input_tokens": "tokens", "output_tokens": "tokens"}
        said = (self._at_least(f"{path}.{name}", fields.get(name), least=0, unit=unit) for name, unit in units.items())
        return Traffic(*said)

    def _breaker(self, path: str, value: object) -> Breaker:
        if value is None:
            return Breaker()
        fields = self._object(path, value)
        failures = self._at_least(f"{path}.failures", fields.get("failures", 5), least=1, unit="failures in a row")
        return Breaker(int(failures), self._at_least(f"{path}.open", fields.get("open", 60), least=0, unit="seconds"))

    def _provider(self, name: str, value: object) -> Provider:
        fields = self._object(f"providers.{name}", value)
        api = self._text(f"providers.{name}.api", fields.get("api"))
        if api and not _API_ADDRESS.fullmatch(api):
            self.faults.append(f"providers.{name}.api: {api!r} is not an http or https address")
        key = self._text(f"providers.{name}.key", fields.get("key"))
        if key and not _KEY_NAME.fullmatch(key):
            self.faults.append(f"providers.{name}.key: is not the name of a file below keys/, such as {name}-api-key")
        dialect = self._one_of(f"providers.{name}.dialect", fields.get("dialect", "openai"), DIALECTS)
        usage = self._one_of(
            f"providers.{name}.stream_usage", fields.get("stream_usage", "on_request"), tuple(StreamUsageIs)
        )
        requests_per_second = self.requests_per_second(f"providers.{name}", fields)
        return Provider(name, api.rstrip("/"), key, requests_per_second, dialect, StreamUsageIs(usage))

    def _model(self, name: str, value: object, providers: Mapping[str, Provider]) -> Model | None:
        path = f"models.{name}"
        fields = self._object(path, value)
        provider_name = self._text(f"{path}.provider", fields.get("provider"))
        model_id = self._text(f"{path}.id", fields.get("id"))
        price = self._object(f"{path}.price", fields.get("price"))
        input_price = self._price(f"{path}.price.input", price.get("input"))
        output_price = self._price(f"{path}.price.output", price.get("output"))
        provider = providers.get(provider_name)
        if provider is None:
            if provider_name:
                self.faults.append(
                    f"{path}.provider: {provider_name!r} is not among the providers: {_names(providers)}"
                )
            return None
        fine_tuned = self.flag(f"{path}.fine_tuned", fields.get("fine_tuned", False))
        allowed = self.requests_per_second(path, fields)
        benchmark = fields.get("benchmark")
        if benchmark is not None:
            benchmark = self._at_least(f"{path}.benchmark", benchmark, least=0, unit="points of 10")
        return Model(name, model_id, provider, input_price, output_price, fine_tuned, allowed, benchmark)

    def _object(self, path: str, value: object) -> dict[str, Any]:
        if isinstance(value, dict) and value:
            return value
        self.faults.append(f"{path}: must be an object with at least one field")
        return {}

    def _text(self, path: str, value: object) -> str:
        if isinstance(value, str) and value:
            return value
        self.faults.append(f"{path}: must be a text that is not empty")
        return ""

    def _one_of(self, path: str, value: object, choices: tuple[str, ...]) -> str:
        if isinstance(value, str) and value in choices:
            return value
        self.faults.append(f"{path}: {value!r} is none of {', '.join(choices)}")
        return choices[0]

    def _at_least(self, path: str, value: object, *, least: float, unit: str) -> float:
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= least:
            return float(value)
        self.faults.append(f"{path}: must be {unit}, {least:g} or more")
        return least

    def _word(self, path: str, value: object, words: type[Word]) -> Word:
        known = {str(word): word for word in words}
        if isinstance(value, str) and value in known:
            return known[value]
        self.faults.append(f"{path}: {value!r} is none of {', '.join(known)}")
        return next(iter(words))

    def _price(self, path: str, value: object) -> float:
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0:
            return float(value)
        self.faults.append(f"{path}: must be dollars per 1,000 tokens, 0 or more")
        return 0.0


def _names(values: Mapping[str, object]) -> str:
    return ", ".join(sorted(values)) or "(none)"
