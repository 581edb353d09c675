"""The few dials of the process itself, from its environment: folders, ports, time limits.

Everything about agents, models and providers is in the mounted files instead. The names begin with SLUICE_GATEWAY_;
each has a default that is right in a pod.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sluice.errors import SluiceError
from sluice.gateway.cluster_access import ClusterAccess
from sluice.gateway.log import LEVELS

_PREFIX = "SLUICE_GATEWAY_"
_HTTP_ADDRESS = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]+(?:/[^\s?#]*)?")
_REDIS_URL = re.compile(r"rediss?://[A-Za-z0-9.\-\[\]:]+(?:/[0-9]*)?")


@dataclass(frozen=True, slots=True)
class TraceSettings:
    """Where spans go, OTLP over HTTP, and the share of requests, 0 to 1, that are traced unless their caller says."""

    endpoint: str
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class ProcessSettings:
    """Where the process reads and listens, and how long it waits. Times are in seconds."""

    folder: Path = Path("/etc/sluice")
    host: str = "0.0.0.0"  # noqa: S104 -- in a pod, the pod's own address is all there is
    port: int = 8080
    metrics_port: int = 9090
    drain_seconds: float = 5.0
    """From SIGTERM, not ready but still answering: the time that Services need to look elsewhere."""
    finish_seconds: float = 30.0
    """After that, for running answers to end."""
    body_timeout_seconds: float = 30.0
    """For a request's body to arrive whole."""
    connect_timeout_seconds: float = 5.0
    silence_timeout_seconds: float = 120.0
    """The longest a provider may send nothing, before its answer or in the middle of a stream."""
    redis_url: str | None = None
    """The Redis that replicas share; None where there is none."""
    workers: int = 1
    """Processes that answer on the same port."""
    replicas: int = 1
    """About how many gateways there are: without Redis, each takes its part of what is allowed to all."""
    flag_maps: int = 1
    """In how many ConfigMaps the flags lie."""
    certificate: str | None = None
    """The Secret whose certificate is mounted; None where nobody comes in by an Ingress."""
    log_level: str = "info"
    traces: TraceSettings | None = None
    """The collector of spans; None makes none."""
    cluster: ClusterAccess | None = None
    """The API server whose ConfigMaps are watched; None outside of a cluster, where the mounted files are all."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> ProcessSettings:
        """Read SLUICE_GATEWAY_ followed by a field's name in capitals, for every field.

        SLUICE_REDIS_URL and SLUICE_REPLICAS have no more than SLUICE_: they are not the gateway's alone. Spans go where
        OTEL_EXPORTER_OTLP_ENDPOINT says, of the share OTEL_TRACES_SAMPLER_ARG.
        Raises ProcessSettingInvalid for the first that is not what it should be. A port 0 takes any free one.
        """
        usual = cls()

        def seconds(name: str, default: float) -> float:
            return _seconds(_PREFIX + name, environment.get(_PREFIX + name), default)

        def port(name: str, default: int) -> int:
            return _port(_PREFIX + name, environment.get(_PREFIX + name), default)

        return cls(
            folder=Path(environment.get(_PREFIX + "FOLDER") or usual.folder),
            host=environment.get(_PREFIX + "HOST") or usual.host,
            port=port("PORT", usual.port),
            metrics_port=port("METRICS_PORT", usual.metrics_port),
            drain_seconds=seconds("DRAIN_SECONDS", usual.drain_seconds),
            finish_seconds=seconds("FINISH_SECONDS", usual.finish_seconds),
            body_timeout_seconds=seconds("BODY_TIMEOUT_SECONDS", usual.body_timeout_seconds),
            connect_timeout_seconds=seconds("CONNECT_TIMEOUT_SECONDS", usual.connect_timeout_seconds),
            silence_timeout_seconds=seconds("SILENCE_TIMEOUT_SECONDS", usual.silence_timeout_seconds),
            workers=_count(_PREFIX + "WORKERS", environment.get(_PREFIX + "WORKERS"), usual.workers, most=64),
            redis_url=_redis_url("SLUICE_REDIS_URL", environment.get("SLUICE_REDIS_URL")),
            replicas=_count("SLUICE_REPLICAS", environment.get("SLUICE_REPLICAS"), usual.replicas),
            flag_maps=_count(_PREFIX + "FLAG_MAPS", environment.get(_PREFIX + "FLAG_MAPS"), usual.flag_maps),
            certificate=environment.get(_PREFIX + "CERTIFICATE") or None,
            log_level=_level(_PREFIX + "LOG_LEVEL", environment.get(_PREFIX + "LOG_LEVEL"), usual.log_level),
            traces=_traces(environment),
            cluster=ClusterAccess.from_environment(environment),
        )


class ProcessSettingInvalid(SluiceError):
    """An environment variable of the process does not say what it should."""

    def __init__(self, name: str, value: str, wanted: str) -> None:
        super().__init__(f"{name}: {value!r} is not {wanted}")


def _port(name: str, value: str | None, default: int) -> int:
    if not value:
        return default
    if not (value.isascii() and value.isdigit() and int(value) <= 65535):
        raise ProcessSettingInvalid(name, value, "a port, 0 to 65535")
    return int(value)


def _redis_url(name: str, value: str | None) -> str | None:
    if not value:
        return None
    # What stands before an @ could be a password: it is neither taken nor shown.
    if not _REDIS_URL.fullmatch(value):
        shown = value.rpartition("@")[2]
        wanted = "an address such as redis://cache:6379 or rediss://cache:6379; a password is mounted as a file"
        raise ProcessSettingInvalid(name, shown, wanted)
    return value


def _level(name: str, value: str | None, default: str) -> str:
    if value and value not in LEVELS:
        raise ProcessSettingInvalid(name, value, f"one of {', '.join(LEVELS)}")
    return value or default


def _traces(environment: Mapping[str, str]) -> TraceSettings | None:
    name, share_name = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_TRACES_SAMPLER_ARG"
    endpoint, share = environment.get(name), environment.get(share_name) or "1"
    if not endpoint:
        return None
    if not _HTTP_ADDRESS.fullmatch(endpoint):
        raise ProcessSettingInvalid(name, endpoint.rpartition("@")[2], "an address such as http://collector:4318")
    try:
        number = float(share)
    except ValueError:
        number = math.nan
    if not 0 <= number <= 1:  # also refuses nan
        raise ProcessSettingInvalid(share_name, share, "a share of the requests, 0 to 1")
    return TraceSettings(endpoint, number)


def _count(name: str, value: str | None, default: int, *, most: int = 10_000) -> int:
    if not value:
        return default
    if not (value.isascii() and value.isdigit() and 1 <= int(value) <= most):
        raise ProcessSettingInvalid(name, value, f"a whole number, 1 to {most}")
    return int(value)


def _seconds(name: str, value: str | None, default: float) -> float:
    if not value:
        return default
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not 0 <= number <= 3600:  # also refuses nan
        raise ProcessSettingInvalid(name, value, "a number of seconds, 0 to 3600")
    return number
