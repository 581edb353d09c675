"""`sluice report`: what it says where something is wrong."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from sluice.cli import report as report_command
from sluice.cli.main import run


@pytest.mark.parametrize("since", ["0d", "31d", "7", "week", "-1d", "1h"])
def test_a_time_that_is_no_number_of_days_is_refused(since: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", "dev", "--since", since]) == 2
    assert "write 1d to 30d" in capsys.readouterr().err


def test_a_report_of_the_future_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", "dev", "--until", "2999-01-01"]) == 2
    assert "is yet to come" in capsys.readouterr().err


def test_a_report_of_a_time_before_all_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", "dev", "--until", "0001-01-01"]) == 2
    assert "lies before 2000, when nothing was measured" in capsys.readouterr().err


def test_a_prometheus_that_does_not_answer_is_said_and_no_page_is_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(report_command, "target", lambda context: SimpleNamespace(connect=lambda: None))

    assert run(["report", "dev", "--prometheus", "http://127.0.0.1:9"]) == 3
    assert "Prometheus: 127.0.0.1:9 does not answer" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["report", "guard", "status", "cost", "soak"])
def test_an_address_that_is_none_is_refused_before_anything_is_asked(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([command, "dev", "--prometheus", "prometheus:9090"]) == 2
    assert "'prometheus:9090' is no address; write one such as http://" in capsys.readouterr().err
