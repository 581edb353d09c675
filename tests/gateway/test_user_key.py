from __future__ import annotations

import hashlib

import pytest

from sluice.gateway.chat_request import ChatRequest
from sluice.gateway.user_key import user_key


def _key(user: str | None, **headers: str | bytes) -> str | None:
    raw = [
        (name.replace("_", "-").encode(), value if isinstance(value, bytes) else value.encode())
        for name, value in headers.items()
    ]
    return user_key(ChatRequest("qa", user, False, {}, b"", b""), {"type": "http", "headers": raw})


def test_the_bodys_user_comes_before_the_header_and_the_key() -> None:
    assert _key("body", x_user_id="header", authorization="Bearer key") == "body"


def test_the_header_comes_before_the_key() -> None:
    assert _key(None, x_user_id="header", authorization="Bearer key") == "header"


def test_the_bearer_key_is_hashed_and_always_the_same() -> None:
    expected = "key:" + hashlib.sha256(b"secret").hexdigest()
    assert _key(None, authorization="Bearer secret") == expected
    assert _key(None, authorization="bearer  secret ") == expected


@pytest.mark.parametrize("blank", ["", " ", "\t\n"])
def test_a_blank_user_is_no_user(blank: str) -> None:
    assert _key(blank, x_user_id="header") == "header"
    assert _key(blank, x_user_id=blank) is None


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer ", "Basic dTpw"])
def test_a_header_without_a_bearer_key_names_nobody(authorization: str) -> None:
    assert _key(None, authorization=authorization) is None


def test_a_user_is_taken_exactly_as_written() -> None:
    assert _key(" Alice ") == " Alice "


def test_the_same_name_in_body_and_header_is_the_same_user() -> None:
    assert _key(None, x_user_id="jürgen".encode()) == _key("jürgen")


def test_a_header_that_is_not_utf_8_is_still_a_user() -> None:
    assert _key(None, x_user_id="jürgen".encode("latin-1")) == "jürgen"
