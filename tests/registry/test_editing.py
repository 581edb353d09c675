from __future__ import annotations

import difflib
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.registry import InvalidRegistry
from sluice.registry.document import parse_document
from sluice.registry.editing import REMOVED, CannotEdit, edit_file, edited

ROLLOUT = b"""\
# what is rolled out
version: 1

enabled: true            # the kill switch
agents:
  qa: {candidate: 'qa-1', weight:  0}   # 1st

  legal:
    weight: 10   # of a hundred
    candidate: "legal-1"
    # graduated ones lead
    baseline:
      - gpt-4o   # the cheap one
      - claude

  # nobody knows yet
  support:
  content: {}
"""


def lines_changed(before: bytes, after: bytes) -> list[str]:
    changed = difflib.ndiff(before.decode().splitlines(), after.decode().splitlines())
    return [line for line in changed if line[0] in "+-"]


@pytest.mark.parametrize(
    ("path", "value", "changed"),
    [
        (
            ("agents", "qa", "weight"),
            10,
            ["-   qa: {candidate: 'qa-1', weight:  0}   # 1st", "+   qa: {candidate: 'qa-1', weight:  10}   # 1st"],
        ),
        (
            ("agents", "qa", "candidate"),
            "qa-2",
            ["-   qa: {candidate: 'qa-1', weight:  0}   # 1st", "+   qa: {candidate: 'qa-2', weight:  0}   # 1st"],
        ),
        (
            ("agents", "qa", "since"),
            date(2025, 11, 6),
            [
                "-   qa: {candidate: 'qa-1', weight:  0}   # 1st",
                "+   qa: {candidate: 'qa-1', weight:  0, since: 2025-11-06}   # 1st",
            ],
        ),
        (
            ("agents", "qa"),
            {"baseline": ["qa-1", "gpt-4o"]},
            ["-   qa: {candidate: 'qa-1', weight:  0}   # 1st", "+   qa: {baseline: [qa-1, gpt-4o]}   # 1st"],
        ),
        (
            ("agents", "qa", "weight"),
            REMOVED,
            ["-   qa: {candidate: 'qa-1', weight:  0}   # 1st", "+   qa: {candidate: 'qa-1'}   # 1st"],
        ),
        (
            ("agents", "qa", "candidate"),
            REMOVED,
            ["-   qa: {candidate: 'qa-1', weight:  0}   # 1st", "+   qa: {weight:  0}   # 1st"],
        ),
        (("agents", "legal", "weight"), 25, ["-     weight: 10   # of a hundred", "+     weight: 25   # of a hundred"]),
        (("agents", "legal", "candidate"), "legal-2", ['-     candidate: "legal-1"', '+     candidate: "legal-2"']),
        (("agents", "legal", "weight"), REMOVED, ["-     weight: 10   # of a hundred"]),
        (("agents", "legal", "since"), date(2025, 11, 6), ["+     since: 2025-11-06"]),
        (("agents", "legal", "baseline", 0), REMOVED, ["-       - gpt-4o   # the cheap one"]),
        (("agents", "legal", "baseline", 2), "gpt-5", ["+       - gpt-5"]),
        (("agents", "support", "weight"), 0, ["-   support:", "+   support: {weight: 0}"]),
        (("agents", "content", "weight"), 0, ["-   content: {}", "+   content: {weight: 0}"]),
        (("agents", "analyst", "weight"), 0, ["+   analyst: {weight: 0}"]),
        (
            ("enabled",),
            False,
            ["- enabled: true            # the kill switch", "+ enabled: false            # the kill switch"],
        ),
        (("note",), "no", ['+ note: "no"']),
        (("note",), "2: # is no comment", ['+ note: "2: # is no comment"']),
        (("note",), "010", ['+ note: "010"']),
        (("price",), 0.00001, ["+ price: 0.00001"]),
        (("agents", "qa", "weight"), 0, []),
        (("agents", "qa", "since"), REMOVED, []),
    ],
)  # fmt: skip
def test_an_edit_changes_the_value_and_nothing_else(
    path: tuple[str | int, ...], value: object, changed: list[str]
) -> None:
    after = edited(ROLLOUT, {path: value})  # type: ignore[dict-item]

    assert lines_changed(ROLLOUT, after) == changed


def test_several_edits_are_made_in_their_order() -> None:
    graduated = edited(
        b"qa: {candidate: qa-1, weight: 100, since: 2025-11-06}\n",
        {
            ("qa", "candidate"): REMOVED,
            ("qa", "weight"): REMOVED,
            ("qa", "since"): REMOVED,
            ("qa", "baseline"): ["qa-1", "gpt-4o"],
        },
    )

    assert graduated == b"qa: {baseline: [qa-1, gpt-4o]}\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"a: 1\r\nb: 2\r\n", b"a: 1\r\nb: 3\r\n"),
        (b"\xef\xbb\xbfa: 1\nb: 2", b"\xef\xbb\xbfa: 1\nb: 3"),
        ("é: [ü, '日本']\nb: 2 # ß\n".encode(), "é: [ü, '日本']\nb: 3 # ß\n".encode()),
        (b"b:\n  2\n", b"b:\n  3\n"),
        (b"b:\nc: 1\n", b"b: 3\nc: 1\n"),
        (b"b: |\n  some\n  text\nc: 1\n", b"b: 3\nc: 1\n"),
        (b"{b: , c: 1}", b"{b: 3, c: 1}"),
        (b'"b": 2\n', b'"b": 3\n'),
        (b"a: 1\r\n", b"a: 1\r\nb: 3\r\n"),
        (b"a: 1", b"a: 1\nb: 3"),
    ],
)  # fmt: skip
def test_ends_of_lines_marks_and_other_alphabets_stay_as_they_are(before: bytes, after: bytes) -> None:
    assert edited(before, {("b",): 3}) == after


