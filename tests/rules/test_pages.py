"""How soon each alert tells somebody: every one has a fault, and the page says what is clocked."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from bench.pages.__main__ import PAGE, head, row, waits_of
from bench.pages.clocked import NotAsItShould, clock
from bench.pages.faults import BY_ALERT, FAULTS, NOT_CLOCKED, Fault
from bench.pages.series import Counter, Gauge, Phases, written
from sluice.render.alerts import ALERTS, alertmanager_text
from tests.rules.promtool import DECLARED, PROJECT

WAITS = waits_of(alertmanager_text(DECLARED.settings))
QUICK = ("SluiceBreakerOpen", "SluiceOverrideActive", "SluiceGatewayAbsent", "SluiceErrorRateCanary")


def test_every_alert_has_a_fault_or_a_reason_why_not_and_its_line_on_the_page() -> None:
    page = (PROJECT / PAGE).read_text()

    assert {fault.alert for fault in FAULTS} | NOT_CLOCKED.keys() == {alert.name for alert in ALERTS}
    assert not {fault.alert for fault in FAULTS} & NOT_CLOCKED.keys()
    assert page.startswith(head(WAITS))
    for fault in FAULTS:
        assert f"| [{fault.alert}](runbooks/{fault.alert}.md) |" in page
        assert f"| {fault.what} |" in page


def test_a_series_is_healthy_before_and_after_its_fault() -> None:
    phases, minutes = Phases(begins=2, mended=4, ends=6), range(7)

    assert written(Counter(1, 10).samples(minutes, phases)) == "0+1x2 12+10x1 23+1x1"
    assert written(Gauge(1, None).samples(minutes, phases)) == "1+0x2 stale stale 1+0x1"
    assert written(Gauge(1, math.nan).samples(minutes, phases)) == "1+0x2 NaN NaN 1+0x1"


@pytest.mark.slow
@pytest.mark.parametrize("alert", QUICK)
def test_the_page_says_what_is_clocked(alert: str, promtool: Path, tmp_path: Path) -> None:
    found = clock(promtool, tmp_path, BY_ALERT[alert], DECLARED)

    assert row(BY_ALERT[alert], found, WAITS) in (PROJECT / PAGE).read_text().splitlines()


@pytest.mark.slow
def test_a_fault_that_does_not_make_its_alert_fire_is_no_line(promtool: Path, tmp_path: Path) -> None:
    healthy = Fault("SluiceBreakerOpen", "nothing", {'sluice_breaker_open{agent="qa"}': Gauge(0, 0)})

    with pytest.raises(NotAsItShould, match="SluiceBreakerOpen: nothing: does not fire within 720 minutes"):
        clock(promtool, tmp_path, healthy, DECLARED)
