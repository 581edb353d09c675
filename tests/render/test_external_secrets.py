"""Keys that come from a store: what is rendered in place of the Secrets, and that both Secrets are files for few."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sluice.registry import ExternalSecrets, Settings, load_environment
from sluice.render import Rendered, manifests, render
from tests.render.made_environment import PROJECT, REGISTRY, SETTINGS, only, rollout

STORE = ExternalSecrets("vault", entry="llm/dev", callers="llm/dev-teams", refresh="5m")


def of(settings: Settings) -> Rendered:
    return render(REGISTRY, rollout(), settings)


def spec(secrets: ExternalSecrets, name: str) -> dict[str, Any]:
    found: dict[str, Any] = only(of(replace(SETTINGS, secrets=secrets)), "ExternalSecret", name).body["spec"]
    return found


def test_each_key_is_fetched_into_the_secret_that_the_gateway_mounts() -> None:
    assert spec(STORE, "provider-keys-from-store") == {
        "refreshPolicy": "Periodic",
        "refreshInterval": "5m",
        "secretStoreRef": {"kind": "SecretStore", "name": "vault"},
        "target": {
            "name": "provider-keys-from-store",
            "creationPolicy": "Orphan",
            "deletionPolicy": "Retain",
            "template": {"metadata": {"labels": dict(of(replace(SETTINGS, secrets=STORE)).provider_keys.labels)}},
        },
        "data": [
            {"secretKey": "mistral-api-key", "remoteRef": {"key": "llm/dev", "property": "mistral-api-key"}},
        ],
    }


def test_keys_may_be_entries_of_their_own_and_redis_password_one_of_them() -> None:
    own = ExternalSecrets("vault", cluster_store=True, prefix="llm-", redis_password=True)

    assert spec(own, "provider-keys-from-store")["secretStoreRef"]["kind"] == "ClusterSecretStore"
    assert [(one["secretKey"], one["remoteRef"]) for one in spec(own, "provider-keys-from-store")["data"]] == [
        ("mistral-api-key", {"key": "llm-mistral-api-key"}),
        ("redis-password", {"key": "llm-redis-password"}),
    ]


def test_teams_are_the_properties_of_one_entry_so_that_a_new_one_changes_the_store_alone() -> None:
    assert spec(STORE, "caller-keys-from-store")["dataFrom"] == [{"extract": {"key": "llm/dev-teams"}}]
    without = of(replace(SETTINGS, secrets=replace(STORE, callers=None)))
    assert [item.name for item in without.external_secrets] == ["provider-keys-from-store"]


def test_pulumi_makes_neither_secret_then_and_the_folder_says_who_does() -> None:
    rendered = of(replace(SETTINGS, secrets=STORE))

    assert rendered.caller_keys is None
    assert "# the External Secrets Operator makes the Secrets" in manifests(rendered)["kustomization.yaml"]
    assert "- externalsecret-provider-keys-from-store.yaml" in manifests(rendered)["kustomization.yaml"]


@pytest.mark.parametrize("teams", [None, (), ("web",)])
def test_without_a_store_pulumi_makes_the_secret_of_callers_also_where_no_team_has_a_key(
    teams: tuple[str, ...] | None,
) -> None:
    # A Secret that is missing would leave the keys of teams that there were in the pods.
    made = of(replace(SETTINGS, teams=teams)).caller_keys

    assert made is not None
    assert made.keys == (teams or ())


def test_nothing_of_a_store_is_rendered_where_there_is_none() -> None:
    assert of(SETTINGS).external_secrets == ()
    assert "ExternalSecret" not in {item.kind for item in of(SETTINGS).objects()}


def test_people_on_call_see_whether_keys_have_come_and_still_no_secret() -> None:
    def rules(settings: Settings) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = only(of(settings), "Role", "sluice-operator").body["rules"]
        return found

    added = [rule for rule in rules(replace(SETTINGS, secrets=STORE)) if rule not in rules(SETTINGS)]
    assert added == [
        {"apiGroups": ["external-secrets.io"], "resources": ["externalsecrets"], "verbs": ["get", "list", "watch"]}
    ]
    assert not any("secrets" in rule["resources"] for rule in rules(replace(SETTINGS, secrets=STORE)))


@pytest.mark.parametrize("secrets", [None, STORE], ids=["pulumi", "external"])
@pytest.mark.parametrize("environment", ["dev", "staging", "production"])
def test_both_secrets_are_files_for_the_pods_group_alone_and_never_variables(
    environment: str, secrets: ExternalSecrets | None
) -> None:
    declared = load_environment(PROJECT, environment)
    rendered = render(declared.registry, declared.rollout, replace(declared.settings, secrets=secrets))
    pod = only(rendered, "Deployment", "gateway").body["spec"]["template"]["spec"]
    (container,) = pod["containers"]

    ending = "" if secrets is None else "-from-store"
    mounted = {volume["name"]: volume["secret"] for volume in pod["volumes"] if "secret" in volume}
    assert {name: (one["secretName"], one["defaultMode"]) for name, one in mounted.items()} == {
        "keys": (f"provider-keys{ending}", 0o440),
        "callers": (f"caller-keys{ending}", 0o440),
    }
    mounts = {one["name"]: one for one in container["volumeMounts"]}
    assert all(mounts[name]["readOnly"] and "subPath" not in mounts[name] for name in mounted), "subPath never updates"
    assert pod["securityContext"]["fsGroup"] == 10001
    for item in rendered.objects():
        assert "secretKeyRef" not in repr(item.body)
        assert "secretRef" not in repr(item.body)
        assert item.kind != "Secret"
