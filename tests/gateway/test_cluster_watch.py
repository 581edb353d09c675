from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from sluice.gateway.cluster_watch import ClusterWatch, Pace
from sluice.gateway.configuration import Configuration
from sluice.gateway.flags import Flags
from sluice.gateway.live_flags import LiveFlags
from sluice.gateway.metrics import Metrics
from tests.gateway.conftest import CANDIDATES, MountedFolder, flag
from tests.gateway.fake_cluster import FakeCluster, Fault, access_to, serving

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

PACE = Pace(answer=30, watch=60, grace=30, first_pause=0.02, longest_pause=0.2)
"""Nothing ends by its time, however busy the machine is."""
HASTY = Pace(answer=0.5, watch=1.0, grace=0.5, first_pause=0.02, longest_pause=0.2)
"""What is slow is given up soon, and asked again."""
ASK = {"model": "qa", "user": "ada", "messages": [{"role": "user", "content": "hello"}]}
Eventually = Callable[[Callable[[], object]], Awaitable[None]]


def flags_data(**weights: int) -> dict[str, str]:
    return {"flags.json": json.dumps({"flags": {agent: flag(agent, weights.get(agent, 0)) for agent in CANDIDATES}})}


@dataclass
class Watching:
    """A gateway's flags that follow a fake API server and a mounted folder."""

    cluster: FakeCluster
    port: int
    live: LiveFlags
    mounted: MountedFolder
    metrics: Metrics
    server: AsyncExitStack

    def weight(self, agent: str = "qa", kind: str = "served") -> float | None:
        return self.metrics.registry.get_sample_value("sluice_rollout_weight", {"agent": agent, "kind": kind})

    def serves(self, weight: int) -> bool:
        return self.weight() == weight

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)

    def is_heard(self) -> bool:
        return self.value("sluice_flags_source", source="watch") == 1

    def is_away(self) -> bool:
        return not any(live.is_heard for live in self.live._maps.values())

    async def stop(self) -> None:
        await self.server.aclose()

    async def start(self) -> None:
        await self.server.enter_async_context(serving(self.cluster, self.port))


@asynccontextmanager
async def watching(
    mounted: MountedFolder, configuration: Configuration, cluster: FakeCluster, tmp_path: Path, pace: Pace = PACE
) -> AsyncIterator[Watching]:
    metrics = Metrics(configuration.agents)
    live = LiveFlags(mounted.path, Flags(configuration, metrics), metrics)
    async with AsyncExitStack() as server:
        port = await server.enter_async_context(serving(cluster))
        watch = ClusterWatch(access_to(cluster, tmp_path / "access"), live, pace)
        live.refresh()
        task = asyncio.create_task(watch.run())
        try:
            await watch.first_answers(60)
            yield Watching(cluster, port, live, mounted, metrics, server)
        finally:
            assert not task.done(), "the watch has ended"
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@pytest.fixture
def cluster() -> FakeCluster:
    maps: dict[str, dict[str, Any]] = {
        "flags": {"metadata": {"name": "flags", "resourceVersion": "7"}, "data": flags_data(qa=50)},
        "override": {"metadata": {"name": "override", "resourceVersion": "8"}},
    }
    return FakeCluster(maps)


@pytest.fixture
async def watched(
    mounted: MountedFolder,
    configuration: Configuration,
    cluster: FakeCluster,
    tmp_path: Path,
    eventually: Eventually,
) -> AsyncIterator[Watching]:
    """Follow both ConfigMaps: each change from here on is heard, none is skipped for a later one."""
    async with watching(mounted, configuration, cluster, tmp_path) as made:
        await eventually(lambda: len(cluster.watches) == 2)
        yield made


@pytest.fixture
async def hasty(
    mounted: MountedFolder,
    configuration: Configuration,
    cluster: FakeCluster,
    tmp_path: Path,
    eventually: Eventually,
) -> AsyncIterator[Watching]:
    async with watching(mounted, configuration, cluster, tmp_path, HASTY) as made:
        await eventually(made.is_heard)
        yield made


async def test_what_the_cluster_says_counts_from_the_start_and_not_what_is_mounted(watched: Watching) -> None:
    assert watched.weight() == 50
    assert watched.is_heard()


async def test_a_change_of_flags_and_an_override_arrive_without_waiting_for_a_poll(
    watched: Watching, eventually: Eventually
) -> None:
    asked = watched.cluster.requests.total()
    for weight in range(10, 30):
        await watched.cluster.put("flags", flags_data(qa=weight))
        await eventually(partial(watched.serves, weight))
    await watched.cluster.put("override", {"qa": "0"})
    await eventually(lambda: watched.weight() == 0)
    assert watched.weight(kind="allowed") == 0
    await watched.cluster.put("override", {})
    await eventually(lambda: watched.weight() == 29)
    assert watched.cluster.requests.total() == asked


async def test_each_config_map_is_asked_for_by_its_name_alone(watched: Watching) -> None:
    selectors = {query["fieldSelector"] for query in watched.cluster.queries}
    assert selectors == {"metadata.name=flags", "metadata.name=override"}


