"""What CI applies, and what it leaves to whoever follows git in the cluster and verifies all the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from sluice.deploy import continuous
from sluice.deploy.cluster_access import ClusterUnreachable
from sluice.deploy.continuous import Continuous
from sluice.deploy.follower import Follower
from sluice.deploy.status import AgentStatus, Status
from sluice.deploy.target import Target
from sluice.progress import Progress
from tests.deploy.api_server import ApiServer

pytestmark = pytest.mark.slow

FLUX = Follower("Flux's kustomization flux-system/models", "flux reconcile", "flux suspend", revision="main@sha1:abc")
NEW = Status(
    "dev",
    "sluice-dev",
    is_there=True,
    pods={"gateway-1": True},
    agents=(AgentStatus("qa", "qa-2", 50, 100, (50.0,)),),
    follower=FLUX,
)
OLD = replace(NEW, agents=(AgentStatus("qa", "qa-2", 50, 100, (10.0,)),))
AWAY = ClusterUnreachable("127.0.0.1:9", "does not answer", "start it")


class Cluster:
    """Answers what follows git, and one look after the other; the last one again and again."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, follower: Follower | None, *looks: Status | ClusterUnreachable
    ) -> None:
        self.did: list[str] = []
        self._looks = list(looks)
        monkeypatch.setattr(continuous, "_LOOK_EVERY_SECONDS", 0.0)
        monkeypatch.setattr(continuous, "follower", lambda *_: follower)
        monkeypatch.setattr(continuous, "status", lambda *_: self._look())
        monkeypatch.setattr(continuous, "wait_until_served", lambda *_, **__: self.did.append("wait for the Service"))
        monkeypatch.setattr(continuous, "ask_every_agent", lambda *_: self.did.append("ask"))
        monkeypatch.setattr(continuous, "launch", lambda *_: self._launch())

    def _look(self) -> Status:
        self.did.append("look")
        found = self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]
        if isinstance(found, ClusterUnreachable):
            raise found
        return found

    def _launch(self) -> SimpleNamespace:
        self.did.append("pulumi up")
        return SimpleNamespace(update="1 updated")


@pytest.fixture
def works(api: ApiServer, tmp_path: Path) -> Continuous:
    return Continuous(Target(api.kubeconfig(tmp_path / "kubeconfig"), None, is_local=False), None, Progress(quiet=True))


def test_what_another_applies_is_waited_for_and_then_asked(works: Continuous, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch, FLUX, OLD, OLD, NEW)

    assert works.up("dev") == "Flux's kustomization flux-system/models has applied main@sha1:abc"
    assert works.verify("dev") == ()
    assert cluster.did == ["look", "look", "look", "wait for the Service", "ask", "look"]


def test_an_api_server_that_is_away_for_a_moment_ends_no_waiting(
    works: Continuous, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Cluster(monkeypatch, FLUX, OLD, AWAY, NEW)

    assert works.up("dev") == "Flux's kustomization flux-system/models has applied main@sha1:abc"
    assert cluster.did[:3] == ["look", "look", "look"]


def test_a_cluster_that_is_away_to_the_end_is_said(works: Continuous, monkeypatch: pytest.MonkeyPatch) -> None:
    Cluster(monkeypatch, FLUX, AWAY)
    monkeypatch.setattr(continuous, "FOLLOWED_WITHIN_SECONDS", 0.0)

    with pytest.raises(ClusterUnreachable, match="does not answer"):
        works.up("dev")


def test_what_another_did_not_apply_in_time_is_a_complaint(works: Continuous, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch, FLUX, replace(OLD, follower=replace(FLUX, trouble="not what came after: no file")))
    monkeypatch.setattr(continuous, "FOLLOWED_WITHIN_SECONDS", 0.0)

    works.up("dev")

    assert cluster.did == ["look"], "an agent that does not answer would hide why"
    assert works.verify("dev") == (
        "qa: 10 % served, 50 % wanted",
        "Flux's kustomization flux-system/models has applied main@sha1:abc; not what came after: no file",
    )


@pytest.mark.parametrize("follower", [None, replace(FLUX, is_stopped=True)], ids=["none", "one that is stopped"])
def test_where_nobody_follows_pulumi_applies(
    follower: Follower | None, works: Continuous, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Cluster(monkeypatch, follower, NEW)

    assert works.up("dev") == "1 updated"
    assert cluster.did == ["pulumi up"]
