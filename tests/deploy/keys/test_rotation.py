"""A key is rotated: set, brought to the cluster alone, and waited for until every pod uses it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sluice.cli.main import run
from sluice.deploy import rotation
from sluice.deploy.cluster_access import ClusterAccess
from sluice.key_hash import METRIC, key_hash
from sluice.registry import image_variable, load_environment
from sluice.render import render
from tests.deploy.api_server import ApiServer
from tests.deploy.keys.conftest import VALUE, Project, Type
from tests.everything import PROJECT, switched_on

pytestmark = pytest.mark.slow

PODS = "/api/v1/namespaces/a/pods"
DEPLOYMENTS = "/apis/apps/v1/namespaces/a/deployments"


class Cluster:
    """Pods of a gateway on the made API server, and which key each says that it uses."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        image = {"containers": [{"image": "made/gateway@sha256:1"}]}
        deployment = {"metadata": {"name": "gateway"}, "spec": {"template": {"spec": image}}}
        other = {"metadata": {"name": "somebody-elses"}, "spec": {"template": {"spec": image}}}
        server.put(DEPLOYMENTS, {"items": [deployment, other]})
        self.use({"gateway-1": VALUE, "gateway-2": VALUE})

    def use(self, keys: dict[str, str], *, ending: tuple[str, ...] = (), unready: tuple[str, ...] = ()) -> None:
        items = []
        for name, key in keys.items():
            metadata = {"name": name, **({"deletionTimestamp": "2025-11-06T10:00:00Z"} if name in ending else {})}
            ready = {"type": "Ready", "status": str(name not in unready)}
            items.append({"metadata": metadata, "status": {"conditions": [ready]}})
            numbers = {"mistral": key_hash(key), "openai": 7}
            lines = [f'{METRIC}{{provider="{provider}"}} {float(number)}' for provider, number in numbers.items()]
            self._server.put(f"{PODS}/{name}:9090/proxy/metrics", "\n".join(["# HELP made", *lines]))
        self._server.put(PODS, {"items": items})


@pytest.fixture
def cluster(api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(tmp_path / "kubeconfig")))
    monkeypatch.setenv("SLUICE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path / 'state'}")
    monkeypatch.setattr(rotation, "_OTHER_WORKERS_SECONDS", 0.0)
    monkeypatch.setattr(rotation, "_LOOK_EVERY_SECONDS", 0.01)
    return Cluster(api)


@pytest.mark.parametrize("environment", ["dev", "everything"])
def test_the_program_of_a_rotation_is_told_every_image_that_runs(
    environment: str, api: ApiServer, tmp_path: Path
) -> None:
    declared = load_environment(PROJECT, "production" if environment == "everything" else environment)
    settings = switched_on(declared.settings) if environment == "everything" else declared.settings
    objects = render(declared.registry, declared.rollout, settings).objects()
    api.put(DEPLOYMENTS, {"items": [item.body for item in objects if item.kind == "Deployment"]})
    access = ClusterAccess(api.kubeconfig(tmp_path / "kubeconfig"))

    told = rotation._running_images(access, "a")

    assert told == {image_variable(part): image for part, image in settings.images.items()}


ROTATE = ["secrets", "rotate", "dev", "mistral-api-key"]


def test_a_rotation_sets_the_key_brings_the_secret_alone_and_waits_for_every_pod(
    cluster: Cluster, project: Project, type_in: Type, capsys: pytest.CaptureFixture[str]
) -> None:
    type_in(VALUE)

    assert run([*ROTATE, "--format", "json"]) == 0

    said = capsys.readouterr()
    report = json.loads(said.out)
    assert (report["secret"], report["changed"], sorted(report["pods"])) == (
        "mistral-api-key",
        True,
        ["gateway-1", "gateway-2"],
    )
    assert project.kept() == {"sluice:mistral-api-key": VALUE}
    ((arguments, image),) = project.ups()
    assert arguments[arguments.index("--target") + 1] == "**::provider-keys-secret"
    assert image == "made/gateway@sha256:1", "the program must name an image; it is the one that runs"
    assert VALUE not in said.out + said.err + repr(project.calls())


def test_a_rotation_ends_with_3_and_names_the_pods_that_use_the_old_key_yet(
    cluster: Cluster, project: Project, type_in: Type, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.use(
        {"gateway-1": VALUE, "gateway-2": "old", "gateway-3": "old", "gateway-4": "old"},
        ending=("gateway-3",),
        unready=("gateway-4",),
    )
    type_in(VALUE)

    assert run([*ROTATE, "--wait", "1"]) == 3

    error = capsys.readouterr().err
    assert "after 1 s it is not used by all: gateway-2; do not revoke the old key yet" in error
    assert project.kept() == {"sluice:mistral-api-key": VALUE}


def test_the_same_value_again_goes_on_where_the_first_run_stopped(
    cluster: Cluster, project: Project, type_in: Type, capsys: pytest.CaptureFixture[str]
) -> None:
    (project.programs / "up-fails").touch()
    type_in(VALUE)
    assert run(ROTATE) == 3
    assert "the API server said no" in capsys.readouterr().err
    (project.programs / "up-fails").unlink()
    type_in(VALUE)

    assert run([*ROTATE, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["changed"] is False
    assert len(project.ups()) == 2


def test_nothing_is_set_where_there_is_no_gateway_to_take_it(
    cluster: Cluster, api: ApiServer, project: Project, type_in: Type, capsys: pytest.CaptureFixture[str]
) -> None:
    api.put(DEPLOYMENTS, {"items": []})
    type_in(VALUE)

    assert run(ROTATE) == 3
    assert "there is no gateway in namespace a; `sluice secrets set dev mistral-api-key`" in capsys.readouterr().err
    assert project.kept() == {}


def test_nothing_is_set_where_the_cluster_does_not_answer(
    cluster: Cluster, project: Project, type_in: Type, capsys: pytest.CaptureFixture[str]
) -> None:
    type_in(VALUE)

    assert run([*ROTATE, "--context", "nowhere"]) == 3
    assert "does not answer" in capsys.readouterr().err
    assert project.kept() == {}
