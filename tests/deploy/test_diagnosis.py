"""Why pods do not start, read from what an API server says of them."""

from __future__ import annotations

from typing import Any

import pytest

from sluice.deploy.cluster_access import ClusterAccess
from sluice.deploy.diagnosis import cannot_start, is_unscheduled, reasons_pods_do_not_start
from sluice.deploy.pods import pods_of
from tests.deploy.api_server import ApiServer

NAMESPACE = "sluice-dev"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
EVENTS = f"/api/v1/namespaces/{NAMESPACE}/events"

RUNNING = {"running": {"startedAt": "2026-03-01T10:00:05Z"}}
UNSCHEDULABLE = [
    {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/1 nodes are available: 1 Insufficient cpu.",
    }
]


def waiting(reason: str, message: str | None = None) -> dict[str, Any]:
    return {"waiting": {"reason": reason, **({"message": message} if message else {})}}


def terminated(exit_code: int, reason: str, message: str | None = None) -> dict[str, Any]:
    return {"terminated": {"exitCode": exit_code, "reason": reason, **({"message": message} if message else {})}}


def pod(
    name: str,
    state: dict[str, Any] | None,
    *,
    last: dict[str, Any] | None = None,
    ready: bool = False,
    created: str = "2026-03-01T10:00:00Z",
    conditions: list[dict[str, str]] | None = None,
    metadata: dict[str, Any] | None = None,
    restarts: int = 0,
) -> dict[str, Any]:
    """A pod of one container, `gateway`; without `state` its container has no status yet."""
    status: dict[str, Any] = {
        "conditions": [
            {"type": "PodScheduled", "status": "True"},
            {"type": "Ready", "status": "True" if ready else "False"},
        ]
        if conditions is None
        else conditions
    }
    if state is not None:
        status["containerStatuses"] = [
            {"name": "gateway", "ready": ready, "state": state, "lastState": last or {}, "restartCount": restarts}
        ]
    return {
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "uid": f"uid-of-{name}",
            "creationTimestamp": created,
            **(metadata or {}),
        },
        "status": status,
    }


def put_pods(api: ApiServer, *pods: dict[str, Any]) -> None:
    api.put(PODS, {"kind": "PodList", "items": list(pods)}, query={"labelSelector": "app.kubernetes.io/part-of=sluice"})
    for one in pods:
        put_warnings(api, one["metadata"]["name"])


def put_warnings(api: ApiServer, name: str, *messages: tuple[str, str, str | None]) -> None:
    """Put warnings about a pod: reason, message and when it was last seen."""
    items = [
        {
            "reason": reason,
            "message": message,
            "lastTimestamp": seen,
            "metadata": {"creationTimestamp": "2026-03-01T10:00:20Z"},
        }
        for reason, message, seen in messages
    ]
    selector = f"involvedObject.uid=uid-of-{name},type=Warning"
    api.put(EVENTS, {"kind": "EventList", "items": items}, query={"fieldSelector": selector})


def put_log(api: ApiServer, name: str, text: str, *, previous: bool = True) -> None:
    query = {"container": "gateway", "tailLines": "8", **({"previous": "true"} if previous else {})}
    api.put(f"{PODS}/{name}/log", text, query=query)


def reasons(access: ClusterAccess) -> list[str]:
    return reasons_pods_do_not_start(access, NAMESPACE)


def test_where_all_are_ready_there_is_no_reason(api: ApiServer, access: ClusterAccess) -> None:
    put_pods(api, pod("gateway-a", RUNNING, ready=True), pod("stub-b", RUNNING, ready=True))

    assert reasons(access) == []


def test_where_there_are_no_pods_there_is_no_reason(api: ApiServer, access: ClusterAccess) -> None:
    put_pods(api)

    assert reasons(access) == []


def test_a_crash_shows_its_exit_code_and_the_last_lines_before_it(api: ApiServer, access: ClusterAccess) -> None:
    put_pods(
        api,
        pod("gateway-a", waiting("CrashLoopBackOff", "back-off 20s restarting"), last=terminated(1, "Error")),
    )
    put_log(api, "gateway-a", "loading\nno flags in /etc/sluice/flags\n")
    put_log(api, "gateway-a", "of the next try\n", previous=False)

    assert reasons(access) == [
        (
            "pod gateway-a: container gateway crashed with exit code 1 (Error); its last log lines:\n"
            "  loading\n"
            "  no flags in /etc/sluice/flags"
        )
    ]


def test_a_first_crash_has_no_log_of_an_earlier_one(api: ApiServer, access: ClusterAccess) -> None:
    put_pods(api, pod("gateway-a", terminated(2, "Error")))
    put_log(api, "gateway-a", "only now\n", previous=False)

    assert reasons(access) == [
        "pod gateway-a: container gateway crashed with exit code 2 (Error); its last log lines:\n  only now"
    ]


