"""When an update is in vain: by pods of the version that it wants, and by no others."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sluice.deploy.cluster_access import ClusterAccess
from sluice.deploy.waiting import Waiting
from tests.deploy.api_server import ApiServer

PODS = "/api/v1/namespaces/ours/pods"
APPS = "/apis/apps/v1/namespaces/ours"
BEGUN = frozenset({"deployment/gateway"})
LOOKS = 5


def crashed(name: str, *, of: str = "gateway-new") -> dict[str, Any]:
    ended = {"terminated": {"exitCode": 1, "reason": "Error", "message": f"{name} has no flags"}}
    return {
        "metadata": {
            "name": name,
            "namespace": "ours",
            "uid": f"uid-of-{name}",
            "resourceVersion": "7",
            "creationTimestamp": "2026-03-01T10:00:00Z",
            "ownerReferences": [{"kind": "ReplicaSet", "name": of}],
        },
        "status": {
            "containerStatuses": [
                {
                    "name": "gateway",
                    "ready": False,
                    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                    "lastState": ended,
                    "restartCount": 4,
                }
            ]
        },
    }


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def cluster(api: ApiServer) -> ApiServer:
    """A Deployment whose second version, `gateway-new`, is the newest, and a crashed pod of it from before."""
    for name, revision in (("gateway-old", "1"), ("gateway-new", "2")):
        owner = [{"kind": "Deployment", "name": "gateway"}]
        annotations = {"deployment.kubernetes.io/revision": revision}
        api.put(f"{APPS}/replicasets/{name}", {"metadata": {"ownerReferences": owner, "annotations": annotations}})
    is_at(api, "2")
    api.put(PODS, {"items": [crashed("before")]})
    api.put(f"{PODS}/before", {"kind": "Status"}, method="DELETE")
    return api


def is_at(api: ApiServer, revision: str, *, generation: int = 3, seen: int = 3) -> None:
    metadata = {"generation": generation, "annotations": {"deployment.kubernetes.io/revision": revision}}
    api.put(f"{APPS}/deployments/gateway", {"metadata": metadata, "status": {"observedGeneration": seen}})


@pytest.fixture
def waiting(cluster: ApiServer, access: ClusterAccess, said: list[str]) -> Waiting:
    return Waiting(access, "ours", has_one_node=True, say=said.append)


def deleted(api: ApiServer) -> list[str]:
    return [request.path for request in api.requests if request.method == "DELETE"]


def test_what_crashed_before_the_update_is_said_at_once(waiting: Waiting, said: list[str]) -> None:
    waiting.say_what_fails_already()

    assert len(said) == 1
    assert said[0].startswith("  before this update: pod before: container gateway crashed with exit code 1 (Error)")
    assert "before has no flags" in said[0]


def test_a_pod_from_before_that_the_update_still_wants_is_started_anew_once(
    waiting: Waiting, cluster: ApiServer, said: list[str]
) -> None:
    looks = [waiting.is_in_vain(BEGUN) for _ in range(LOOKS + 3)]

    assert not any(looks), "it may be mended by a key or a flag"
    assert deleted(cluster) == [f"{PODS}/before"]
    (request,) = [request for request in cluster.requests if request.method == "DELETE"]
    assert json.loads(request.body) == {"preconditions": {"uid": "uid-of-before", "resourceVersion": "7"}}
    assert said == ["  pod before is of the version that this update wants, and is started anew"]


def test_the_pod_that_comes_in_its_place_and_crashes_too_ends_the_update(waiting: Waiting, cluster: ApiServer) -> None:
    for _ in range(LOOKS):
        waiting.is_in_vain(BEGUN)
    cluster.put(PODS, {"items": [crashed("after")]})

    assert waiting.is_in_vain(BEGUN)


def test_nothing_is_started_anew_until_pulumi_has_written_the_deployment(waiting: Waiting, cluster: ApiServer) -> None:
    for begun in [frozenset[str]()] * 20 + [BEGUN] * (LOOKS - 1):
        assert not waiting.is_in_vain(begun)

    assert deleted(cluster) == []


def test_a_pod_of_a_version_that_the_update_takes_away_is_left_alone_and_ends_nothing(
    access: ClusterAccess, cluster: ApiServer, said: list[str]
) -> None:
    cluster.put(PODS, {"items": [crashed("before", of="gateway-old")]})
    waiting = Waiting(access, "ours", has_one_node=True, say=said.append)
    for _ in range(LOOKS + 3):
        assert not waiting.is_in_vain(BEGUN)
    # A node that went has another put in its place.
    cluster.put(PODS, {"items": [crashed("moved", of="gateway-old")]})

    assert not waiting.is_in_vain(BEGUN)
    assert deleted(cluster) == []


def test_a_deployment_that_kubernetes_has_not_looked_at_yet_is_waited_for(waiting: Waiting, cluster: ApiServer) -> None:
    is_at(cluster, "2", generation=4, seen=3)

    for _ in range(LOOKS + 3):
        assert not waiting.is_in_vain(BEGUN)
    assert deleted(cluster) == []
