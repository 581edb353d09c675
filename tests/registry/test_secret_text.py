"""What looks like a key is found, what looks like a name, an id or prose is not. The keys here are made up."""

from __future__ import annotations

import random
import string
from pathlib import Path

import pytest

from sluice.registry.secret_text import secret_spans

PROJECT = Path(__file__).parent.parent.parent
LETTERS_AND_DIGITS = string.ascii_letters + string.digits


def made_key(length: int = 32, seed: int = 7, alphabet: str = LETTERS_AND_DIGITS) -> str:
    return "".join(random.Random(seed).choices(alphabet, k=length))


@pytest.mark.parametrize(
    ("before", "value", "after"),
    [
        ("key: ", made_key(), ""),
        ("# ", made_key(), " is mistral's"),
        ("id: ft:open-mistral-7b:", made_key(), ""),
        ("notes: 'the token is ", made_key(20), "'"),
        ("api_key: ", made_key(32, alphabet="0123456789abcdef"), ""),
        ("password = ", made_key(16), ""),
        ("", "sk-" + made_key(24), ""),
        ("", "sk-ant-api03-" + made_key(40), ""),
        ("use ", "ghp_" + made_key(36), " for it"),
        ("", "AKIA" + "ABCDEFGHIJKLMNOP", ""),
        ("", "hf_" + made_key(34), ""),
        ("Authorization: Bearer ", made_key(40), ""),
        ("", "eyJhbGciOiJIUzI1NiJ9" + "." + "eyJzdWIiOiIxIn0x" + "." + "c2lnbmF0dXJl", ""),
        ("api: https://", "ada:opensesame", "@example.com/v1"),
    ],
)
def test_what_looks_like_a_key_is_found_where_it_stands(before: str, value: str, after: str) -> None:
    assert secret_spans(before + value + after) == ((len(before), len(before) + len(value)),)


@pytest.mark.parametrize(
    "text",
    [
        "key: mistral-api-key",
        "key: team-a-production-mistral-api-key-2",
        "id: ft:open-mistral-7b:5010731d:20251031:ecc3829c",
        "jobs: [{id: ecc3829c-234a-4028-9301-a2d3aba21ea3, status: SUCCESS}]",
        "id: claude-sonnet-4-20250514",
        "id: meta-llama/Meta-Llama-3.1-70B-Instruct-Turbo",
        "id: Qwen/Qwen2.5-Coder-32B-Instruct-GPTQ-Int4",
        "id: accounts/fireworks/models/llama4-maverick-instruct-basic",
        "image: sluice.local/gateway@sha256:" + "0123456789abcdef" * 4,
        "commit: 20a0db2f5b6d1c7e8f90a1b2c3d4e5f60718293a",
        "id: 0123456789abcdef0123456789abcdef",
        "price: {input: 0.0008, output: 0.0008}   # dollars per 1,000 tokens",
        "# keys: the names of secrets, never their values; see docs/registry.md#models-and-their-providers",
        "input_tokens: 2000",
        "summary: internationalisation and characterisation of antidisestablishmentarianism",
        "https://api.example.com/v1/projects/my-project-2025/locations/europe-west4/endpoints",
        "SLUICE_GATEWAY_METRICS_PORT_FOR_A_SECOND_GATEWAY",
    ],
)
def test_names_ids_digests_and_prose_are_no_keys(text: str) -> None:
    assert secret_spans(text) == ()


@pytest.mark.parametrize(
    ("alphabet", "most_missed"),
    [(LETTERS_AND_DIGITS, 5), (string.ascii_lowercase + string.digits, 400)],
    ids=["letters and digits", "small letters and digits"],
)
def test_of_ten_thousand_random_keys_hardly_one_is_missed(alphabet: str, most_missed: int) -> None:
    keys = (made_key(seed=seed, alphabet=alphabet) for seed in range(10_000))

    assert sum(not secret_spans(f"notes: {key}") for key in keys) <= most_missed


@pytest.mark.parametrize(
    "file",
    sorted(
        file
        for pattern in ("registry/**/*.yaml", "registry/**/*.json", "docs/*.md", "sluice/registry/**/*.py")
        for file in PROJECT.glob(pattern)
        if file.name != "secret_text.py"
    ),
    ids=lambda file: file.name,
)
def test_nothing_in_our_own_files_is_taken_for_a_key(file: Path) -> None:
    found = [
        (number, line[start:end])
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)
        for start, end in secret_spans(line)
    ]

    assert found == []
