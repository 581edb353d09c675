"""What can go wrong while an environment is put into a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import ClassVar

from sluice.errors import SluiceError


class UnknownEnvironment(SluiceError):
    """The project has no environment of that name."""

    exit_code: ClassVar[int] = 2

    def __init__(self, environment: str, known: Sequence[str]) -> None:
        if not known:
            super().__init__(
                f"there is no environment {environment!r}: there is no project here, and none above. One has "
                "Pulumi.yaml, Pulumi.ENV.yaml and registry/; change into yours, or begin one with sluice init"
            )
            return
        near = get_close_matches(environment, known, n=1)
        meant = f"did you mean {near[0]}? " if near else ""
        super().__init__(f"there is no environment {environment!r}; {meant}the environments are {', '.join(known)}")


class MissingPassphrase(SluiceError):
    """The stack's secrets are encrypted with a passphrase, and none was given."""

    def __init__(self, environment: str) -> None:
        super().__init__(
            f"Pulumi.{environment}.yaml: its secrets are encrypted, and there is no passphrase to open them; "
            "set PULUMI_CONFIG_PASSPHRASE_FILE to a file with the passphrase, or PULUMI_CONFIG_PASSPHRASE to it"
        )


class StackLocked(SluiceError):
    """Another update of the same stack is running."""

    def __init__(self, environment: str, pid: int, since: str) -> None:
        super().__init__(
            f"stack {environment} is being updated by process {pid} since {since}; "
            "wait until it ends, then run this again"
        )


class StackLockedElsewhere(SluiceError):
    """The stack was locked on another machine, or on this one under another name, and may still be in use."""

    def __init__(self, environment: str, host: str, since: str) -> None:
        super().__init__(
            f"stack {environment} is being updated on {host} since {since}; wait until that ends, or, when it is known "
            f'to be over, release the stack: eval "$(sluice env {environment})" and '
            f"pulumi cancel --yes --stack {environment}"
        )


class PulumiFailed(SluiceError):
    """Pulumi ended with errors. What it had made is in its state: the next `up` goes on from there."""

    def __init__(self, title: str, errors: Sequence[str], reasons: Sequence[str] = ()) -> None:
        self.title = title
        self.errors = tuple(errors)
        lines = [f"{title} failed"]
        lines += [f"  {line}" for reason in (reasons or errors) for line in reason.strip().splitlines()]
        super().__init__("\n".join(lines))


class PodsDoNotStart(PulumiFailed):
    """An update waited for pods that cannot start; the cluster's own reasons stand in place of Pulumi's."""
