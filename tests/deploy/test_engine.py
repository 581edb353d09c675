"""Pulumi as it is run: what it is given, when it is interrupted, and which passphrase opens a stack."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from sluice.deploy.engine import DEV_PASSPHRASE, Engine
from sluice.deploy.errors import MissingPassphrase, PulumiFailed, StackLocked
from sluice.local.toolchain import PulumiTools
from sluice.progress import Progress
from tests.deploy.fake_pulumi import FakePulumi, diagnostic, outputs, summary

pytestmark = pytest.mark.slow

PASSPHRASE_NAMES = ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE")


@pytest.fixture
def pulumi(tmp_path: Path) -> FakePulumi:
    return FakePulumi(tmp_path / "program")


@pytest.fixture
def engine(pulumi: FakePulumi, tmp_path: Path) -> Engine:
    project = tmp_path / "project"
    project.mkdir()
    tools = PulumiTools(pulumi.install(), {"PATH": os.environ["PATH"], "PULUMI_SKIP_UPDATE_CHECK": "true"})
    return Engine(tools, project, "dev", tmp_path / "pulumi-state", {"KUBECONFIG": "/made/kubeconfig"})


@pytest.fixture
def quiet() -> Progress:
    return Progress(quiet=True)


def test_the_first_update_makes_the_stack_and_the_second_does_not(
    engine: Engine, pulumi: FakePulumi, quiet: Progress
) -> None:
    engine.up(quiet)
    engine.up(quiet)

    select, first, second = pulumi.calls()
    assert select == [
        "stack",
        "select",
        "--create",
        "--secrets-provider",
        "passphrase",
        "--stack",
        "dev",
        "--non-interactive",
    ]
    assert first[:6] == second[:6] == ["up", "--skip-preview", "--refresh", "--stack", "dev", "--yes"]
    assert "--non-interactive" in first
    assert set(pulumi.folders()) == {str(engine.project)}


def test_a_preview_says_what_would_be_done_and_is_sure_of_nothing(
    engine: Engine, pulumi: FakePulumi, quiet: Progress
) -> None:
    pulumi.install([summary(update=2, same=40)])

    found = engine.preview(quiet)

    assert str(found) == "40 unchanged, 2 updated"
    *_, called = pulumi.calls()
    assert called[:3] == ["preview", "--stack", "dev"]
    assert "--yes" not in called


def test_pulumi_is_given_the_cluster_the_state_and_the_passphrase(
    engine: Engine, pulumi: FakePulumi, quiet: Progress
) -> None:
    replace(engine, variables={**engine.variables, "SLUICE_GATEWAY_IMAGE": "made@sha256:1"}).up(quiet)

    given = pulumi.variables()
    assert given["KUBECONFIG"] == "/made/kubeconfig"
    assert given["SLUICE_GATEWAY_IMAGE"] == "made@sha256:1"
    assert given["PULUMI_BACKEND_URL"] == f"file://{engine.state}"
    assert given["PULUMI_CONFIG_PASSPHRASE"] == DEV_PASSPHRASE
    assert given["PULUMI_SKIP_UPDATE_CHECK"] == "true"
    assert given["HOME"] == os.environ["HOME"], "what else the person has set is left as it is"


def test_a_backend_of_the_persons_own_is_used(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://states")

    assert engine.environment_variables()["PULUMI_BACKEND_URL"] == "s3://states"


def test_an_update_returns_outputs_counts_and_seconds(engine: Engine, pulumi: FakePulumi, quiet: Progress) -> None:
    pulumi.install([outputs(url="http://127.0.0.1:30080", namespace="sluice-dev"), summary(12, create=7, same=2)])

    update = engine.up(quiet)

    assert update.outputs == {"url": "http://127.0.0.1:30080", "namespace": "sluice-dev"}
    assert update.changes == {"create": 7, "same": 2}
    assert update.seconds == 12.0


def test_a_failed_update_says_what_pulumi_called_an_error(engine: Engine, pulumi: FakePulumi, quiet: Progress) -> None:
    errors = [diagnostic("a warning", "warning"), diagnostic("error: the Deployment is not ready\n"), diagnostic(" \n")]
    pulumi.install([*errors, diagnostic("update failed\n")], exit_code=255, say="long talk\n")

    with pytest.raises(PulumiFailed) as raised:
        engine.up(quiet)

    assert str(raised.value) == ("pulumi up, stack dev failed\n  error: the Deployment is not ready\n  update failed")
    assert raised.value.exit_code == 3


def test_a_failed_update_without_diagnostics_shows_what_was_printed(
    engine: Engine, pulumi: FakePulumi, quiet: Progress
) -> None:
    pulumi.install([], exit_code=255, say="error: no Pulumi.yaml found\n")

    with pytest.raises(PulumiFailed, match=r"^pulumi up, stack dev failed\n  error: no Pulumi\.yaml found$"):
        engine.up(quiet)


def test_a_stack_that_cannot_be_made_is_said_in_pulumis_words(
    engine: Engine, pulumi: FakePulumi, quiet: Progress
) -> None:
    (pulumi.folder / "stack-fails").write_text("error: incorrect passphrase")

    with pytest.raises(PulumiFailed, match=r"^pulumi stack failed\n  error: incorrect passphrase$"):
        engine.up(quiet)
    assert len(pulumi.calls()) == 1


def test_a_pulumi_that_was_killed_while_it_wrote_is_a_failed_update(
    engine: Engine, pulumi: FakePulumi, quiet: Progress
) -> None:
    pulumi.install([outputs(url="x")], exit_code=137, torn='{"sequence": 3, "resOut')

    with pytest.raises(PulumiFailed, match=r"^pulumi up, stack dev failed\n  it ended with exit code 137$"):
        engine.up(quiet)


def test_what_pulumi_prints_need_not_be_text(engine: Engine, pulumi: FakePulumi, quiet: Progress) -> None:
    pulumi.install([], exit_code=1, say="before \xff\xfe after\n" + "x" * 200_000 + "\nthe end\n")

    with pytest.raises(PulumiFailed, match=r"before .* after(?s:.*)the end$"):
        engine.up(quiet)


def test_destroying_removes_the_stack_and_keeps_its_settings(
    engine: Engine, pulumi: FakePulumi, quiet: Progress
) -> None:
    pulumi.install([summary(delete=9)])

    update = engine.destroy(quiet)

    assert str(update) == "9 deleted"
    _, destroy, remove = pulumi.calls()
    assert destroy[:2] == ["destroy", "--stack"], "with its preview, which finds what is protected"
    assert remove == ["stack", "rm", "--yes", "--preserve-config", "--stack", "dev", "--non-interactive"]


def test_a_stack_whose_destruction_failed_is_kept(engine: Engine, pulumi: FakePulumi, quiet: Progress) -> None:
    pulumi.install([diagnostic("the namespace is stuck")], exit_code=255)

    with pytest.raises(PulumiFailed, match="pulumi destroy, stack dev failed\n  the namespace is stuck"):
        engine.destroy(quiet)
    assert [call[0] for call in pulumi.calls()] == ["stack", "destroy"]


def test_the_lock_of_an_interrupted_update_is_released_first(
    engine: Engine, pulumi: FakePulumi, capsys: pytest.CaptureFixture[str]
) -> None:
    engine.up(Progress(quiet=True))
    lock = engine.state / ".pulumi" / "locks" / "organization" / "sluice" / "dev" / "1.json"
    lock.parent.mkdir(parents=True)
    pid = subprocess.Popen(["/bin/true"])
    pid.wait()
    holder = {"pid": pid.pid, "hostname": os.uname().nodename, "timestamp": "2026-03-01T10:00:00Z"}
    lock.write_text(json.dumps(holder))

    engine.up(Progress())

    assert not lock.exists()
    assert "its lock is gone now" in capsys.readouterr().err


@pytest.fixture
def overtaken_pulumi(tmp_path: Path, engine: Engine) -> Engine:
    """A Pulumi that finds the stack locked by `lock.json`, which was not there before; without it, it has no work."""
    locks = engine.state / ".pulumi" / "locks" / "organization" / "sluice" / "dev"
    locks.mkdir(parents=True)
    program = tmp_path / "overtaken-pulumi"
    program.write_text(
        f"""#!/bin/sh
