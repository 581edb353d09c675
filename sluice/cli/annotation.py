"""What is wrong in a file, as a workflow command of GitHub's runner, which shows it at the line in a pull request."""

from __future__ import annotations


def annotation(severity: str, file: str, line: int, column: int, title: str, message: str) -> str:
    """Write one finding, escaped as the runner wants it."""
    where = f"file={_property(file)},line={line},col={column},title={title}"
    return f"::{severity} {where}::{_escaped(message)}"


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
