"""How a stubbed model behaves: the dials, their limits, and which dials are in force for which model.

A model without dials of its own follows the default; both are set whole, so that what is in force is what was last put.
Chance (errors, jitter) is drawn from the model's name, so that a run repeats.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from sluice.errors import SluiceError


@dataclass(frozen=True, slots=True)
class Dials:
    """What one model does. Times are in milliseconds; None counts tokens from the texts, and cuts nothing."""

    latency_ms: float = 50.0
    latency_jitter_ms: float = 20.0
    error_rate: float = 0.0
    error_status: int = 500
    quality: float = 8.0
    input_tokens: int | None = None
    output_tokens: int | None = None
    chunk_delay_ms: float = 5.0
    exists: bool = True
    garbage: bool = False
    """It answers 200 with what no client can read."""
    cut_after: int | None = None
    """Its connection ends in a stream after so many pieces of content, and in the middle of any other answer."""
    keys: tuple[str, ...] | None = None
    """The fingerprints of the keys that it takes, as the log shows them; None takes every key."""


class DialsInvalid(SluiceError):
    """What was put is not a set of dials; every fault at once."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))


@dataclass(frozen=True, slots=True)
class _Range:
    least: float
    most: float
    whole: bool = False
    may_be_null: bool = False

    def accepts(self, value: object) -> bool:
        if value is None:
            return self.may_be_null
        if isinstance(value, bool) or not isinstance(value, int if self.whole else (int, float)):
            return False
        return self.least <= value <= self.most

    def __str__(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        return f"{kind}, {self.least:g} to {self.most:g}" + (", or null" if self.may_be_null else "")


_RANGES = {
    "latency_ms": _Range(0, 600_000),
    "latency_jitter_ms": _Range(0, 600_000),
    "error_rate": _Range(0, 1),
    "error_status": _Range(400, 599, whole=True),
    "quality": _Range(0, 10),
    "input_tokens": _Range(0, 1_000_000, whole=True, may_be_null=True),
    "output_tokens": _Range(0, 1_000_000, whole=True, may_be_null=True),
    "chunk_delay_ms": _Range(0, 60_000),
    "cut_after": _Range(0, 1_000_000, whole=True, may_be_null=True),
}


def read_dials(document: object) -> Dials:
    """Check what was put; a dial that is left out has its usual value.

    Raises DialsInvalid.
    """
    if not isinstance(document, dict):
        raise DialsInvalid(["the body must be a JSON object"])
    known = [field.name for field in fields(Dials)]
    faults = [f"{name}: is no dial; the dials are {', '.join(known)}" for name in document if name not in known]
    for name, allowed in _RANGES.items():
        if name in document and not allowed.accepts(document[name]):
            faults.append(f"{name}: must be {allowed}")
    switches = ("exists", "garbage")
    faults += [f"{name}: must be true or false" for name in switches if not isinstance(document.get(name, True), bool)]
    keys = document.get("keys")
    if keys is not None and not (isinstance(keys, list) and all(map(_is_fingerprint, keys))):
        faults.append("keys: must be a list of fingerprints, each 12 of 0-9a-f, or null")
    if faults:
        raise DialsInvalid(faults)
    return Dials(**{**document, "keys": None if keys is None else tuple(keys)})


def _is_fingerprint(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{12}", value) is not None


class Behaviour:
    """The dials in force, and the chance of each model."""

    def __init__(self) -> None:
        self._default = Dials()
        self._own: dict[str, Dials] = {}
        self._chances: dict[str, random.Random] = {}

    def dials(self, model: str) -> Dials:
        """Return the dials of `model`."""
        return self._own.get(model, self._default)

    def put(self, model: str, dials: Dials) -> None:
        """Set the dials of `model`; its chance begins anew."""
        self._own[model] = dials
        self._chances.pop(model, None)

    def put_default(self, dials: Dials) -> None:
        """Set the dials of every model that has none of its own."""
        self._default = dials
        self._chances.clear()

    def reset(self, model: str | None = None) -> None:
        """Forget the dials of `model`, or all and the default."""
        if model is not None:
            self._own.pop(model, None)
            self._chances.pop(model, None)
            return
        self._default = Dials()
        self._own.clear()
        self._chances.clear()

    def named(self) -> list[str]:
        """Return the models that have dials of their own."""
        return list(self._own)

    def shown(self) -> Mapping[str, object]:
        """Return all dials as JSON values."""
        return {"default": asdict(self._default), "models": {name: asdict(own) for name, own in self._own.items()}}

    def takes(self, model: str, fingerprint: str) -> bool:
        """Whether `model` takes the key of that fingerprint."""
        keys = self.dials(model).keys
        return keys is None or fingerprint in keys

    def fails(self, model: str) -> bool:
        """Draw whether this request of `model` fails."""
        return self._chance(model).random() < self.dials(model).error_rate

    def latency_seconds(self, model: str) -> float:
        """Draw how long this request of `model` takes before its answer begins."""
        dials = self.dials(model)
        jitter = self._chance(model).uniform(-1, 1) * dials.latency_jitter_ms
        return max(0.0, dials.latency_ms + jitter) / 1000

    def _chance(self, model: str) -> random.Random:
        chance = self._chances.get(model)
        if chance is None:
            chance = self._chances[model] = random.Random(model)  # noqa: S311 -- it should repeat
        return chance
