"""The settings of one environment: what is read of the stack's file, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.registry import (
    ExternalCache,
    ExternalPrometheus,
    GatewaySettings,
    GuardSettings,
    Ingress,
    InvalidRegistry,
    LiteLLM,
    Network,
    Quota,
    Resources,
    Route,
    Settings,
    StubProviderSettings,
    load_settings,
)
from sluice.registry.document import parse_document
from sluice.registry.report_settings import Mail, PostSecret, ReportSettings
from sluice.registry.rules.declared import Names
from sluice.registry.settings import Callers, check_settings
from tests.registry.settings_example import DIGEST, REGISTRY, RIGHT


def test_the_settings_are_what_the_file_says(project: Path) -> None:
    assert load_settings(project, "dev", REGISTRY) == Settings(
        environment="dev",
        namespace="sluice-dev",
        gateway=GatewaySettings(
            image=f"sluice.local/gateway@{DIGEST}",
            replicas=2,
            node_port=30080,
            resources=Resources(cpu_request="250m", memory_request="256Mi", cpu_limit="1", memory_limit="512Mi"),
        ),
        stub_provider=StubProviderSettings(f"sluice.local/stub-provider@{DIGEST}"),
        provider_addresses={"mistral": "http://stub-provider:8080/mistral/v1"},
        keys_set=("mistral-api-key", "redis-password", "litellm-master-key"),
        protected=True,
        cache=ExternalCache("rediss://redis.example.com:6380/1"),
        network=Network(callers_from=("halo",), api_server=("10.0.0.1/32",)),
        ingress=Ingress("llm.example.com", "gateway-tls", annotations={"a.example.com/b": "4m"}),
        route=Route("llm.example.com", "shared", "gateways", "https"),
        quota=Quota(30, "8", "8Gi"),
        prometheus=ExternalPrometheus("http://prometheus.example.com:9090", 'namespace="sluice-dev"'),
        guard=GuardSettings(f"sluice.local/guard@{DIGEST}", 2),
        report=ReportSettings(
            "30 5 * * 1-5", 7, Mail("smtp://relay.mail.svc:25", "a@example.com", ("b@example.com",)), "http://x/y"
        ),
        operators=("llm-on-call",),
        reviewers=("legal-reviewers",),
        litellm=LiteLLM(
            f"sluice.local/litellm@{DIGEST}", {"openai": "openai"}, 2, Resources("250m", "768Mi", None, "768Mi")
        ),
    )


def test_callers_need_a_key_unless_the_settings_say_otherwise(project: Path) -> None:
    assert load_settings(project, "dev", REGISTRY).gateway.callers is Callers.REQUIRED
    Path("Pulumi.dev.yaml").write_text(RIGHT.replace("node_port: 30080", "callers: open"))
    assert load_settings(project, "dev", REGISTRY).gateway.callers is Callers.OPEN


def test_what_is_optional_may_be_left_out(project: Path) -> None:
    Path("Pulumi.dev.yaml").write_text(
        f"config:\n  sluice:namespace: a\n  sluice:gateway: {{image: 'a/b@{DIGEST}', replicas: 1}}\n"
    )

    settings = load_settings(project, "dev", REGISTRY)

    assert settings.gateway.node_port is None
    assert settings.gateway.callers is Callers.REQUIRED
    assert settings.gateway.resources == Resources("100m", "256Mi", None, "256Mi")
    assert settings.stub_provider is None
    assert settings.provider_addresses == {}
    assert settings.keys_set == ()
    assert settings.protected is False
    assert settings.cache is None
    assert settings.network == Network()
    assert (settings.gateway.max_replicas, settings.gateway.workers) == (1, 1)
    assert settings.gateway.longest_request_seconds == 120
    assert (settings.prometheus, settings.guard) == (None, None)
    assert (settings.ingress, settings.route, settings.quota) == (None, None, None)
    assert (settings.operators, settings.reviewers) == ((), ())


@pytest.mark.parametrize(
    ("right", "wrong", "expected"),
    [
        (
            "sluice:namespace: sluice-dev",
            "sluice:namespace: Sluice_Dev",
            (
                '4:21: config.sluice:namespace: "Sluice_Dev" cannot be used here; the Kubernetes namespace '
                "that holds everything of this environment, for example sluice-dev"
            ),
        ),
        (
            "  sluice:namespace: sluice-dev\n",
            "",
            "2:1: config: sluice:namespace is missing; add it, for example sluice:namespace: sluice-dev",
        ),
        (
            f"gateway@{DIGEST}",
            "gateway:latest",
            '7:12: config.sluice:gateway.image: "sluice.local/gateway:latest" cannot be used here; an '
            "image by its digest, so that what runs is what was reviewed: NAME@sha256: and 64 digits of 0-9a-f, for "
            "example registry.example.com/sluice/gateway@" + DIGEST,
        ),
        (
            "replicas: 2",
            "replicas: 0",
            "8:15: config.sluice:gateway.replicas: 0 is too small; the least is 1",
        ),
        (
            "replicas: 2",
            "replica: 2",
            '8:5: config.sluice:gateway.replica: is not a field here; did you mean "replicas"?',
        ),
        (
            "node_port: 30080",
            "node_port: 8080",
            "9:16: config.sluice:gateway.node_port: 8080 is too small; the least is 30000",
        ),
        (
            "cpu: 250m",
            "cpu: 250",
            (
                "10:33: config.sluice:gateway.resources.requests.cpu: 250 is not text; put it in quotes if it "
                "is meant as text"
            ),
        ),
        (
            "memory: 512Mi",
            "memory: 512MB",
            (
                '10:67: config.sluice:gateway.resources.limits.memory: "512MB" cannot be used here; bytes, '
                "with Mi or Gi, for example 128Mi"
            ),
        ),
        (
            "sluice:stub_provider:",
            "sluice:stub_providers:",
            '11:3: config.sluice:stub_providers: is not a setting; did you mean "stub_provider"?',
        ),
        (
            "{mistral: ",
            "{mistrall: ",
            (
                '12:31: config.sluice:provider_addresses.mistrall: no provider is named "mistrall"; did you '
                'mean "mistral"?'
            ),
        ),
        (
            "http://stub-provider:8080/mistral/v1",
            "stub-provider:8080",
            (
                '12:40: config.sluice:provider_addresses.mistral: "stub-provider:8080" cannot be used here; '
                "the address below which chat/completions lies, for example http://stub-provider:8080/mistral/v1"
            ),
        ),
        (
            'b: "4m"',
            "b: 4",
            (
                "17:99: config.sluice:ingress.annotations.a.example.com/b: 4 is not text; put it in quotes if it is "
                "meant as text"
            ),
        ),
        (
            "sluice:mistral-api-key: {secure: v1:abc:def}",
            "sluice:mistral-api-key: not-a-real-one",
            (
                "13:3: config.sluice:mistral-api-key: is a key in plain text; take it out, have the provider "
                "replace it if it was ever committed, and encrypt the new one by `pulumi config set --secret "
                "sluice:mistral-api-key`"
            ),
        ),
        (
            "sluice:mistral-api-key: {secure: v1:abc:def}",
            "sluice:mistral-api-key:",
            (
                "13:3: config.sluice:mistral-api-key: is empty; set it by `pulumi config set --secret "
                "sluice:mistral-api-key`"
            ),
        ),
        (
            "providers: {openai: openai}",
            "providers: {opnai: openai}",
            '24:135: config.sluice:litellm.providers.opnai: no provider is named "opnai"; did you mean "openai"?',
        ),
        (
            'post: "http://x/y"',
            'posts: "http://x/y"',
            '28:96: config.sluice:report.to.posts: is not a field here; did you mean "post"?',
        ),
        (
            "sluice:guard: {image:",
            "kubernetes:guard: {image:",
            "26:3: config.sluice:report: stands without sluice:guard; add sluice:guard, or take out sluice:report",
        ),
        (
            "{openai: openai}",
            "{}",
            "24:134: config.sluice:litellm.providers: is empty; name at least one",
        ),
        (
            '  sluice:prometheus: {url: "http://prometheus.example.com:9090/"}\n',
            "",
            "2:1: config: sluice:prometheus is missing; add it",
        ),
        (
            ", listener: https}",
            "}",
            "23:3: config.sluice:route: listener is missing; add it, for example listener: https",
        ),
        (
            "listener: https",
            "listener: https, tls_secret: gateway-tls",
            (
                "23:104: config.sluice:route.tls_secret: is not a field here; the fields are host, gateway, "
                "gateway_namespace, listener, proxy_namespace"
            ),
        ),
    ],
)
def test_a_wrong_setting_is_refused_with_the_place_and_the_remedy(
    right: str, wrong: str, expected: str, project: Path
) -> None:
    assert right in RIGHT
    Path("Pulumi.dev.yaml").write_text(RIGHT.replace(right, wrong, 1))

    with pytest.raises(InvalidRegistry, match=r"^refused, 1 mistake:") as refused:
        load_settings(project, "dev", REGISTRY)

    assert [str(finding).rpartition(" [SL")[0] for finding in refused.value.findings] == [f"Pulumi.dev.yaml:{expected}"]


def test_a_report_is_posted_to_an_address_that_a_secret_holds(project: Path) -> None:
    secret = 'post: "http://x/y", post_secret: {name: report-webhook, key: address}'
    Path("Pulumi.dev.yaml").write_text(RIGHT.replace('post: "http://x/y"', secret))
    report = load_settings(project, "dev", REGISTRY).report
    assert report is not None
    assert (report.post, report.post_secret) == ("http://x/y", PostSecret("report-webhook", "address"))

    Path("Pulumi.dev.yaml").write_text(RIGHT.replace('post: "http://x/y"', secret.partition(", ")[2]))
    with pytest.raises(InvalidRegistry, match=r"sluice:report\.to\.post_secret: stands without post; add post"):
        load_settings(project, "dev", REGISTRY)


def test_production_takes_no_stub_provider(project: Path) -> None:
    Path("Pulumi.production.yaml").write_text(RIGHT)

    with pytest.raises(
        InvalidRegistry, match=r"production\.yaml:11:3: config\.sluice:stub_provider: would give users m"
    ):
        load_settings(project, "production", REGISTRY)


# Keys of providers are long, or have a long run of letters and digits, or both.
_keys = st.from_regex(r"(sk-[a-z]{1,4}-)?[A-Za-z0-9]{32}([A-Za-z0-9_-]{0,60})", fullmatch=True)

_places = st.sampled_from(
    [
        "  sluice:mistral-api-key: KEY",
        "  sluice:mistral-api-key: {secure: v1:a, value: KEY}",
        "  sluice:mistral-api-key: [KEY]",
        "  sluice:mistral: KEY",
        "  sluice:namespace: KEY",
        "  sluice:stub_provider: KEY",
        "  sluice:stub_provider: {image: KEY}",
        "  sluice:provider_addresses: {mistral: KEY}",
    ]
)


@given(_keys, _places)
def test_no_message_ever_shows_a_key_wherever_it_was_put(key: str, place: str) -> None:
    content = "config:\n" + place.replace("KEY", f'"{key}"')

    document, findings = parse_document(content.encode(), "Pulumi.dev.yaml")
    assert document is not None
    findings = check_settings(document, "dev", Names.of(REGISTRY))

    assert findings
    assert not any(key in str(finding) for finding in findings)


def test_images_that_were_just_built_stand_in_place_of_those_in_the_file(project: Path) -> None:
    settings = load_settings(project, "dev", REGISTRY)

    built = settings.with_images(gateway="sluice.local/gateway:abc", stub_provider="sluice.local/stub-provider:def")

    assert built.gateway.image == "sluice.local/gateway:abc"
    assert built.stub_provider == StubProviderSettings("sluice.local/stub-provider:def")
    assert built.gateway.replicas == 2
    assert settings.with_images() == settings


def test_an_environment_without_a_stub_provider_gets_none_by_a_built_image(project: Path) -> None:
    Path("Pulumi.dev.yaml").write_text("\n".join(line for line in RIGHT.splitlines() if "stub_provider:" not in line))

    settings = load_settings(project, "dev", REGISTRY).with_images(stub_provider="sluice.local/stub-provider:def")

    assert settings.stub_provider is None
