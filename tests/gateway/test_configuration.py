from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sluice.gateway.configuration import (
    Callers,
    ConfigurationInvalid,
    ConfigurationUnreadable,
    Screen,
    load_configuration,
)
from sluice.gateway.process_settings import ProcessSettingInvalid, ProcessSettings


def _valid() -> dict[str, Any]:
    return {
        "version": 1,
        "environment": "dev",
        "agents": {"qa": {"summary": "unit tests"}},
        "models": {"gpt-4o": {"provider": "openai", "id": "gpt-4o", "price": {"input": 0.0025, "output": 0.01}}},
        "providers": {"openai": {"api": "https://api.example.com/v1/", "key": "openai-api-key"}},
    }


def test_references_are_resolved_and_addresses_have_one_form(tmp_path: Path) -> None:
    path = tmp_path / "gateway.json"
    path.write_text(json.dumps(_valid()))
    configuration = load_configuration(path)
    model = configuration.models["gpt-4o"]
    assert model.provider is configuration.providers["openai"]
    assert model.provider.api == "https://api.example.com/v1"
    assert (model.input_price_per_1k_tokens, model.output_price_per_1k_tokens) == (0.0025, 0.01)
    assert configuration.agents["qa"].summary == "unit tests"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("version", 2, "version: 2 is not 1"),
        ("environment", "", "environment: must be a text"),
        ("agents", {}, "agents: must be an object"),
        ("agents", {"qa": {}}, "agents.qa: must be an object"),
        ("agents", {"qa": {"summary": "s", "watermark": ""}}, "watermark: must be a text"),
        ("agents", {"qa": {"summary": "s", "screen": "no"}}, "'no' is none of block, count, off"),
        ("callers", "anybody", "callers: 'anybody' is none of required, open"),
        (
            "models",
            {"m": {"provider": "nobody", "id": "m", "price": {"input": 0, "output": 0}}},
            "'nobody' is not among",
        ),
        (
            "models",
            {"m": {"provider": "openai", "id": "m", "price": {"input": -1, "output": 0}}},
            r"m.price.input: must",
        ),
        ("models", {"m": {"provider": "openai", "id": "m", "price": {"input": 1}}}, r"m.price.output: must"),
        ("models", {"m": {"provider": "openai", "id": 3, "price": {"input": 1, "output": 1}}}, "m.id: must be a text"),
        ("providers", {"openai": {"api": "ftp://x", "key": "k"}}, "is not an http or https address"),
        (
            "providers",
            {"openai": {"api": "http://x", "key": "k", "dialect": "latin"}},
            "'latin' is none of openai, anthropic",
        ),
        ("providers", {"openai": {"api": "http://x", "key": "k", "stream_usage": 1}}, "is none of on_request, always"),
        ("agents", {"qa": {"summary": "s", "deadline": 0}}, "agents.qa.deadline: must be seconds, 0.1 or more"),
        (
            "agents",
            {"qa": {"summary": "s", "hedge_after": "8s"}},
            "agents.qa.hedge_after: must be seconds, 0.1 or more",
        ),
        ("agents", {"qa": {"summary": "s", "breaker": {"failures": 0}}}, "breaker.failures: must be failures in a row"),
        ("agents", {"qa": {"summary": "s", "breaker": {"open": "1m"}}}, "breaker.open: must be seconds, 0 or more"),
        ("providers", {"openai": {"api": "http://x", "key": "../k"}}, "is not the name of a file below keys/"),
    ],
)
def test_each_fault_is_named_with_its_path(tmp_path: Path, field: str, value: object, message: str) -> None:
    path = tmp_path / "gateway.json"
    path.write_text(json.dumps({**_valid(), field: value}))
    with pytest.raises(ConfigurationInvalid, match=message) as invalid:
        load_configuration(path)
    assert str(invalid.value).startswith(f"{path}: ")
    assert "\n" not in str(invalid.value)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "gateway.json"
    path.write_text(json.dumps({**_valid(), "environment": None, "agents": []}))
    with pytest.raises(ConfigurationInvalid, match=r"environment: .*agents: |agents: .*environment: "):
        load_configuration(path)


def test_who_says_nothing_of_callers_and_safeguards_gets_the_strictest(tmp_path: Path) -> None:
    path = tmp_path / "gateway.json"
    path.write_text(json.dumps(_valid()))
    loaded = load_configuration(path)
    assert loaded.callers is Callers.REQUIRED
    assert {agent.screen for agent in loaded.agents.values()} == {Screen.BLOCK}


