"""What a pod is told in a file of JSON, which `sluice render` writes: of one version, and whole, or one clear error."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from sluice.errors import SluiceError

_Configuration = TypeVar("_Configuration")


class ConfigurationUnreadable(SluiceError):
    """The file is not there, or not what `sluice render` writes."""

    def __init__(self, file: Path, why: str) -> None:
        super().__init__(f"{file}: {why}; it is rendered by the sluice that this image is of: update both together")


def read_told(file: Path, version: int, of: Callable[[Mapping[str, Any]], _Configuration]) -> _Configuration:
    """Return what `of` makes of the file, which is of the version that is known. Raises ConfigurationUnreadable."""
    try:
        said = json.loads(file.read_text())
        if said["version"] != version:
            raise ConfigurationUnreadable(file, f"is of version {said['version']}, and {version} is known here")
        return of(said)
    except OSError as error:
        raise ConfigurationUnreadable(Path(error.filename or file), f"cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationUnreadable(file, f"is not what is rendered ({type(error).__name__}: {error})") from None
