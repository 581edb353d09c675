"""What is rendered is what is made: each object once, as it is, as a child of its component."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pulumi
import pulumi_kubernetes
import pytest

from components.access import Access, AccessArgs
from components.admission import Admission, AdmissionArgs
from components.alerts import Alerts, AlertsArgs
from components.availability import Availability, AvailabilityArgs
from components.cache import Cache, CacheArgs
from components.caller_keys import CallerKeys, CallerKeysArgs
from components.dashboards import Dashboards, DashboardsArgs
from components.environment_namespace import EnvironmentNamespace, EnvironmentNamespaceArgs
from components.external_secrets import ExternalSecrets, ExternalSecretsArgs
from components.flags import Flags, FlagsArgs
from components.gateway import Gateway, GatewayArgs
from components.guard import Guard, GuardArgs
from components.ingress import Ingress, IngressArgs
from components.litellm import LiteLLM, LiteLLMArgs
from components.network import Network, NetworkArgs
from components.override import Override, OverrideArgs
from components.prometheus import Prometheus, PrometheusArgs
from components.provider_keys import ProviderKeys, ProviderKeysArgs
from components.quotas import Quotas, QuotasArgs
from components.report import Report, ReportArgs
from components.stub_provider import StubProvider, StubProviderArgs
from sluice.local.folders import PROJECT
from sluice.registry import ExternalSecrets as Store
from sluice.registry import Ingress as IngressSettings
from sluice.registry import Route as RouteSettings
from sluice.registry import load_environment
from sluice.render import KubernetesObject, Rendered, render
from tests.components.recording import OWNER, Recording, Secret, record
from tests.everything import everything

ROUTE_ACCEPTED = (
    'jsonpath={.status.parents[*].conditions[?(@.type=="Accepted" && @.observedGeneration==$.metadata.generation)]'
    ".status}=True"
)
ENVIRONMENTS = ("dev", "staging", "production", "everything")


def rendered(environment: str) -> Rendered:
    if environment == "everything":
        return everything()
    declared = load_environment(PROJECT, environment)
    return render(declared.registry, declared.rollout, declared.settings)


def program(of: Rendered) -> Callable[[], None]:
    """Every component of an environment, wired as a stack wires them."""

    def run() -> None:
        here = pulumi.ResourceOptions(provider=pulumi_kubernetes.Provider("cluster"))
        namespace = EnvironmentNamespace("namespace", EnvironmentNamespaceArgs(of.namespace, False), here).name
        Admission("admission", AdmissionArgs(of.admission), here)
        if of.reviewing:
            Admission("reviewing", AdmissionArgs(of.reviewing), here)
        Quotas("quotas", QuotasArgs(of.quotas, namespace), here)
        Network("network", NetworkArgs(of.network, namespace), here)
        Availability("availability", AvailabilityArgs(of.availability, namespace), here)
        Ingress("ingress", IngressArgs(of.ingress, namespace), here)
        values = {key: pulumi.Output.secret(f"value-of-{key}") for key in of.provider_keys.keys}
        ProviderKeys("provider-keys", ProviderKeysArgs(of.provider_keys, namespace, values), here)
        assert of.caller_keys is not None
        CallerKeys("caller-keys", CallerKeysArgs(of.caller_keys, namespace, pulumi.Output.secret({})), here)
        Flags("flags", FlagsArgs(of.flags, namespace), here)
        Override("override", OverrideArgs(of.override, namespace, False), here)
        Access("access", AccessArgs(of.access, namespace), here)
        Cache("cache", CacheArgs(of.cache, namespace), here)
        StubProvider("stub-provider", StubProviderArgs(of.stub_provider, namespace), here)
        Prometheus("prometheus", PrometheusArgs(of.prometheus, namespace), here)
        Guard("guard", GuardArgs(of.guard, namespace), here)
        Report("report", ReportArgs(of.report, namespace), here)
        LiteLLM("litellm", LiteLLMArgs(of.litellm, namespace), here)
        Gateway("gateway", GatewayArgs(of.gateway, namespace, "http://127.0.0.1:30080"), here)
        Alerts("alerts", AlertsArgs(of.alerts, namespace), here)
        Dashboards("dashboards", DashboardsArgs(of.dashboards, namespace), here)

    return run


@pytest.fixture(scope="module", params=ENVIRONMENTS)
def environment(request: pytest.FixtureRequest) -> tuple[Rendered, Recording]:
    of = rendered(request.param)
    return of, record(program(of), stack=request.param)


@pytest.fixture(scope="module")
def dev() -> Recording:
    return record(program(rendered("dev")))


def as_applied(wanted: KubernetesObject) -> dict[str, Any]:
    """A rendered object with what Pulumi is told beside it: whose its fields are, and that it may take them back.

    Beside that stands the number of pods that a Deployment begins with, where an autoscaler counts them afterwards, and
    what makes a route one that is served.
    """
    annotations = {**wanted.body["metadata"].get("annotations", {}), **OWNER}
    if wanted.kind == "HTTPRoute":
        annotations["pulumi.com/waitFor"] = ROUTE_ACCEPTED
    if wanted.name in ("override", "rollbacks") or wanted.kind == "Lease":
        del annotations["pulumi.com/patchForce"]
    applied = {**wanted.body, "metadata": {**wanted.body["metadata"], "annotations": annotations}}
    if wanted.first_replicas is not None:
        applied["spec"] = {**wanted.body["spec"], "replicas": wanted.first_replicas}
    return applied


def key(body: dict[str, Any]) -> tuple[str, str]:
    return body["kind"], body["metadata"]["name"]


def test_every_rendered_object_is_made_once_with_the_very_same_content(
    environment: tuple[Rendered, Recording],
) -> None:
    of, recording = environment
    made = [one.inputs for one in recording.kubernetes() if one.inputs["kind"] != "Secret"]

    assert sorted(made, key=key) == sorted(map(as_applied, of.objects()), key=key)
    assert len(made) == len(of.objects())


def test_beside_them_there_are_two_secrets_and_nothing_else(environment: tuple[Rendered, Recording]) -> None:
    of, recording = environment

    assert len(recording.kubernetes()) == len(of.objects()) + 2
    made = {one.inputs["metadata"]["name"]: one.inputs["metadata"] for one in recording.of_kind("Secret")}
    assert of.caller_keys is not None
    for wanted in (of.provider_keys, of.caller_keys):
        assert made.pop(wanted.name) == {
            "name": wanted.name,
            "namespace": wanted.namespace,
            "labels": dict(wanted.labels),
            "annotations": OWNER,
        }
    assert made == {}


def test_the_keys_are_secret_to_the_engine_and_in_no_other_place(environment: tuple[Rendered, Recording]) -> None:
    of, recording = environment
    (secret,) = [one for one in recording.of_kind("Secret") if one.inputs["metadata"]["name"] == of.provider_keys.name]

    assert secret.inputs["stringData"] == Secret({key: f"value-of-{key}" for key in of.provider_keys.keys})
    elsewhere = [one for one in recording.made if one is not secret]
    assert "value-of-" not in repr([(one.name, one.request) for one in elsewhere] + [recording.outputs])


def test_each_object_is_the_child_of_its_component_and_is_named_after_it(dev: Recording) -> None:
    parents = {one.name: one.parent for one in dev.kubernetes()}

    assert parents == {
        "namespace-namespace": "sluice:index:EnvironmentNamespace::namespace",
        "admission-validatingadmissionpolicy": "sluice:index:Admission::admission",
        "admission-validatingadmissionpolicybinding": "sluice:index:Admission::admission",
        "provider-keys-secret": "sluice:index:ProviderKeys::provider-keys",
        "caller-keys-secret": "sluice:index:CallerKeys::caller-keys",
        "flags-configmap": "sluice:index:Flags::flags",
        "override-configmap": "sluice:index:Override::override",
        "access-gateway-watch-role": "sluice:index:Access::access",
        "access-gateway-watch-rolebinding": "sluice:index:Access::access",
        "access-sluice-guard-role": "sluice:index:Access::access",
        "access-sluice-guard-rolebinding": "sluice:index:Access::access",
        "access-sluice-guard-serviceaccount": "sluice:index:Access::access",
        "access-sluice-operator-role": "sluice:index:Access::access",
        "access-sluice-reviewer-role": "sluice:index:Access::access",
        "network-default-deny-networkpolicy": "sluice:index:Network::network",
        "network-gateway-networkpolicy": "sluice:index:Network::network",
        "network-cache-networkpolicy": "sluice:index:Network::network",
        "network-stub-provider-networkpolicy": "sluice:index:Network::network",
        "network-prometheus-networkpolicy": "sluice:index:Network::network",
        "network-sluice-guard-networkpolicy": "sluice:index:Network::network",
        "cache-service": "sluice:index:Cache::cache",
        "cache-deployment": "sluice:index:Cache::cache",
        "stub-provider-service": "sluice:index:StubProvider::stub-provider",
        "stub-provider-deployment": "sluice:index:StubProvider::stub-provider",
        "prometheus-configmap": "sluice:index:Prometheus::prometheus",
        "prometheus-gateway-metrics-service": "sluice:index:Prometheus::prometheus",
        "prometheus-sluice-guard-metrics-service": "sluice:index:Prometheus::prometheus",
        "prometheus-service": "sluice:index:Prometheus::prometheus",
        "prometheus-deployment": "sluice:index:Prometheus::prometheus",
        "guard-lease": "sluice:index:Guard::guard",
        "guard-facts-configmap": "sluice:index:Guard::guard",
        "guard-configmap": "sluice:index:Guard::guard",
        "guard-deployment": "sluice:index:Guard::guard",
        "gateway-serviceaccount": "sluice:index:Gateway::gateway",
        "gateway-configmap": "sluice:index:Gateway::gateway",
        "gateway-service": "sluice:index:Gateway::gateway",
        "gateway-deployment": "sluice:index:Gateway::gateway",
    }
    assert {one.parent for one in dev.components()} == {"pulumi:pulumi:Stack::sluice-dev"}


def test_nothing_but_the_parent_and_what_comes_with_it_is_asked_for(environment: tuple[Rendered, Recording]) -> None:
    of, recording = environment
    others = ("protect", "ignoreChanges", "deleteBeforeReplace", "retainOnDelete", "replaceOnChanges")

    asked = [(one.name, option) for one in recording.made for option in others if one.request.get(option)]
    written_while_running = {"override-configmap", "guard-lease", "guard-facts-configmap"}
    made = {one.name for one in recording.made}
    scaled = any(item.kind == "HorizontalPodAutoscaler" for item in of.objects())
    left_alone = written_while_running & made | ({"gateway-deployment"} if scaled else set())
    assert set(asked) == {(name, "ignoreChanges") for name in left_alone}
    providers = {one.provider.split("::")[-2] for one in recording.kubernetes()}
    assert providers == {"cluster"}, "the component's provider reaches its children"


def test_everything_in_the_namespace_waits_for_it(environment: tuple[Rendered, Recording]) -> None:
    _, recording = environment

    for one in recording.kubernetes():
        if one.inputs["metadata"].get("namespace"):
            assert one.waits_for("metadata") == ["namespace-namespace"], one.name


def seconds(timeout: str) -> int:
    assert timeout.endswith("s"), timeout
    return int(timeout.removesuffix("s"))


def test_a_deployment_that_does_not_start_fails_the_update_in_under_two_minutes(
    environment: tuple[Rendered, Recording],
) -> None:
    deployments = environment[1].of_kind("Deployment")

    assert deployments
    for one in deployments:
        assert set(one.timeouts) == {"create", "update", "delete"}
        assert all(0 < seconds(timeout) < 120 for timeout in one.timeouts.values())
        deadline = one.inputs["spec"]["progressDeadlineSeconds"]
        assert deadline < seconds(one.timeouts["update"]), "Kubernetes gives up first, and says why"


def test_only_deployments_need_patience(dev: Recording) -> None:
    assert {one.inputs["kind"] for one in dev.kubernetes() if one.timeouts} == {"Deployment"}


def test_an_ingress_that_no_controller_serves_fails_the_update_in_under_two_minutes() -> None:
    declared = load_environment(PROJECT, "staging")
    settings = replace(declared.settings, ingress=IngressSettings("llm.example.com", "gateway-tls"))
    of = render(declared.registry, declared.rollout, settings)

    (made,) = record(lambda: Ingress("ingress", IngressArgs(of.ingress, "ours"))).of_kind("Ingress")

    assert all(0 < seconds(made.timeouts[operation]) < 120 for operation in ("create", "update", "delete"))


def test_a_route_that_no_gateway_takes_fails_the_update_in_under_two_minutes() -> None:
    declared = load_environment(PROJECT, "staging")
    settings = replace(declared.settings, route=RouteSettings("llm.example.com", "shared", "gateways", "https"))
    of = render(declared.registry, declared.rollout, settings)

    (made,) = record(lambda: Ingress("ingress", IngressArgs(of.ingress, "ours"))).of_kind("HTTPRoute")

    assert made.inputs["metadata"]["annotations"]["pulumi.com/waitFor"] == ROUTE_ACCEPTED
    assert all(0 < seconds(made.timeouts[operation]) < 120 for operation in ("create", "update", "delete"))


def test_each_component_says_what_others_need_of_it(dev: Recording) -> None:
    assert dev.outputs == {
        "namespace": {"name": "sluice-dev"},
        "admission": {"policy": "sluice-dev"},
        "provider-keys": {"secret": "provider-keys"},
        "caller-keys": {"secret": "caller-keys"},
        "flags": {"config_maps": ["flags"]},
        "override": {"config_map": "override"},
        "access": {},
        "cache": {},
        "network": {},
        "availability": {},
        "ingress": {},
        "quotas": {},
        "alerts": {},
        "dashboards": {},
        "stub-provider": {},
        "litellm": {},
        "gateway": {"url": "http://127.0.0.1:30080"},
        "guard": {},
        "prometheus": {},
        "report": {},
    }


def test_a_veto_in_the_override_is_never_pulumis(environment: tuple[Rendered, Recording]) -> None:
    (override,) = [one for one in environment[1].of_kind("ConfigMap") if one.inputs["metadata"]["name"] == "override"]

    assert "data" not in override.inputs, "even empty data would be owned, and a veto would be a difference to it"
    assert override.request["ignoreChanges"] == ["data", "binaryData"]
    assert "pulumi.com/patchForce" not in override.inputs["metadata"]["annotations"]


def test_what_the_guard_writes_is_never_pulumis() -> None:
    recording = record(program(rendered("production")), stack="production")
    made = {one.name: one for one in recording.made}
    lease, facts = made["guard-lease"], made["guard-facts-configmap"]

    assert "spec" not in lease.inputs
    assert "data" not in facts.inputs
    assert (lease.request["ignoreChanges"], facts.request["ignoreChanges"]) == (["spec"], ["data"])


def test_where_an_environment_is_protected_its_override_and_all_around_it_are() -> None:
    of = rendered("production")

    def run() -> None:
        namespace = EnvironmentNamespace("namespace", EnvironmentNamespaceArgs(of.namespace, True)).name
        Override("override", OverrideArgs(of.override, namespace, True))

    assert {one.name for one in record(run).made if one.request.get("protect")} == {
        "namespace-namespace",
        "override-configmap",
    }


def test_where_there_is_no_stub_provider_its_component_makes_nothing() -> None:
    recording = record(lambda: StubProvider("stub-provider", StubProviderArgs((), "ours")))

    assert recording.kubernetes() == []


def test_an_autoscalers_deployment_begins_with_the_least_of_its_pods_and_their_number_is_left_alone_then() -> None:
    made = {
        name: next(one for one in record(program(rendered(name))).made if one.name == "gateway-deployment")
        for name in ("dev", "production")
    }
    (autoscaler,) = [one for one in rendered("production").objects() if one.kind == "HorizontalPodAutoscaler"]

    assert made["dev"].inputs["spec"]["replicas"] == 1
    assert not made["dev"].request.get("ignoreChanges")
    assert made["production"].inputs["spec"]["replicas"] == autoscaler.body["spec"]["minReplicas"] == 3
    assert made["production"].request["ignoreChanges"] == ["spec.replicas"]


def test_what_is_written_for_others_to_apply_leaves_the_number_of_pods_to_the_autoscaler() -> None:
    (deployment,) = [
        one for one in rendered("production").objects() if (one.kind, one.name) == ("Deployment", "gateway")
    ]

    assert "replicas" not in deployment.body["spec"]


def test_an_update_waits_until_the_keys_of_a_store_have_come_and_gives_up_in_less_than_two_minutes() -> None:
    declared = load_environment(PROJECT, "staging")
    settings = replace(declared.settings, secrets=Store("vault", callers="teams"))
    wanted = render(declared.registry, declared.rollout, settings).external_secrets

    made = record(lambda: ExternalSecrets("external-secrets", ExternalSecretsArgs(wanted, "ours"))).kubernetes()

    for one, rendered in zip(made, sorted(wanted, key=lambda each: each.name), strict=True):
        assert one.name == f"external-secrets-{rendered.name}-externalsecret"
        annotations = {**OWNER, "pulumi.com/waitFor": "condition=Ready"}
        assert one.type == "kubernetes:external-secrets.io/v1:ExternalSecret"
        assert one.inputs["spec"] == rendered.body["spec"]
        assert one.inputs["metadata"] == {**rendered.body["metadata"], "namespace": "ours", "annotations": annotations}
        assert one.timeouts["create"] == one.timeouts["update"] == "100s"


def test_a_resource_that_the_engine_refuses_fails_these_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ZeroDivisionError("refused")

    monkeypatch.setattr(Recording, "new_resource", refuse)

    with pytest.raises(ZeroDivisionError, match="refused"):
        record(program(rendered("dev")))


def test_of_several_config_maps_with_flags_the_first_keeps_its_name_and_the_others_have_a_number() -> None:
    of = rendered("dev")
    second = KubernetesObject("v1", "ConfigMap", "flags-1", {**of.flags[0].body, "metadata": {"name": "flags-1"}})

    def run() -> None:
        Flags("flags", FlagsArgs((*of.flags, second), "sluice-dev"))

    made = record(run)

    assert [(one.name, one.inputs["metadata"]["name"]) for one in made.kubernetes()] == [
        ("flags-1-configmap", "flags-1"),
        ("flags-configmap", "flags"),
    ]
    assert made.outputs["flags"] == {"config_maps": ["flags", "flags-1"]}
