"""A registry's name leads to its API and its log-in, and anything else is refused with the right form."""

from __future__ import annotations

import pytest

from sluice.local.images.errors import RegistryNameError
from sluice.local.images.registry import Registry, parse


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("reg.example.com", ("reg.example.com", "https://reg.example.com", "", "reg.example.com")),
        (
            "reg.example.com:5000/a/b_c/",
            ("reg.example.com:5000/a/b_c", "https://reg.example.com:5000", "a/b_c", "reg.example.com:5000"),
        ),
        ("localhost:5000/x", ("localhost:5000/x", "http://localhost:5000", "x", "localhost:5000")),
        ("127.0.0.1:5000", ("127.0.0.1:5000", "http://127.0.0.1:5000", "", "127.0.0.1:5000")),
        ("[::1]:5000/x", ("[::1]:5000/x", "http://[::1]:5000", "x", "[::1]:5000")),
        (
            "localhost.example.com",
            ("localhost.example.com", "https://localhost.example.com", "", "localhost.example.com"),
        ),
    ],
)
def test_a_registry_is_reached_by_its_own_host(given: str, expected: tuple[str, str, str, str]) -> None:
    assert parse(given) == Registry(*expected)
    assert parse(given).is_plain == expected[1].startswith("http:")


@pytest.mark.parametrize("host", ["docker.io", "index.docker.io", "registry-1.docker.io"])
def test_docker_hub_answers_elsewhere_and_its_log_in_has_a_key_of_its_own(host: str) -> None:
    expected = Registry(f"{host}/me", "https://registry-1.docker.io", "me", "https://index.docker.io/v1/")
    assert parse(f"{host}/me") == expected


@pytest.mark.parametrize(
    ("given", "right"),
    [
        ("https://reg.example.com/x", "reg.example.com/x"),
        ("http://reg.example.com:5000/x/", "reg.example.com:5000/x"),
        ("https://made-user:made-password@reg.example.com/x?y", "reg.example.com/x"),
        ("reg.example.com/x:latest", "reg.example.com/x"),
        ("reg.example.com/x@sha256:0123", "reg.example.com/x"),
        ("reg.example.com/Team", "reg.example.com/team"),
        ("reg.example.com:99999/x", "registry.example.com/sluice"),
        ("reg..example.com", "registry.example.com/sluice"),
        ("[::zz]/x", "registry.example.com/sluice"),
        ("[1:2]/x", "registry.example.com/sluice"),
        ("reg.example.com/a//b", "registry.example.com/sluice"),
        ("", "registry.example.com/sluice"),
    ],
)
def test_what_is_no_registry_is_refused_with_the_right_form(given: str, right: str) -> None:
    with pytest.raises(RegistryNameError, match=rf"is no registry's name.*like --images-to {right}$") as raised:
        parse(given)
    assert "made-password" not in str(raised.value)
