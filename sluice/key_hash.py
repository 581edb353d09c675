"""A number by which two holders of a key find out whether it is the same one, without either of them showing it.

The gateway shows the number of each key in use, as Alertmanager shows one of its configuration
(`alertmanager_config_hash`); `sluice secrets rotate` waits until every pod shows that of the new one. It is for keys
that providers make, which are long and random: 32 bits of a digest tell one from the next, and help nobody to guess.
This module imports nothing but the standard library, because the gateway's image holds little else of sluice.
"""

from __future__ import annotations

from hashlib import sha256

METRIC = "sluice_provider_key_hash"
"""The gauge, by provider; 0 where no key could be read yet."""

_BYTES = 4
_PURPOSE = b"sluice: which key is in use\0"  # so that it is not the beginning of any other digest of the key


def key_hash(key: str) -> int:
    """Return the number of a key, above 0 and below 2^32: a float of Prometheus holds it exactly."""
    return int.from_bytes(sha256(_PURPOSE + key.encode()).digest()[:_BYTES], "big") or 1
