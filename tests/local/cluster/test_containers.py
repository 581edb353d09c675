from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

from sluice.local.cluster import containers, node, objects, pods, sandbox_image

STATE = Path("/var/lib/sluice")
LAYER = Path("containerd", "root", "snapshots", "3", "fs")
OVERLAY = f"lowerdir=/l,upperdir={{}}/{LAYER},workdir=/w"


def mount(point: str, options: str = "rw") -> str:
    return f"36 35 0:40 / {point} rw,relatime - overlay overlay rw,{options}"


def test_a_containers_process_is_known_by_its_root_and_nobody_elses_is_taken_for_one() -> None:
    ours, proc = mount("/", OVERLAY.format(STATE)), mount("/proc")
    assert containers.root_is_below(STATE, f"{ours}\n{proc}\n")
    assert not containers.root_is_below(STATE, mount("/", OVERLAY.format("/var/lib/sluice2")))
    assert not containers.root_is_below(STATE, mount("/", OVERLAY.format("/var/lib/docker")))
    assert not containers.root_is_below(STATE, mount("/mnt", OVERLAY.format(STATE)))
    assert not containers.root_is_below(STATE, "")


def test_pods_of_a_cluster_inside_a_container_are_not_ours() -> None:
    assert containers.is_in_pods("4:memory:/kubepods/burstable/pod1/abc\n0::/\n")
    assert containers.is_in_pods("0::/kubepods/pod1/abc\n")
    assert not containers.is_in_pods("0::/docker/xyz/kubepods/pod1/abc\n")
    assert not containers.is_in_pods("0::/user.slice\n")


def test_mounts_are_taken_off_in_the_other_order_and_only_those_below_the_state_folder() -> None:
    points = ("/", "/var/lib/sluice", "/var/lib/sluice/a", "/var/lib/sluice/a/b", "/var/lib/sluice2/c")
    table = "\n".join(map(mount, points))
    assert containers.mounts_below(STATE, table) == (STATE / "a/b", STATE / "a")


def test_the_sandbox_image_is_the_same_each_time_and_says_its_own_name(tmp_path: Path) -> None:
    program = tmp_path / "pause"
    program.write_bytes(b"\x7fELF")
    image = sandbox_image.pack(program)
    assert sandbox_image.pack(program) == image
    with tarfile.open(fileobj=io.BytesIO(image.archive)) as archive:
        index = json.loads((archive.extractfile("index.json") or io.BytesIO()).read())
        names = set(archive.getnames())
    (manifest,) = index["manifests"]
    assert manifest["annotations"]["io.containerd.image.name"] == "sluice.local/pause:1"
    assert manifest["digest"] == image.digest
    assert f"blobs/sha256/{image.digest[7:]}" in names
    program.write_bytes(b"\x7fELF2")
    assert sandbox_image.pack(program).digest != image.digest


def test_what_is_kept_in_the_api_names_the_dns_address_and_grants_no_more_than_reading() -> None:
    kept = {path.rpartition("/")[2]: body for path, body in objects.objects() if "roleRef" not in body}
    assert kept["kube-dns"]["spec"]["clusterIP"] == "10.96.0.10"
    assert kept["kube-dns-sluice"]["endpoints"][0]["addresses"] == ["10.244.0.1"]
    roles = [body for body in kept.values() if body["kind"] == "ClusterRole"]
    assert {verb for role in roles for rule in role["rules"] for verb in rule["verbs"]} == {"list", "watch"}


def test_the_node_is_ready_only_when_it_says_so() -> None:
    def condition(status: str) -> dict[str, object]:
        stamp = "1970-01-01T00:01:40Z"
        return {"status": {"conditions": [{"type": "Ready", "status": status, "lastHeartbeatTime": stamp}]}}

    ready = node.parse(condition("True"))
    assert ready is not None
    assert (ready.is_ready, ready.said_at) == (True, 100.0)
    unknown = node.parse(condition("Unknown"))
    assert unknown is not None
    assert not unknown.is_ready
    assert node.parse({"status": {}}) is None


def test_a_pod_that_only_says_it_ran_before_is_not_back() -> None:
    item = {
        "metadata": {"uid": "u", "namespace": "n", "name": "p"},
        "status": {
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"state": {"running": {"startedAt": "1970-01-01T00:01:40Z"}}}],
        },
    }
    (pod,) = pods.parse({"items": [item]})
    assert (pod.name, pod.is_ready, pod.started_at) == ("n/p", True, 100.0)
    assert pod.is_back(since=100.9)
    assert not pod.is_back(since=101.0)
    (waiting,) = pods.parse({"items": [{**item, "status": {}}]})
    assert not waiting.is_back(since=0.0)
