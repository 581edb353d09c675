"""Files that are made to be slow or large are refused in bounded memory and time, each by findings.

Every one is checked by a process of its own, which says how much memory it had at most and how long it computed: on a
busy machine that is more than on an idle one, and so the bound is wide.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sluice.registry.bounds import MAX_BYTES

pytestmark = pytest.mark.slow

RIGHT = Path(__file__).parent / "right"
MOST_MIB = 300
MOST_SECONDS = 20.0
KEY = b"key=aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xY"

_CHECK = """
import json, re, sys, time
from pathlib import Path
from sluice.registry import check
rules = sorted({finding.rule for finding in check(Path(sys.argv[1]))})
memory = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())
print(json.dumps({"rules": rules, "mib": int(memory[1]) / 1024, "seconds": time.process_time()}))
"""

_HEAD = b"version: 1\nproviders: {a: {}}\nmodels: {b: {}}\n"


def filled(piece: bytes, before: bytes = b"", after: bytes = b"") -> bytes:
    """Repeat a piece until the file is as large as one may be."""
    return before + piece * ((MAX_BYTES - len(before) - len(after)) // len(piece)) + after


def numbered(piece: str, count: int, before: bytes = b"") -> bytes:
    """Repeat a piece with a number in it."""
    return before + "".join(piece.replace("#", str(number)) for number in range(count)).encode()


HOSTILE = {
    "a hundred megabytes": (b"#" * 100_000_000, "SL002"),
    "one scalar of many lines": (filled(b"  x\n\n", b"a: >\n"), "SL020"),
    "as many values as may be": (b"a: [" + b"1,\n" * 399_990 + b"]", "SL020"),
    "millions of brackets": (filled(b"[\n"), "SL002"),
    "keys that repeat": (filled(b"a: 1\n"), "SL005"),
    "models of a wrong shape": (numbered("  m#: {a: 1}\n", 95_000, b"version: 1\nproviders: {}\nmodels:\n"), "SL020"),
    "references to nothing": (numbered("  a#: {baseline: [m#]}\n", 75_000, _HEAD + b"agents:\n"), "SL030"),
    "long numbers of base sixty": (filled(b"- 1" + b":1" * 49_000 + b"\n", b"a:\n"), "SL009"),
    "keys in one line": (filled(KEY + b" ", b"# "), "SL002"),
    "lines of keys": (filled(b"# " + KEY + b"\n"), "SL082"),
    "what is nearly a key": (filled(b"# " + b"aB3-" * 20_000 + b"\n"), "SL010"),
    "mappings that merge": (numbered("b#: {<<: *a}\n", 95_000, b"a: &a {c: 1}\n"), "SL006"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_made_to_be_slow_or_large_is_refused_in_bounded_memory_and_time(name: str, tmp_path: Path) -> None:
    content, rule = HOSTILE[name]
    (tmp_path / "rollouts").mkdir()
    (tmp_path / "rollouts" / "dev.yaml").write_bytes((RIGHT / "rollouts" / "dev.yaml").read_bytes())
    (tmp_path / "models.yaml").write_bytes(content)

    asked = subprocess.run(
        [sys.executable, "-c", _CHECK, str(tmp_path)], capture_output=True, text=True, check=True, timeout=300
    )

    told = json.loads(asked.stdout)
    assert rule in told["rules"]
    assert told["mib"] < MOST_MIB
    assert told["seconds"] < MOST_SECONDS
