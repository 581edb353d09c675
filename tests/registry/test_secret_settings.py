"""`sluice:secrets`: keys come from Pulumi's configuration or from a store, and never from both."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.registry import ExternalSecrets, InvalidRegistry, Settings, load_registry, load_settings, require_keys
from sluice.registry.provider_keys import KeysNotSet

REGISTRY = load_registry(Path(__file__).parent / "right")
BARE = f"""\
config:
  sluice:namespace: sluice-dev
  sluice:gateway: {{image: "a/b@sha256:{"0" * 64}", replicas: 1}}
"""
STORE = "{from: external, store: {name: vault}}"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(secrets: str, *, more: str = "") -> Settings:
    Path("Pulumi.dev.yaml").write_text(f"{BARE}  sluice:secrets: {secrets}\n{more}")
    return load_settings(Path(), "dev", REGISTRY)


def mistakes(secrets: str, *, more: str = "") -> list[str]:
    with pytest.raises(InvalidRegistry, match=r"^refused") as refused:
        load(secrets, more=more)
    return [str(finding) for finding in refused.value.findings]


def test_pulumi_holds_the_keys_unless_a_store_is_named() -> None:
    assert load("{from: pulumi}").secrets is None
    Path("Pulumi.dev.yaml").write_text(BARE)
    assert load_settings(Path(), "dev", REGISTRY).secrets is None


def test_a_store_has_an_entry_for_each_key_or_one_for_all() -> None:
    each = load(
        "{from: external, store: {name: vault, kind: ClusterSecretStore}, prefix: llm-dev-, callers: llm-dev-teams, "
        "redis_password: true, refresh: 5m}"
    ).secrets
    one = load("{from: external, store: {name: vault}, entry: llm/dev}").secrets

    assert each == ExternalSecrets("vault", True, None, "llm-dev-", "llm-dev-teams", True, "5m")
    assert each.store_kind == "ClusterSecretStore"
    assert each.place_of("mistral-api-key") == {"key": "llm-dev-mistral-api-key"}
    assert one == ExternalSecrets("vault", entry="llm/dev")
    assert (one.store_kind, one.refresh) == ("SecretStore", "1m")
    assert one.place_of("mistral-api-key") == {"key": "llm/dev", "property": "mistral-api-key"}


def test_keys_of_a_store_are_not_asked_for_in_the_file() -> None:
    require_keys(REGISTRY, load(STORE))
    with pytest.raises(KeysNotSet, match=r"\n  sluice secrets set dev mistral-api-key\n"):
        require_keys(REGISTRY, load("{from: pulumi}"))


@pytest.mark.parametrize("setting", ["mistral-api-key: {secure: v1:abc:def}", "callers: {web: {secure: v1:abc:def}}"])
def test_a_key_in_the_file_beside_a_store_is_refused_because_a_change_of_it_would_do_nothing(setting: str) -> None:
    (said,) = mistakes(STORE, more=f"  sluice:{setting}\n")

    assert said == (
        f"Pulumi.dev.yaml:5:3: config.sluice:{setting.partition(':')[0]}: is not used: sluice:secrets has the keys of "
        "this environment come from a store; take it out, or take out sluice:secrets: a key is in one place [SL093]"
    )


@pytest.mark.parametrize(
    ("secrets", "expected"),
    [
        ("{from: vault}", 'Pulumi.dev.yaml:4:26: config.sluice:secrets.from: "vault" cannot be used here'),
        ("{from: external}", "Pulumi.dev.yaml:4:3: config.sluice:secrets: store is missing; add it"),
        ("{store: {name: vault}}", "Pulumi.dev.yaml:4:3: config.sluice:secrets: from is missing; add it"),
        (
            "{from: pulumi, store: {name: vault}}",
            "Pulumi.dev.yaml:4:34: config.sluice:secrets.store: cannot stand here; take it out: beside from: pulumi",
        ),
        (
            "{from: external, store: {name: vault}, entry: llm, prefix: a-}",
            "Pulumi.dev.yaml:4:70: config.sluice:secrets.prefix: cannot stand here; take it out: an entry that holds",
        ),
        (
            "{from: external, store: {name: vault, kind: Vault}}",
            'Pulumi.dev.yaml:4:63: config.sluice:secrets.store.kind: "Vault" cannot be used here',
        ),
        ("{from: external, store: {name: vault}, refresh: often}", "Pulumi.dev.yaml:4:67: config.sluice:secrets.refr"),
        (
            "{from: external, store: {name: vault}, refesh: 1m}",
            'Pulumi.dev.yaml:4:58: config.sluice:secrets.refesh: is not a field here; did you mean "refresh"?',
        ),
    ],
)
def test_what_is_wrong_in_it_is_said_with_its_place(secrets: str, expected: str) -> None:
    (said,) = mistakes(secrets)

    assert said.startswith(expected)
