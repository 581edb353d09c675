"""When the certificate ends by which callers from outside reach the gateway: what an alert before that goes by.

The Ingress takes it out of a Secret. Its public part alone is mounted here, so that one series says its end, whoever
made it, cert-manager or a person. No library for certificates is among the gateway's: of X.509 only the field with the
two times is read, and nothing is decided by it.
"""

from __future__ import annotations

import binascii
import math
import re
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Gauge

from sluice.gateway import log
from sluice.gateway.watched_file import WatchedFile

METRIC: Final = "sluice_certificate_expires_timestamp_seconds"

_BEGIN: Final = "-----BEGIN CERTIFICATE-----"
_PEM = re.compile(rf"{_BEGIN}[^-]+-----END CERTIFICATE-----")
"""No dash is in what it holds: what has many beginnings and no end is read once, not once for each of them."""
_SEQUENCE, _VERSION, _UTC_TIME, _GENERAL_TIME = 0x30, 0xA0, 0x17, 0x18
_BEFORE_VALIDITY: Final = 3
"""Fields between the version and the two times: serial number, algorithm, issuer (RFC 5280, 4.1)."""
_LONG_LENGTH: Final = 0x80
_CENTURY_BEGINS: Final = 50


class Certificate:
    """The mounted file of a Secret's certificate, and the series of its end: no number where it is gone or broken."""

    def __init__(self, file: Path, secret: str, registry: CollectorRegistry) -> None:
        self._file = WatchedFile(file)
        self._secret = secret
        self._gauge = Gauge(
            METRIC,
            "When the certificate of the Ingress ends, in seconds since 1970; not a number where it cannot be read.",
            ["name"],
            multiprocess_mode="mostrecent",
            registry=registry,
        )

    def refresh(self) -> None:
        """Read the file where it has changed."""
        found = self._file.read_if_changed()
        if found is None:
            return
        try:
            if found.content is None:
                raise ValueError(found.reason)
            self._gauge.labels(self._secret).set(ends_at(found.content).timestamp())
        except ValueError as error:
            self._gauge.labels(self._secret).set(math.nan)
            log.warning("certificate not read", secret=self._secret, reason=str(error))


def ends_at(pem: bytes) -> datetime:
    """Return when the first of the certificates in a file ends. Raises ValueError for what is no such file."""
    text = pem.decode("ascii", "replace")
    found = _PEM.findall(text)
    if text.count(_BEGIN) != len(found):
        raise ValueError("its certificate is broken: it is cut off")
    if not found:
        raise ValueError("there is no certificate in it")
    try:
        return min(_end(ssl.PEM_cert_to_DER_cert(one)) for one in found)
    except (binascii.Error, IndexError) as error:
        raise ValueError(f"its certificate is broken: {error}") from None


def _end(der: bytes) -> datetime:
    _, certificate, _ = _element(der)
    _, signed, _ = _element(certificate)
    kind, _, rest = _element(signed)
    # The version is left out where it is the first one; then the serial number came instead.
    for _ in range(_BEFORE_VALIDITY if kind == _VERSION else _BEFORE_VALIDITY - 1):
        _, _, rest = _element(rest)
    kind, validity, _ = _element(rest)
    if kind != _SEQUENCE:
        raise ValueError("its certificate is broken: it has no times")
    _, _, rest = _element(validity)
    kind, end, _ = _element(rest)
    return _time(kind, end.decode("ascii", "replace"))


def _time(kind: int, text: str) -> datetime:
    """Return one of the two ways to write a time (RFC 5280, 4.1.2.5): with two digits of the year, or with four."""
    if kind == _UTC_TIME:
        text = ("19" if int(text[:2]) >= _CENTURY_BEGINS else "20") + text
    elif kind != _GENERAL_TIME:
        raise ValueError("its certificate is broken: its end is no time")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _element(der: bytes) -> tuple[int, bytes, bytes]:
    """Return the first element's kind and content, and what follows it."""
    kind, length, begins = der[0], der[1], 2
    if length & _LONG_LENGTH:
        digits = length & ~_LONG_LENGTH
        length, begins = int.from_bytes(der[2 : 2 + digits]), 2 + digits
    if begins + length > len(der):
        raise ValueError("its certificate is broken: it is cut off")
    return kind, der[begins : begins + length], der[begins + length :]