[ "$1" = stack ] && exit
echo called >> {tmp_path}/log
[ -e {tmp_path}/lock.json ] || exit 0
mv {tmp_path}/lock.json {locks}/1.json
echo 'error: the stack is currently locked by 1 lock(s). Either wait or delete the lock file with `pulumi cancel`.'
exit 255
"""
    )
    program.chmod(0o755)
    return replace(engine, tools=replace(engine.tools, pulumi=program))


def locked_by(pid: int) -> str:
    return json.dumps({"pid": pid, "hostname": os.uname().nodename, "timestamp": "2026-03-01T10:00:00Z"})


def test_of_two_that_begin_at_once_one_says_whom_to_wait_for(
    overtaken_pulumi: Engine, tmp_path: Path, quiet: Progress
) -> None:
    shutil.copy2("/bin/sleep", tmp_path / "pulumi")
    other = subprocess.Popen([tmp_path / "pulumi", "60"])
    (tmp_path / "lock.json").write_text(locked_by(other.pid))
    try:
        with pytest.raises(StackLocked, match=f"dev is being updated by process {other.pid} since .*; wait until"):
            overtaken_pulumi.up(quiet)
    finally:
        other.kill()
        other.wait()
    assert (tmp_path / "log").read_text().split() == ["called"]


def test_who_gave_way_to_one_that_has_ended_since_goes_on(
    overtaken_pulumi: Engine, tmp_path: Path, quiet: Progress
) -> None:
    other = subprocess.Popen(["/bin/true"])
    other.wait()
    (tmp_path / "lock.json").write_text(locked_by(other.pid))

    assert overtaken_pulumi.up(quiet).unchanged
    assert (tmp_path / "log").read_text().split() == ["called", "called"]


def test_a_pulumi_that_was_killed_is_said_to_have_been(engine: Engine, pulumi: FakePulumi, quiet: Progress) -> None:
    program = pulumi.install()
    program.write_text("#!/bin/sh\n[ \"$1\" = stack ] && exit\necho '@ updating....'\nkill -9 $$\n")

    with pytest.raises(
        PulumiFailed,
        match=r"^pulumi up, stack dev failed\n  Pulumi was ended from outside by SIGKILL, as the kernel does where "
        r"memory runs out; run this again: it goes on from what was made$",
    ):
        engine.up(quiet)


@pytest.fixture
def waiting_pulumi(
    tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch, interrupts_are_heard: None
) -> Engine:
    """A Pulumi that waits until it is interrupted, or until there is a file `end`; `log` says how often it was."""
    monkeypatch.setattr("sluice.deploy.engine._LOOK_EVERY_SECONDS", 0.02)
    program = tmp_path / "waiting-pulumi"
    program.write_text(
        f"""#!/bin/sh
