"""The main job in its order: nothing is started for a mistake, what cannot start is explained, everybody is asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sluice.deploy import launch as launching
from sluice.deploy.cluster_access import Answer, ClusterAccess, ClusterUnreachable
from sluice.deploy.engine import DEV_PASSPHRASE, Engine, IsHopeless, Update
from sluice.deploy.errors import MissingPassphrase, PodsDoNotStart, PulumiFailed, UnknownEnvironment
from sluice.deploy.follower import FollowedByAnother
from sluice.deploy.launch import USERS, engine_by_hand, launch, prepare_engine, tear_down
from sluice.deploy.target import Target
from sluice.local.folders import PROJECT
from sluice.local.toolchain import PulumiTools
from sluice.progress import Progress
from sluice.registry import Environment, KeysNotSet, load_environment
from tests.deploy.api_server import ApiServer

pytestmark = pytest.mark.slow


PODS = "/api/v1/namespaces/sluice-dev/pods"
IMAGES = {
    "SLUICE_GATEWAY_IMAGE": "built/gateway",
    "SLUICE_STUB_PROVIDER_IMAGE": "built/stub-provider",
    "SLUICE_CACHE_IMAGE": "built/cache",
    "SLUICE_GUARD_IMAGE": "built/guard",
    "SLUICE_PROMETHEUS_IMAGE": "built/prometheus",
}
UPDATE = Update({"url": "http://127.0.0.1:30080", "namespace": "sluice-dev"}, {"create": 9}, 3.0)


@dataclass
class Boundaries:
    """What stands at the edges here: no cluster is started, no image or Pulumi built; `did` says what would have."""

    did: list[str] = field(default_factory=list)
    engines: list[Engine] = field(default_factory=list)
    up: Callable[[IsHopeless], Update] = lambda is_hopeless: UPDATE


@pytest.fixture
def boundaries(monkeypatch: pytest.MonkeyPatch) -> Boundaries:
    made = Boundaries()

    def note(what: str, returned: Any = None) -> Callable[..., Any]:
        def does(*_: object, **__: object) -> Any:
            made.did.append(what)
            return returned

        return does

    def up(engine: Engine, progress: Progress, *, is_hopeless: IsHopeless) -> Update:
        made.did.append("pulumi up")
        made.engines.append(engine)
        return made.up(is_hopeless)

    def destroy(engine: Engine, progress: Progress) -> Update:
        made.did.append("pulumi destroy")
        made.engines.append(engine)
        return Update({}, {"delete": 9}, 1.0)

    monkeypatch.setattr(launching, "SERVED_WITHIN_SECONDS", 0.0)
    monkeypatch.setattr(launching, "start_local_cluster", note("cluster"))
    monkeypatch.setattr(launching, "deliver_images", note("images", IMAGES))
    monkeypatch.setattr(launching, "ensure_pulumi", note("pulumi", PulumiTools(Path("/made/pulumi"), {})))
    monkeypatch.setattr(Engine, "up", up)
    monkeypatch.setattr(Engine, "destroy", destroy)
    return made


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A gateway that answers everybody; the questions it got."""
    questions = []

    def post(access: ClusterAccess, *arguments: Any, timeout_seconds: float) -> Answer:
        body = arguments[3]
        questions.append(body)
        completion = {"choices": [{"message": {"content": f"{body['model']} to {body['user']}"}}]}
        return Answer(200, {"x-sluice-arm": "baseline", "x-sluice-model": "gpt-4o"}, json.dumps(completion).encode(), 1)

    monkeypatch.setattr(ClusterAccess, "post_to_service", post)
    return questions


@pytest.fixture
def quiet() -> Progress:
    return Progress(quiet=True)


@pytest.fixture
def where(api: ApiServer, tmp_path: Path) -> Target:
    api.put(PODS, {"items": []})
    return Target(api.kubeconfig(tmp_path / "kubeconfig"), None, is_local=True)


@pytest.fixture
def dev() -> Environment:
    return load_environment(PROJECT, "dev")


