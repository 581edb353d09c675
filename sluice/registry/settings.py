"""The settings of an environment: the plain values of its Pulumi.ENVIRONMENT.yaml, checked and typed.

They are read from the file and not through Pulumi, so that rendering needs no engine and a mistake has a line to point
at (docs/decisions/0002). An encrypted value is never read, only noted by name; one that should be encrypted and is
not, is refused without being shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sluice.registry.cache_settings import EmbeddedCache, ExternalCache, cache_of
from sluice.registry.cluster_settings import (
    Autoscaling,
    Ingress,
    Monitoring,
    Network,
    Quota,
    Route,
    autoscaling_of,
    ingress_of,
    monitoring_of,
    network_of,
    quota_of,
    route_of,
)
from sluice.registry.document import Document, read_document
from sluice.registry.findings import Finding, choices, did_you_mean, refuse_if_any, shown
from sluice.registry.guard_settings import GuardSettings, guard_of
from sluice.registry.litellm_settings import LITELLM_KEY, LiteLLM, litellm_of
from sluice.registry.model import Registry
from sluice.registry.policy import Rate, is_production
from sluice.registry.prometheus_settings import EmbeddedPrometheus, ExternalPrometheus, prometheus_of
from sluice.registry.report_settings import ReportSettings, report_of
from sluice.registry.resources import Resources, resources_of
from sluice.registry.rules.declared import Names
from sluice.registry.secret_settings import ExternalSecrets, external_secrets_of
from sluice.registry.shape import check_shape
from sluice.registry.typed import build

_PREFIX = "sluice:"
_FIELDS = (
    "namespace",
    "protected",
    "gateway",
    "cache",
    "network",
    "ingress",
    "route",
    "monitoring",
    "callers",
    "quota",
    "prometheus",
    "guard",
    "report",
    "operators",
    "reviewers",
    "secrets",
    "litellm",
    "stub_provider",
    "provider_addresses",
)

REDIS_PASSWORD = "redis-password"  # noqa: S105 - the name of a setting
"""The encrypted setting with the password of the Redis that `sluice:cache` names, where it wants one."""

_LONGEST_REQUEST_SECONDS = 120
_UNNAMED = "@sha256:" + "0" * 64


def is_named(image: str) -> bool:
    """Whether a reference names an image: a digest of zeros stands for one that is not built yet."""
    return not image.endswith(_UNNAMED)


def image_variable(part: str) -> str:
    """Return the variable by which a stack's program is told the image of a part, `stub_provider` for one."""
    return f"SLUICE_{part.upper()}_IMAGE"


class Callers(StrEnum):
    """Whom the gateway serves: those with a key of their team, or everybody who reaches it."""

    REQUIRED = "required"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class CallerLimits:
    """How much of its callers the gateway takes: requests at once in a pod, more that wait there, and callers' rates.

    `caller` is the rate of each team that `callers` does not name; `agent_rates`, whether the registry's rates hold.
    """

    at_once: int = 512
    waiting: int = 256
    agent_rates: bool = True
    caller: Rate | None = None
    callers: Mapping[str, Rate] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Traces:
    """The collector that OpenTelemetry spans go to, by OTLP over HTTP, and the share of requests that is traced."""

    endpoint: str
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """How the gateway runs: `image` is a reference by digest, or one that a person's own cluster was given.

    With `autoscaling`, `replicas` is the least. `workers` are processes of one pod; `resources` are each one's.
    """

    image: str
    replicas: int
    node_port: int | None
    resources: Resources
    workers: int = 1
    callers: Callers = Callers.REQUIRED
    autoscaling: Autoscaling | None = None
    priority_class: str | None = None
    longest_request_seconds: int = 120
    limits: CallerLimits = CallerLimits()
    log_level: str = "info"
    traces: Traces | None = None

    @property
    def max_replicas(self) -> int:
        """How many pods there are at most, but for those that an update adds for a moment."""
        return self.replicas if self.autoscaling is None else self.autoscaling.max_replicas


@dataclass(frozen=True, slots=True)
class StubProviderSettings:
    """The provider of made answers that stands in for the real ones."""

    image: str