[ "$1" = stack ] && exit
trap 'echo interrupted >> {tmp_path}/log; sleep 0.2; echo "the state is written"; exit 255' INT
touch {tmp_path}/started
until [ -e {tmp_path}/end ]; do sleep 0.02; done
echo ended >> {tmp_path}/log
"""
    )
    program.chmod(0o755)
    return replace(engine, tools=replace(engine.tools, pulumi=program))


def test_pulumi_is_interrupted_once_where_waiting_is_of_no_use(
    waiting_pulumi: Engine, tmp_path: Path, quiet: Progress
) -> None:
    with pytest.raises(PulumiFailed, match=r"^pulumi up, stack dev failed\n  the state is written$"):
        waiting_pulumi.up(quiet, is_hopeless=lambda _: (tmp_path / "started").exists())

    assert (tmp_path / "log").read_text() == "interrupted\n"


def test_pulumi_is_left_alone_while_there_is_hope(waiting_pulumi: Engine, tmp_path: Path, quiet: Progress) -> None:
    looks = 0

    def is_hopeless(begun: frozenset[str]) -> bool:
        nonlocal looks
        looks += 1
        if looks == 3:
            (tmp_path / "end").touch()
        return False

    waiting_pulumi.up(quiet, is_hopeless=is_hopeless)

    assert looks >= 3
    assert (tmp_path / "log").read_text() == "ended\n"


def test_pulumi_is_not_left_behind_when_looking_fails(waiting_pulumi: Engine, tmp_path: Path, quiet: Progress) -> None:
    def is_hopeless(begun: frozenset[str]) -> bool:
        (tmp_path / "end").touch()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError, match=r"^$"):
        waiting_pulumi.up(quiet, is_hopeless=is_hopeless)
    assert (tmp_path / "log").read_text() == "ended\n"


INTERRUPTED = """
import sys
from pathlib import Path
from sluice.deploy.engine import Engine
from sluice.local.toolchain import PulumiTools
from sluice.progress import Progress
from tests.deploy.fake_pulumi import FakePulumi, diagnostic, outputs, summary
folder = Path(sys.argv[1])
try:
    Engine(PulumiTools(folder / "pulumi", {}), folder, "dev", folder / "state", {}).up(Progress(quiet=True))