def crashed(name: str, *, restarts: int = 2) -> dict[str, Any]:
    ended = {"terminated": {"exitCode": 1, "reason": "Error", "message": f"{name} has no flags"}}
    return {
        "metadata": {
            "name": name,
            "namespace": "sluice-dev",
            "uid": f"uid-of-{name}",
            "creationTimestamp": "2026-03-01T10:00:00Z",
        },
        "status": {
            "containerStatuses": [
                {
                    "name": "gateway",
                    "ready": False,
                    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                    "lastState": ended,
                    "restartCount": restarts,
                }
            ]
        },
    }


def test_from_nothing_to_answers_in_this_order(
    boundaries: Boundaries, answering: list[dict[str, Any]], where: Target, quiet: Progress
) -> None:
    launched = launch("dev", where, None, quiet)

    assert boundaries.did == ["cluster", "images", "pulumi", "pulumi up"]
    assert (launched.url, launched.update) == ("http://127.0.0.1:30080", UPDATE)
    pairs = [(reply.agent, reply.user) for reply in launched.replies]
    assert pairs == [(agent, user) for agent in ("qa", "content", "legal", "support", "analyst") for user in USERS]
    assert all(reply.answer == f"{reply.agent} to {reply.user}" for reply in launched.replies)
    assert len({question["messages"][0]["content"] for question in answering}) == 5, "each agent gets its own question"


