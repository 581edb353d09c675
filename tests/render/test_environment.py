"""What holds for every rendered environment, over made registries, rollouts and settings."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.registry import (
    EmbeddedCache,
    ExternalCache,
    Rollout,
    Settings,
    environments,
    load_environment,
)
from sluice.render import Rendered, manifests, render
from tests.render.made_environment import PROJECT, REGISTRY, SETTINGS, only, rollout, rollouts

OF_THE_CLUSTER = {"Namespace", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}

settings_of_dev = st.builds(
    lambda replicas, node_port, stub, cache: replace(
        SETTINGS,
        gateway=replace(SETTINGS.gateway, replicas=replicas, node_port=node_port),
        stub_provider=SETTINGS.stub_provider if stub else None,
        cache=cache,
    ),
    st.integers(1, 9),
    st.none() | st.integers(30000, 32767),
    st.booleans(),
    st.sampled_from([None, SETTINGS.cache, ExternalCache("redis://redis.example.com:6379")]),
)


@pytest.mark.parametrize(("node_port", "kind"), [(None, "ClusterIP"), (30080, "NodePort")])
def test_the_service_opens_one_port_and_never_that_of_the_metrics(node_port: int | None, kind: str) -> None:
    settings = replace(SETTINGS, gateway=replace(SETTINGS.gateway, node_port=node_port))
    spec = only(render(REGISTRY, rollout(), settings), "Service", "gateway").body["spec"]

    assert spec["type"] == kind
    assert [(port["port"], port["targetPort"], port.get("nodePort")) for port in spec["ports"]] == [
        (8080, "http", node_port)
    ]


def pods(rendered: Rendered) -> list[dict[str, object]]:
    return [item.body["spec"]["template"]["spec"] for item in rendered.objects() if item.kind == "Deployment"]


@given(rollouts, settings_of_dev)
def test_every_pod_is_admitted_by_pod_security_restricted_and_cannot_write_its_root(
    declared: Rollout, settings: Settings
) -> None:
    for pod in pods(render(REGISTRY, declared, settings)):
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True  # type: ignore[index]
        assert pod["securityContext"]["runAsUser"] >= 10000  # type: ignore[index]
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}  # type: ignore[index]
        for container in pod["containers"]:  # type: ignore[attr-defined]
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["terminationMessagePolicy"] == "FallbackToLogsOnError"
            assert not any("subPath" in mount for mount in container.get("volumeMounts", []))


def test_a_pod_is_ready_by_another_question_than_it_is_alive_by() -> None:
    (container,) = only(render(REGISTRY, rollout(), SETTINGS), "Deployment", "gateway").body["spec"]["template"][
        "spec"
    ]["containers"]

    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container["startupProbe"] != container["livenessProbe"]


def test_the_gateway_may_watch_flags_and_override_and_nothing_else() -> None:
    rendered = render(REGISTRY, rollout(), SETTINGS)

    assert only(rendered, "Role", "gateway-watch").body["rules"] == [
        {
            "apiGroups": [""],
            "resources": ["configmaps"],
            "resourceNames": ["flags", "override"],
            "verbs": ["get", "list", "watch"],
        }
    ]
    binding = only(rendered, "RoleBinding", "gateway-watch").body
    assert binding["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "gateway-watch"}
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "gateway", "namespace": "sluice-dev"}]


def test_the_gateways_token_is_short_lived_and_lies_where_clients_look_for_it() -> None:
    pod = only(render(REGISTRY, rollout(), SETTINGS), "Deployment", "gateway").body["spec"]["template"]["spec"]
    (access,) = [volume["projected"] for volume in pod["volumes"] if volume["name"] == "api-access"]
    (mount,) = [one for one in pod["containers"][0]["volumeMounts"] if one["name"] == "api-access"]

    assert access["sources"][0] == {"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}}
    assert [item["path"] for source in access["sources"][1:] for _, one in source.items() for item in one["items"]] == [
        "ca.crt",
        "namespace",
    ]
    assert mount == {
        "name": "api-access",
        "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
        "readOnly": True,
    }


@pytest.mark.parametrize(
    ("cache", "url"),
    [
        (None, None),
        (SETTINGS.cache, "redis://cache:6379"),
        (ExternalCache("rediss://redis.example.com:6380"), "rediss://redis.example.com:6380"),
    ],
)
def test_the_gateway_is_told_where_its_redis_is(cache: EmbeddedCache | ExternalCache | None, url: str | None) -> None:
    rendered = render(REGISTRY, rollout(), replace(SETTINGS, cache=cache))
    (container,) = only(rendered, "Deployment", "gateway").body["spec"]["template"]["spec"]["containers"]
    told = {one["name"]: one["value"] for one in container["env"]}

    assert told.get("SLUICE_REDIS_URL") == url
    assert told["SLUICE_REPLICAS"] == "2"
    assert len(rendered.cache) == (2 if cache is SETTINGS.cache else 0)


def test_the_embedded_cache_writes_nothing_and_drops_only_what_has_an_end() -> None:
    deployment = only(render(REGISTRY, rollout(), SETTINGS), "Deployment", "cache")
    (container,) = deployment.body["spec"]["template"]["spec"]["containers"]
    told = dict(zip(container["args"][::2], container["args"][1::2], strict=True))

    assert (told["--save"], told["--appendonly"]) == ("", "no")
    assert (told["--maxmemory"], told["--maxmemory-policy"]) == ("64mb", "volatile-lru")
    assert container["resources"]["limits"]["memory"] == "128Mi"


def test_a_pod_starts_without_an_override_and_without_keys_of_callers() -> None:
    pod = only(render(REGISTRY, rollout(), SETTINGS), "Deployment", "gateway").body["spec"]["template"]["spec"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}

    assert volumes["override"] == {"name": "override", "configMap": {"name": "override", "optional": True}}
    assert volumes["callers"]["secret"]["secretName"] == "caller-keys"
    assert volumes["callers"]["secret"]["optional"] is True


def test_the_override_is_declared_without_data() -> None:
    assert set(render(REGISTRY, rollout(), SETTINGS).override.body) == {"apiVersion", "kind", "metadata"}


def test_no_role_holds_a_wildcard_or_reaches_beyond_the_namespace() -> None:
    for item in render(REGISTRY, rollout(), SETTINGS).objects():
        assert not item.kind.startswith("Cluster")
        for rule in item.body.get("rules", []):
            assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]], item.name


def test_a_new_pod_that_does_not_start_fails_within_two_minutes_and_takes_no_old_one_away() -> None:
    spec = only(render(REGISTRY, rollout(), SETTINGS), "Deployment", "gateway").body["spec"]

    assert spec["progressDeadlineSeconds"] < 120
    assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def test_the_namespace_enforces_restricted() -> None:
    labels = render(REGISTRY, rollout(), SETTINGS).namespace.body["metadata"]["labels"]

    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


@given(rollouts, settings_of_dev)
def test_objects_are_plain_json_in_one_namespace_with_our_labels(declared: Rollout, settings: Settings) -> None:
    objects = render(REGISTRY, declared, settings).objects()

    assert objects[0].kind == "Namespace"
    assert len({(item.kind, item.name) for item in objects}) == len(objects)
    for item in objects:
        assert json.loads(json.dumps(item.body)) == item.body
        assert (item.body["apiVersion"], item.body["kind"]) == (item.api_version, item.kind)
        assert item.body["metadata"]["name"] == item.name
        assert item.namespace == (None if item.kind in OF_THE_CLUSTER else "sluice-dev")
        assert item.namespace or "sluice-dev" in item.name
        assert item.body["metadata"]["labels"]["app.kubernetes.io/part-of"] == "sluice"


def test_a_selector_picks_the_pods_of_its_own_deployment_alone() -> None:
    rendered = render(REGISTRY, rollout(), SETTINGS)
    templates = {
        item.name: item.body["spec"]["template"]["metadata"]["labels"]
        for item in rendered.objects()
        if item.kind == "Deployment"
    }
    for item in rendered.objects():
        if item.kind in {"Deployment", "Service"}:
            selector = item.body["spec"]["selector"]
            wanted = selector.get("matchLabels", selector)
            assert [name for name, labels in templates.items() if wanted.items() <= labels.items()] == [item.name]


def test_of_keys_there_are_names_and_nothing_else() -> None:
    rendered = render(REGISTRY, rollout(), SETTINGS)

    assert rendered.provider_keys.name == "provider-keys"
    assert rendered.provider_keys.namespace == "sluice-dev"
    assert rendered.provider_keys.keys == ("mistral-api-key",)
    assert not any(item.kind == "Secret" for item in rendered.objects())


# A timestamp, or a run of text that is long and mixed enough to be a key; an image's digest is known to be none.
_TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}|\d{2}:\d{2}:\d{2}")

_LIKE_A_KEY = re.compile(r"\b(?=\w*\d)(?=\w*[A-Za-z])\w{24,}\b|\bsk-|BEGIN [A-Z ]*PRIVATE KEY|\bv1:")


@pytest.mark.parametrize("environment", environments(PROJECT))
def test_no_manifest_holds_a_timestamp_or_what_looks_like_a_key(environment: str) -> None:
    declared = load_environment(PROJECT, environment)

    for name, text in manifests(render(declared.registry, declared.rollout, declared.settings)).items():
        without_digests = re.sub(r"@sha256:[0-9a-f]{64}", "", text)
        assert not _TIMESTAMP.search(without_digests), name
        assert not _LIKE_A_KEY.search(without_digests), name