async def test_a_watch_that_ends_goes_on_from_where_it_was_without_a_list(
    mounted: MountedFolder, configuration: Configuration, cluster: FakeCluster, tmp_path: Path, eventually: Eventually
) -> None:
    pace = Pace(answer=30, watch=1, grace=30)  # each watch ends by itself after a second
    async with watching(mounted, configuration, cluster, tmp_path, pace) as watched:
        await goes_on_without_a_list(watched, eventually)


async def goes_on_without_a_list(watched: Watching, eventually: Eventually) -> None:
    lists = watched.cluster.requests["list"]
    await eventually(lambda: watched.cluster.requests["watch"] >= 4)
    assert watched.cluster.requests["list"] == lists
    await watched.cluster.put("flags", flags_data(qa=75))
    await eventually(lambda: watched.weight() == 75)


async def test_a_bookmark_moves_the_version_that_the_next_watch_begins_at(
    hasty: Watching, eventually: Eventually
) -> None:
    watched = hasty
    await eventually(lambda: len(watched.cluster.watches) == 2)
    await watched.cluster.tell("flags", {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "4711"}}})
    await eventually(lambda: "4711" in [query.get("resourceVersion") for query in watched.cluster.queries])


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.NONE])
async def test_whatever_the_api_server_does_what_was_in_force_stays_and_it_is_heard_again(
    hasty: Watching, eventually: Eventually, fault: Fault
) -> None:
    watched = hasty
    await eventually(lambda: len(watched.cluster.watches) == 2)
    asked = watched.cluster.requests.total()
    watched.cluster.fault = watched.cluster.watch_fault = fault
    watched.cluster.cut()
    await eventually(lambda: watched.cluster.requests.total() >= asked + 4)
    assert watched.weight() == 50
    watched.cluster.fault = watched.cluster.watch_fault = Fault.NONE
    watched.cluster.cut()
    await watched.cluster.put("flags", flags_data(qa=25))
    await watched.cluster.put("override", {"legal": "0"})
    await eventually(lambda: watched.weight() == 25 and watched.weight("legal", "allowed") == 0 and watched.is_heard())


@pytest.mark.parametrize("fault", [Fault.GONE, Fault.GONE_EVENT])
async def test_a_version_that_is_gone_leads_to_a_list(watched: Watching, eventually: Eventually, fault: Fault) -> None:
    lists = watched.cluster.requests["list"]
    watched.cluster.watch_fault = fault
    watched.cluster.cut()
    await eventually(lambda: watched.cluster.requests["list"] >= lists + 4)
    await watched.cluster.put("flags", flags_data(qa=25))
    await eventually(lambda: watched.weight() == 25)


@pytest.mark.parametrize("fault", [Fault.ENDS_AT_ONCE, Fault.GONE_EVENT, Fault.FORBIDDEN])
async def test_an_api_server_that_fails_at_once_is_not_asked_without_pause(
    mounted: MountedFolder,
    configuration: Configuration,
    cluster: FakeCluster,
    tmp_path: Path,
    eventually: Eventually,
    fault: Fault,
) -> None:
    cluster.watch_fault = fault
    async with watching(mounted, configuration, cluster, tmp_path, Pace(answer=30, first_pause=0.05, longest_pause=5)):
        await eventually(lambda: len(cluster.watched_at["flags"]) >= 5)
        at = cluster.watched_at["flags"]
        # Pauses double from 0.1 s on, less a half by chance; where the answer itself was sound, from the second on.
        for number, (one, next_one) in enumerate(pairwise(at[1:5])):
            assert next_one - one >= 0.05 * 2 ** (number + 1)


async def test_a_stopped_api_server_changes_nothing_and_is_heard_soon_after_it_is_back(
    watched: Watching, eventually: Eventually
) -> None:
    await watched.stop()
    await eventually(lambda: watched.value("sluice_flags_source", source="file") == 1)
    assert watched.weight() == 50
    watched.cluster.config_maps["flags"]["data"] = flags_data(qa=10)
    await watched.start()
    await eventually(lambda: watched.weight() == 10 and watched.is_heard())


async def test_a_connection_that_is_open_and_silent_counts_as_dead(hasty: Watching, eventually: Eventually) -> None:
    watched = hasty
    await eventually(lambda: len(watched.cluster.watches) == 2)
    watched.cluster.watch_fault = Fault.TRICKLES
    watched.cluster.cut()
    await eventually(lambda: len(watched.cluster.watches) == 2)
    watched.cluster.watch_fault = Fault.NONE
    # The change is told to nobody: those watches will never bring it.
    watched.cluster.version += 1
    body = {"metadata": {"name": "flags", "resourceVersion": str(watched.cluster.version)}, "data": flags_data(qa=10)}
    watched.cluster.config_maps["flags"] = body
    await eventually(lambda: watched.weight() == 10)


