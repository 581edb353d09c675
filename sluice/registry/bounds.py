"""How large a file may be, and what characters it may have, so that reading one is quick whatever is in it.

The largest registry there has to be, 1,000 agents and 10,000 models, needs half of the bytes and two thirds of the
values that are allowed here.
"""

from __future__ import annotations

import re

MAX_BYTES = 8 * 1024 * 1024
MAX_LINE = 100_000
"""Characters of one line, which whatever looks along a line must be able to take."""
MAX_VALUES = 400_000
"""Mappings, lists, scalars and keys of one file."""
MAX_FINDINGS = 1_000
"""Mistakes that are listed of one file, and by one rule: who has more of them mends what makes them, not each."""
MAX_DEPTH = 32
MAX_ALIASES = 20
MAX_REPEATED_VALUES = 1_000
"""How many values all aliases of a file together may stand for."""

UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # control characters; of them, a file may have tabs and ends of lines
    "\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff"  # of no width, or they show text in another order than it is read
    "\ud800-\udfff\ufffe\uffff]"  # no characters at all
)
"""A character that nobody sees in an editor, and that could make a file read differently from how it looks."""
