from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.registry import document as document_module
from sluice.registry import exact_reading, quick_places, quick_reading
from sluice.registry.document import Document, parse_document
from sluice.registry.exact_reading import read_exactly
from sluice.registry.places import Place, Spot, Steps, nearest_place

RIGHT = Path(__file__).parent / "right"
SEEDS = [(RIGHT / "models.yaml").read_bytes(), (RIGHT / "rollouts" / "dev.yaml").read_bytes()]


def parsed(text: str) -> Document:
    document, findings = parse_document(text.encode(), "file.yaml")
    assert findings == ()
    assert document is not None
    return document


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("no", "no"),
        ("on", "on"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("10", 10),
        ("-3", -3),
        ("1.20", 1.2),
        ("10.0", 10),
        ("1e3", 1000),
        ("2025-11-06", "2025-11-06"),
        ("1:99", "1:99"),
        ("_1000", "_1000"),
        ("'010'", "010"),
        ('"null"', "null"),
        ("v1.2", "v1.2"),
    ],
)
def test_a_plain_value_is_read_as_yaml_1_2_means_it(written: str, read: object) -> None:
    value = parsed(f"field: {written}").data["field"]

    assert value == read
    assert type(value) is type(read)


@pytest.mark.parametrize("written", ["010", "-010", "0o7", "0x1F", "0b1", "1_000", "1_0.5", "1:30", "190:20:30.15"])
def test_a_number_that_readers_read_differently_is_refused(written: str) -> None:
    document, (finding,) = parse_document(f"field: {written}".encode(), "file.yaml")

    assert document is None
    assert finding.problem == "is a number that readers read differently"
    assert parsed(f'field: "{written}"').data["field"] == written


def test_every_value_and_key_knows_its_place() -> None:
    document = parsed("agents:\n  qa:\n    baseline: [gpt-4o, claude]\n")

    assert document.place(("agents", "qa"), at_key=True) == Place(2, 3)
    assert document.place(("agents", "qa", "baseline")) == Place(3, 15)
    assert document.place(("agents", "qa", "baseline", 1)) == Place(3, 24)


def test_a_byte_order_mark_is_no_part_of_the_file() -> None:
    document, findings = parse_document(b"\xef\xbb\xbfversion: 1\n", "file.yaml")

    assert findings == ()
    assert document is not None
    assert document.data == {"version": 1}


def test_a_bomb_of_aliases_is_refused_at_the_alias_where_it_grows_too_large() -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)]

    document, (finding,) = parse_document("\n".join(lines).encode(), "file.yaml")

    assert document is None
    assert str(finding) == (
        "file.yaml:4:8: d[0]: is an alias, and with it aliases stand for more than 1000 values; "
        "write the value out where it is used [SL006]"
    )


def test_a_few_aliases_and_merge_keys_are_read_as_they_are_meant() -> None:
    document = parsed(
        "a: &p {input: 1, output: 2}\nb: *p\nc: {<<: *p, output: 3}\nd: {<<: [{x: 1}, {x: 2, y: 2}], z: 3}\n"
    )

    assert document.data["b"] == {"input": 1, "output": 2}
    assert document.data["c"] == {"input": 1, "output": 3}
    assert document.data["d"] == {"x": 1, "y": 2, "z": 3}


def test_what_an_alias_repeats_stands_where_the_alias_does() -> None:
    document = parsed("a: &p {input: 1, output: 2}\nb: *p\nc: {<<: *p, output: 3}\n")

    assert document.place(("b", "input")) == Place(2, 4)
    assert document.place(("c", "input"), at_key=True) == Place(3, 5)
    assert document.place(("c", "output")) == Place(3, 21)


def test_as_many_values_are_read_as_a_file_may_have_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    for reading in (quick_reading, exact_reading, document_module):
        monkeypatch.setattr(reading, "MAX_VALUES", 100)

    assert parsed(f"a: [{'1,' * 97}]").data == {"a": [1] * 97}

    document, (finding,) = parse_document(f"a: [{'1,' * 98}]".encode(), "file.yaml")

    assert document is None
    assert str(finding) == "file.yaml:1:199: is where the file passes 100 values; keep generated data out of it [SL002]"


@pytest.mark.parametrize("bracket", ["[\n ", "{a:\n "])
def test_a_hundred_thousand_brackets_are_refused_and_not_followed(bracket: str) -> None:
    document, (finding,) = parse_document(f"a: {bracket * 100_000}".encode(), "file.yaml")

    assert document is None
    assert finding.problem == "is nested more than 32 deep"


@pytest.mark.parametrize(
    "text", ['a: "\\UFFFFFFFF"', "a: \x00", "%YAML 9.9\n---\na: 1", "%TAG !\n---\na: 1", 'a: "\\uD800"', "&", "? ? ?"]
)
def test_what_breaks_a_parser_is_a_finding(text: str) -> None:
    document, findings = parse_document(text.encode(), "file.yaml")

    assert document is None
    assert len(findings) == 1


