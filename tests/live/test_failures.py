"""What goes wrong says why in one clear error, in time, and leaves what served before serving."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from pathlib import Path

import pytest

from tests.live.project import AGENTS, NAMESPACE, PORT, LiveProject, edit


@pytest.mark.long
def test_a_pod_that_crashes_fails_the_update_with_its_last_log_lines(fresh_project: LiveProject) -> None:
    project = fresh_project
    project.up()
    source = project.folder / "sluice/gateway/__main__.py"
    source.write_text('raise SystemExit("made to crash: the reason stands here")\n')

    ran = project.sluice("up", "live")

    assert ran.exit_code == 3
    assert "crashed with exit code 1" in ran.stderr
    assert "made to crash: the reason stands here" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert set(project.arms("qa", ["ada"])) == {"ada"}, "the pod from before goes on serving"

    began = time.monotonic()
    again = project.sluice("up", "live")

    print(f"\nan update beside a pod that crashes already: {time.monotonic() - began:.1f} s")
    assert again.exit_code == 3
    assert re.search(r"^  before this update: pod gateway-\S+: container gateway crashed", again.stderr, re.MULTILINE)
    assert re.search(
        r"^  pod gateway-\S+ is of the version that this update wants, and is started anew$", again.stderr, re.MULTILINE
    )
    assert again.stderr.count("made to crash: the reason stands here") >= 2, "at the beginning, and as what ended it"
    assert set(project.arms("qa", ["ada"])) == {"ada"}


@pytest.mark.long
def test_an_image_that_is_not_there_is_named(fresh_project: LiveProject) -> None:
    project = fresh_project
    project.up()
    missing = "sluice.local/gateway@sha256:" + "1" * 64
    edit(project.folder / "Pulumi.live.yaml", r"sluice\.local/gateway@sha256:0+", missing)
    stub_provider = project.pod_image("stub-provider")
    edit(project.folder / "Pulumi.live.yaml", r"sluice\.local/stub-provider@sha256:0+", stub_provider)

    ran = project.sluice("up", "live")

    assert ran.exit_code == 3
    assert re.search(r"container gateway is waiting: \w*Image\w*", ran.stderr)
    assert missing in ran.stderr


def test_a_pod_without_room_says_which_resource_is_missing(fresh_project: LiveProject) -> None:
    project = fresh_project
    edit(project.folder / "Pulumi.live.yaml", r"( +)(replicas: 1\n)", r"\1\2\1resources: {requests: {cpu: '500'}}\n")

    ran = project.sluice("up", "live")

    assert ran.exit_code == 3
    assert "cannot be scheduled" in ran.stderr
    assert "Insufficient cpu" in ran.stderr


@pytest.mark.long
def test_an_up_that_was_killed_is_repaired_by_the_next(fresh_project: LiveProject) -> None:
    project = fresh_project
    assert project.pulumi("destroy", "--yes").exit_code == 0
    process = project.start("up", "live")
    project.wait_for(lambda: any("gateway" in name for name in project.deployments()))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()

    project.up()

    assert set(project.up()["changes"]) == {"same"}
    project.roll_out(dict.fromkeys(AGENTS, 75))
    assert project.up()["changes"]["update"] == 1, "what the killed update had made can be changed"


def test_a_stack_that_another_process_updates_is_left_alone(project: LiveProject) -> None:
    project.up()
    project.roll_out(dict.fromkeys(AGENTS, 75))
    first, second = project.start("up", "live"), project.start("up", "live")
    said = [process.communicate(timeout=120)[1] for process in (first, second)]

    codes = sorted((first.returncode, second.returncode))

    assert codes in ([0, 0], [0, 3]), said
    if codes == [0, 3]:
        assert re.search(r"is being (updated by process|started or stopped by pid) \d+", "".join(said))


def test_a_node_port_of_another_program_is_named(fresh_project: LiveProject) -> None:
    with socket.create_server(("127.0.0.1", 30099)):
        edit(fresh_project.folder / "Pulumi.live.yaml", f"node_port: {PORT}", "node_port: 30099")

        ran = fresh_project.sluice("up", "live")

    assert ran.exit_code == 3
    assert re.search(rf"port 30099/tcp on 127\.0\.0\.1 is in use by \S+ \(pid {os.getpid()}\)", ran.stderr)


def test_broken_yaml_starts_nothing(fresh_project: LiveProject) -> None:
    (fresh_project.folder / "registry/rollouts/live.yaml").write_text("version: 1\nagents: {qa: [\n")

    ran = fresh_project.sluice("up", "live")

    assert ran.exit_code == 1
    assert re.search(r"registry/rollouts/live\.yaml:\d+:\d+: ", ran.stderr)
    assert "pulumi up" not in ran.stderr
    assert "Traceback" not in ran.stderr


def test_an_unknown_agent_in_a_rollout_is_named_with_its_place(fresh_project: LiveProject) -> None:
    rollout = fresh_project.folder / "registry/rollouts/live.yaml"
    rollout.write_text(rollout.read_text().replace("  support:", "  suport:"))

    ran = fresh_project.sluice("up", "live")

    assert ran.exit_code == 1
    assert re.search(r"registry/rollouts/live\.yaml:\d+:3: agents\.suport: .*support", ran.stderr)


def test_a_missing_passphrase_is_said_before_anything_is_made(fresh_project: LiveProject) -> None:
    ran = fresh_project.sluice("up", "live", PULUMI_CONFIG_PASSPHRASE_FILE="")

    assert ran.exit_code == 3
    assert ran.stderr.startswith("sluice: Pulumi.live.yaml: its secrets are encrypted")
    assert "PULUMI_CONFIG_PASSPHRASE_FILE" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1, "nothing else was begun"


def test_a_kubeconfig_of_a_cluster_that_is_gone_is_one_sentence(
    project: LiveProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "kubeconfig"
    text = (Path(os.environ.get("SLUICE_STATE", "/var/lib/sluice")) / "kubeconfig").read_text()
    gone.write_text(re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:9", text))

    ran = project.sluice("up", "live", KUBECONFIG=str(gone))

    assert ran.exit_code == 3
    assert "127.0.0.1:9 does not answer" in ran.stderr
    assert len(ran.stderr.strip().splitlines()) == 1


@pytest.mark.long
def test_destroy_leaves_no_namespace(project: LiveProject) -> None:
    project.up()

    assert project.pulumi("destroy", "--yes").exit_code == 0

    namespaces = project.cluster.get("/api/v1/namespaces")["items"]
    assert NAMESPACE not in [item["metadata"]["name"] for item in namespaces]
