"""What a person sees of long work: on a terminal a line that counts, in a log one now and then."""

from __future__ import annotations

import io
import re
import threading
import time
from collections.abc import Callable

import pytest
from rich.console import Console

from sluice import progress
from sluice.progress import Progress, Step, elapsed


def log() -> tuple[Progress, io.StringIO]:
    text = io.StringIO()
    return Progress(console=Console(file=text, force_terminal=False, highlight=False, soft_wrap=True)), text


def terminal() -> tuple[Progress, io.StringIO]:
    text = io.StringIO()
    return Progress(console=Console(file=text, force_terminal=True, width=200, highlight=False)), text


def wait_until(holds: Callable[[], bool]) -> None:
    for _ in range(1000):
        if holds():
            return
        time.sleep(0.01)
    pytest.fail("it does not come to hold")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0.0 s"),
        (4.24, "4.2 s"),
        (59.94, "59.9 s"),
        (60, "1 min 0 s"),
        (187.9, "3 min 7 s"),
        (3599.9, "59 min 59 s"),
        (7322, "122 min 2 s"),
    ],
)
def test_a_duration_is_said_in_what_people_count_it_in(seconds: float, said: str) -> None:
    assert elapsed(seconds) == said


def test_a_step_says_what_it_is_how_long_it_takes_and_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    step = Step("building Kubernetes", began=29.0)

    assert str(step) == "building Kubernetes: 1 min 11 s"
    step.detail = "312 packages compiled"
    assert str(step) == "building Kubernetes: 1 min 11 s, 312 packages compiled"


def test_a_step_in_a_log_is_one_line_when_it_ends() -> None:
    shown, text = log()

    with shown.step("pulling the image"):
        assert text.getvalue() == ""

    assert re.fullmatch(r"pulling the image: \d\.\d s\n", text.getvalue())


def test_a_step_of_several_says_which_of_how_many_with_nothing_lost_to_markup() -> None:
    shown, text = log()

    with shown.step("building [bold]pause[/]", number=2, total=6):
        pass

    assert text.getvalue().startswith("[2/6] building [bold]pause[/]: ")


def test_a_step_that_takes_long_says_so_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_HEARTBEAT_SECONDS", 0.01)
    shown, text = log()

    with shown.step("building Kubernetes") as step:
        step.detail = "7 packages compiled"
        wait_until(lambda: text.getvalue().count("compiled ...\n") >= 2)

    *beats, last = text.getvalue().splitlines()
    # The first may come before there is a detail to tell.
    assert all(re.fullmatch(r"building Kubernetes: \d\.\d s(, 7 packages compiled)? \.\.\.", beat) for beat in beats)
    assert re.fullmatch(r"building Kubernetes: \d\.\d s, 7 packages compiled", last)


@pytest.mark.parametrize("error", [ZeroDivisionError("by hand"), KeyboardInterrupt("by hand")])
def test_a_step_that_fails_says_so_and_lets_the_error_through(error: BaseException) -> None:
    shown, text = log()

    with pytest.raises(type(error), match=str(error)), shown.step("starting etcd"):
        raise error

    assert re.fullmatch(r"starting etcd: \d\.\d s: failed\n", text.getvalue())


def test_a_terminal_shows_what_is_going_on_while_it_goes_on() -> None:
    shown, text = terminal()

    with shown.step("pulumi up", number=1, total=3) as step:
        step.detail = "kubernetes:apps/v1:Deployment gateway"
        wait_until(lambda: "Deployment gateway" in text.getvalue())
        assert "[1/3] pulumi up: " in text.getvalue()

    assert re.search(r"\[1/3\] pulumi up: \d\.\d s, kubernetes:apps/v1:Deployment gateway\s*$", text.getvalue())


@pytest.mark.parametrize("make", [log, terminal])
def test_a_step_may_have_steps_and_something_to_say(make: Callable[[], tuple[Progress, io.StringIO]]) -> None:
    shown, text = make()

    with shown.step("outer"):
        with shown.step("inner"):
            shown.say("between")
        shown.say("after")

    said = re.findall(r"outer: |inner: |between|after", text.getvalue())
    assert list(dict.fromkeys(reversed(said))) == ["outer: ", "after", "inner: ", "between"]


@pytest.mark.parametrize("make", [log, terminal])
def test_nothing_goes_on_after_a_step(make: Callable[[], tuple[Progress, io.StringIO]]) -> None:
    before = set(threading.enumerate())
    shown, _ = make()

    with shown.step("pulumi up"):
        at_work = set(threading.enumerate()) - before
        assert at_work

    wait_until(lambda: not any(thread.is_alive() for thread in at_work))


def test_standard_output_is_left_to_data(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    shown = Progress()

    with shown.step("pulumi up"):
        shown.say("  9 created [not markup]")

    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("  9 created [not markup]\npulumi up: ")


def test_a_long_line_is_not_broken_in_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    Progress().say("x" * 500)

    assert capsys.readouterr().err == "x" * 500 + "\n"


def test_quiet_is_quiet(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_HEARTBEAT_SECONDS", 0.01)
    shown = Progress(quiet=True)

    with shown.step("pulumi up"):
        shown.say("9 created")
        time.sleep(0.03)

    assert capsys.readouterr() == ("", "")
