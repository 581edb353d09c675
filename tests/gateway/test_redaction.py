from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sluice.gateway import redaction
from sluice.gateway.redaction import redact
from tests.computing import growth

E_MAILS = [
    "ada@example.com",
    "ada.lovelace+news@mail.example.co.uk",
    "o_brien-2@sub.example.museum",
    "jörg@müller.de",
    "ada%40example.com",
    "ada\uff20example.com",
    "ada (at) example (dot) com",
    "ada[at]example.com",
    "ada@[192.168.0.1]",
    f"{'a' * 70}@example.com",
]

PHONES = [
    "+49 30 1234567",
    "+49 (0)30 123 45 67",
    "+1 (415) 555-2671",
    "+1-415-555-2671",
    "+14155552671",
    "+44 20 7946 0958",
    "+33 6 12 34 56 78",
    "+86 138 1234 5678",
    "+91 98765 43210",
    "+7 (495) 123\u201145\u201167",
    "0049 30 1234567",
    "(415) 555-2671",
    "415-555-2671",
    "415.555.2671",
    "1-415-555-2671",
    "030/1234567",
    "(0221) 1234567",
    "07700 900123",
    "07700900123",
    "020 7946 0958",
    "06 12 34 56 78",
    "0612345678",
    "13812345678",
    "98765 43210",
]

KEYS = [
    "sk-" + "proj-" + "Ab3dEf6hIj9kLm2nOp5q",
    "ghp_" + "Ab3dEf6hIj9kLm2nOp5qRs8t",
    "AKIA" + "ABCDEFGH12345678",
    "xoxb-" + "1234567890-abcdef",
    "eyJ" + "hbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
    "sluice-" + "web-team-" + "aB3" * 14 + "x",
    "x7Kp2QmV9tRb4LzN8sWd3FhJ6yCg5TaE",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\nabc+/=\n-----END RSA PRIVATE KEY-----",
]


@pytest.mark.parametrize("address", E_MAILS)
def test_an_e_mail_address_is_taken_out_and_the_rest_is_left(address: str) -> None:
    assert redact(f"Write to {address}, please.") == "Write to [e-mail], please."


@pytest.mark.parametrize("number", PHONES)
def test_a_phone_number_is_taken_out_and_the_rest_is_left(number: str) -> None:
    assert redact(f"It was {number}, I think.") == "It was [phone], I think."


@pytest.mark.parametrize("key", KEYS)
def test_a_key_is_taken_out_and_the_rest_is_left(key: str) -> None:
    assert redact(f"We use {key} for it.") == "We use [key] for it."


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Phone: 5552671", "Phone: [phone]"),
        ("call me at 4155552671.", "call me at [phone]."),
        ("Tel. 12345678", "Tel. [phone]"),
        ("password: hunter2!", "password: [key]"),
        ('{"api_key": "q1w2e3r4t5y6u7i8"}', '{"api_key": "[key]"}'),
        ("Authorization: Bearer q1w2e3r4t5y6u7i8", "Authorization: Bearer [key]"),
        ("postgres://ada:made-up@db.example.com/x", "postgres://[key]@db.example.com/x"),
        ("a@example.com,b@example.com;c@example.com", "[e-mail],[e-mail];[e-mail]"),
        ("From ada@example.com (+49 30 1234567)", "From [e-mail] ([phone])"),
    ],
)
def test_what_stands_around_it_tells_what_it_is(text: str, kept: str) -> None:
    assert redact(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        "",
        "def add(a: int, b: int) -> int:\n    return a + b",
        "@pytest.mark.parametrize, @app.route('/x'), a @ b, root@localhost",
        "git@v2 and user@host",
        "Released 2025-10-31, 31.10.2025 and 10/31/2025 at 10:30:00",
        "The call on 2025-10-31 10:30 went well.",
        "01.11.2025 10:30, 05.11.2025 until 07.11.2025",
        "Version 1.26.3-rc1, 10.0.0.1, 192.168.100.200, 255.255.255.255",
        "1730419200 is 2024-11-01; 2147483647 and 4294967295 are limits; 3.14159265358979",
        "$1,234,567.89 of 12 345 678 euros, 15000 requests, 0.0008 dollars",
        "ft:open-mistral-7b:5010731d:20251031:ecc3829c",
        "job ecc3829c-234a-4028-9301-a2d3aba21ea3",
        "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "test_a_weight_that_is_no_step_of_the_ladder_is_refused_with_its_place",
        "https://api.example.com:8443/v1/chat/completions?limit=100",
        "password = getpass.getpass()",
        "The secret mistral-api-key is in the Secret provider-keys, see sluice_requests_total.",
        "ISBN 978-3-16-148410-0",
        "Churn rose from 2 to 3 percent between 2023 2024 and 2025.",
    ],
)
def test_dates_amounts_code_and_names_are_left(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    "piece",
    ["a", "a.", "a@", "@", "1", "1 ", "+", "+1", "0 ", "01 ", "(0", "a@a.", "-", "key ", "key=", "call ", "eyJ", "://a:",
     "-----BEGIN PRIVATE KEY-----", "aB3", "[at]", "password="],
)  # fmt: skip
def test_a_text_made_to_be_hard_takes_time_linear_in_its_length(piece: str) -> None:
    assert growth(lambda size: redact(piece * (size // len(piece))), 4 * 1024) < 10


@pytest.mark.slow
def test_many_numbers_that_are_none_of_phones_take_time_linear_in_their_count() -> None:
    piece = "1730419200, id "
    assert growth(lambda size: redact(piece * (size // len(piece))), 256 * 1024) < 8


_FRAGMENTS = st.sampled_from(
    [
        *("fax 555-2671", "x 415-555-2671", "tel. 5552671", "a0", "07700 900123"),
        *("call me", "+49", "0", "(0)30", "1234567", "415-555-2671", "12", ".", "-", " ", "/", "phone 555", "26 71"),
        *("key", "TOKEN=", "secret is ", "Bearer ", "aB3dE6gH9jK2mN5p", "password: ", "hunter22", "pwd=", "sk-"),
        *(
            "a" * 20,
            "A1b2C3d4" * 5,
            "https://u:pw@x",
            "eyJ",
            "AKIAABCDEFGHIJKLMNOP",
            "npm_",
            "me",
            "@",
            "x.org",
            "[at]",
            "\n",
            "x" * 31,
        ),
        *("\u212aey: ", "pa\u017f\u017fword: ", "\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668\u0669"),
    ]
)


@example("a0fax 555-2671 x 415-555-2671tel. 5552671#call me at: 555 26 712025-11-06fax 555-2671 x")
@given(st.lists(_FRAGMENTS, max_size=12).map("".join))
def test_what_is_not_looked_for_would_not_have_been_found(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for look in ("_has_any", "_has_long_word"):
            patch.setattr(redaction, look, lambda *_: True)
        patch.setattr(redaction, "_FEWEST_CLOSE_DIGITS", 0)
        patch.setattr(redaction, "_near_close_digits", lambda text, _before, redacted: redacted(text))
        patch.setattr(redaction, "_AT_IN_BRACKETS", re.compile(""))
        everything_looked_for = redact(text)
    assert redact(text) == everything_looked_for
