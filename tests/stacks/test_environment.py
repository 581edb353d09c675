"""A stack of each environment, from the files in git to what the engine is asked for; a mistake makes nothing."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pytest

from sluice.local.folders import PROJECT
from sluice.registry import load_environment
from sluice.render import KubernetesObject, render
from stacks.environment import deploy
from tests.components.recording import Recording, Secret, record

pytestmark = pytest.mark.slow


KEYS = ("mistral-api-key", "openai-api-key", "anthropic-api-key")
CONFIG = {f"sluice:{key}": f"value-of-{key}" for key in KEYS}
GATEWAY = f"registry.example.com/gateway@sha256:{'1' * 64}"
STUB_PROVIDER = f"registry.example.com/stub-provider@sha256:{'2' * 64}"
GUARD = f"registry.example.com/guard@sha256:{'5' * 64}"
PROMETHEUS = f"registry.example.com/prometheus@sha256:{'6' * 64}"
CACHE = f"registry.example.com/cache@sha256:{'4' * 64}"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project's data, in which Pulumi runs the program."""
    folder = tmp_path / "project"
    shutil.copytree(PROJECT / "registry", folder / "registry")
    for file in PROJECT.glob("Pulumi.*.yaml"):
        shutil.copy(file, folder)
    monkeypatch.chdir(folder)
    for name in ("GATEWAY_IMAGE", "STUB_PROVIDER_IMAGE", "CACHE_IMAGE", "GUARD_IMAGE", "PROMETHEUS_IMAGE", "CONTEXT"):
        monkeypatch.delenv(f"SLUICE_{name}", raising=False)
    return folder


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_GATEWAY_IMAGE", GATEWAY)
    monkeypatch.setenv("SLUICE_STUB_PROVIDER_IMAGE", STUB_PROVIDER)
    monkeypatch.setenv("SLUICE_CACHE_IMAGE", CACHE)
    monkeypatch.setenv("SLUICE_GUARD_IMAGE", GUARD)
    monkeypatch.setenv("SLUICE_PROMETHEUS_IMAGE", PROMETHEUS)


def failure(act: Callable[[], Recording]) -> str:
    with pytest.raises(pulumi.RunError, match=r".") as raised:
        act()
    return str(raised.value)


def image(recording: Recording, name: str) -> str:
    (deployment,) = [one for one in recording.of_kind("Deployment") if one.inputs["metadata"]["name"] == name]
    found: str = deployment.inputs["spec"]["template"]["spec"]["containers"][0]["image"]
    return found


def _as_made(wanted: KubernetesObject) -> dict[str, Any]:
    """What is rendered, beginning with as many pods as an autoscaler wants at the least."""
    if wanted.first_replicas is None:
        return wanted.body
    return {**wanted.body, "spec": {**wanted.body["spec"], "replicas": wanted.first_replicas}}


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("environment", ["dev", "staging", "production"])
def test_an_environment_gets_what_is_rendered_for_it_and_its_keys(environment: str) -> None:
    declared = load_environment(PROJECT, environment)
    settings = declared.settings.with_images(
        gateway=GATEWAY, stub_provider=STUB_PROVIDER, cache=CACHE, guard=GUARD, prometheus=PROMETHEUS
    )
    wanted = render(declared.registry, declared.rollout, settings)

    recording = record(deploy, stack=environment, config=CONFIG)

    made = {(one.inputs["kind"], one.inputs["metadata"]["name"]): one.inputs for one in recording.kubernetes()}
    rendered = {(one.kind, one.name): _as_made(one) for one in wanted.objects()}
    assert len(made) == len(recording.kubernetes())
    assert set(made) == {*rendered, ("Secret", "provider-keys"), ("Secret", "caller-keys")}
    for key, body in rendered.items():
        assert {**made[key], "metadata": {**made[key]["metadata"], "annotations": None}} == {
            **body,
            "metadata": {**body["metadata"], "annotations": None},
        }
    assert made["Secret", "provider-keys"]["stringData"] == Secret({key: f"value-of-{key}" for key in KEYS})


@pytest.mark.usefixtures("built")
def test_only_dev_has_a_stub_provider_and_a_cache_of_its_own() -> None:
    parts = {
        environment: [one.name for one in record(deploy, stack=environment, config=CONFIG).components()]
        for environment in ("dev", "staging", "production")
    }

    for part in ("stub-provider", "cache"):
        assert part in parts["dev"]
        assert part not in parts["staging"] + parts["production"]


@pytest.mark.usefixtures("built")
def test_the_images_that_were_built_stand_in_place_of_those_in_git() -> None:
    recording = record(deploy, config=CONFIG)

    assert (image(recording, "gateway"), image(recording, "stub-provider")) == (GATEWAY, STUB_PROVIDER)
    assert image(recording, "cache") == CACHE


def test_an_image_that_git_names_is_used_as_it_is(project: Path) -> None:
    settings = project / "Pulumi.staging.yaml"
    own = f"registry.example.com/sluice/gateway@sha256:{'3' * 64}"
    settings.write_text(settings.read_text().replace("0" * 64, "3" * 64))

    assert image(record(deploy, stack="staging", config=CONFIG), "gateway") == own


