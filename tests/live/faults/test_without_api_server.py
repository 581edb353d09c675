"""While the API server is away the gateways serve on by what they know.

By its name the last of this folder: kubelet and kube-proxy come back in their own time, and until then pods that end
are still sent connections, which is no concern of the gateway's.
"""

from __future__ import annotations

import json

from sluice.deploy.target import start_local_cluster
from sluice.local.cluster import processes, records
from sluice.local.cluster.components import Name
from sluice.local.cluster.errors import NodeNotReady
from sluice.local.cluster.layout import Layout
from sluice.local.folders import state_folder
from sluice.progress import Progress
from tests.live.faults.served_weights import served
from tests.live.faults.world import GATEWAYS, World, assert_right
from tests.live.guards import config_map

_WITHOUT_API_SERVER_SECONDS = 60


def test_without_an_api_server_everything_is_answered_as_before_and_an_override_outlives_it(world: World) -> None:
    pods = world.project.pods()
    world.set_override("qa", json.dumps({"weight": 0, "by": "ada", "reason": "too slow"}))
    world.project.wait_for(lambda: world.metric(served("qa")) == [0.0] * GATEWAYS)
    with world.harm(f"API server stopped for {_WITHOUT_API_SERVER_SECONDS} s") as harm:
        server = records.load(Layout(state_folder()), Name.API_SERVER)
        assert server is not None
        processes.kill([server.process])
        try:
            harm.stay(_WITHOUT_API_SERVER_SECONDS)
        finally:
            try:
                start_local_cluster(Progress())
            except NodeNotReady:  # the kubelet comes back in its own time, which is no concern of the gateway's
                start_local_cluster(Progress())

    assert_right(harm)
    assert world.project.pods() == pods
    assert {call.arm for call in harm.load.calls if call.agent == "qa"} == {"baseline"}, "before, without it, and after"
    assert world.metric(served("qa")) == [0.0] * GATEWAYS
    assert "too slow" in config_map(world.project, "override")["qa"]
    world.set_override("qa", None)
