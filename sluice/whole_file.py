"""Writes a file whole or not at all.

A disk that is full leaves what was there before, and no half of what was to come: half a file of evidence is none.
"""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(file: Path, text: str) -> None:
    """Write a text where `file` leads to. Raises OSError, which names the file."""
    to = file.resolve()
    if to.exists() and not to.is_file():  # /dev/stdout, a pipe: nothing that another could stand in for
        to.write_text(text, encoding="utf-8")
        return
    part = to.with_name(f".{to.name}.{os.getpid()}")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(to)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(file)) from None
    finally:
        part.unlink(missing_ok=True)
