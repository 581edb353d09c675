"""`${NAME}` in the fields that expand it, from the environment of the process.

Where a field expands is said by the schema (`"expands": true`). An expanded value is never shown: whoever sets a
variable may have put anything into it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping

REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]{0,62})\}")
SECRET_NAME = re.compile(r"(?i)(^|_)(key|token|secret|password|passwd|passphrase|credentials?)(_|$)")


def references(text: str) -> Iterator[str]:
    """Yield the names of the variables that a text refers to."""
    for found in REFERENCE.finditer(text):
        yield found[1]


def expanded(text: str, variables: Mapping[str, str] = os.environ) -> str:
    """Put variables in the place of their names; one that is not set stays as it is written."""
    return REFERENCE.sub(lambda found: variables.get(found[1], found[0]), text)