@pytest.mark.parametrize(
    ("content", "path", "reason"),
    [
        (b"a: &x {b: 1}\nc: *x\n", ("c", "b"), "an alias repeats it"),
        (b"a: &x {b: 1}\nc: *x\n", ("a", "b"), "an alias repeats it"),
        (b"a: {<<: {b: 1}, c: 1}\n", ("a", "<<"), "it is written in a way that an edit would spoil"),
        (b"a: [1]\n", ("a", 3), "it is no field and no item"),
        (b"a: 1\n", ("a", "b"), "it is no field and no item"),
        (b"a: 1\n", ("a", "b", "c"), "there is no b in it"),
    ],
)
def test_what_an_edit_could_spoil_is_refused(content: bytes, path: tuple[str | int, ...], reason: str) -> None:
    with pytest.raises(CannotEdit, match=rf"^file: .*: cannot be changed by machine: {reason}; edit the file by hand$"):
        edited(content, {path: 2})


def test_a_file_that_is_wrong_already_is_not_edited(tmp_path: Path) -> None:
    file = tmp_path / "dev.yaml"
    file.write_text("a: 1\na: 2\n")

    with pytest.raises(InvalidRegistry, match="is written twice"):
        edit_file(file, {("a",): 3})

    assert file.read_text() == "a: 1\na: 2\n"


def test_a_file_keeps_its_permissions_and_its_link_and_leaves_no_scratch_file(tmp_path: Path) -> None:
    file, link = tmp_path / "dev.yaml", tmp_path / "link.yaml"
    file.write_bytes(ROLLOUT)
    file.chmod(0o640)
    link.symlink_to(file)

    assert edit_file(link, {("enabled",): False})
    assert not edit_file(link, {("enabled",): False})
    assert link.is_symlink()
    assert file.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dev.yaml", "link.yaml"]


@pytest.mark.parametrize("failing", ["os.fsync", "pathlib.Path.replace"])
def test_an_edit_that_a_full_disk_stops_leaves_the_file_as_it_was_and_nothing_beside_it(
    failing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    file = tmp_path / "dev.yaml"
    file.write_bytes(ROLLOUT)
    monkeypatch.setattr(failing, refuse)

    with pytest.raises(OSError, match="No space left"):
        edit_file(file, {("enabled",): False})

    assert file.read_bytes() == ROLLOUT
    assert list(tmp_path.iterdir()) == [file]


def test_edits_at_the_same_time_are_all_made(tmp_path: Path) -> None:
    file = tmp_path / "dev.yaml"
    file.write_text("version: 1\nagents: {}\n")

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda number: edit_file(file, {("agents", f"a{number}"): number}), range(40)))

    document, _ = parse_document(file.read_bytes(), "dev.yaml")
    assert made == [True] * 40
    assert document is not None
    assert document.data["agents"] == {f"a{number}": number for number in document.mapping("agents").values()}
    assert len(document.data["agents"]) == 40
    assert list(tmp_path.iterdir()) == [file]


_PATHS = [
    ("version",),
    ("agents", "qa", "weight"),
    ("agents", "qa", "since"),
    ("agents", "legal", "candidate"),
    ("agents", "legal", "baseline", 1),
    ("agents", "support"),
    ("agents", "content", "note"),
    ("new", "field"),
]
_texts = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf", "Cn", "Zl", "Zp"]), max_size=30)
_scalars = st.booleans() | st.integers(-(10**15), 10**15) | st.floats(-1e6, 1e6) | _texts | st.none()
_values = _scalars | st.lists(_scalars, max_size=3) | st.dictionaries(_texts.filter(bool), _scalars, max_size=3)


@given(st.lists(st.tuples(st.sampled_from(_PATHS), _values | st.just(REMOVED)), min_size=1, max_size=4))
def test_whatever_is_set_can_be_read_back_and_no_comment_is_lost(
    changes: list[tuple[tuple[str | int, ...], object]],
) -> None:
    content = ROLLOUT
    for path, value in changes:
        try:
            content = edited(content, {path: value})  # type: ignore[dict-item]
        except CannotEdit:
            continue
        document, findings = parse_document(content, "file")
        assert findings == ()
        assert document is not None
        read = document.get(*path)
        assert read == (None if value is REMOVED else value) or path[-1] == 1  # an item's place is the next one's now
    for comment in ("# what is rolled out", "# the kill switch", "# of a hundred", "# nobody knows yet"):
        assert comment in content.decode()
