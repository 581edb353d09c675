"""What another program printed is shown in short, and without what must not be shown."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from sluice.local.images.errors import BaseError, HashMismatchError, PackagesError, last_lines

_WORD = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=12)


@given(user=_WORD, password=_WORD, host=_WORD)
def test_credentials_in_an_address_are_not_shown(user: str, password: str, host: str) -> None:
    secret = f"{user}:{password}@"
    error = PackagesError(Path("gateway.lock"), f"Looking in indexes: https://{secret}{host}.example/simple")
    assert secret not in str(error)
    assert f"https://***@{host}.example/simple" in str(error)


def test_only_the_last_lines_that_say_something_are_shown() -> None:
    output = "\n".join(f"line {number}\n" for number in range(100))
    assert last_lines(output, count=2) == "  line 98\n  line 99"


def test_a_wrong_hash_is_shown_with_the_package_and_without_every_hash_that_would_have_been_right() -> None:
    expected = "        Expected     or 0000\n" * 40
    output = f"THESE PACKAGES DO NOT MATCH THE HASHES\n    yarl==1.25.1 from made:\n{expected}      Got   1111\n"
    shown = str(HashMismatchError(Path("gateway.lock"), output))
    assert "yarl==1.25.1" in shown
    assert "1111" in shown
    assert "Expected" not in shown


def test_the_first_line_says_what_failed_and_what_to_look_at() -> None:
    error = BaseError("E: Unable to fetch some archives\n")
    first, second = str(error).splitlines()
    assert first.startswith("getting the base's Debian packages failed; is the Debian mirror reachable")
    assert second == "  E: Unable to fetch some archives"
    assert error.exit_code == 3
