"""How many pods there are, by which name they are reached, what they may take, and who may do what."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sluice.registry import Autoscaling, Ingress, Quota, Route, Settings, Traces, environments, load_environment
from sluice.render import Rendered, render
from tests.render.made_environment import REGISTRY, SETTINGS, only, rollout

PROJECT = Path(__file__).parent.parent.parent
SCALED = replace(SETTINGS, gateway=replace(SETTINGS.gateway, autoscaling=Autoscaling(9, 60, 40)))
ALONE = replace(SETTINGS, gateway=replace(SETTINGS.gateway, replicas=1))


def of(settings: Settings) -> Rendered:
    return render(REGISTRY, rollout(), settings)


def pod(settings: Settings) -> dict[str, Any]:
    found: dict[str, Any] = only(of(settings), "Deployment", "gateway").body["spec"]["template"]["spec"]
    return found


def told(settings: Settings) -> dict[str, str]:
    return {one["name"]: one["value"] for one in pod(settings)["containers"][0]["env"]}


def kinds(settings: Settings) -> set[str]:
    return {item.kind for item in of(settings).objects()}


def test_without_an_autoscaler_the_number_of_pods_is_gits() -> None:
    assert only(of(SETTINGS), "Deployment", "gateway").body["spec"]["replicas"] == 2
    assert "HorizontalPodAutoscaler" not in kinds(SETTINGS)
    assert told(SETTINGS)["SLUICE_REPLICAS"] == "2"


def test_with_an_autoscaler_the_number_of_pods_is_its_own_and_no_update_sets_it_back() -> None:
    spec = only(of(SCALED), "HorizontalPodAutoscaler", "gateway").body["spec"]

    assert "replicas" not in only(of(SCALED), "Deployment", "gateway").body["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 9)
    assert told(SCALED)["SLUICE_REPLICAS"] == "9", "without Redis, no more than the whole is allowed at full size"


def test_an_autoscaler_looks_at_cpu_always_and_at_requests_where_their_metric_is_brought() -> None:
    by_cpu = replace(SCALED, gateway=replace(SCALED.gateway, autoscaling=Autoscaling(9)))
    metrics = only(of(SCALED), "HorizontalPodAutoscaler", "gateway").body["spec"]["metrics"]

    assert [one["type"] for one in metrics] == ["Resource", "Pods"]
    assert metrics[0]["resource"]["target"]["averageUtilization"] == 60
    assert metrics[1]["pods"] == {
        "metric": {"name": "sluice_requests_in_flight"},
        "target": {"type": "AverageValue", "averageValue": "40"},
    }
    assert [one["type"] for one in only(of(by_cpu), "HorizontalPodAutoscaler", "gateway").body["spec"]["metrics"]] == [
        "Resource"
    ]


def test_a_drain_of_nodes_takes_one_pod_at_a_time_and_never_waits_for_a_pod_alone() -> None:
    assert only(of(SETTINGS), "PodDisruptionBudget", "gateway").body["spec"]["maxUnavailable"] == 1
    assert "PodDisruptionBudget" not in kinds(ALONE)


def test_pods_are_spread_over_zones_and_nodes_where_there_are_several() -> None:
    assert [one["topologyKey"] for one in pod(SETTINGS)["topologySpreadConstraints"]] == [
        "topology.kubernetes.io/zone",
        "kubernetes.io/hostname",
    ]
    assert "topologySpreadConstraints" not in pod(ALONE)


@pytest.mark.parametrize("longest", [1, 120, 3600])
def test_a_pod_that_ends_gives_the_longest_request_its_time_and_kubernetes_more(longest: int) -> None:
    settings = replace(SETTINGS, gateway=replace(SETTINGS.gateway, longest_request_seconds=longest))
    drain, finish = (float(told(settings)[f"SLUICE_GATEWAY_{name}_SECONDS"]) for name in ("DRAIN", "FINISH"))

    assert finish == longest
    assert pod(settings)["terminationGracePeriodSeconds"] > drain + finish


def test_a_pod_of_several_workers_is_given_as_much_for_each_and_a_place_for_what_they_count() -> None:
    given = replace(SETTINGS.gateway.resources, cpu_request="0.25", cpu_limit="1500m", memory_limit="1Gi")
    settings = replace(SETTINGS, gateway=replace(SETTINGS.gateway, workers=3, resources=given))
    (container,) = pod(settings)["containers"]

    assert told(settings)["SLUICE_GATEWAY_WORKERS"] == "3"
    assert (container["resources"]["requests"]["cpu"], container["resources"]["limits"]["cpu"]) == ("0.75", "4500m")
    assert container["resources"]["requests"]["memory"] == "768Mi"
    assert container["resources"]["limits"]["memory"] == "3Gi"
    (place,) = [volume for volume in pod(settings)["volumes"] if "emptyDir" in volume]
    assert place["emptyDir"]["sizeLimit"]
    mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
    assert "readOnly" not in mounts[place["name"]]


def test_one_worker_writes_nothing_and_is_not_said() -> None:
    assert "SLUICE_GATEWAY_WORKERS" not in told(SETTINGS)
    assert not [volume for volume in pod(SETTINGS)["volumes"] if "emptyDir" in volume]


def test_a_priority_is_the_clusters_own_and_only_named() -> None:
    named = replace(SETTINGS, gateway=replace(SETTINGS.gateway, priority_class="business-critical"))

    assert pod(named)["priorityClassName"] == "business-critical"
    assert "priorityClassName" not in pod(SETTINGS)
    assert "PriorityClass" not in kinds(named)


def test_an_ingress_has_a_certificate_and_leads_to_the_api_alone() -> None:
    settings = replace(SETTINGS, ingress=Ingress("llm.example.com", "gateway-tls", "nginx"))
    spec = only(of(settings), "Ingress", "gateway").body["spec"]

    assert spec["tls"] == [{"hosts": ["llm.example.com"], "secretName": "gateway-tls"}]
    assert spec["ingressClassName"] == "nginx"
    (rule,) = spec["rules"]
    assert rule["host"] == "llm.example.com"
    assert [path["path"] for path in rule["http"]["paths"]] == ["/v1/"]
    assert "Ingress" not in kinds(SETTINGS)


def test_an_ingress_carries_what_its_controller_reads_and_nothing_else() -> None:
    asked = {"cert-manager.io/cluster-issuer": "made", "nginx.ingress.kubernetes.io/proxy-body-size": "4m"}
    plain = Ingress("llm.example.com", "gateway-tls")

    with_some = only(of(replace(SETTINGS, ingress=replace(plain, annotations=asked))), "Ingress", "gateway")
    with_none = only(of(replace(SETTINGS, ingress=plain)), "Ingress", "gateway")

    assert with_some.body["metadata"]["annotations"] == asked
    assert "annotations" not in with_none.body["metadata"]


def test_the_gateway_sees_the_ingress_certificate_and_never_its_key() -> None:
    settings = replace(SETTINGS, ingress=Ingress("llm.example.com", "gateway-tls", "nginx"))
    (volume,) = [one for one in pod(settings)["volumes"] if one["name"] == "certificate"]
    (mounted,) = [one for one in pod(settings)["containers"][0]["volumeMounts"] if one["name"] == "certificate"]

    assert volume["secret"]["secretName"] == told(settings)["SLUICE_GATEWAY_CERTIFICATE"] == "gateway-tls"
    assert volume["secret"]["items"] == [{"key": "tls.crt", "path": "tls.crt"}]
    assert volume["secret"]["optional"], "a pod starts before the certificate is there"
    assert mounted == {"name": "certificate", "mountPath": "/etc/sluice/certificate", "readOnly": True}
    assert "SLUICE_GATEWAY_CERTIFICATE" not in told(SETTINGS)
    assert "certificate" not in [one["name"] for one in pod(SETTINGS)["volumes"]]


def test_a_route_leads_from_the_listener_with_the_certificate_to_the_api_alone() -> None:
    settings = replace(SETTINGS, route=Route("llm.example.com", "shared", "gateways", "https"))
    found = only(of(settings), "HTTPRoute", "gateway")
    spec = found.body["spec"]

    assert (found.api_version, found.namespace) == ("gateway.networking.k8s.io/v1", SETTINGS.namespace)
    (parent,) = spec["parentRefs"]
    assert (parent["namespace"], parent["name"], parent["sectionName"]) == ("gateways", "shared", "https")
    assert spec["hostnames"] == ["llm.example.com"]
    (rule,) = spec["rules"]
    assert [match["path"] for match in rule["matches"]] == [{"type": "PathPrefix", "value": "/v1"}]
    assert [(to["name"], to["port"]) for to in rule["backendRefs"]] == [("gateway", 8080)]
    assert rule["timeouts"] == {"request": f"{SETTINGS.gateway.longest_request_seconds}s"}
    assert "HTTPRoute" not in kinds(SETTINGS)


def test_an_ingress_and_a_route_may_stand_beside_each_other() -> None:
    ingress, route = Ingress("llm.example.com", "gateway-tls"), Route("llm.example.com", "shared", "gateways", "https")

    assert {"Ingress", "HTTPRoute"} <= kinds(replace(SETTINGS, ingress=ingress, route=route))


def test_reviewers_are_held_to_the_program_that_sluice_review_runs() -> None:
    named = replace(SETTINGS, reviewers=("legal-reviewers", 'odd "name"'))
    policy = only(of(named), "ValidatingAdmissionPolicy", f"{SETTINGS.namespace}-reviewers").body["spec"]
    (rule,) = policy["matchConstraints"]["resourceRules"]
    (asked,) = policy["validations"]

    assert (rule["operations"], rule["resources"]) == (["CONNECT"], ["pods/exec"])
    assert policy["failurePolicy"] == "Fail"
    assert '["legal-reviewers", "odd \\"name\\""]' in policy["matchConditions"][0]["expression"]
    for index, word in enumerate(("python3", "-m", "sluice.gateway.kept_tool")):
        assert f'dyn(object).command[{index}] == "{word}"' in asked["expression"]
    assert not any(item.name.endswith("-reviewers") for item in of(SETTINGS).objects())


def test_a_quota_leaves_no_room_for_what_nobody_reviewed() -> None:
    settings = replace(SETTINGS, quota=Quota(30, "8", "8Gi"))
    hard = only(of(settings), "ResourceQuota", "environment").body["spec"]["hard"]

    assert (hard["pods"], hard["requests.cpu"], hard["requests.memory"]) == ("30", "8", "8Gi")
    assert (hard["services.loadbalancers"], hard["services.nodeports"]) == ("0", "0")
    assert not {"ResourceQuota", "LimitRange"} & kinds(SETTINGS)


def test_operators_may_set_the_override_and_see_no_secret() -> None:
    settings = replace(SETTINGS, operators=("llm-on-call",))
    rules = only(of(settings), "Role", "sluice-operator").body["rules"]
    writing = [rule for rule in rules if {"create", "update", "patch", "delete"} & set(rule["verbs"])]

    assert [(rule["resources"], rule["resourceNames"]) for rule in writing] == [
        (["configmaps"], ["override"]),
        (["services/proxy"], ["gateway:http"]),
    ]
    assert not any("secrets" in rule["resources"] for rule in rules)
    assert only(of(settings), "RoleBinding", "sluice-operator").body["subjects"] == [
        {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "llm-on-call"}
    ]
    assert not any(item.kind == "RoleBinding" and item.name == "sluice-operator" for item in of(SETTINGS).objects())


def test_reviewers_may_find_a_pod_and_run_a_program_in_it_and_nothing_else() -> None:
    rules = only(of(replace(SETTINGS, reviewers=("legal-reviewers",))), "Role", "sluice-reviewer").body["rules"]

    assert [(rule["resources"], rule["verbs"]) for rule in rules] == [
        (["pods"], ["get", "list"]),
        (["pods/exec"], ["get", "create"]),
    ]
    assert not any(item.kind == "RoleBinding" and item.name == "sluice-reviewer" for item in of(SETTINGS).objects())


def test_the_guard_changes_what_is_its_own_to_change_and_makes_events_alone() -> None:
    rules = only(of(SETTINGS), "Role", "sluice-guard").body["rules"]

    assert [(rule["resources"], rule.get("resourceNames")) for rule in rules if "patch" in rule["verbs"]] == [
        (["configmaps"], ["override"]),
        (["configmaps"], ["rollbacks"]),
        (["leases"], ["sluice-guard"]),
    ]
    assert [rule["resources"] for rule in rules if "create" in rule["verbs"]] == [["events"]]
    assert {verb for rule in rules for verb in rule["verbs"]} == {"get", "list", "watch", "patch", "create"}


def test_the_namespaces_rules_for_pods_are_those_of_a_named_version() -> None:
    labels = of(SETTINGS).namespace.body["metadata"]["labels"]

    for mode in ("enforce", "audit", "warn"):
        assert labels[f"pod-security.kubernetes.io/{mode}"] == "restricted"
        assert labels[f"pod-security.kubernetes.io/{mode}-version"] == "v1.33"


@pytest.mark.parametrize("environment", environments(PROJECT))
def test_an_environments_quota_holds_all_of_its_pods_and_those_of_an_update(environment: str) -> None:
    settings = load_environment(PROJECT, environment).settings
    if settings.quota is None:
        assert environment == "dev"
        return
    most = settings.gateway.max_replicas * 1.25
    given = settings.gateway.resources

    assert settings.quota.pods >= most
    assert _cores(settings.quota.cpu) >= most * _cores(given.cpu_request)
    assert _mebibytes(settings.quota.memory) >= most * _mebibytes(given.memory_limit)


def test_production_is_there_through_the_loss_of_a_node() -> None:
    rendered = load_environment(PROJECT, "production").settings

    assert rendered.gateway.replicas >= 3
    assert rendered.protected


def _cores(quantity: str) -> float:
    return float(quantity[:-1]) / 1000 if quantity.endswith("m") else float(quantity)


def _mebibytes(quantity: str) -> float:
    return float(quantity[:-2]) * {"Mi": 1, "Gi": 1024}[quantity[-2:]]


def test_a_collector_is_told_to_the_gateway_and_let_through_to() -> None:
    traces = Traces("http://otel-collector.observability.svc:4318", 0.1)
    settings = replace(SETTINGS, gateway=replace(SETTINGS.gateway, traces=traces, log_level="warning"))
    assert told(settings)["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://otel-collector.observability.svc:4318"
    assert told(settings)["OTEL_TRACES_SAMPLER_ARG"] == "0.1"
    assert told(settings)["SLUICE_GATEWAY_LOG_LEVEL"] == "warning"
    let_through = only(of(settings), "NetworkPolicy", "gateway").body["spec"]["egress"][-1]
    assert let_through["ports"] == [{"port": 4318, "protocol": "TCP"}]
    assert "observability" in str(let_through["to"])