@pytest.mark.usefixtures("built")
def test_the_stack_says_where_callers_find_the_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    assert record(deploy, stack="dev", config=CONFIG).exports["url"] == "http://gateway.sluice-dev.svc:8080"
    monkeypatch.setenv("SLUICE_NODE_PORTS_AT", "127.0.0.1")
    assert record(deploy, stack="dev", config=CONFIG).exports == {
        "url": "http://127.0.0.1:30080",
        "namespace": "sluice-dev",
    }
    assert record(deploy, stack="staging", config=CONFIG).exports == {
        "url": "http://gateway.sluice-staging.svc:8080",
        "namespace": "sluice-staging",
    }


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("context", [None, "kind-made"])
def test_everything_goes_into_the_cluster_of_the_context(context: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if context:
        monkeypatch.setenv("SLUICE_CONTEXT", context)

    recording = record(deploy, config=CONFIG)

    (provider,) = [one for one in recording.made if one.type == "pulumi:providers:kubernetes"]
    assert provider.inputs.get("context") == context
    assert provider.inputs["enableConfigMapMutable"] == "true"
    assert provider.inputs["enableSecretMutable"] == "true"
    assert {one.provider.split("::")[-2] for one in recording.kubernetes()} == {provider.name}


@pytest.mark.usefixtures("built")
def test_all_keys_that_are_missing_are_named_with_the_command_to_type() -> None:
    said = failure(lambda: record(deploy, stack="staging", config={"sluice:openai-api-key": "value"}))

    assert said.splitlines() == [
        (
            "Pulumi.staging.yaml: no value is set for a provider's key; "
            "set each one (it is asked for, and stored encrypted):"
        ),
        "  sluice secrets set staging mistral-api-key",
        "  sluice secrets set staging anthropic-api-key",
    ]


def test_an_image_that_nobody_has_named_is_said_with_its_place() -> None:
    said = failure(lambda: record(deploy, stack="production", config=CONFIG))

    assert said.startswith("Pulumi.production.yaml: config.sluice:gateway.image: no image is named yet")
    assert "sluice up" in said


def test_a_stub_provider_that_nobody_has_built_is_said_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_GATEWAY_IMAGE", GATEWAY)

    said = failure(lambda: record(deploy, config=CONFIG))

    assert said.startswith("Pulumi.dev.yaml: config.sluice:stub_provider.image: no image is named yet")


def test_a_cache_that_nobody_has_built_is_said_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_GATEWAY_IMAGE", GATEWAY)
    monkeypatch.setenv("SLUICE_STUB_PROVIDER_IMAGE", STUB_PROVIDER)

    said = failure(lambda: record(deploy, config=CONFIG))

    assert said.startswith("Pulumi.dev.yaml: config.sluice:cache.embedded.image: no image is named yet")


@pytest.mark.usefixtures("built")
def test_the_password_of_a_redis_of_others_lies_beside_the_keys(project: Path) -> None:
    settings = project / "Pulumi.staging.yaml"
    settings.write_text(settings.read_text() + "  sluice:redis-password: {secure: v1:abc:def}\n")
    config = {**CONFIG, "sluice:redis-password": "made-password"}

    made = record(deploy, stack="staging", config=config).of_kind("Secret")
    (secret,) = [one for one in made if one.inputs["metadata"]["name"] == "provider-keys"]

    assert secret.inputs["stringData"].value["redis-password"] == "made-password"


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize(
    ("written", "configured", "made"),
    [
        ("{web: {secure: v1:abc:def}}", '{"web": "sha256:made"}', {"web": "sha256:made\n"}),
        ("{}", "{}", {}),  # the last team's key was taken away, and has to leave the pods too
    ],
)
def test_the_digests_of_callers_keys_are_a_secret_of_their_own(
    project: Path, written: str, configured: str, made: dict[str, str]
) -> None:
    settings = project / "Pulumi.staging.yaml"
    settings.write_text(settings.read_text() + f"  sluice:callers: {written}\n")

    recording = record(deploy, stack="staging", config={**CONFIG, "sluice:callers": configured})

    (secret,) = [one for one in recording.of_kind("Secret") if one.inputs["metadata"]["name"] == "caller-keys"]
    encoded = {team: base64.b64encode(digest.encode()).decode() for team, digest in made.items()}
    assert secret.inputs.get("data") == (Secret(encoded) if encoded else None)
    elsewhere = [one for one in recording.made if one is not secret]
    assert "sha256:made" not in repr([(one.name, one.request) for one in elsewhere] + [recording.outputs])


@pytest.mark.usefixtures("built")
def test_where_a_store_has_the_keys_pulumi_reads_none_and_makes_no_secret(project: Path) -> None:
    settings = project / "Pulumi.staging.yaml"
    settings.write_text(settings.read_text() + "  sluice:secrets: {from: external, store: {name: vault}, callers: c}\n")

    recording = record(deploy, stack="staging", config={})

    assert recording.of_kind("Secret") == []
    made = recording.of_kind("ExternalSecret")
    assert [one.inputs["metadata"]["name"] for one in made] == ["caller-keys-from-store", "provider-keys-from-store"]


@pytest.mark.usefixtures("built")
def test_a_mistake_in_the_registry_is_said_with_its_place(project: Path) -> None:
    rollout = project / "registry" / "rollouts" / "dev.yaml"
    rollout.write_text(rollout.read_text().replace("  support:", "  suport:"))

    said = failure(lambda: record(deploy, config=CONFIG))

    assert "registry/rollouts/dev.yaml:" in said
    assert 'agents.suport: no agent is named "suport"; did you mean "support"?' in said


@pytest.mark.usefixtures("built")
def test_a_stack_without_settings_is_no_environment() -> None:
    said = failure(lambda: record(deploy, stack="prodution", config=CONFIG))

    assert "Pulumi.prodution.yaml:1:1: does not exist; the environments are dev, production, staging" in said


def test_a_mistake_is_found_before_anything_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    monkeypatch.setattr(Recording, "new_resource", lambda _, args: made.append(args.name))

    failure(lambda: record(deploy, stack="production", config=CONFIG))
    failure(lambda: record(deploy, stack="prodution", config=CONFIG))
    monkeypatch.setenv("SLUICE_GATEWAY_IMAGE", GATEWAY)
    failure(lambda: record(deploy, stack="production", config={}))

    assert made == []
