"""`sluice ask`, from the command line to an API server on 127.0.0.1 and back."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice.cli.main import run
from tests.deploy.api_server import ApiServer, running_api_server

PROXY = "/api/v1/namespaces/sluice-dev/services/gateway:http/proxy/v1/chat/completions"
ASKED = ["ask", "dev", "qa", "Write a test.", "--user", "ada@example.com"]


@pytest.fixture(autouse=True)
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    """The cluster that KUBECONFIG leads to, with a gateway that answers."""
    for name in os.environ:
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    with running_api_server() as server:
        monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig(tmp_path / "kubeconfig")))
        put_answer(server, usage={"prompt_tokens": 100, "completion_tokens": 400})
        yield server


def put_answer(api: ApiServer, *, text: str = "def test_höher(): …", usage: dict[str, int] | None = None) -> None:
    completion = {"choices": [{"message": {"role": "assistant", "content": text}}], "usage": usage}
    headers = {"x-sluice-agent": "qa", "x-sluice-arm": "candidate", "x-sluice-model": "qa-20251031"}
    api.put(PROXY, completion, method="POST", headers=headers)


def test_a_program_gets_the_fields_that_are_promised(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*ASKED, "--format", "json"]) == 0

    output = capsys.readouterr()
    reply = json.loads(output.out)
    assert list(reply) == ["agent", "user", "arm", "model", "answer", "latency_ms", "cost_dollars"]
    assert reply.pop("latency_ms") >= 0
    assert reply == {
        "agent": "qa",
        "user": "ada@example.com",
        "arm": "candidate",
        "model": "qa-20251031",
        "answer": "def test_höher(): …",
        "cost_dollars": pytest.approx(0.0004),
    }
    assert output.err == ""
    assert "höher" in output.out, "text is written as text"


def test_a_person_gets_the_answer_and_beside_it_who_answered(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(ASKED) == 0

    output = capsys.readouterr()
    assert output.out == "def test_höher(): …\n"
    assert output.err.startswith("-- qa, candidate arm, qa-20251031, ")
    assert output.err.endswith(" ms, $0.000400\n")


def test_a_cost_that_nobody_can_know_is_not_called_zero(api: ApiServer, capsys: pytest.CaptureFixture[str]) -> None:
    put_answer(api, usage=None)

    assert run(ASKED) == 0
    assert capsys.readouterr().err.endswith(" ms, cost unknown\n")
    assert run([*ASKED, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["cost_dollars"] is None


def test_an_answer_cannot_write_to_the_terminal_what_is_no_text(
    api: ApiServer, capsys: pytest.CaptureFixture[str]
) -> None:
    put_answer(api, text="one\n\ttwo \x1b]0;title\x07\x1b[2Jthree\r\n")

    assert run(ASKED) == 0
    assert capsys.readouterr().out == "one\n\ttwo ]0;title[2Jthree\n\n"


def test_a_wrong_agent_is_a_wrong_use(api: ApiServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ask", "dev", "qua", "Hello", "--user", "ada"]) == 2

    output = capsys.readouterr()
    assert output.out == ""
    assert output.err == (
        "sluice: there is no agent 'qua'; did you mean qa? the agents are qa, content, legal, support, analyst\n"
    )


def test_a_wrong_environment_is_a_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ask", "def", "qa", "Hello", "--user", "ada"]) == 2
    assert "there is no environment 'def'; did you mean dev? the environments are dev, production, staging" in (
        capsys.readouterr().err
    )


def test_a_gateway_that_answers_with_an_error_could_not_be_asked(
    api: ApiServer, capsys: pytest.CaptureFixture[str]
) -> None:
    api.put(PROXY, {"error": {"message": "every model failed"}}, method="POST", status=502)

    assert run(ASKED) == 3
    assert capsys.readouterr() == ("", "sluice: agent qa did not answer: status 502: every model failed\n")


def test_a_cluster_that_is_away_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*ASKED, "--context", "nowhere"]) == 3

    output = capsys.readouterr()
    assert output.out == ""
    assert "context nowhere: http://127.0.0.1:9 does not answer" in output.err
    assert len(output.err.splitlines()) == 1


def test_without_a_cluster_it_is_said_what_to_type(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("KUBECONFIG")
    monkeypatch.setenv("SLUICE_STATE", str(tmp_path / "state"))

    assert run(ASKED) == 3

    said = capsys.readouterr().err
    assert str(tmp_path / "state" / "kubeconfig") in said
    assert "start it: make up" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ask", "dev", "qa", "Hello"], "Missing option '--user'"),
        (["ask", "dev", "qa"], "Missing argument 'TEXT'"),
        ([*ASKED, "--format", "yaml"], "Invalid value for '--format'"),
    ],
)
def test_a_question_asked_wrongly_is_used_wrongly(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2

    output = capsys.readouterr()
    assert output.out == ""
    assert said in output.err
