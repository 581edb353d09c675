"""Whatever stands in the files of a registry folder, the loader either loads it or says what is wrong.

A few examples run each time; SLUICE_EXAMPLES=20000 and `--hypothesis-profile many` ask for as many of each kind.
"""

from __future__ import annotations

import json
import random
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.registry import InvalidRegistry, Severity, check, load_registry, load_rollout
from sluice.registry.document import read_document

pytestmark = pytest.mark.slow


PROJECT = Path(__file__).parent.parent.parent
RIGHT = Path(__file__).parent / "right"
FULL = PROJECT / "registry"
TODAY = date(2025, 11, 6)
FILES = sorted(str(file.relative_to(FULL)) for file in FULL.rglob("*.yaml"))

_names = st.sampled_from(
    ["version", "providers", "models", "agents", "qa", "qa-20251031", "gpt-4o", "weight", "enabled", "defaults"]
)
_scalars = (
    st.none()
    | st.booleans()
    | st.integers(-5, 10**20)
    | st.floats()
    | st.dates().map(str)
    | st.text(max_size=20)
    | _names
)
_values = st.recursive(_scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=4))


def flow(value: object) -> str:
    """Write a value in YAML's flow style."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    return json.dumps(value).replace("NaN", ".nan").replace("Infinity", ".inf")


def inside(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every container in `value` with each of its keys or indexes."""
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from inside(value[key])


@contextmanager
def copy_of(folder: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as scratch:
        copied = Path(scratch) / "registry"
        shutil.copytree(folder, copied, ignore=shutil.ignore_patterns("schema"))
        yield copied


def is_loaded_or_refused(folder: Path) -> None:
    """Ask in both ways: the rules that keep a folder from being loaded are found broken when it is checked.

    The places may differ: a check names one place for each cause, and that may stand in another environment.
    """
    findings = check(folder, today=TODAY)
    "".join(map(str, findings)).encode()
    broken = {finding.rule for finding in findings if finding.severity is Severity.ERROR}
    for environment in ("dev", "production"):
        if not (folder / "rollouts" / f"{environment}.yaml").exists():
            continue
        try:
            load_rollout(folder, environment, load_registry(folder))
        except InvalidRegistry as refused:
            mistakes = {finding.rule for finding in refused.findings if finding.severity is Severity.ERROR}
            assert mistakes
            assert mistakes <= broken


@given(_values, st.sampled_from(["models.yaml", "rollouts/dev.yaml"]), st.sampled_from(["", "agents: ", "models: "]))
def test_made_files_are_loaded_or_refused(value: object, name: str, before: str) -> None:
    with copy_of(RIGHT) as folder:
        (folder / name).write_text(before + flow(value), encoding="utf-8")

        is_loaded_or_refused(folder)


@given(st.sampled_from(FILES), st.integers(), st.lists(_values | st.just(...), min_size=1, max_size=3))
def test_the_teams_own_files_with_values_put_in_the_wrong_place_are_loaded_or_refused(
    name: str, seed: int, values: list[Any]
) -> None:
    document, _ = read_document(FULL / name, remedy_if_missing="")
    assert document is not None
    data = json.loads(json.dumps(document.data))
    for value in values:
        places = list(inside(data))
        if not places:
            break  # all that a small file had was taken out
        container, key = random.Random(seed).choice(places)
        if value is ...:
            del container[key]
        else:
            container[key] = value
    with copy_of(FULL) as folder:
        (folder / name).write_text(flow(data), encoding="utf-8")

        is_loaded_or_refused(folder)


@given(st.sampled_from(FILES), st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=6)), min_size=1, max_size=3))
def test_the_teams_own_files_with_bytes_overwritten_are_loaded_or_refused(
    name: str, edits: list[tuple[float, bytes]]
) -> None:
    content = (FULL / name).read_bytes()
    for place, piece in edits:
        at = int(place * len(content))
        content = content[:at] + piece + content[at + len(piece) :]
    with copy_of(FULL) as folder:
        (folder / name).write_bytes(content)

        is_loaded_or_refused(folder)


def test_the_right_folder_is_not_refused() -> None:
    with copy_of(RIGHT) as folder:
        is_loaded_or_refused(folder)
        assert load_registry(folder).agents


def test_a_wrong_folder_is_refused_in_both_ways() -> None:
    with copy_of(RIGHT) as folder:
        (folder / "models.yaml").write_text("agents: 1")

        with pytest.raises(InvalidRegistry, match=r"^refused, \d+ mistakes:\n"):
            load_registry(folder)
        is_loaded_or_refused(folder)