def test_a_container_without_a_log_shows_the_message_it_ended_with(api: ApiServer, access: ClusterAccess) -> None:
    ended = terminated(128, "StartError", 'exec: "python": executable file not found in $PATH')
    put_pods(api, pod("gateway-a", waiting("CrashLoopBackOff"), last=ended))

    assert reasons(access) == [
        (
            "pod gateway-a: container gateway crashed with exit code 128 (StartError); its last log lines:\n"
            '  exec: "python": executable file not found in $PATH'
        )
    ]


def test_too_little_memory_is_named(api: ApiServer, access: ClusterAccess) -> None:
    put_pods(api, pod("gateway-a", waiting("CrashLoopBackOff"), last=terminated(137, "OOMKilled")))

    assert reasons(access) == [
        "pod gateway-a: container gateway crashed with exit code 137 (OOMKilled); its last log lines: (none)"
    ]


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff"])
def test_an_image_that_is_not_there_is_named(reason: str, api: ApiServer, access: ClusterAccess) -> None:
    message = 'Back-off pulling image "registry.example.com/sluice/gateway@sha256:11": not found'
    put_pods(api, pod("gateway-a", waiting(reason, message)))

    assert reasons(access) == [f"pod gateway-a: container gateway is waiting: {reason}: {message}"]


def test_a_configuration_that_is_missing_is_named(api: ApiServer, access: ClusterAccess) -> None:
    put_pods(api, pod("gateway-a", waiting("CreateContainerConfigError", 'secret "provider-keys" not found')))

    assert reasons(access) == [
        'pod gateway-a: container gateway is waiting: CreateContainerConfigError: secret "provider-keys" not found'
    ]


def test_a_container_that_waits_without_a_word_is_explained_by_the_newest_warning(
    api: ApiServer, access: ClusterAccess
) -> None:
    put_pods(api, pod("gateway-a", waiting("ContainerCreating")))
    put_warnings(
        api,
        "gateway-a",
        ("FailedMount", 'MountVolume.SetUp failed for "keys": secret "provider-keys" not found\n', None),
        ("FailedMount", "an earlier one", "2026-03-01T10:00:10Z"),
    )

    assert reasons(access) == [
        (
            "pod gateway-a: container gateway is waiting: ContainerCreating: "
            'MountVolume.SetUp failed for "keys": secret "provider-keys" not found'
        )
    ]


def test_a_container_that_waits_and_nobody_knows_why_says_so(api: ApiServer, access: ClusterAccess) -> None:
    put_pods(api, pod("gateway-a", waiting("ContainerCreating")))

    assert reasons(access) == [
        "pod gateway-a: container gateway is waiting: ContainerCreating: no further reason given"
    ]


def test_a_pod_that_no_node_takes_says_what_is_missing(api: ApiServer, access: ClusterAccess) -> None:
    put_pods(api, pod("gateway-a", None, conditions=UNSCHEDULABLE))

    assert reasons(access) == ["pod gateway-a: cannot be scheduled: 0/1 nodes are available: 1 Insufficient cpu."]


def test_a_readiness_probe_that_fails_is_quoted(api: ApiServer, access: ClusterAccess) -> None:
    put_pods(api, pod("gateway-a", RUNNING))
    put_warnings(
        api,
        "gateway-a",
        ("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503", "2026-03-01T10:01:00Z"),
    )

    assert reasons(access) == [
        (
            "pod gateway-a: container gateway runs but is not ready: "
            "Readiness probe failed: HTTP probe failed with statuscode: 503"
        )
    ]


def test_a_container_that_only_takes_its_time_is_not_blamed(api: ApiServer, access: ClusterAccess) -> None:
    put_pods(api, pod("gateway-a", RUNNING))

    assert reasons(access) == [
        "pod gateway-a: container gateway runs but is not ready: its probes have not succeeded yet"
    ]


@pytest.mark.parametrize("ended", [terminated(0, "Completed"), terminated(143, "Error"), terminated(137, "Error")])
@pytest.mark.parametrize("state", [RUNNING, waiting("CrashLoopBackOff", "back-off 10s restarting failed container")])
def test_a_container_that_was_stopped_for_its_probe_did_not_crash(
    state: dict[str, Any], ended: dict[str, Any], api: ApiServer, access: ClusterAccess
) -> None:
    put_pods(api, pod("gateway-a", state, last=ended))
    put_log(api, "gateway-a", "waiting for a configuration\n")
    put_warnings(
        api,
        "gateway-a",
        ("Unhealthy", "Startup probe failed: HTTP probe failed with statuscode: 503", "2026-03-01T10:01:00Z"),
        ("BackOff", "Back-off restarting failed container gateway", "2026-03-01T10:01:05Z"),
    )

    assert reasons(access) == [
        (
            "pod gateway-a: container gateway was stopped because of its probe: "
            "Startup probe failed: HTTP probe failed with statuscode: 503; its last log lines:\n"
            "  waiting for a configuration"
        )
    ]