except KeyboardInterrupt:
    print("interrupted after", (folder / "log").read_text())
"""


@pytest.mark.usefixtures("interrupts_are_heard")
def test_an_interrupt_waits_until_pulumi_has_written_its_state(tmp_path: Path) -> None:
    program = tmp_path / "pulumi"
    program.write_text(
        f"""#!/bin/sh
[ "$1" = stack ] && exit
trap 'sleep 0.2; echo "state written" > {tmp_path}/log; exit 255' INT
touch {tmp_path}/started
while true; do sleep 0.02; done
"""
    )
    program.chmod(0o755)
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, str(tmp_path)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    for _ in range(1000):
        # Once it sleeps beside a Pulumi that runs, it waits for it; a moment before, it does not know of it yet.
        state = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        if (tmp_path / "started").exists() and state == "S":
            break
        time.sleep(0.01)

    os.killpg(process.pid, signal.SIGINT)

    assert process.communicate(timeout=30)[0] == "interrupted after state written\n\n"


def test_dev_has_a_passphrase_that_is_no_secret(engine: Engine) -> None:
    assert engine.environment_variables()["PULUMI_CONFIG_PASSPHRASE"] == DEV_PASSPHRASE


@pytest.mark.parametrize("environment", ["dev", "production"])
@pytest.mark.parametrize("own", ["of my own", ""])
def test_a_passphrase_of_the_persons_own_is_used(
    own: str, environment: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", own)

    assert replace(engine, environment=environment).environment_variables()["PULUMI_CONFIG_PASSPHRASE"] == own


def test_a_passphrase_in_a_file_is_not_overruled_by_devs_own(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE_FILE", "/made/passphrase")

    assert "PULUMI_CONFIG_PASSPHRASE" not in engine.environment_variables()


@pytest.mark.parametrize("environment", ["staging", "production", "devel"])
def test_any_other_environment_must_be_given_one_before_anything_is_made(
    environment: str, engine: Engine, pulumi: FakePulumi, quiet: Progress
) -> None:
    engine = replace(engine, environment=environment)

    for act in (engine.up, engine.destroy):
        with pytest.raises(
            MissingPassphrase,
            match=rf"^Pulumi\.{environment}\.yaml: its secrets are encrypted, .* set PULUMI_CONFIG_PASSPHRASE_FILE",
        ):
            act(quiet)
    assert not (pulumi.folder / "calls").exists()
    assert not engine.state.exists()


def test_an_empty_name_of_a_passphrase_file_is_no_passphrase(
    engine: Engine, quiet: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE_FILE", "")

    with pytest.raises(MissingPassphrase, match=r"^Pulumi\.staging\.yaml: "):
        replace(engine, environment="staging").up(quiet)
    assert engine.environment_variables()["PULUMI_CONFIG_PASSPHRASE"] == DEV_PASSPHRASE


@pytest.mark.parametrize("name", PASSPHRASE_NAMES)
def test_another_environment_takes_a_passphrase_or_the_file_of_one(
    name: str, engine: Engine, pulumi: FakePulumi, quiet: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "given")

    replace(engine, environment="staging").up(quiet)

    assert {key: pulumi.variables()[key] for key in PASSPHRASE_NAMES if key in pulumi.variables()} == {name: "given"}
