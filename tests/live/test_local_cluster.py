"""The local cluster is a real one: pods, names, logs, exec and admission work, and what dies is named and restarted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sluice.local import cluster as local_cluster
from sluice.local.folders import state_folder
from tests.live.project import AGENTS, LiveProject


@pytest.fixture(scope="module")
def serving(project: LiveProject) -> LiveProject:
    project.roll_out(dict.fromkeys(AGENTS, 50))
    project.up()
    return project


def kubectl(project: LiveProject, *arguments: str) -> str:
    ran = project.kubectl(*arguments)
    assert ran.exit_code == 0, ran.stderr
    return ran.stdout


def test_a_name_of_a_service_resolves_in_a_pod_to_its_address(serving: LiveProject) -> None:
    lookup = "import socket; print(socket.gethostbyname('stub-provider'))"
    address = kubectl(serving, "get", "service", "stub-provider", "--output", "jsonpath={.spec.clusterIP}")

    assert kubectl(serving, "exec", "deployment/gateway", "--", "python3", "-c", lookup).strip() == address


@pytest.mark.parametrize(
    "address", ["10.244.0.254", "10.96.254.254"], ids=["pod that has gone", "service that has gone"]
)
def test_what_is_sent_to_nobody_does_not_leave_the_machine(serving: LiveProject, address: str) -> None:
    attempt = f"""import errno, socket
try:
    socket.create_connection(({address!r}, 8080), timeout=30)
except OSError as error:
    print(errno.errorcode.get(error.errno, error))
"""

    of_a_pod = kubectl(serving, "exec", "deployment/gateway", "--", "python3", "-c", attempt)
    of_the_machine = subprocess.run([sys.executable, "-c", attempt], capture_output=True, text=True, check=True).stdout

    assert (of_a_pod.strip(), of_the_machine.strip()) == ("EHOSTUNREACH", "EHOSTUNREACH")


def test_the_gateway_runs_as_an_ordinary_user_on_a_root_that_cannot_be_written(serving: LiveProject) -> None:
    attempt = """import os, pathlib
print(os.getuid())
try:
    pathlib.Path("/here").touch()
except OSError as error:
    print(error.strerror)
"""

    said = kubectl(serving, "exec", "deployment/gateway", "--", "python3", "-c", attempt)

    assert said.splitlines() == ["10001", "Read-only file system"]


def test_the_gateway_says_in_its_log_which_weights_it_loaded(serving: LiveProject) -> None:
    lines = [
        json.loads(line) for line in kubectl(serving, "logs", "deployment/gateway").splitlines() if line.startswith("{")
    ]

    loaded = [line["weights"]["qa"] for line in lines if line["event"] == "flags loaded"]
    assert loaded[-1] == 50


def test_no_key_is_in_any_object_but_the_secret(serving: LiveProject) -> None:
    objects = kubectl(serving, "get", "configmaps,deployments,pods,services,events,serviceaccounts", "--output", "yaml")

    assert "that-opens-nothing" not in objects
    assert "that-opens-nothing" not in kubectl(serving, "logs", "deployment/gateway")


def test_a_privileged_pod_is_refused_in_the_namespace(serving: LiveProject) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "privileged"},
        "spec": {"containers": [{"name": "it", "image": "it", "securityContext": {"privileged": True}}]},
    }

    ran = serving.kubectl("create", "--filename", "-", stdin=json.dumps(pod))

    assert ran.exit_code == 1
    assert 'violates PodSecurity "restricted' in ran.stderr


def test_a_component_that_died_is_named_and_restarted(serving: LiveProject) -> None:
    (scheduler,) = [
        part for part in local_cluster.status(state_folder()).components if part.name == local_cluster.Name.SCHEDULER
    ]
    assert scheduler.pid is not None
    os.kill(scheduler.pid, signal.SIGKILL)
    serving.wait_for(lambda: not Path("/proc", str(scheduler.pid), "root", "proc").exists())

    ran = serving.sluice("local", "up")

    assert ran.exit_code == 0
    assert "kube-scheduler had died; it was started again" in ran.stderr
    assert local_cluster.status(state_folder()).is_up


def test_status_as_json_names_every_component(serving: LiveProject) -> None:
    ran = serving.sluice("local", "status", "--format", "json")

    said = json.loads(ran.stdout)
    assert ran.exit_code == 0
    assert said["up"] is True
    assert {part["condition"] for part in said["components"]} == {"running"}


def test_the_logs_of_a_component_are_one_command_away(serving: LiveProject) -> None:
    ran = serving.sluice("local", "logs", "kubelet", "--lines", "5")

    assert ran.exit_code == 0
    assert len(ran.stdout.splitlines()) == 5