def test_a_crash_that_a_probe_saw_too_is_a_crash(api: ApiServer, access: ClusterAccess) -> None:
    put_pods(api, pod("gateway-a", waiting("CrashLoopBackOff"), last=terminated(1, "Error")))
    put_log(api, "gateway-a", "no such file\n")
    put_warnings(api, "gateway-a", ("Unhealthy", "Startup probe failed: connection refused", "2026-03-01T10:01:00Z"))

    assert reasons(access) == [
        "pod gateway-a: container gateway crashed with exit code 1 (Error); its last log lines:\n  no such file"
    ]


def test_replicas_that_fail_alike_are_told_of_once_by_the_newest(api: ApiServer, access: ClusterAccess) -> None:
    put_pods(
        api,
        *(
            pod(
                f"gateway-{number}",
                waiting("CrashLoopBackOff"),
                last=terminated(1, "Error"),
                created=f"2026-03-01T10:00:0{number}Z",
            )
            for number in (1, 3, 2)
        ),
    )
    for number in (1, 2, 3):
        put_log(api, f"gateway-{number}", f'{{"time": "10:00:0{number}.{number}71", "problem": "no flags"}}\n')

    assert reasons(access) == [
        (
            "pod gateway-3: container gateway crashed with exit code 1 (Error); its last log lines:\n"
            '  {"time": "10:00:03.371", "problem": "no flags"}'
        )
    ]


def test_replicas_whose_probes_fail_at_their_own_addresses_fail_alike(api: ApiServer, access: ClusterAccess) -> None:
    put_pods(api, pod("gateway-a", RUNNING), pod("gateway-b", RUNNING))
    for name, address in (("gateway-a", 17), ("gateway-b", 18)):
        message = f'Readiness probe failed: Get "http://10.244.0.{address}:8080/readyz": connection refused'
        put_warnings(api, name, ("Unhealthy", message, "2026-03-01T10:01:00Z"))

    (reason,) = reasons(access)
    assert "connection refused" in reason


def test_pods_that_fail_differently_are_all_told_of_the_newest_first(api: ApiServer, access: ClusterAccess) -> None:
    put_pods(
        api,
        pod("stub-a", waiting("ErrImagePull", "not found"), created="2026-03-01T10:00:00Z"),
        pod("gateway-b", waiting("CreateContainerConfigError", "no keys"), created="2026-03-01T10:00:09Z"),
        pod("gateway-c", RUNNING, ready=True, created="2026-03-01T10:00:05Z"),
    )

    assert [reason.split(":")[0] for reason in reasons(access)] == ["pod gateway-b", "pod stub-a"]


def test_a_pod_on_its_way_out_is_not_blamed(api: ApiServer, access: ClusterAccess) -> None:
    gone = pod("gateway-a", terminated(0, "Completed"), metadata={"deletionTimestamp": "2026-03-01T10:00:30Z"})
    put_pods(api, gone)

    assert reasons(access) == []


def test_a_pod_nobody_has_looked_at_yet_has_no_reason(api: ApiServer, access: ClusterAccess) -> None:
    put_pods(api, pod("gateway-a", None, conditions=[]))

    assert reasons(access) == []


def test_pods_are_told_apart_by_what_no_other_pod_ever_has(api: ApiServer, access: ClusterAccess) -> None:
    put_pods(api, pod("gateway-a", RUNNING), pod("gateway-b", RUNNING))

    found = pods_of(access, NAMESPACE)

    assert {uid: one["metadata"]["name"] for uid, one in found.items()} == {
        "uid-of-gateway-a": "gateway-a",
        "uid-of-gateway-b": "gateway-b",
    }


@pytest.mark.parametrize(
    ("of_no_hope", "made"),
    [
        (True, pod("a", waiting("ImagePullBackOff"))),
        (True, pod("a", waiting("InvalidImageName"))),
        (True, pod("a", waiting("CrashLoopBackOff"), restarts=2)),
        (False, pod("a", waiting("ErrImagePull"))),
        (False, pod("a", waiting("CrashLoopBackOff"), restarts=1)),
        (False, pod("a", waiting("ContainerCreating"))),
        (False, pod("a", RUNNING)),
        (False, pod("a", RUNNING, ready=True, restarts=7)),
        (False, pod("a", None, conditions=[])),
    ],
)
def test_waiting_ends_where_it_is_of_no_use(of_no_hope: bool, made: dict[str, Any]) -> None:
    assert cannot_start(made) is of_no_hope


def test_a_pod_without_a_node_is_no_lost_one_but_is_known() -> None:
    without = pod("a", None, conditions=UNSCHEDULABLE)

    assert is_unscheduled(without)
    assert not cannot_start(without)
    assert not is_unscheduled(pod("a", None))
