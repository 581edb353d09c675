"""LiteLLM behind the gateway: nothing of it unless it is asked for, and then its own providers alone."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from sluice.registry import LITELLM_KEY, KeysNotSet, LiteLLM, Model, Price, Provider, Settings, require_keys
from sluice.render import Rendered, manifests, render
from tests.render.made_environment import DIGEST, REGISTRY, SETTINGS, only, rollout

COHERE = Provider("cohere", "https://api.cohere.com/v2", "cohere-api-key")
WITH_COHERE = replace(
    REGISTRY,
    providers={**REGISTRY.providers, "cohere": COHERE},
    models={
        **REGISTRY.models,
        "command": Model("command", "cohere", "command-r", None, Price(0.001, 0.002), None, None),
    },
)
OWN = LiteLLM(f"sluice.local/litellm@{DIGEST}", {"cohere": "cohere_chat"})
ON = replace(SETTINGS, stub_provider=None, litellm=OWN)


def of(settings: Any = ON) -> Rendered:
    return render(WITH_COHERE, rollout(), settings)


def configuration(settings: Any = ON) -> dict[str, Any]:
    (text,) = only(of(settings), "ConfigMap", "litellm-config").body["data"].values()
    found: dict[str, Any] = json.loads(text)
    return found


def gateway(settings: Any = ON) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(only(of(settings), "ConfigMap", "gateway-config").body["data"]["gateway.json"])
    return found


def pod() -> dict[str, Any]:
    found: dict[str, Any] = only(of(), "Deployment", "litellm").body["spec"]["template"]["spec"]
    return found


def test_an_environment_that_does_not_ask_for_it_has_nothing_of_it() -> None:
    plain = replace(ON, litellm=None)

    assert not any("litellm" in text for text in manifests(of(plain)).values())
    assert LITELLM_KEY not in of(plain).provider_keys.keys


def test_the_gateway_asks_litellm_for_the_models_of_its_providers_and_others_directly() -> None:
    content = gateway()

    assert content["providers"]["cohere"]["api"] == "http://litellm:4000/v1"
    assert content["providers"]["cohere"]["key"] == LITELLM_KEY
    assert content["providers"]["cohere"]["dialect"] == "openai"
    assert content["models"]["command"]["id"] == "command", "by its name in the registry: ids may be the same twice"
    assert content["providers"]["mistral"]["api"] == "https://api.mistral.ai/v1"
    assert content["models"]["qa-1"]["id"] == "ft:qa-1"


def test_litellm_knows_the_models_of_its_providers_and_no_key() -> None:
    (model,) = configuration()["model_list"]

    assert model["model_name"] == "command"
    assert model["litellm_params"] == {"model": "cohere_chat/command-r", "api_key": "os.environ/cohere-api-key"}
    assert configuration()["general_settings"]["master_key"] == "os.environ/LITELLM_MASTER_KEY"


def test_an_address_of_the_settings_stands_in_place_of_litellms_own() -> None:
    there = replace(ON, provider_addresses={"cohere": "https://cohere.example.com"})

    assert configuration(there)["model_list"][0]["litellm_params"]["api_base"] == "https://cohere.example.com"
    assert gateway(there)["providers"]["cohere"]["api"] == "http://litellm:4000/v1"


def test_what_fails_is_tried_once_because_failing_over_is_the_gateways() -> None:
    assert configuration()["router_settings"] == {"num_retries": 0, "disable_cooldowns": True}
    assert configuration()["litellm_settings"]["num_retries"] == 0


def test_its_pod_gets_the_keys_of_its_providers_and_its_own() -> None:
    (keys,) = [volume["secret"] for volume in pod()["volumes"] if volume["name"] == "keys"]

    assert [item["key"] for item in keys["items"]] == [LITELLM_KEY, "cohere-api-key"]
    assert not any("valueFrom" in variable for variable in pod()["containers"][0]["env"])
    assert pod()["automountServiceAccountToken"] is False


def test_its_root_cannot_be_written_but_for_temporary_files() -> None:
    (container,) = pod()["containers"]

    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert [mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")] == ["/tmp"]
    assert [volume["emptyDir"] for volume in pod()["volumes"] if volume["name"] == "tmp"] == [{"sizeLimit": "64Mi"}]


def test_a_change_of_its_configuration_starts_new_pods() -> None:
    other = replace(ON, provider_addresses={"cohere": "https://cohere.example.com"})
    names = {only(of(settings), "ConfigMap", "litellm-config").name for settings in (ON, other)}

    assert len(names) == 2
    assert "configmap-litellm-config.yaml" in manifests(of())


def test_two_pods_outlive_a_drain_and_one_needs_no_budget() -> None:
    two = replace(ON, litellm=replace(OWN, replicas=2))

    assert only(of(two), "PodDisruptionBudget", "litellm").body["spec"]["maxUnavailable"] == 1
    assert not [item for item in of().litellm if item.kind == "PodDisruptionBudget"]


def test_the_gateway_alone_reaches_it_and_it_reaches_nothing_private() -> None:
    spec = only(of(), "NetworkPolicy", "litellm").body["spec"]
    (rule,) = spec["ingress"]

    assert rule["from"] == [{"podSelector": {"matchLabels": only(of(), "Service", "gateway").body["spec"]["selector"]}}]
    assert [port["port"] for port in rule["ports"]] == [4000]
    dns, public = spec["egress"]
    assert {port["port"] for port in dns["ports"]} == {53}
    assert [peer["ipBlock"]["cidr"] for peer in public["to"]] == ["0.0.0.0/0", "::/0"]
    assert [port["port"] for port in public["ports"]] == [443]


def test_the_gateway_may_go_to_it_and_no_longer_where_its_providers_are() -> None:
    alone = replace(ON, litellm=replace(OWN, providers={"cohere": "cohere", "mistral": "mistral"}))
    egress = only(of(alone), "NetworkPolicy", "gateway").body["spec"]["egress"]

    assert any(rule["ports"] == [{"port": 4000, "protocol": "TCP"}] for rule in egress)
    assert not any("0.0.0.0/0" in json.dumps(rule) for rule in egress)


def test_its_key_is_asked_for_with_the_providers() -> None:
    ours = replace(ON, keys_set=("mistral-api-key", "cohere-api-key"))

    assert LITELLM_KEY in of().provider_keys.keys
    with pytest.raises(KeysNotSet, match=f"sluice secrets set dev {LITELLM_KEY}"):
        require_keys(WITH_COHERE, ours)


def test_a_stub_provider_that_stands_for_its_provider_lets_it_in() -> None:
    rehearsed = replace(
        ON, stub_provider=SETTINGS.stub_provider, provider_addresses={"cohere": "http://stub-provider:8080"}
    )

    def let_in(settings: Settings) -> list[str]:
        spec = only(of(settings), "NetworkPolicy", "stub-provider").body["spec"]
        peers = spec["ingress"][0]["from"]
        return [peer["podSelector"]["matchLabels"]["app.kubernetes.io/name"] for peer in peers]

    assert let_in(rehearsed) == ["gateway", "litellm"]
    assert let_in(replace(rehearsed, litellm=None)) == ["gateway"]
