"""The life of a stack: what was changed by hand comes back, a failed update harms nobody, a second changes nothing."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice.local.folders import PROJECT
from tests.live.kinds_of_others import with_kinds_of_others
from tests.live.load import Call, Load
from tests.live.project import AGENTS, URL, LiveProject, Ran

PREVIOUS_RELEASE = "8cd6c53"
"""The commit of the first slice: the state that it leaves is the oldest that an update must take over."""

_SERVE = (
    "namespace/sluice-live",
    "service/gateway",
    "deployment/gateway",
    "configmap/flags",
    "secret/provider-keys",
    "service/stub-provider",
    "deployment/stub-provider",
)
USERS = tuple(f"user-{number}@example.com" for number in range(300))


def uids(project: LiveProject, *names: str) -> dict[str, str]:
    """Return the uid of each object: another one is another object, though it has the same name."""
    ran = project.kubectl(
        "get", *names, "--output", 'jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.uid}{"\\n"}{end}'
    )
    assert ran.exit_code == 0, ran.stderr
    return dict(line.split() for line in ran.stdout.splitlines())


def patch(project: LiveProject, name: str, *operations: dict[str, object]) -> None:
    ran = project.kubectl("patch", name, "--type", "json", "--patch", json.dumps(operations))
    assert ran.exit_code == 0, ran.stderr


@pytest.mark.long
def test_what_was_changed_by_hand_is_shown_with_whose_hand_it_was_and_repaired(project: LiveProject) -> None:
    project.roll_out(dict.fromkeys(AGENTS, 50))
    project.up()
    fine = project.sluice("status", "live")
    assert fine.exit_code == 0, fine.stdout
    rules = project.kubectl("get", "role/gateway-watch", "--output", "jsonpath={.rules}").stdout

    assert project.kubectl("set", "env", "deployment/gateway", "SLUICE_GATEWAY_LOG_LEVEL=debug").exit_code == 0
    assert project.kubectl("scale", "deployment/gateway", "--replicas", "2").exit_code == 0
    assert project.kubectl("delete", "networkpolicy/default-deny").exit_code == 0
    assert project.kubectl("label", "service/gateway", "team=other").exit_code == 0
    secrets = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}
    patch(project, "role/gateway-watch", {"op": "add", "path": "/rules/-", "value": secrets})
    shown = project.sluice("status", "live")

    assert shown.exit_code == 1
    for said in (
        r"drift: deployment/gateway: spec\.replicas is 2, and git says 1 \((kubectl|somebody)\)",
        r"drift: deployment/gateway: .*env\[SLUICE_GATEWAY_LOG_LEVEL\] .*git says nothing of it \(kubectl\S*, 20\S+Z\)",
        r"drift: networkpolicy/default-deny: is not there",
        r'drift: service/gateway: metadata\.labels\.team is "other", and git says nothing of it \(kubectl-label, ',
        r"drift: role/gateway-watch: rules is not what git says \(kubectl-patch, ",
    ):
        assert re.search(said, shown.stdout), f"{said} is not in\n{shown.stdout}"
    refreshed = project.pulumi("refresh", "--preview-only", "--diff")
    assert re.search(r"replicas: 1 => 2", refreshed.stdout), refreshed.stdout

    ran = project.sluice("up", "live")

    assert ran.exit_code == 0, ran.stderr
    assert len(re.findall(r"^  changed by hand: ", ran.stderr, re.MULTILINE)) == 4
    assert re.search(r"^  created: networkpolicy/default-deny$", ran.stderr, re.MULTILINE), ran.stderr
    assert project.kubectl("get", "role/gateway-watch", "--output", "jsonpath={.rules}").stdout == rules
    again = project.sluice("status", "live")
    assert again.exit_code == 0, again.stdout
    assert set(project.up()["changes"]) == {"same"}


def test_an_override_is_shown_and_is_no_drift(project: LiveProject) -> None:
    project.up()
    value = json.dumps({"weight": 0, "by": "ada", "reason": "too slow"})
    data = json.dumps({"data": {"qa": value}})
    try:
        ran = project.kubectl("patch", "configmap/override", "--type", "merge", "-p", data)
        assert ran.exit_code == 0, ran.stderr
        project.wait_for(lambda: "overridden" in project.sluice("status", "live").stdout)

        shown = project.sluice("status", "live")

        assert shown.exit_code == 1
        assert re.search(r"^qa +qa-20251031 +50 +0 +0 +overridden$", shown.stdout, re.MULTILINE), shown.stdout
        assert "override: qa at most 0 % (ada, too slow)" in shown.stdout
        assert "drift" not in shown.stdout
    finally:
        project.kubectl("patch", "configmap/override", "--type", "merge", "-p", '{"data":{"qa":null}}')


@pytest.mark.long
def test_an_update_that_failed_leaves_the_old_version_serving_also_when_its_pods_go(fresh_project: LiveProject) -> None:
    project = fresh_project
    project.up()
    models = project.folder / "registry/models.yaml"
    models.write_text(models.read_text().replace("summary: unit tests", "summary: many unit tests", 1))
    source = project.folder / "sluice/gateway/__main__.py"
    source.write_text('raise SystemExit("made to crash")\n')
    serving = project.pods()
    assert project.sluice("up", "live").exit_code == 3

    assert project.kubectl("delete", "pods", "--wait=false", *serving).exit_code == 0
    project.wait_for(lambda: not project.pods().keys() & serving.keys())
    project.wait_for(lambda: project.sluice("ask", "live", "qa", "Are you there?", "--user", "ada").exit_code == 0)

    assert set(project.arms("qa", ["ada"])) == {"ada"}


@pytest.mark.long
def test_an_environment_of_the_previous_release_is_taken_over_and_nothing_that_serves_is_replaced(
    project: LiveProject, tmp_path: Path
) -> None:
    project.roll_out(dict.fromkeys(AGENTS, 50))
    assert project.pulumi("destroy", "--yes").exit_code == 0
    previous = checked_out(tmp_path / "previous", project)
    previous.up()
    before, arms = uids(previous, *_SERVE), previous.arms("qa", USERS)

    # Pods of that release stop answering five seconds after they are told to end, and kube-proxy on a busy node takes
    # longer to send callers elsewhere: whose connection is refused asks again. Later releases wait for fifteen.
    with Load(URL, AGENTS, calls_a_second=10, tries=30) as load:
        said = project.up()

    again = sum(call.tries > 1 for call in load.calls)
    counts = f"{len(load.calls)} calls, {again} asked again, {len(load.failed)} failed"
    print(f"\nupgrade from {PREVIOUS_RELEASE}: {counts}; {said['changes']}")
    assert [call for call in load.failed if not is_the_providers_fault(call)] == []
    assert uids(project, *_SERVE) == before
    assert "delete" not in said["objects"]
    assert all(name.startswith("configmap/gateway-config-") for name in said["objects"].get("replace", ()))
    assert project.arms("qa", USERS) == arms, "everybody keeps the arm"
    assert set(project.up()["changes"]) == {"same"}


def is_the_providers_fault(call: Call) -> bool:
    """Tell whether the gateway said that its provider failed, which the stub does while the release replaces it.

    It stands for providers outside, and there is no other to ask meanwhile. Until it is replaced, it knows no Messages
    API, which the release's gateway asks claude-sonnet-4 by: 404.
    """
    by_code = str(call.error.get("code")).startswith("provider_")
    return by_code or call.error.get("message") == "The provider answered with status 404."


def checked_out(folder: Path, project: LiveProject) -> LiveProject:
    """Return the previous release with the same environment `live`, in the same cluster and state."""
    folder.mkdir()
    archive = subprocess.run(["git", "archive", PREVIOUS_RELEASE], cwd=PROJECT, capture_output=True, check=True)
    subprocess.run(["tar", "-x"], cwd=folder, input=archive.stdout, check=True)
    (folder / ".venv").symlink_to(PROJECT / ".venv")
    made = LiveProject(folder, project.cluster)
    made.add_environment()
    return made


@pytest.fixture(params=["staging", "production"])
def stack(request: pytest.FixtureRequest, fresh_project: LiveProject) -> Iterator[tuple[LiveProject, str]]:
    """An environment as git has it, but for its size, its namespace and made keys; it is destroyed at the end."""
    environment: str = request.param
    project = fresh_project
    file, keys = project.folder / f"Pulumi.{environment}.yaml", (project.folder / "Pulumi.live.yaml").read_text()
    settings = file.read_text().replace(f"sluice-{environment}\n", f"sluice-live-{environment}\n", 1)
    settings = settings.replace("requests: {cpu: 500m", "requests: {cpu: 20m")
    if environment == "staging":  # so that both ways to bring dashboards are tried
        settings = settings.replace("grafana: sidecar", "grafana: operator", 1)
    secrets = "\n".join(re.findall(r"^  sluice:\S+-api-key:\n    secure: \S+$", keys, re.MULTILINE))
    salt = re.findall(r"^encryptionsalt: .*$", keys, re.MULTILINE)[0]
    file.write_text(f"{settings.rstrip()}\n{secrets}\n{salt}\n")
    project.pulumi("cancel", "--yes", environment=environment)  # what a run that was killed has left locked
    with with_kinds_of_others(project):
        yield project, environment
        project.pulumi("state", "unprotect", "--all", "--yes", environment=environment)
        destroyed = project.pulumi("destroy", "--yes", environment=environment)
        assert destroyed.exit_code == 0, destroyed.stderr


@pytest.mark.long
def test_a_second_update_of_staging_and_of_production_changes_nothing(stack: tuple[LiveProject, str]) -> None:
    project, environment = stack
    assert update(project, environment).exit_code == 0
    assert_it_began_with_as_many_pods_as_its_autoscaler_wants(project, environment)
    kind = "grafanadashboards" if environment == "staging" else "configmaps"
    assert len(dashboards(project, environment, kind)) == 4

    began = time.monotonic()
    second = update(project, environment)

    print(f"\nsecond update of {environment}: {time.monotonic() - began:.1f} s, with `sluice env`")
    assert re.search(r"^Resources:\n +\d+ unchanged$", second.stdout, re.MULTILINE), second.stdout
    assert is_what_git_says(project, environment)
    if environment == "production":
        refused = project.pulumi("destroy", "--yes", environment=environment)
        assert refused.exit_code != 0
        assert "protected" in refused.stdout + refused.stderr
        assert is_what_git_says(project, environment), "nothing of it is gone"


def assert_it_began_with_as_many_pods_as_its_autoscaler_wants(project: LiveProject, environment: str) -> None:
    """Every change of a Deployment's specification raises its generation: in the first, nobody has counted it anew."""
    of_ours = f"namespaces/sluice-live-{environment}"
    autoscaler = f"/apis/autoscaling/v2/{of_ours}/horizontalpodautoscalers/gateway"
    # It looks every 15 s, and notes then what it saw.
    project.wait_for(lambda: bool(project.cluster.get(autoscaler).get("status", {}).get("conditions")), seconds=90)
    least = project.cluster.get(autoscaler)["spec"]["minReplicas"]
    gateway = project.cluster.get(f"/apis/apps/v1/{of_ours}/deployments/gateway")
    assert (gateway["metadata"]["generation"], gateway["spec"]["replicas"]) == (1, least)
    assert least >= 2


