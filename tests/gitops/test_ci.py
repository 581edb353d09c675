"""What else workflows call: how a run looks at a cluster, and by whose token it does."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from sluice.cli.main import run
from sluice.deploy.continuous import complaints
from sluice.deploy.status import AgentStatus, Status

pytestmark = pytest.mark.slow


def looked(**others: object) -> Status:
    usual: dict[str, object] = {
        "environment": "made", "namespace": "sluice-made", "is_there": True,
        "agents": (AgentStatus("qa", "qa-1", 25, 100, (25.0,)),), "pods": {"gateway-1": True},
        "overrides": {}, "complaints": (), "differences": (), "unseen": (),
    }  # fmt: skip
    return Status(**(usual | others))  # type: ignore[arg-type]


def test_an_override_that_holds_a_weight_down_is_no_complaint() -> None:
    assert list(complaints(looked())) == []
    assert list(complaints(looked(agents=(AgentStatus("qa", "qa-1", 25, 0, (0.0,)),)))) == []


def test_what_is_not_as_git_says_is_named() -> None:
    served_other = looked(agents=(AgentStatus("qa", "qa-1", 25, 100, (10.0, 25.0)),))
    assert list(complaints(served_other)) == ["qa: 10 % and 25 % served, 25 % wanted"]
    assert list(complaints(looked(pods={"gateway-1": False}))) == ["no answer from gateway-1"]
    assert list(complaints(looked(is_there=False))) == ["nothing of made is in this cluster"]


def test_a_kubeconfig_has_no_key_and_asks_for_the_runs_own_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "kubeconfig"
    assert run(["ci", "kubeconfig", "--server", "https://10.0.0.1:6443", "--out", str(out)]) == 0
    plugin = json.loads(out.read_text())["users"][0]["user"]["exec"]
    assert plugin["args"] == ["ci", "token", "--audience", "sluice"]
    assert out.stat().st_mode & 0o777 == 0o600

    claims = base64.urlsafe_b64encode(b'{"exp": 1762945200}').decode().rstrip("=")
    monkeypatch.setenv("SLUICE_ID_TOKEN", f"made.{claims}.made")
    capsys.readouterr()
    assert run(plugin["args"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["status"] == {"token": f"made.{claims}.made", "expirationTimestamp": "2025-11-12T11:00:00Z"}
    assert said["apiVersion"] == plugin["apiVersion"]


def test_a_run_without_an_identity_says_what_to_write(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("SLUICE_ID_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"):
        monkeypatch.delenv(name, raising=False)

    assert run(["ci", "token"]) == 3
    assert "on GitHub give the job `permissions: id-token: write`" in capsys.readouterr().err