@dataclass(frozen=True, slots=True)
class Settings:
    """The dials of one environment.

    `protected` is whether Pulumi refuses to remove what no file in git could bring back. `provider_addresses` holds, by
    provider, the address that stands in place of the registry's. `keys_set` names the providers' keys, and the password
    of Redis, that the file holds an encrypted value for. Without a cache, replicas share nothing. `operators`
    are the groups of people who may set the override, `reviewers` those who may decide what waits for a person.
    """

    environment: str
    namespace: str
    gateway: GatewaySettings
    stub_provider: StubProviderSettings | None
    provider_addresses: Mapping[str, str]
    keys_set: tuple[str, ...]
    protected: bool = False
    cache: EmbeddedCache | ExternalCache | None = None
    network: Network = Network()
    ingress: Ingress | None = None
    route: Route | None = None
    monitoring: Monitoring = Monitoring()
    quota: Quota | None = None
    prometheus: EmbeddedPrometheus | ExternalPrometheus | None = None
    """None where nobody measures, or nobody said who."""
    guard: GuardSettings | None = None
    """None where nobody rolls back but people."""
    report: ReportSettings | None = None
    """None where nobody is sent one."""
    operators: tuple[str, ...] = ()
    teams: tuple[str, ...] | None = None
    """Those with a key to call with; None where none was ever issued."""
    reviewers: tuple[str, ...] = ()
    secrets: ExternalSecrets | None = None
    """The store that the keys come from; None where Pulumi's encrypted configuration holds them."""
    litellm: LiteLLM | None = None
    """LiteLLM behind the gateway, for providers of another dialect; None where every provider is asked directly."""

    @property
    def images(self) -> Mapping[str, str]:
        """The image of each part that the environment has and runs itself, by the part's name."""
        cache = self.cache if isinstance(self.cache, EmbeddedCache) else None
        prometheus = self.prometheus if isinstance(self.prometheus, EmbeddedPrometheus) else None
        parts = {
            "gateway": self.gateway,
            "stub_provider": self.stub_provider,
            "cache": cache,
            "guard": self.guard,
            "prometheus": prometheus,
            "litellm": self.litellm,
        }
        return {name: part.image for name, part in parts.items() if part is not None}

    def with_images(
        self,
        *,
        gateway: str | None = None,
        stub_provider: str | None = None,
        cache: str | None = None,
        guard: str | None = None,
        prometheus: str | None = None,
        litellm: str | None = None,
    ) -> Settings:
        """Return these settings with images that were just built; None leaves an image as it is.

        The image of a part that the environment does not have changes nothing.
        """
        built = {
            "gateway": gateway,
            "stub_provider": stub_provider,
            "cache": cache,
            "guard": guard,
            "prometheus": prometheus,
            "litellm": litellm,
        }
        changed = {part: replace(getattr(self, part), image=built[part]) for part in self.images if built[part]}
        return replace(self, **changed)


def environments(project: Path) -> tuple[str, ...]:
    """Return the environments of a project, those with a Pulumi.ENVIRONMENT.yaml, sorted."""
    return tuple(sorted(file.name[len("Pulumi.") : -len(".yaml")] for file in project.glob("Pulumi.?*.yaml")))


def load_settings(project: Path, environment: str, registry: Registry) -> Settings:
    """Load `project`/Pulumi.`environment`.yaml, whose providers must be in `registry`. Raises InvalidRegistry."""
    names = Names.of(registry)
    document, findings = read_settings(project, environment, names)
    refuse_if_any(findings)
    assert document is not None  # noqa: S101 - without findings there is a document
    return settings_of(document, environment, names)


def load_namespace(project: Path, environment: str) -> str:
    """Return the namespace of an environment, whatever else is wrong with its settings or with the registry.

    For what must work in an emergency. Raises InvalidRegistry where the file cannot be read or names none.
    """
    document, findings = read_document(project / f"Pulumi.{environment}.yaml", remedy_if_missing="name another")
    refuse_if_any(findings)
    assert document is not None  # noqa: S101 - without findings there is a document
    namespace = document.get("config", f"{_PREFIX}namespace")
    if not isinstance(namespace, str):
        refuse_if_any(tuple(check_settings(document, environment, None)))
    return str(namespace)


def read_settings(project: Path, environment: str, names: Names | None) -> tuple[Document | None, tuple[Finding, ...]]:
    """Read and check settings; without `names`, when models.yaml could not be read, only their shape."""
    known = choices(environments(project), of="environments")
    document, findings = read_document(project / f"Pulumi.{environment}.yaml", remedy_if_missing=known)
    if document is not None:
        findings = check_settings(document, environment, names)
    return document, findings


def check_settings(document: Document, environment: str, names: Names | None) -> tuple[Finding, ...]:
    """Check a settings file that could be read; no finding shows the value of a key."""
    findings = (*check_shape(document, "settings"), *_check_place(document, environment))
    if names is None:
        return findings
    return (
        *findings,
        *_check_names(document, names),
        *_check_one_place(document, names),
        *_check_providers(document, names),
    )


