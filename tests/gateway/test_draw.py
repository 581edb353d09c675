"""Which bucket of 100 a user is drawn into never changes.

If one of these fails after an upgrade of openfeature-flagd-core, the upgrade would exchange the users of every running
rollout: do not refresh the table, keep the old version. The table was computed by hand, from murmur3's definition and
canonical CBOR; so was what KNOWN_DRAWS has, which every gateway is held against when it starts.
"""

from __future__ import annotations

import random

import mmh3
import numpy as np
import pytest

from sluice.gateway import draw
from sluice.gateway.draw import KNOWN_DRAWS, Draw, DrawDiffers, bucket_of, check_draw

GOLDEN = (
    ("qa", "qa-20251031", "user-1", 31),
    ("qa", "qa-20251031", "user-3", 0),
    ("qa", "qa-20251031", "alice", 52),
    ("qa", "qa-20251031", "Alice", 48),
    ("qa", "qa-20251031", "alice ", 11),
    ("qa", "qa-20251031", "42", 69),
    ("qa", "qa-20251031", "李雷", 21),
    ("qa", "qa-20251031", "🙂", 44),
    ("qa", "qa-20251031", "jürgen", 80),
    ("qa", "qa-20251031", "x" * 300, 4),
    ("qa", "qa-20251031", "someone@example.com", 95),
    ("qa", "qa-20251031", "key:61de55ba3388aec4fdf6ecfc6eef846fb0f1b13e28cc8381270c27ffa313aee5", 60),
    ("qa", "qa-20251031", "12345678901234567", 67),
    ("legal", "legal-20251031", "user-1", 71),
    ("legal", "legal-20251031", "user-3", 24),
    ("legal", "legal-20251031", "alice", 82),
    ("legal", "legal-20251031", "Alice", 3),
    ("legal", "legal-20251031", "alice ", 44),
    ("legal", "legal-20251031", "42", 11),
    ("legal", "legal-20251031", "李雷", 7),
    ("legal", "legal-20251031", "🙂", 15),
    ("legal", "legal-20251031", "jürgen", 47),
    ("legal", "legal-20251031", "x" * 300, 87),
    ("legal", "legal-20251031", "someone@example.com", 13),
    ("legal", "legal-20251031", "key:61de55ba3388aec4fdf6ecfc6eef846fb0f1b13e28cc8381270c27ffa313aee5", 46),
    ("legal", "legal-20251031", "12345678901234567", 82),
    ("support", "support-20251031", "user-1", 86),
    ("support", "support-20251031", "user-3", 14),
    ("support", "support-20251031", "alice", 59),
    ("support", "support-20251031", "Alice", 14),
    ("support", "support-20251031", "alice ", 97),
    ("support", "support-20251031", "42", 56),
    ("support", "support-20251031", "李雷", 9),
    ("support", "support-20251031", "🙂", 39),
    ("support", "support-20251031", "jürgen", 30),
    ("support", "support-20251031", "x" * 300, 89),
    ("support", "support-20251031", "someone@example.com", 93),
    ("support", "support-20251031", "key:61de55ba3388aec4fdf6ecfc6eef846fb0f1b13e28cc8381270c27ffa313aee5", 54),
    ("support", "support-20251031", "12345678901234567", 90),
)
USERS = 1_000_000


@pytest.mark.parametrize(("agent", "candidate", "user", "bucket"), [*GOLDEN, *KNOWN_DRAWS])
def test_a_users_bucket_is_the_pinned_one(agent: str, candidate: str, user: str, bucket: int) -> None:
    assert bucket_of(agent, candidate, user) == bucket


def by_hand(text: str) -> int:
    """Return the hash of a text by hash 3: murmur3 over its canonical CBOR."""
    utf_8 = text.encode()
    assert len(utf_8) < 24
    return mmh3.hash(bytes([0x60 + len(utf_8)]) + utf_8, signed=False)


@pytest.fixture(scope="module")
def hashes() -> dict[str, np.ndarray]:
    """The hashes of a million users for two agents; that they are the library's is held for a sample."""
    users = [f"user-{number}" for number in range(USERS)]
    return {
        agent: np.fromiter((by_hand(f"{agent}/m/{user}") for user in users), dtype=np.uint64, count=USERS)
        for agent in ("qa", "legal")
    }


@pytest.mark.slow
def test_the_hashes_of_the_million_are_the_librarys(hashes: dict[str, np.ndarray]) -> None:
    for number in random.Random(1).sample(range(USERS), 300):
        for agent, of_agent in hashes.items():
            assert bucket_of(agent, "m", f"user-{number}") == int(of_agent[number]) * 100 >> 32


def buckets(hashes: np.ndarray, count: int) -> np.ndarray:
    return (hashes * np.uint64(count)) >> np.uint64(32)


@pytest.mark.slow
def test_a_million_users_are_spread_evenly_over_the_buckets(hashes: dict[str, np.ndarray]) -> None:
    from scipy.stats import chisquare  # two seconds, which whoever runs another test does not pay

    for of_agent in hashes.values():
        counts = np.bincount(buckets(of_agent, 100).astype(np.int64), minlength=100)
        # The users are fixed, so this cannot flicker; a sound hash fails it once in 10,000.
        assert chisquare(counts).pvalue > 1e-4


@pytest.mark.slow
def test_the_share_of_a_million_users_is_the_weight_at_every_step(hashes: dict[str, np.ndarray]) -> None:
    for of_agent in hashes.values():
        for weight in (1, 10, 25, 50, 75):
            share = np.count_nonzero(buckets(of_agent, 100) < weight) / USERS
            assert abs(share - weight / 100) < 4 * (weight / 100 * (1 - weight / 100) / USERS) ** 0.5


@pytest.mark.slow
def test_two_agents_draw_a_million_users_independently(hashes: dict[str, np.ndarray]) -> None:
    from scipy.stats import chi2_contingency  # as above

    pairs = buckets(hashes["qa"], 10) * np.uint64(10) + buckets(hashes["legal"], 10)
    table = np.bincount(pairs.astype(np.int64), minlength=100).reshape(10, 10)
    assert chi2_contingency(table).pvalue > 1e-4


def test_this_gateway_draws_as_it_says() -> None:
    check_draw(Draw())


@pytest.mark.parametrize(
    ("pinned", "message"),
    [
        (Draw(hash=2), r"assignment.hash: gateway.json pins 2 and this gateway draws by 3; take an image"),
        (Draw(salt="agent/"), "assignment.salt: gateway.json pins 'agent/'"),
        (Draw(key="lower case"), "assignment.key: gateway.json pins 'lower case'"),
    ],
)
def test_a_gateway_that_draws_otherwise_than_is_pinned_does_not_start(pinned: Draw, message: str) -> None:
    with pytest.raises(DrawDiffers, match=message):
        check_draw(pinned)


@pytest.mark.parametrize("generation", [1, 2])
def test_a_library_of_another_generation_is_noticed(generation: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def bucket(agent: str, candidate: str, user: str) -> int:
        text = f"{agent}/{candidate}/{user}".encode()
        if generation == 1:
            return int(abs(mmh3.hash(text)) / 2147483647 * 100)
        return mmh3.hash(text, signed=False) * 100 >> 32

    monkeypatch.setattr(draw, "bucket_of", bucket)
    with pytest.raises(DrawDiffers, match="it is no library of hash 3; go back to the pinned version"):
        check_draw(Draw())


def test_a_changed_operator_of_the_library_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmh3.hash", lambda _text, signed: 1)
    with pytest.raises(DrawDiffers, match=r"draws .* into bucket 0 of 100, not"):
        check_draw(Draw())
