"""What was asked of the stub, per model: as much as tests need to see, and no key.

A key is told by the beginning of its hash, which is enough to see that it was the right one, or that it changed.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass


@dataclass(slots=True)
class Asked:
    """Counts of one model since the last reset, and what its last request carried."""

    requests: int = 0
    streams: int = 0
    errors: int = 0
    hung_up: int = 0
    """The caller left before the end of the answer."""
    last_user: str | None = None
    last_request_id: str | None = None
    last_key_present: bool = False
    last_key_fingerprint: str | None = None


def key_fingerprint(key: str) -> str:
    """Return the first 12 hexadecimal digits of the key's SHA-256."""
    return hashlib.sha256(key.encode("utf-8", errors="replace")).hexdigest()[:12]


class RequestLog:
    """All models asked so far. Bounded: beyond 1,000 names a new one is counted under "(others)"."""

    _MOST_MODELS = 1000

    def __init__(self) -> None:
        self._asked: dict[str, Asked] = {}

    def of(self, model: str) -> Asked:
        """Return the counts of `model`, to be changed."""
        if model not in self._asked and len(self._asked) >= self._MOST_MODELS:
            model = "(others)"
        return self._asked.setdefault(model, Asked())

    def models(self) -> list[str]:
        """Return the names of all models that were asked."""
        return sorted(self._asked)

    def shown(self) -> dict[str, object]:
        """Return everything as JSON values."""
        return {model: asdict(asked) for model, asked in sorted(self._asked.items())}

    def reset(self) -> None:
        """Begin to count anew."""
        self._asked.clear()