def settings_of(document: Document, environment: str, names: Names) -> Settings:
    """Build the settings from a file without findings."""
    config = {
        setting.removeprefix(_PREFIX): value
        for setting, value in document.data["config"].items()
        if setting.startswith(_PREFIX)
    }
    gateway = config["gateway"]
    stub_provider = config.get("stub_provider")
    return Settings(
        environment=environment,
        namespace=config["namespace"],
        gateway=GatewaySettings(
            image=gateway["image"],
            replicas=int(gateway["replicas"]),
            node_port=gateway.get("node_port"),
            resources=resources_of(gateway.get("resources", {}), Resources()),
            workers=int(gateway.get("workers", 1)),
            autoscaling=autoscaling_of(gateway.get("autoscaling")),
            priority_class=gateway.get("priority_class"),
            longest_request_seconds=int(gateway.get("longest_request_seconds", _LONGEST_REQUEST_SECONDS)),
            limits=_limits(gateway.get("limits", {})),
            log_level=gateway.get("log_level", "info"),
            traces=build(Traces, gateway["traces"]) if "traces" in gateway else None,
            callers=Callers(gateway.get("callers", Callers.REQUIRED)),
        ),
        stub_provider=StubProviderSettings(stub_provider["image"]) if stub_provider else None,
        provider_addresses=MappingProxyType(dict(config.get("provider_addresses", {}))),
        keys_set=tuple(key for key in _encrypted(names) if key in config),
        protected=config.get("protected", False),
        cache=cache_of(config.get("cache")),
        network=network_of(config.get("network", {})),
        ingress=ingress_of(config.get("ingress")),
        route=route_of(config.get("route")),
        monitoring=monitoring_of(config.get("monitoring", {})),
        quota=quota_of(config.get("quota")),
        prometheus=prometheus_of(config.get("prometheus"), config["namespace"]),
        guard=guard_of(config.get("guard")),
        report=report_of(config.get("report")),
        operators=tuple(config.get("operators", ())),
        teams=tuple(sorted(config["callers"])) if "callers" in config else None,
        reviewers=tuple(config.get("reviewers", ())),
        secrets=external_secrets_of(config.get("secrets")),
        litellm=litellm_of(config.get("litellm")),
    )


def _check_names(document: Document, names: Names) -> Iterator[Finding]:
    """Check that every `sluice:` setting is known, and that a provider's key is encrypted. No value is ever shown."""
    known = [*_FIELDS, *_encrypted(names)]
    for setting, value in document.mapping("config").items():
        name = setting.removeprefix(_PREFIX)
        path = ("config", setting)
        if setting == f"{_PREFIX}callers":
            yield from _check_callers(document, path)
        if name == setting or name in _FIELDS:
            continue
        if name not in known:
            remedy = did_you_mean(name, known, of="settings")
            yield document.finding(path, "is not a setting", remedy, rule="SL090", at_key=True)
        elif not (isinstance(value, dict) and list(value) == ["secure"] and isinstance(value["secure"], str)):
            yield document.finding(path, *_of_unencrypted(setting, value), rule="SL091", at_key=True)


def _check_callers(document: Document, path: tuple[str, ...]) -> Iterator[Finding]:
    for team, value in document.mapping(*path).items():
        if not (isinstance(value, dict) and list(value) == ["secure"] and isinstance(value["secure"], str)):
            remedy = f"take it out, and make a key by `sluice callers issue {team}`"
            yield document.finding((*path, team), "is not encrypted", remedy, rule="SL091", at_key=True)


def _check_one_place(document: Document, names: Names) -> Iterator[Finding]:
    """Check that keys which come from a store are not in the file too, where a change of them would do nothing."""
    config = document.mapping("config")
    if document.mapping("config", f"{_PREFIX}secrets").get("from") != "external":
        return
    for setting in (f"{_PREFIX}{name}" for name in (*_encrypted(names), "callers")):
        if setting in config:
            remedy = "take it out, or take out sluice:secrets: a key is in one place"
            what = "is not used: sluice:secrets has the keys of this environment come from a store"
            yield document.finding(("config", setting), what, remedy, rule="SL093", at_key=True)


def _encrypted(names: Names) -> tuple[str, ...]:
    """Return the names of the settings that hold an encrypted value and nothing else."""
    return tuple(dict.fromkeys([*names.providers.values(), REDIS_PASSWORD, LITELLM_KEY]))


def _of_unencrypted(setting: str, value: object) -> tuple[str, str]:
    command = f"`pulumi config set --secret {setting}`"
    if value is None:
        return "is empty", f"set it by {command}"
    return (
        "is a key in plain text",
        f"take it out, have the provider replace it if it was ever committed, and encrypt the new one by {command}",
    )


def _check_providers(document: Document, names: Names) -> Iterator[Finding]:
    for place in ((f"{_PREFIX}provider_addresses",), (f"{_PREFIX}litellm", "providers")):
        for provider in document.mapping("config", *place):
            if provider not in names.providers:
                path = ("config", *place, provider)
                remedy = did_you_mean(provider, names.providers, of="providers")
                what = f"no provider is named {shown(provider)}"
                yield document.finding(path, what, remedy, rule="SL030", at_key=True)


def _check_place(document: Document, environment: str) -> Iterator[Finding]:
    setting = f"{_PREFIX}stub_provider"
    if is_production(environment) and setting in document.mapping("config"):
        remedy = "take it out, and the provider addresses that lead to it"
        yield document.finding(("config", setting), "would give users made answers", remedy, rule="SL092", at_key=True)


def _limits(body: dict[str, Any]) -> CallerLimits:
    return CallerLimits(
        at_once=int(body.get("at_once", CallerLimits().at_once)),
        waiting=int(body.get("waiting", CallerLimits().waiting)),
        agent_rates=bool(body.get("agent_rates", CallerLimits().agent_rates)),
        caller=build(Rate, body["caller"]) if "caller" in body else None,
        callers=MappingProxyType({team: build(Rate, rate) for team, rate in body.get("callers", {}).items()}),
    )