async def test_a_mounted_file_with_news_counts_while_the_api_server_is_away(
    watched: Watching, eventually: Eventually
) -> None:
    await watched.stop()
    await eventually(watched.is_away)
    watched.mounted.write_flags(qa=75)
    watched.mounted.write_override(legal="0")
    watched.live.refresh()
    assert (watched.weight(), watched.weight("legal", "allowed")) == (75, 0)


async def test_a_mounted_file_that_lags_behind_never_undoes_what_the_watch_brought(
    watched: Watching, eventually: Eventually
) -> None:
    watched.mounted.write_override(qa="0")
    watched.live.refresh()
    await watched.cluster.put("override", {"qa": "0"})
    await watched.cluster.put("flags", flags_data(qa=100))
    await eventually(lambda: watched.weight(kind="wanted") == 100)
    await watched.cluster.put("override", {})
    await eventually(lambda: watched.weight() == 100)
    await watched.stop()
    await eventually(watched.is_away)
    watched.live.refresh()
    assert watched.weight() == 100
    watched.mounted.write_flags(qa=50)  # the kubelet comes late with what the cluster said before
    watched.live.refresh()
    assert watched.weight() == 100


async def test_a_broken_flag_leaves_the_last_good_one_in_force_and_says_so(
    watched: Watching, eventually: Eventually
) -> None:
    for broken in ({"flags.json": "{"}, {}, {"flags.json": '{"flags": {}}'}):
        await watched.cluster.put("flags", broken)
        await eventually(lambda: watched.value("sluice_flags_broken") == 1)
        assert watched.weight() == 50
        await watched.cluster.put("flags", flags_data(qa=50))
        await eventually(lambda: watched.value("sluice_flags_broken") == 0)


async def test_deleted_flags_stay_in_force_and_a_deleted_override_is_none(
    watched: Watching, eventually: Eventually
) -> None:
    await watched.cluster.put("override", {"qa": "0"})
    await eventually(lambda: watched.weight() == 0)
    await watched.cluster.put("flags", None)
    await eventually(lambda: watched.value("sluice_flags_broken") == 1)
    await watched.cluster.put("override", None)
    await eventually(lambda: watched.weight() == 50)


async def test_a_value_of_the_override_that_is_binary_stops_its_agent(
    watched: Watching, eventually: Eventually
) -> None:
    await watched.cluster.put("override", {}, binaryData={"qa": "AAEC"})
    await eventually(lambda: watched.weight() == 0)


async def test_a_token_that_rotates_is_read_anew(watched: Watching, tmp_path: Path, eventually: Eventually) -> None:
    watched.cluster.token = "second-made-token"
    (tmp_path / "access" / "token").write_text("second-made-token\n")
    watched.cluster.cut()
    await watched.cluster.put("flags", flags_data(qa=25))
    await eventually(lambda: watched.weight() == 25)


async def test_a_hundred_changes_in_a_row_end_at_the_last(watched: Watching, eventually: Eventually) -> None:
    for number in range(100):
        await watched.cluster.put("flags", flags_data(qa=number))
    await eventually(lambda: watched.weight() == 99)
    assert watched.value("sluice_flags_broken") == 0


async def test_a_pod_without_a_token_serves_by_its_files(
    mounted: MountedFolder, configuration: Configuration, cluster: FakeCluster, tmp_path: Path, eventually: Eventually
) -> None:
    async with watching(mounted, configuration, cluster, tmp_path) as made:
        await eventually(lambda: len(cluster.watches) == 2)
        (tmp_path / "access" / "token").unlink()
        made.cluster.cut()
        await eventually(made.is_away)
        made.mounted.write_flags(qa=10)
        made.live.refresh()
        assert made.weight() == 10


async def test_a_gateway_asks_the_cluster_before_it_answers_by_what_is_mounted(
    start: Any, stub: str, mounted: MountedFolder, cluster: FakeCluster, tmp_path: Path
) -> None:
    cluster.config_maps["override"]["data"] = {"qa": "0"}
    mounted.write_flags(qa=100)
    async with serving(cluster):
        cluster.config_maps["flags"]["data"] = flags_data(qa=100)
        running = await start(stub, cluster=access_to(cluster, tmp_path / "access"))
        async with running.post(ASK) as response:
            assert response.headers["x-sluice-arm"] == "baseline"
        assert running.metric("sluice_flags_source", source="watch") == 1


async def test_a_gateway_starts_by_its_files_where_the_api_server_is_silent(
    start: Any, stub: str, mounted: MountedFolder, cluster: FakeCluster, tmp_path: Path
) -> None:
    mounted.write_flags(qa=100)
    cluster.fault = Fault.HANGS
    async with serving(cluster), asyncio.timeout(60):  # the API server is silent for an hour
        running = await start(stub, cluster=access_to(cluster, tmp_path / "access"))
        async with running.post(ASK) as response:
            assert response.headers["x-sluice-arm"] == "candidate"
        assert running.metric("sluice_flags_source", source="file") == 1