def dashboards(project: LiveProject, environment: str, kind: str) -> list[str]:
    """Return the names of an environment's dashboards, by the kind that brings them to Grafana."""
    there = ("--namespace", f"sluice-live-{environment}", "--selector", "app.kubernetes.io/component=dashboards")
    ran = project.kubectl("get", kind, *there, "--output", "name")
    assert ran.exit_code == 0, ran.stderr
    return ran.stdout.split()


def is_what_git_says(project: LiveProject, environment: str) -> bool:
    """Whether no object differs. The settings name the Prometheus of a cluster of their own, which is not here."""
    shown = project.sluice("status", environment)
    assert (shown.exit_code, "\nnot measured: Prometheus at " in shown.stdout) == (3, True), shown.stdout
    return "\nthe cluster is what git says\n" in shown.stdout


def update(project: LiveProject, environment: str) -> Ran:
    if project.in_shell("pulumi stack ls --json", environment=environment).stdout.find(f'"{environment}"') < 0:
        made = project.in_shell(
            'pulumi stack init --secrets-provider passphrase "$1"', environment, environment=environment
        )
        assert made.exit_code == 0, made.stderr
    ran = project.pulumi("up", "--yes", "--skip-preview", "--refresh", environment=environment)
    assert ran.exit_code == 0, ran.stdout + ran.stderr
    return ran
