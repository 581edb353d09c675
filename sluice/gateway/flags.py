"""The flags in force: an OpenFeature provider over the mounted flags.json, evaluated by flagd's own core.

Flags change in place while the process runs. What cannot be used never replaces what could: the last good flag of each
agent stays, and a metric and the log say so. Why this provider is ours: docs/decisions/0003.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import orjson
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEventDetails
from openfeature.exception import FlagNotFoundError
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType
from openfeature.provider import AbstractProvider, Metadata

from sluice.gateway import log
from sluice.gateway.agent_flag import AgentFlag, FlagUnusable, read_agent_flag
from sluice.gateway.configuration import Configuration
from sluice.gateway.metrics import Metrics
from sluice.gateway.watched_file import WatchedFile

_domain_numbers = itertools.count(1)


class FlagFile(AbstractProvider):
    """The OpenFeature provider. `refresh` and evaluation may be called from different threads."""

    def __init__(self, path: Path, configuration: Configuration, metrics: Metrics) -> None:
        super().__init__()
        self._file = WatchedFile(path)
        self._configuration = configuration
        self._metrics = metrics
        self._flags: Mapping[str, AgentFlag] = {}  # replaced as a whole, never changed
        self.not_loaded_because = "not read yet"
        """Empty once a flags.json has been read."""

    def refresh(self) -> None:
        """Look at the file and take over what is new in it. Never raises for what the file says."""
        found = self._file.read_if_changed()
        if found is None:
            return
        if found.content is None:
            self._broken([f"{self._file.path}: {found.reason}"])
            return
        try:
            document = orjson.loads(found.content)
        except orjson.JSONDecodeError as error:
            self._broken([f"{self._file.path}: is not JSON: {error}"])
            return
        flags = document.get("flags") if isinstance(document, dict) else None
        if not isinstance(flags, dict):
            self._broken([f"{self._file.path}: has no object `flags`"])
            return
        self._take_over(flags)

    def flag(self, agent: str) -> AgentFlag | None:
        """Return the flag of `agent` that is in force."""
        return self._flags.get(agent)

    def get_metadata(self) -> Metadata:
        """Name the provider to OpenFeature."""
        return Metadata(name="sluice flag file")

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        """Evaluate as flagd does."""
        return self._found(flag_key).evaluator.resolve_boolean_value(flag_key, default_value, evaluation_context)

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        """Evaluate as flagd does."""
        return self._found(flag_key).evaluator.resolve_string_value(flag_key, default_value, evaluation_context)

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        """Evaluate as flagd does."""
        return self._found(flag_key).evaluator.resolve_integer_value(flag_key, default_value, evaluation_context)

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        """Evaluate as flagd does."""
        return self._found(flag_key).evaluator.resolve_float_value(flag_key, default_value, evaluation_context)

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Sequence[FlagValueType] | Mapping[str, FlagValueType],
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Sequence[FlagValueType] | Mapping[str, FlagValueType]]:
        """Evaluate as flagd does."""
        return self._found(flag_key).evaluator.resolve_object_value(flag_key, default_value, evaluation_context)

    def _found(self, agent: str) -> AgentFlag:
        flag = self._flags.get(agent)
        if flag is None:
            raise FlagNotFoundError(f"no flag {agent!r}")
        return flag

    def _take_over(self, documents: Mapping[str, object]) -> None:
        faults: list[str] = []
        flags: dict[str, AgentFlag] = {}
        for agent in self._configuration.agents:
            try:
                if agent not in documents:
                    raise FlagUnusable(agent, "is missing")
                flags[agent] = read_agent_flag(agent, documents[agent], self._configuration.models)
            except FlagUnusable as fault:
                faults.append(str(fault))
                if agent in self._flags:
                    flags[agent] = self._flags[agent]
        self._flags = flags
        self.not_loaded_because = ""
        self._metrics.flags_loaded(time.time(), {agent: flag.weight_percent for agent, flag in flags.items()})
        for note in (note for flag in flags.values() for note in flag.notes):
            log.warning("flag differs from configuration", what=note)
        log.info("flags loaded", weights={agent: flag.weight_percent for agent, flag in flags.items()})
        if faults:
            self._broken(faults)
        else:
            self._metrics.flags_broken(False)
            self.emit_provider_configuration_changed(ProviderEventDetails(flags_changed=sorted(flags)))
            self.emit_provider_ready(ProviderEventDetails())

    def _broken(self, faults: list[str]) -> None:
        if not self._flags:
            self.not_loaded_because = "; ".join(faults)
        self._metrics.flags_broken(True)
        log.error("flags broken", faults=faults, last_good_kept=sorted(self._flags))
        self.emit_provider_stale(ProviderEventDetails(message="; ".join(faults)))


def flag_client(provider: FlagFile) -> OpenFeatureClient:
    """Register `provider` with OpenFeature, under a domain of its own, and return the client that asks it."""
    domain = f"sluice-gateway-{next(_domain_numbers)}"
    api.set_provider_and_wait(provider, domain)
    return api.get_client(domain)
