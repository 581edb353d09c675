"""What every error of sluice has in common: a sentence for a person and an exit code.

Each package defines its own errors, one class for each kind of mistake, on top of the two here; the command line prints
them and never a traceback. The exit codes are the contract of docs/architecture.md: 0 done or true, 1 the answer is no,
2 used wrongly, 3 could not be done.
"""

from __future__ import annotations

from typing import ClassVar


class SluiceError(Exception):
    """A mistake that a person can mend. `str(error)` says where, what is wrong, and what would be right."""

    exit_code: ClassVar[int] = 3


class AnswerIsNo(SluiceError):
    """The question was understood and the answer is no: a registry that is invalid, a gate that is closed."""

    exit_code: ClassVar[int] = 1
