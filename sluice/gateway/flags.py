"""The flags in force: an OpenFeature provider over flags.json and the override, evaluated by flagd's own core.

Both change while the process runs. What cannot be used never replaces what could: the last good flag of each agent
stays, and a metric and the log say so. An override only ever lowers what a flag wants. Who says what they are now is
`live_flags.py`; why this provider is ours: docs/decisions/0003.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import orjson
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEventDetails
from openfeature.exception import FlagNotFoundError
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType
from openfeature.provider import AbstractProvider, Metadata

from sluice.gateway import log
from sluice.gateway.agent_flag import AgentFlag, FlagUnusable, read_agent_flag
from sluice.gateway.configuration import Configuration
from sluice.gateway.expectations import expectations
from sluice.gateway.metrics import Metrics, Weights
from sluice.gateway.mounted_map import MapContent
from sluice.override import ALL, UNKNOWN, Override, Overrides, read_overrides


class Flags(AbstractProvider):
    """The OpenFeature provider. Evaluation may be called from any thread, the two `take_` by one thread at a time."""

    def __init__(self, configuration: Configuration, metrics: Metrics) -> None:
        super().__init__()
        self._configuration = configuration
        self._metrics = metrics
        self._documents: Mapping[str, object] = {}
        self._overrides = Overrides({})
        self._flags: Mapping[str, AgentFlag] = {}  # replaced as a whole, never changed
        self._ended: Mapping[str, frozenset[str]] = {}
        self.not_loaded_because = "not read yet"
        """Empty once a flags.json has been read."""

    def take_flags(self, said: Mapping[str, MapContent | str]) -> None:
        """Take over the ConfigMaps of the flags, by name: what each says, or why it says nothing.

        Never raises for what they say; the last good flags stay in force. Begun is with all of them, or not at all.
        """
        documents, faults = _documents(said)
        unread = len(faults)
        if unread == len(said) or (unread and not self._flags):
            self._broken(faults)
            return
        flags: dict[str, AgentFlag] = {}
        for agent in self._configuration.agents:
            if unread and agent not in documents:  # it may stand in the one that could not be read
                flags.update({agent: self._flags[agent]} if agent in self._flags else {})
                continue
            try:
                flags[agent] = self._flag(agent, documents)
            except FlagUnusable as fault:
                faults.append(str(fault))
                if agent in self._flags:
                    flags[agent] = self._flags[agent]
        # A flag that was refused is looked at again, also when it has not changed.
        self._documents = {agent: documents[agent] for agent in flags if agent in documents} if not faults else {}
        self._put_in_force(flags)
        self.not_loaded_because = ""
        self._metrics.flags_loaded(time.time())
        for note in (note for flag in flags.values() for note in flag.notes):
            log.warning("flag differs from configuration", what=note)
        log.info("flags loaded", weights={agent: flag.wanted_percent for agent, flag in flags.items()})
        if faults:
            self._broken(faults)
        else:
            self._metrics.flags_broken(False)
            self.emit_provider_configuration_changed(ProviderEventDetails(flags_changed=sorted(flags)))
            self.emit_provider_ready(ProviderEventDetails())

    def take_override(self, content: MapContent | None) -> None:
        """Take over the ConfigMap of the override; without one, everything that git wants is allowed."""
        entries: dict[str, Override] = {}
        if content is not None:
            entries.update(read_overrides(content.data).entries)
            entries.update({key: Override(0, unreadable_because=reason) for key, reason in content.unreadable.items()})
        had_some, self._overrides = bool(self._overrides.entries), Overrides(entries)
        self._put_in_force(self._flags)  # before a word of it is logged: nothing that is said may keep it from holding
        for key, entry in entries.items():
            for one in entry.each:
                if key == ALL or one.holds(self._named(key)):
                    log.warning("override in force", key=key, weight=one.weight_percent, by=one.by, at=one.at)
        if had_some and not entries:
            log.info("override lifted")
        faults = [
            f"override.{key}: {one.unreadable_because}"
            for key, entry in entries.items()
            for one in entry.each
            if one.unreadable_because
        ]
        faults += [
            f"override.{key}: is no agent" for key in entries if key not in self._configuration.agents and key != ALL
        ]
        if faults:
            log.error("override broken", faults=faults)
        self._metrics.override_broken(bool(faults))

    def flag(self, agent: str) -> AgentFlag | None:
        """Return the flag of `agent` that is in force."""
        return self._flags.get(agent)

    def get_metadata(self) -> Metadata:
        """Name the provider to OpenFeature."""
        return Metadata(name="sluice flags")

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

    def _flag(self, agent: str, documents: Mapping[str, object]) -> AgentFlag:
        if agent not in documents:
            raise FlagUnusable(agent, "is missing")
        if agent in self._flags and self._documents.get(agent) == documents[agent]:
            return self._flags[agent]
        return read_agent_flag(agent, documents[agent], self._configuration.models)

    def _put_in_force(self, flags: Mapping[str, AgentFlag]) -> None:
        allowed_percent = self._overrides.allowed_percent
        self._flags = {agent: flag.at_most(allowed_percent(agent, flag.candidate)) for agent, flag in flags.items()}
        for agent, flag in self._flags.items():
            allowed = allowed_percent(agent, flag.candidate)
            self._metrics.weights(agent, Weights(flag.wanted_percent, allowed, flag.served_percent))
            self._metrics.expected(agent, expectations(flag, self._configuration))
        for agent in self._configuration.agents:
            self._metrics.override_active(agent, self._overrides.is_active(agent, self._named(agent)))
        self._say_ended()

    def _named(self, agent: str) -> str | None:
        """Return the candidate that an agent's flag names. Without a flag every override holds."""
        flag = self._flags.get(agent)
        return flag.candidate if flag else UNKNOWN

    def _say_ended(self) -> None:
        """Log each override that the registry's rule ends from now on, or that holds again: its candidate is back."""
        ended: dict[str, frozenset[str]] = {}
        for agent in self._overrides.entries:
            named = self._named(agent)
            was = self._ended.get(agent, frozenset())
            ended[agent] = frozenset(one.candidate for one in self._overrides.ended(agent, named))
            for candidate in sorted(ended[agent] - was):
                log.warning("override ended by the registry's rule", key=agent, held=candidate, candidate=named)
            if named in was and named not in ended[agent]:
                log.warning("override in force again", key=agent, candidate=named)
        self._ended = ended

    def _broken(self, faults: list[str]) -> None:
        if not self._flags:
            self.not_loaded_because = "; ".join(faults)
        self._metrics.flags_broken(True)
        log.error("flags broken", faults=faults, last_good_kept=sorted(self._flags))
        self.emit_provider_stale(ProviderEventDetails(message="; ".join(faults)))


class _FlagsUnreadable(Exception):
    """There are no flags in a ConfigMap, whatever it holds."""


def _documents(said: Mapping[str, MapContent | str]) -> tuple[dict[str, object], list[str]]:
    """Return the flags of every ConfigMap by agent, and the reason of each that holds none."""
    documents: dict[str, object] = {}
    faults = []
    for name, content in said.items():
        try:
            documents.update(_flags_of(name, content))
        except _FlagsUnreadable as fault:
            faults.append(str(fault))
    return documents, faults


def _flags_of(name: str, content: MapContent | str) -> Mapping[str, object]:
    if isinstance(content, str):
        raise _FlagsUnreadable(f"{name}: {content}")
    key = f"{name}.json"
    if key not in content.data:
        raise _FlagsUnreadable(f"{key}: {content.unreadable.get(key, 'is missing')}")
    try:
        document = orjson.loads(content.data[key])
    except orjson.JSONDecodeError as error:
        raise _FlagsUnreadable(f"{key}: is not JSON: {error}") from error
    flags = document.get("flags") if isinstance(document, dict) else None
    if not isinstance(flags, dict):
        raise _FlagsUnreadable(f"{key}: has no object `flags`")
    return flags
