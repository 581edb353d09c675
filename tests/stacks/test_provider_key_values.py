"""The providers' keys as the stack gets them: secrets from the first moment, or one error with all that are missing."""

from __future__ import annotations

import asyncio

import pulumi
import pytest

from sluice.registry import KeysNotSet
from stacks.provider_key_values import provider_key_values
from tests.components.recording import record


def test_a_value_is_a_secret_before_it_reaches_any_resource() -> None:
    def program() -> None:
        for name, value in provider_key_values(["a-key", "b-key"], "dev").items():
            is_secret: pulumi.Output[bool] = pulumi.Output.from_input(asyncio.ensure_future(value.is_secret()))
            pulumi.export(name, pulumi.Output.all(pulumi.Output.unsecret(value), is_secret))

    recording = record(program, config={"sluice:a-key": "of a", "sluice:b-key": "of b"})

    assert recording.exports == {"a-key": ["of a", True], "b-key": ["of b", True]}


def test_an_empty_value_is_a_value_and_one_of_another_project_is_none() -> None:
    config = {"sluice:a-key": "", "another:b-key": "of b"}

    with pytest.raises(KeysNotSet, match=r"set each one .*:\n  sluice secrets set dev b-key$"):
        record(lambda: provider_key_values(["a-key", "b-key"], "dev"), config=config)


def test_all_that_are_missing_are_named_in_their_order_and_no_value_is_shown() -> None:
    with pytest.raises(KeysNotSet, match=r"^Pulumi\.staging\.yaml: no value is set") as raised:
        record(lambda: provider_key_values(["c", "a", "b"], "staging"), config={"sluice:a": "of a"})

    commands = str(raised.value).splitlines()[1:]
    assert [command.split()[4] for command in commands] == ["c", "b"]
    assert "of a" not in str(raised.value)
