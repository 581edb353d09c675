"""Everybody is asked after an update, also where the provider was replaced by it a moment ago."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sluice.deploy import launch
from sluice.deploy.ask import NoReply
from sluice.deploy.cluster_access import Answer, ClusterAccess
from sluice.deploy.launch import ask_every_agent
from sluice.local.folders import PROJECT
from sluice.registry import load_environment
from sluice.registry.policy import Breaker
from tests.deploy.api_server import ApiServer

pytestmark = pytest.mark.slow

DEV = load_environment(PROJECT, "dev")
SAID = json.dumps({"choices": [{"message": {"content": "yes"}}]}).encode()
REPLY = Answer(200, {"x-sluice-arm": "baseline", "x-sluice-model": "gpt-4o"}, SAID, 1)


class Gateway:
    """Answers each question by the next of its answers, and by its last one again and again."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: Answer) -> None:
        self.asked = 0
        self._answers = answers
        monkeypatch.setattr(launch, "_PAUSE_SECONDS", 0.0)
        monkeypatch.setattr(ClusterAccess, "post_to_service", lambda *_, **__: self._answer())

    def _answer(self) -> Answer:
        self.asked += 1
        return self._answers[min(self.asked, len(self._answers)) - 1]


@pytest.fixture
def access(api: ApiServer, tmp_path: Path) -> ClusterAccess:
    return ClusterAccess(api.kubeconfig(tmp_path / "kubeconfig"))


def refused(status: int) -> Answer:
    return Answer(status, {}, b"no connection", 1)


def test_a_provider_that_was_just_replaced_is_asked_again(
    access: ClusterAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = Gateway(monkeypatch, refused(502), refused(503), REPLY)
    questions = 2 * len(DEV.registry.agents)

    assert len(ask_every_agent(access, DEV)) == questions
    assert gateway.asked == questions + 2


@pytest.mark.parametrize(("status", "times"), [(502, 4), (401, 1)], ids=["no provider for long", "not let in"])
def test_an_agent_that_does_not_answer_is_said(
    status: int, times: int, access: ClusterAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = Gateway(monkeypatch, refused(status))

    with pytest.raises(NoReply, match=f"did not answer: status {status}"):
        ask_every_agent(access, DEV)
    assert gateway.asked == times < Breaker().failures, "or the gateway leaves the model alone for a minute"


def test_only_the_first_is_waited_for(access: ClusterAccess, monkeypatch: pytest.MonkeyPatch) -> None:
    Gateway(monkeypatch, REPLY, refused(502))

    with pytest.raises(NoReply):
        ask_every_agent(access, DEV)