@pytest.mark.parametrize(
    "text",
    [
        "a:\n  b: {c: 1}\n  d:\n  - e: 1\n  - f\ng: [1, {h: 2}]\n",
        "a: {b: {c: 1}, d: [1, 2]}\ne: {f: 1,\n  g: 2,\n  h: {i: 3}}\n",
        "{a: 1, b: {c: 2,\n d: 3}}\n",
        "{\na: {\n  b: 1,\n  c: {d: 2}\n},\ne: 1\n}",
        "--- # head\na:\n    b: |\n      c: 1\n    d: 'x\n      e: 1'\n...\n",
        "? a\n: ? b\n  : c: 1\n  ? d\n  : [1]\ne: 1\n",
        "\n\n  a:\n    b: 1\r\n    c: 2\r\n  d:\n    e:\n",
        "a:\n  é: {b: 1}\n  c: {'ü': 2}\n",
        "a:\n  b: x\n\n# a comment\n  c: y\n   z\n  d: 1\n",
        "[1, {a: 2}]",
    ],
)
def test_an_entry_that_is_read_by_itself_has_its_places_in_the_file(text: str) -> None:
    document, exact = parsed(text), read_exactly(text, "file.yaml")[1]

    assert document.outline is not None
    assert exact is not None
    for path in paths_in(exact):
        for at_key in (False, True):
            assert document.place(path, at_key=at_key) == nearest_place(exact, path, at_key=at_key), path


def test_a_place_in_a_large_file_is_found_without_reading_all_of_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    spots_in = quick_places.spots_in

    def noted(text: str) -> Spot:
        read.append(len(text))
        return spots_in(text)

    monkeypatch.setattr(quick_places, "spots_in", noted)
    document = parsed("models:\n" + "".join(f"  m{number}: {{a: [1]}}\n" for number in range(1_000)) + "agents: {}\n")

    assert document.place(("models", "m500", "a", 0)) == Place(502, 14)
    assert document.place(("models", "missing")) == Place(2, 3)
    assert document.place(("agents",), at_key=True) == Place(1_002, 1)
    assert document.place(()) == Place(1, 1)
    assert max(read) < 50


def mutations() -> st.SearchStrategy[bytes]:
    """Make bytes that are nearly a registry: pieces of it cut out, doubled, or replaced by what YAML makes much of."""
    pieces = st.sampled_from(
        [b"&a ", b"*a", b"!!int ", b"<<: ", b"\t", b"\x00", b"\xff", b"---\n", b"...", b"{", b"[", b"]", b": ", b"- ",
         b"|", b">", b'"', b"'", b"%", b"@", b"`", b"? ", b"\xc2\x85", b"\\", b"#", b"\n", b"\r", b"0o7", b".inf",
         b"1e999", b"null", b"version", b"\xf0\x9f\x98\x80", b"9" * 400]
    ) | st.binary(max_size=8)  # fmt: skip
    edits = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 0.2), pieces), min_size=1, max_size=6)

    def mutate(seed: bytes, edits: list[tuple[float, float, bytes]]) -> bytes:
        for start, length, piece in edits:
            at = int(start * len(seed))
            seed = seed[:at] + piece + seed[at + int(length * len(seed)) :]
        return seed

    return st.builds(mutate, st.sampled_from(SEEDS), edits) | st.binary(max_size=200)


def paths_in(spot: Spot, path: Steps = ()) -> Iterator[Steps]:
    """Yield the path of every value, and of something that is not in it."""
    yield path
    yield (*path, "not there")
    for key, inner in spot.within.items():
        yield from paths_in(inner, (*path, key))


@given(mutations())
def test_no_bytes_bring_anything_but_a_document_or_findings(content: bytes) -> None:
    document, findings = parse_document(content, "file.yaml")

    assert (document is None) == bool(findings)
    if document is not None:
        exact, spots, mistakes = read_exactly(document.text, "file.yaml")
        assert mistakes == ()
        assert spots is not None
        assert repr(document.data) == repr(exact)  # two equal values may be of two types
        for path in paths_in(spots):
            for at_key in (False, True):
                assert document.place(path, at_key=at_key) == nearest_place(spots, path, at_key=at_key), path
    for finding in findings:
        assert finding.line >= 1
        assert finding.column >= 1
        assert "\n" not in str(finding)


def test_without_libyaml_there_is_one_sentence_that_says_what_to_type() -> None:
    command = (
        "import sys, yaml; yaml.__with_libyaml__ = False; from sluice.cli.main import run; sys.exit(run(['validate']))"
    )

    asked = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=False)

    assert asked.returncode == 3
    assert asked.stderr.startswith("sluice: PyYAML on this machine was built without libyaml; install it from a wheel")
    assert asked.stderr.count("\n") == 1
