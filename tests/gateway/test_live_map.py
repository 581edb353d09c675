from __future__ import annotations

import pytest

from sluice.gateway.live_map import MOUNT_LAG_SECONDS, LiveMap, Source
from sluice.gateway.mounted_map import MapContent

OLD, NEW, NEWER = (MapContent({"qa": text}) for text in ("100", "50", "0"))


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def live(clock: Clock) -> LiveMap:
    return LiveMap(clock)


def test_before_the_cluster_was_heard_the_mounted_file_counts(live: LiveMap) -> None:
    live.see_mounted(OLD)
    live.lose()
    assert (live.content, live.source) == (OLD, Source.FILE)


def test_while_the_cluster_is_heard_no_file_counts(live: LiveMap) -> None:
    live.hear(NEW)
    live.see_mounted(NEWER)
    assert (live.content, live.source) == (NEW, Source.WATCH)


def test_what_was_mounted_when_the_cluster_spoke_is_not_newer(live: LiveMap) -> None:
    live.see_mounted(OLD)
    live.hear(NEW)
    live.lose()
    assert live.content == NEW


def test_what_the_cluster_said_before_is_not_newer(live: LiveMap) -> None:
    live.hear(OLD)
    live.hear(NEW)
    live.lose()
    live.see_mounted(OLD)
    assert live.content == NEW


def test_what_the_cluster_never_said_is_news_while_it_is_away(live: LiveMap) -> None:
    live.hear(OLD)
    live.lose()
    live.see_mounted(NEW)
    assert (live.content, live.source) == (NEW, Source.FILE)
    live.hear(NEWER)
    assert (live.content, live.source) == (NEWER, Source.WATCH)


def test_a_file_that_changes_long_after_the_cluster_fell_silent_counts_whatever_it_says(
    live: LiveMap, clock: Clock
) -> None:
    live.hear(NEWER)
    live.hear(OLD)
    live.lose()
    clock.seconds += MOUNT_LAG_SECONDS + 1
    live.see_mounted(NEWER)
    assert live.content == NEWER


def test_a_file_that_changed_before_the_cluster_fell_silent_for_long_does_not(live: LiveMap, clock: Clock) -> None:
    live.hear(NEWER)
    live.hear(OLD)
    live.lose()
    live.see_mounted(NEWER)
    clock.seconds += MOUNT_LAG_SECONDS + 1
    assert live.content == OLD


def test_a_mount_that_is_gone_is_no_news(live: LiveMap) -> None:
    live.hear(NEWER)
    live.lose()
    live.see_mounted(None)
    assert live.content == NEWER


def test_a_config_map_that_does_not_exist_is_what_the_cluster_says(live: LiveMap) -> None:
    live.see_mounted(OLD)
    live.hear(None)
    live.lose()
    assert (live.content, live.source) == (None, Source.WATCH)