def test_an_override_that_holds_is_shown_beside_the_update_that_does_not_lift_it(
    boundaries: Boundaries,
    answering: list[dict[str, Any]],
    api: ApiServer,
    where: Target,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = {"qa": '{"weight": 0, "by": "ada"}', "all": "10", "legal": '{"weight": 0, "candidate": "legal-0"}'}
    override = {"metadata": {"resourceVersion": "7"}, "data": data}
    api.put("/api/v1/namespaces/sluice-dev/configmaps/override", override)

    launch("dev", where, None, Progress())

    shown = capsys.readouterr().err
    assert "an override holds: qa at most 0 %; `sluice resume` lifts it, an update does not" in shown
    assert "an override holds: every agent at most 10 %;" in shown
    ended = (
        "an override, legal at most 0 %, was for legal-0 and no longer holds, since the rollout names legal-20251031"
    )
    assert ended in shown


def test_who_has_the_candidate_and_was_answered_by_another_is_explained(
    boundaries: Boundaries, where: Target, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def post(access: ClusterAccess, *arguments: Any, timeout_seconds: float) -> Answer:
        agent = arguments[3]["model"]
        model = "gpt-4o" if agent == "support" else f"{agent}-20251031"
        said = json.dumps({"choices": [{"message": {"content": "yes"}}]})
        return Answer(200, {"x-sluice-arm": "candidate", "x-sluice-model": model}, said.encode(), 1)

    monkeypatch.setattr(ClusterAccess, "post_to_service", post)
    launch("dev", where, None, Progress())

    explained = [line for line in capsys.readouterr().err.splitlines() if "in place of" in line]
    assert explained == [
        f"  gpt-4o answered {user} in place of support-20251031, which gave no answer; "
        "mistral is asked 5 times a second at most, which can be why"
        for user in USERS
    ]


def test_a_cluster_of_the_persons_own_is_not_started(
    boundaries: Boundaries, answering: list[dict[str, Any]], where: Target, quiet: Progress
) -> None:
    launch("dev", replace(where, is_local=False), None, quiet)

    assert "cluster" not in boundaries.did


def test_for_a_mistake_in_the_settings_nothing_is_started(
    boundaries: Boundaries, where: Target, quiet: Progress
) -> None:
    with pytest.raises(UnknownEnvironment, match=r"no environment 'prodution'; did you mean production\?"):
        launch("prodution", where, None, quiet)
    assert boundaries.did == []


def test_for_a_missing_passphrase_or_key_nothing_is_started(
    boundaries: Boundaries, where: Target, quiet: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A shell that took over dev's variables holds dev's passphrase, which opens nothing of staging's.
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", DEV_PASSPHRASE)
    with pytest.raises(MissingPassphrase, match=r"^Pulumi\.staging\.yaml: its secrets are encrypted"):
        launch("staging", where, None, quiet)

    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "made for this test")
    with pytest.raises(KeysNotSet, match=r"set staging mistral-api-key\n(.*\n)*.*set staging anthropic-api-key"):
        launch("staging", where, None, quiet)
    assert boundaries.did == []


def test_pulumi_gets_the_images_that_were_built_and_the_cluster_they_are_in(
    boundaries: Boundaries, answering: list[dict[str, Any]], where: Target, quiet: Progress, tmp_path: Path
) -> None:
    launch("dev", where, None, quiet)

    (engine,) = boundaries.engines
    assert engine.variables == {**where.variables(), **IMAGES}
    assert engine.state == tmp_path / "state/pulumi/5f0c4a1e-made"
    assert (engine.environment, engine.project) == ("dev", PROJECT)


def named(dev: Environment, **images: str) -> Environment:
    return replace(dev, settings=dev.settings.with_images(**images))


@pytest.mark.parametrize("is_local", [True, False])
def test_pulumi_by_hand_has_a_folder_for_its_state_before_the_first_update(
    boundaries: Boundaries, where: Target, quiet: Progress, is_local: bool
) -> None:
    engine = engine_by_hand("dev", replace(where, is_local=is_local), quiet)

    assert engine.state.is_dir(), "Pulumi refuses a backend whose folder is not there"
    assert ("images" in boundaries.did) == is_local


def test_images_that_the_settings_name_are_not_built(
    boundaries: Boundaries, where: Target, dev: Environment, quiet: Progress
) -> None:
    engine = prepare_engine(
        named(dev, **{part: f"own/{part}:1" for part in dev.settings.images}),
        where,
        where.connect(),
        None,
        quiet,
    )

    assert boundaries.did == ["pulumi"]
    assert engine.variables == where.variables()


def test_an_image_that_the_settings_name_is_not_replaced_by_one_that_was_built(
    boundaries: Boundaries, where: Target, dev: Environment, quiet: Progress
) -> None:
    access = where.connect()

    gateway = prepare_engine(named(dev, gateway="own/gateway:1"), where, access, None, quiet)
    stub = prepare_engine(named(dev, stub_provider="own/stub:1"), where, access, None, quiet)

    assert "SLUICE_GATEWAY_IMAGE" not in gateway.variables
    assert gateway.variables["SLUICE_STUB_PROVIDER_IMAGE"] == "built/stub-provider"
    assert "SLUICE_STUB_PROVIDER_IMAGE" not in stub.variables
    assert stub.variables["SLUICE_GATEWAY_IMAGE"] == "built/gateway"


def test_the_images_of_parts_that_are_not_there_are_of_no_concern(
    boundaries: Boundaries, where: Target, dev: Environment, quiet: Progress
) -> None:
    named_alone = named(dev, gateway="own/gateway:1").settings
    settings = replace(named_alone, stub_provider=None, cache=None, guard=None, prometheus=None)

    prepare_engine(replace(dev, settings=settings), where, where.connect(), None, quiet)

    assert boundaries.did == ["pulumi"]
    without = {"stub_provider", "cache", "guard", "prometheus"}
    assert without < dev.settings.images.keys(), "else this test shows nothing"


def fails(*_: object) -> Update:
    raise PulumiFailed("pulumi up, stack dev", ["the Deployment is not ready"])


def test_pods_that_do_not_start_are_the_reason_that_is_shown(
    boundaries: Boundaries, where: Target, api: ApiServer, quiet: Progress
) -> None:
    boundaries.up = fails
    api.put(PODS, {"items": [crashed("gateway-a")]})

    with pytest.raises(
        PodsDoNotStart,
        match=r"^pulumi up, stack dev failed\n  pod gateway-a: container gateway crashed with exit code 1 \(Error\); "
        r"its last log lines:\n    gateway-a has no flags$",
    ) as raised:
        launch("dev", where, None, quiet)
    assert raised.value.errors == ("the Deployment is not ready",)
    assert raised.value.exit_code == 3


def test_where_all_pods_are_ready_the_reason_is_pulumis(boundaries: Boundaries, where: Target, quiet: Progress) -> None:
    boundaries.up = fails

    with pytest.raises(PulumiFailed, match=r"^pulumi up, stack dev failed\n  the Deployment is not ready$") as raised:
        launch("dev", where, None, quiet)
    assert type(raised.value) is PulumiFailed


def test_a_route_that_nobody_serves_is_named_beside_what_pulumi_says(
    boundaries: Boundaries, where: Target, api: ApiServer, quiet: Progress
) -> None:
    boundaries.up = fails
    parent = {"name": "shared", "namespace": "gateways", "sectionName": "https"}
    route = {"metadata": {"generation": 1}, "spec": {"parentRefs": [parent]}}
    api.put("/apis/gateway.networking.k8s.io/v1/namespaces/sluice-dev/httproutes/gateway", route)

    with pytest.raises(
        PulumiFailed,
        match=r"^pulumi up, stack dev failed\n  the Deployment is not ready\n  route gateway: nobody has looked at it",
    ):
        launch("dev", where, None, quiet)


def test_only_a_pod_that_this_update_made_ends_it_early(
    boundaries: Boundaries,
    answering: list[dict[str, Any]],
    where: Target,
    api: ApiServer,
    quiet: Progress,
) -> None:
    seen = []

    def look(is_hopeless: IsHopeless) -> Update:
        seen.append(is_hopeless(frozenset()))
        api.put(PODS, {"items": [crashed("from-before"), crashed("new", restarts=1)]})
        seen.append(is_hopeless(frozenset()))
        api.put(PODS, {"items": [crashed("from-before"), crashed("new")]})
        seen.append(is_hopeless(frozenset()))
        return UPDATE

    boundaries.up = look
    api.put(PODS, {"items": [crashed("from-before")]})

    launch("dev", where, None, quiet)

    assert seen == [False, False, True]


def test_an_api_server_that_is_away_for_a_moment_ends_no_update(
    boundaries: Boundaries,
    answering: list[dict[str, Any]],
    where: Target,
    api: ApiServer,
    quiet: Progress,
) -> None:
    seen = []

    def look(is_hopeless: IsHopeless) -> Update:
        api.put(PODS, {"message": "etcd leader changed"}, status=500)
        seen.append(is_hopeless(frozenset()))
        return UPDATE

    boundaries.up = look

    launch("dev", where, None, quiet)

    assert seen == [False]


@pytest.mark.parametrize("begin", [partial(launch, registry=None), tear_down], ids=["updated", "removed"])
def test_what_another_applies_from_git_is_not(
    begin: Callable[..., object], boundaries: Boundaries, where: Target, api: ApiServer, quiet: Progress
) -> None:
    labels = {"kustomize.toolkit.fluxcd.io/name": "models", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}
    api.put("/api/v1/namespaces/sluice-dev/configmaps/flags", {"metadata": {"labels": labels}})
    api.put("/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/flux-system/kustomizations/models", {"spec": {}})

    with pytest.raises(FollowedByAnother, match="dev: Flux's kustomization flux-system/models applies it from git"):
        begin("dev", where, progress=quiet)
    assert "pulumi" not in boundaries.did


def test_an_environment_is_removed_from_the_cluster_that_was_named(
    boundaries: Boundaries, where: Target, quiet: Progress
) -> None:
    assert str(tear_down("staging", where, quiet)) == "9 deleted"

    assert boundaries.did == ["pulumi", "pulumi destroy"]
    assert boundaries.engines[0].environment == "staging"


def test_an_environment_that_is_not_there_is_not_removed(
    boundaries: Boundaries, where: Target, quiet: Progress
) -> None:
    with pytest.raises(
        UnknownEnvironment,
        match=r"^there is no environment 'stagin'; did you mean staging\? the environments are dev, production, stag",
    ):
        tear_down("stagin", where, quiet)
    assert boundaries.did == []


def test_a_cluster_that_is_gone_is_said_before_anything_is_built(
    boundaries: Boundaries, api: ApiServer, quiet: Progress, tmp_path: Path
) -> None:
    nowhere = Target(api.kubeconfig(tmp_path / "kubeconfig"), "nowhere", is_local=False)

    with pytest.raises(ClusterUnreachable, match=r"127\.0\.0\.1:9 does not answer"):
        launch("dev", nowhere, None, quiet)
    assert boundaries.did == []
