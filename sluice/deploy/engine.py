"""Runs Pulumi for one environment: where its state is, which passphrase opens it, what it did.

State lies in a local folder of its own for every cluster, told apart by the cluster's own id: a cluster that was thrown
away and made anew starts with an empty state instead of one that claims what is gone. `PULUMI_BACKEND_URL` replaces it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sluice.deploy.errors import MissingPassphrase, PulumiFailed
from sluice.deploy.event_log import OPERATIONS, EventLog, object_name
from sluice.deploy.orphans import end_orphaned_helpers
from sluice.deploy.stack_lock import release_stale_locks
from sluice.local.folders import pulumi_folder
from sluice.local.toolchain import PulumiTools
from sluice.progress import Progress, Step

_LOOK_EVERY_SECONDS = 2.0
_MOST_NAMED = 12
_LOCKED = "the stack is currently locked by"
_WORDS = {"create": "created", "update": "updated", "replace": "replaced", "delete": "deleted", "same": "unchanged"}

IsHopeless = Callable[[frozenset[str]], bool]


def _is_never(_begun: frozenset[str]) -> bool:
    return False


DEV_PASSPHRASE = "sluice-dev"  # noqa: S105 - no secret: what it opens are made keys that open nothing


@dataclass(frozen=True, slots=True)
class Update:
    """What an update did: the stack's outputs, and how many resources it made, changed, or left the same."""

    outputs: Mapping[str, Any]
    changes: Mapping[str, int]
    """By Pulumi's word for the operation: `create`, `update`, `replace`, `delete`, `same`."""
    seconds: float
    objects: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The Kubernetes objects that were not left the same, as `kind/name`, by the operation."""

    def named(self) -> list[str]:
        """Return a line for each operation with what it was done to; none where that is too much to read."""
        if sum(map(len, self.objects.values())) > _MOST_NAMED:
            return []
        return [f"{_WORDS.get(operation, operation)}: {', '.join(names)}" for operation, names in self.objects.items()]

    @property
    def unchanged(self) -> bool:
        """Whether there was nothing to do."""
        return not any(count for operation, count in self.changes.items() if operation != "same")

    def __str__(self) -> str:
        counts = [f"{count} {_WORDS.get(operation, operation)}" for operation, count in sorted(self.changes.items())]
        return ", ".join(counts) or "nothing to do"


@dataclass(frozen=True, slots=True)
class Engine:
    """Pulumi, ready for one environment of one cluster."""

    tools: PulumiTools
    project: Path
    environment: str
    state: Path
    """The folder with Pulumi's state of this cluster; ignored where `PULUMI_BACKEND_URL` is set."""
    variables: Mapping[str, str]
    """What the stack's program and the provider read: KUBECONFIG, and the images that were built."""

    def up(self, progress: Progress, *, is_hopeless: IsHopeless = _is_never) -> Update:
        """Make the environment what git says.

        What was changed or deleted in the cluster by hand is looked for first, and made as git says again.
        `is_hopeless` is asked every other second: once it is true, Pulumi is told to wait no longer, and fails. It is
        told what Pulumi has begun with by then, as `kind/name`.
        Raises `MissingPassphrase`, `StackLocked`, `StackLockedElsewhere` or `PulumiFailed`.
        """
        self._prepare(progress)
        return self._run(
            progress, f"pulumi up, stack {self.environment}", ("up", "--skip-preview", "--refresh"), is_hopeless
        )

    def preview(self, progress: Progress) -> Update:
        """Say what `up` would do, and do nothing. Raises as `up` does."""
        self._prepare(progress)
        return self._run(progress, f"pulumi preview, stack {self.environment}", ("preview",))

    def up_only(self, resource: str, progress: Progress) -> Update:
        """Make one resource what git and the configuration say, by its name in the stack, and leave all others alone.

        Raises as `up` does.
        """
        self._prepare(progress)
        title = f"pulumi up, {resource} of stack {self.environment} alone"
        return self._run(progress, title, ("up", "--skip-preview", "--refresh", "--target", f"**::{resource}"))

    def destroy(self, progress: Progress) -> Update:
        """Remove everything of the environment from the cluster, and its stack. Raises as `up` does.

        With a preview, unlike `up`: it is what finds a protected resource before the others are gone.
        """
        self._prepare(progress)
        update = self._run(progress, f"pulumi destroy, stack {self.environment}", ("destroy",))
        self._call("stack", "rm", "--yes", "--preserve-config", "--stack", self.environment)
        return update

    def configured(self, setting: str, progress: Progress) -> str:
        """Return the value of a setting, by its path, decrypted. Raises as `up` does."""
        self._prepare(progress)
        return self._call("config", "get", "--path", setting, "--stack", self.environment).rstrip("\n")

    def configure_secret(self, setting: str, value: str, progress: Progress) -> None:
        """Write an encrypted value into Pulumi.ENVIRONMENT.yaml. Raises as `up` does."""
        self._prepare(progress)
        self._call("config", "set", "--secret", "--path", setting, "--stack", self.environment, said=value)

    def unconfigure(self, setting: str, progress: Progress) -> None:
        """Take a setting out of Pulumi.ENVIRONMENT.yaml. Raises as `up` does."""
        self._prepare(progress)
        self._call("config", "rm", "--path", setting, "--stack", self.environment)

    def environment_variables(self) -> dict[str, str]:
        """Return all that a person needs to run `pulumi` by hand on this stack, beside PATH."""
        passphrase = _passphrase(self.environment)
        chosen = {"PULUMI_BACKEND_URL": _own_backend() or f"file://{self.state}"}
        if passphrase is not None:
            chosen["PULUMI_CONFIG_PASSPHRASE"] = passphrase
        return {**self.tools.variables, **self.variables, **chosen}

    def _prepare(self, progress: Progress) -> None:
        require_passphrase(self.environment)
        end_orphaned_helpers(self.tools.home, self.tools.pulumi.parent)
        if _own_backend() is None:
            self.state.mkdir(parents=True, exist_ok=True)
            if release_stale_locks(self.state, self.environment):
                progress.say("an update that was interrupted had left the stack locked; its lock is gone now")
            if (self.state / ".pulumi" / "stacks" / "sluice" / f"{self.environment}.json").is_file():
                return
        self._call("stack", "select", "--create", "--secrets-provider", "passphrase", "--stack", self.environment)

    def _call(self, *arguments: str, said: str = "") -> str:
        """Run Pulumi, which reads `said`, and return what it printed."""
        done = subprocess.run(
            [self.tools.pulumi, *arguments, "--non-interactive"],
            cwd=self.project,
            env={**os.environ, **self.environment_variables()},
            input=said,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode != 0:
            raise PulumiFailed(f"pulumi {arguments[0]}", [done.stderr or done.stdout])
        return done.stdout

    def _run(
        self, progress: Progress, title: str, arguments: Sequence[str], is_hopeless: IsHopeless = _is_never
    ) -> Update:
        try:
            return self._run_once(progress, title, arguments, is_hopeless)
        except PulumiFailed as failure:
            if _LOCKED not in str(failure) or _own_backend() is not None:
                raise
        # Two began at once, and neither saw the other's lock when it looked. Either that one runs, which is said now,
        # or it has ended or given way as well, and nothing was done yet.
        release_stale_locks(self.state, self.environment)
        return self._run_once(progress, title, arguments, is_hopeless)

    def _run_once(self, progress: Progress, title: str, arguments: Sequence[str], is_hopeless: IsHopeless) -> Update:
        with tempfile.TemporaryDirectory(prefix="sluice-") as scratch, progress.step(title) as step:
            log = EventLog(Path(scratch, "events"))
            log.file.touch(mode=0o600)
            sure = () if arguments[0] == "preview" else ("--yes",)
            command = [str(self.tools.pulumi), *arguments, "--stack", self.environment, *sure, "--non-interactive"]
            process = subprocess.Popen(
                [*command, "--color", "never", "--event-log", str(log.file)],
                cwd=self.project,
                # The flag that writes events as JSON is among those that Pulumi calls debug commands.
                env={**os.environ, **self.environment_variables(), "PULUMI_DEBUG_COMMANDS": "true"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
            said = _follow(process, step, lambda: is_hopeless(log.begun()))
            return _result(title, process.returncode, said, list(log.events()))


def require_passphrase(environment: str) -> None:
    """Check that there is a passphrase to open the environment's secrets. Raises `MissingPassphrase`."""
    if _passphrase(environment) is None and not _passphrase_file_is_named():
        raise MissingPassphrase(environment)


def _passphrase(environment: str) -> str | None:
    given = os.environ.get("PULUMI_CONFIG_PASSPHRASE")
    if environment == "dev":
        # Pulumi looks at the variable before the file: dev's own must not overrule a file that the person named.
        return DEV_PASSPHRASE if given is None and not _passphrase_file_is_named() else given
    # A shell that took over what `sluice env` prints for dev holds a passphrase that everybody knows.
    return None if given == DEV_PASSPHRASE else given


def _passphrase_file_is_named() -> bool:
    return bool(os.environ.get("PULUMI_CONFIG_PASSPHRASE_FILE"))


def _own_backend() -> str | None:
    """Return the backend that the person chose; one that `sluice env` printed is of one cluster, and chosen anew."""
    given = os.environ.get("PULUMI_BACKEND_URL")
    ours = [f"file://{pulumi_folder('', local=local)}" for local in (True, False)]
    return None if given and given.startswith(tuple(ours)) else given or None


def _follow(process: subprocess.Popen[str], step: Step, is_hopeless: Callable[[], bool]) -> str:
    """Read what Pulumi prints, show its last line about a resource, and let it end gracefully when it should end."""
    lines: list[str] = []

    def read() -> None:
        for line in process.stdout or ():
            lines.append(line)
            if " kubernetes:" in line:
                step.detail = " ".join(line.split())[:100]

    reader = threading.Thread(target=read, daemon=True)
    try:
        reader.start()
        while _runs(process):
            if is_hopeless():
                # An interrupt makes Pulumi stop waiting and write its state; a second one would make it drop both.
                process.send_signal(signal.SIGINT)
                process.wait()
    except BaseException:
        # Pulumi is not left behind: it finishes what it is making and writes its state. An interrupt of the terminal
        # has reached it too.
        process.wait()
        raise
    reader.join()
    step.detail = ""
    return "".join(lines)


def _runs(process: subprocess.Popen[str]) -> bool:
    """Wait a little for the process to end, and say whether it goes on."""
    try:
        process.wait(timeout=_LOOK_EVERY_SECONDS)
    except subprocess.TimeoutExpired:
        return True
    return False


def _of_a_signal(number: int) -> str:
    """Say that a signal ended Pulumi: what it printed last is not the cause."""
    name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
    who = ", as the kernel does where memory runs out" if number == signal.SIGKILL else ""
    return f"Pulumi was ended from outside by {name}{who}; run this again: it goes on from what was made"


def _result(title: str, exit_code: int, said: str, events: list[dict[str, Any]]) -> Update:
    diagnostics = [event["diagnosticEvent"] for event in events if "diagnosticEvent" in event]
    if exit_code != 0:
        errors = [d["message"].strip() for d in diagnostics if d["severity"] == "error" and d["message"].strip()]
        if exit_code < 0:
            errors.append(_of_a_signal(-exit_code))
        raise PulumiFailed(title, errors or [said.strip() or f"it ended with exit code {exit_code}"])
    # A preview has a summary of its own, before the one of what was done.
    summaries: list[Mapping[str, Any]] = [event["summaryEvent"] for event in events if "summaryEvent" in event]
    summary = summaries[-1] if summaries else {}
    outputs: Mapping[str, Any] = {}
    objects: dict[str, list[str]] = {}
    for event in events:
        metadata = event.get("resOutputsEvent", {}).get("metadata", {})
        operation = OPERATIONS.get(metadata.get("op", ""))
        if operation and str(metadata.get("type")).startswith("kubernetes:"):
            objects.setdefault(operation, []).append(object_name(metadata))
        if metadata.get("type") == "pulumi:pulumi:Stack" and metadata.get("new"):
            outputs = metadata["new"]["outputs"]
    names = {operation: tuple(sorted(found)) for operation, found in sorted(objects.items())}
    return Update(outputs, summary.get("resourceChanges") or {}, float(summary.get("durationSeconds", 0)), names)
