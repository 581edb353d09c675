"""Keys are listed and set; a value is in no argument, no output and no error, whatever becomes of it."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from sluice.cli.main import run
from sluice.registry import load_environment
from tests.deploy.keys.conftest import DIGEST, VALUE, Project, Type

pytestmark = pytest.mark.slow


def test_what_is_asked_for_is_listed_with_who_asks_and_whether_it_is_set(
    type_in: Type, capsys: pytest.CaptureFixture[str]
) -> None:
    type_in(VALUE)
    assert run(["secrets", "set", "dev", "openai-api-key"]) == 0
    capsys.readouterr()

    assert run(["secrets", "list", "dev", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["name"]: (row["providers"], row["set"]) for row in rows} == {
        "mistral-api-key": (["mistral"], False),
        "openai-api-key": (["openai"], True),
        "anthropic-api-key": (["anthropic"], False),
    }
    assert run(["secrets", "list", "dev"]) == 0
    assert "mistral-api-key    missing  mistral  (Pulumi.dev.yaml)" in capsys.readouterr().out


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_value_goes_from_standard_input_into_the_encrypted_settings_and_nowhere_else(
    ending: str, project: Project, type_in: Type, capsys: pytest.CaptureFixture[str]
) -> None:
    type_in(VALUE + ending)

    assert run(["secrets", "set", "dev", "mistral-api-key"]) == 0

    said = capsys.readouterr()
    assert said.out == "mistral-api-key of dev is set\n"
    assert "sluice up dev" in said.err
    assert project.kept() == {"sluice:mistral-api-key": VALUE}
    assert VALUE not in repr(project.calls()) + said.out + said.err + project.settings.read_text()
    assert load_environment(project.settings.parent, "dev").settings.keys_set == ("mistral-api-key",)


def test_a_value_may_come_from_a_file(project: Project, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{VALUE}\n")

    assert run(["secrets", "set", "dev", "mistral-api-key", "--from-file", str(file)]) == 0
    assert project.kept() == {"sluice:mistral-api-key": VALUE}


def test_at_a_terminal_it_is_asked_for_twice_and_not_shown(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def hidden(prompt: str) -> str:
        asked.append(prompt)
        return VALUE

    monkeypatch.setattr(sys, "stdin", type("Terminal", (io.StringIO,), {"isatty": lambda _: True})())
    monkeypatch.setattr("click.termui.hidden_prompt_func", hidden)

    assert run(["secrets", "set", "dev", "mistral-api-key"]) == 0
    assert len(asked) == 2
    assert project.kept() == {"sluice:mistral-api-key": VALUE}


def test_a_value_that_is_set_already_changes_no_file(
    project: Project, type_in: Type, capsys: pytest.CaptureFixture[str]
) -> None:
    for expected in ("mistral-api-key of dev is set\n", "mistral-api-key of dev is that already\n"):
        type_in(VALUE)
        assert run(["secrets", "set", "dev", "mistral-api-key"]) == 0
        assert capsys.readouterr().out == expected
    assert [call[1] for call in project.calls() if call[0] == "config"] == ["set", "get"]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("", "is empty"),
        ("two words-of-a-key", "has spaces"),
        ("first-line-of-it\nsecond-line-of-it", "has several lines"),
        ("schlüssel-der-nichts-öffnet", "that a header cannot carry"),
        (b"\xff\xfe made of bytes", "that a header cannot carry"),
        ("'made-key-in-quotes'", "is in quotes"),
        ("<the key itself>".replace(" ", "-"), "stands in for a key"),
        ("your-api-key-goes-here", "stands in for a key"),
        ("${MISTRAL_API_KEY}", "stands in for a key"),
        ("xxxxxxxxxxxxxxxxxxxx", "stands in for a key"),
        ("changeme-changeme", "stands in for a key"),
        ("short-one", "fewer than 12 characters"),
        ("k" * 500 + "1" * 8000, "more than 8192 characters"),
        ("k1" * 100_000, "more than 8192 characters"),
    ],
)
def test_what_cannot_be_the_key_is_refused_and_not_shown(
    value: str | bytes, why: str, project: Project, type_in: Type, capsys: pytest.CaptureFixture[str]
) -> None:
    type_in(value)

    assert run(["secrets", "set", "dev", "mistral-api-key"]) == 1

    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("sluice: the value for mistral-api-key ")
    assert why in said.err
    shown = value if isinstance(value, str) else "made of bytes"
    assert not shown or shown[:30] not in said.err
    assert project.calls() == []


def test_a_name_that_nobody_asks_for_is_refused_before_a_value_is_read(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["secrets", "set", "dev", "mistral-apikey"]) == 2
    error = capsys.readouterr().err
    assert "dev asks for no 'mistral-apikey'; did you mean mistral-api-key? it asks for mistral-api-key, " in error
    # dev has no Redis of others, so that no password could be used.
    assert run(["secrets", "set", "dev", "redis-password"]) == 2
    assert project.calls() == []


def test_a_key_typed_as_an_argument_is_refused_and_not_shown_again(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["dev", "mistral-api-key", VALUE], ["dev", VALUE]):
        for verb in ("set", "rotate"):
            assert run(["secrets", verb, *arguments]) == 2
            said = capsys.readouterr()
            assert VALUE not in said.out + said.err


def test_the_password_of_a_redis_of_others_may_be_what_a_key_may_not(
    project: Project, type_in: Type, capsys: pytest.CaptureFixture[str]
) -> None:
    with project.settings.open("a") as settings:
        settings.write("  sluice:cache: {url: 'redis://redis.example.com:6379'}\n")
    type_in("pass phrase")
    assert run(["secrets", "set", "dev", "redis-password"]) == 0
    assert project.kept() == {"sluice:redis-password": "pass phrase"}
    type_in("pass\x07phrase")
    assert run(["secrets", "set", "dev", "redis-password"]) == 1
    assert "has control characters" in capsys.readouterr().err


def test_the_key_by_which_litellm_knows_the_gateway_is_asked_for_and_set_where_there_is_one(
    project: Project, type_in: Type, capsys: pytest.CaptureFixture[str]
) -> None:
    type_in(VALUE)
    assert run(["secrets", "set", "dev", "litellm-master-key"]) == 2
    with project.settings.open("a") as settings:
        settings.write(f"  sluice:litellm: {{image: 'a/b@{DIGEST}', providers: {{anthropic: anthropic}}}}\n")

    type_in(VALUE)
    assert run(["secrets", "set", "dev", "litellm-master-key"]) == 0

    assert project.kept() == {"sluice:litellm-master-key": VALUE}
    capsys.readouterr()
    assert run(["secrets", "list", "dev"]) == 0
    assert "litellm-master-key  set      litellm  (Pulumi.dev.yaml)" in capsys.readouterr().out


def test_keys_of_a_store_are_listed_by_their_place_and_not_set_here(
    project: Project, type_in: Type, capsys: pytest.CaptureFixture[str]
) -> None:
    with project.settings.open("a") as settings:
        settings.write("  sluice:secrets: {from: external, store: {name: vault}, entry: llm/dev}\n")
    assert run(["secrets", "list", "dev"]) == 0
    assert "openai-api-key     there    openai  (SecretStore vault, entry llm/dev, property openai-api-key)" in (
        capsys.readouterr().out
    )
    for verb in ("set", "rotate"):
        type_in(VALUE)
        assert run(["secrets", verb, "dev", "openai-api-key"]) == 1
        error = capsys.readouterr().err
        assert "come from a store; write openai-api-key there (SecretStore vault, entry llm/dev" in error
        assert "kubectl -n a annotate externalsecret provider-keys-from-store force-sync" in error
    assert project.calls() == []