@pytest.mark.parametrize(
    ("text", "message"), [("", "is not JSON"), ("{", "is not JSON"), ("[]", "must be a JSON object")]
)
def test_what_is_no_json_object_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "gateway.json"
    path.write_text(text)
    with pytest.raises(ConfigurationInvalid, match=message):
        load_configuration(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationUnreadable, match=r"gateway\.json: cannot be read: No such file"):
        load_configuration(tmp_path / "gateway.json")


def test_process_settings_have_the_defaults_of_a_pod() -> None:
    assert ProcessSettings.from_environment({}) == ProcessSettings()
    assert ProcessSettings().folder == Path("/etc/sluice")


def test_process_settings_come_from_the_environment() -> None:
    settings = ProcessSettings.from_environment(
        {"SLUICE_GATEWAY_FOLDER": "/elsewhere", "SLUICE_GATEWAY_PORT": "0", "SLUICE_GATEWAY_DRAIN_SECONDS": "0.5"}
    )
    shared = ProcessSettings.from_environment({"SLUICE_REDIS_URL": "redis://cache:6379/0", "SLUICE_REPLICAS": "3"})
    assert (shared.redis_url, shared.replicas) == ("redis://cache:6379/0", 3)
    assert (settings.folder, settings.port, settings.drain_seconds) == (Path("/elsewhere"), 0, 0.5)


def test_a_password_in_the_address_of_redis_is_refused_and_not_shown() -> None:
    with pytest.raises(ProcessSettingInvalid, match="SLUICE_REDIS_URL: 'cache:6379' is not an address") as raised:
        ProcessSettings.from_environment({"SLUICE_REDIS_URL": "redis://:made-password@cache:6379"})
    assert "made-password" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        # What Kubernetes itself sets where a Service is named sluice-gateway.
        ("SLUICE_GATEWAY_PORT", "tcp://10.96.0.7:8080"),
        ("SLUICE_GATEWAY_PORT", "65536"),
        ("SLUICE_GATEWAY_METRICS_PORT", "-1"),
        ("SLUICE_GATEWAY_DRAIN_SECONDS", "soon"),
        ("SLUICE_GATEWAY_FINISH_SECONDS", "nan"),
        ("SLUICE_GATEWAY_SILENCE_TIMEOUT_SECONDS", "-1"),
        ("SLUICE_REDIS_URL", "cache:6379"),
        ("SLUICE_REDIS_URL", "http://cache:6379"),
        ("SLUICE_REPLICAS", "0"),
        ("SLUICE_REPLICAS", "some"),
    ],
)
def test_a_setting_that_is_none_is_named(name: str, value: str) -> None:
    with pytest.raises(ProcessSettingInvalid, match=f"{name}: .* is not an? "):
        ProcessSettings.from_environment({name: value})


def _in_parts(folder: Path, *parts: dict[str, Any]) -> Path:
    for number, part in enumerate(parts):
        (folder / f"gateway{f'-{number}' if number else ''}.json").write_text(json.dumps(part))
    return folder / "gateway.json"


def test_agents_and_models_in_further_files_are_read_with_the_first(tmp_path: Path) -> None:
    content = _valid()
    models = {"mini": {"provider": "openai", "id": "mini", "price": {"input": 0, "output": 0}}}
    agents = {"legal": {"summary": "clauses"}}

    configuration = load_configuration(
        _in_parts(tmp_path, {**content, "parts": 3}, {"agents": agents}, {"models": models})
    )

    assert list(configuration.agents) == ["qa", "legal"]
    assert list(configuration.models) == ["gpt-4o", "mini"]


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"agents": {"qa": {"summary": "s"}}}, r"gateway-1\.json: agents\.qa: stands in a file before it too"),
        ({"providers": {}}, r"gateway-1\.json: providers: is none of the objects agents and models"),
        ({"agents": []}, r"gateway-1\.json: agents: is none of the objects"),
        ([], r"gateway-1\.json: must be a JSON object"),
    ],
)
def test_a_further_file_that_says_something_else_is_refused(tmp_path: Path, part: Any, message: str) -> None:
    with pytest.raises(ConfigurationInvalid, match=message):
        load_configuration(_in_parts(tmp_path, {**_valid(), "parts": 2}, part))


def test_a_further_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationUnreadable, match=r"gateway-1\.json"):
        load_configuration(_in_parts(tmp_path, {**_valid(), "parts": 2}))


@pytest.mark.parametrize("parts", [0, True, "2", 101])
def test_a_number_of_files_that_is_none_is_refused(tmp_path: Path, parts: object) -> None:
    with pytest.raises(ConfigurationInvalid, match=r"parts: .* is no number of files, 1 to 100"):
        load_configuration(_in_parts(tmp_path, {**_valid(), "parts": parts}))
