"""docs/metrics.md is what alerts are written from: it lists what a gateway shows, no more and no less."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.metrics import MetricWrapperBase
from redis.asyncio import Redis

from sluice.gateway.certificate import Certificate
from sluice.registry import load_registry
from sluice.render.thresholds import thresholds

pytestmark = pytest.mark.anyio

PROJECT = Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\| `([a-z_0-9]+)` \| ([a-z_, ]*) ?\| .+ \|$", re.MULTILINE)
THRESHOLD = re.compile(r"^\| `([a-z_0-9]+)` \| [^|]+ \|$", re.MULTILINE)


def _page() -> tuple[str, str]:
    listed, _, rest = (PROJECT / "docs" / "metrics.md").read_text().partition("\n## Thresholds\n")
    return listed, rest.partition("\n## Alerts\n")[0]


def _shown(registry: Any) -> dict[str, set[str]]:
    """Every metric by its name on the page, histograms without their endings, with its labels."""
    collectors = {id(collector): collector for collector in registry._names_to_collectors.values()}.values()
    shown = {}
    for collector in collectors:
        if isinstance(collector, MetricWrapperBase):
            ending = "_total" if collector._type == "counter" else ""
            shown[f"{collector._name}{ending}"] = set(collector._labelnames)
    return shown


async def test_the_page_lists_every_metric_with_its_labels_and_no_other(
    start: Any, stub: str, connect_redis: Callable[[], Redis], tmp_path: Path
) -> None:
    running = await start(stub, connect_redis())
    Certificate(tmp_path / "tls.crt", "gateway-tls", running.gateway.metrics.registry)  # as where the settings name one
    listed = {name: set(labels.replace(" ", "").split(",")) - {""} for name, labels in ROW.findall(_page()[0])}
    assert listed == _shown(running.gateway.metrics.registry)


def test_the_page_lists_every_threshold_that_is_rendered_and_no_other() -> None:
    rendered: Any = thresholds(load_registry(PROJECT / "registry"))
    names = {*rendered["usual"], *rendered["budgets"], *(name for own in rendered["agents"].values() for name in own)}
    assert set(THRESHOLD.findall(_page()[1])) == names
