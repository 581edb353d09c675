"""While the API server is away the gateways serve on by what they know.

By its name the last of this folder: kubelet and kube-proxy come back in their own time, and until then pods that end
are still sent connections, which is no concern of the gateway's.
"""

from __future__ import annotations

from sluice.deploy.target import start_local_cluster
from sluice.local.cluster import processes, records
from sluice.local.cluster.components import Name
from sluice.local.cluster.errors import NodeNotReady
from sluice.local.cluster.layout import Layout
from sluice.local.folders import state_folder
from sluice.progress import Progress
from tests.live.faults.world import World, assert_right

_WITHOUT_API_SERVER_SECONDS = 60


def test_without_an_api_server_everything_is_answered_as_before(world: World) -> None:
    pods = world.project.pods()
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
