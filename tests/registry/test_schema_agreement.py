"""What our check of shapes says of a file of the corpus, other validators say too.

Ours is written in Rust. One of the others is check-jsonschema, which reads the YAML by itself and stands on Python's
jsonschema; one is santhosh-tekuri/jsonschema, in Go; one is ajv, which editors have. A file that breaks a rule about
reading is left out: other readers take a duplicate key or a tag, which is why there are rules.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sluice.registry.document import Document, read_document
from sluice.registry.shape import SCHEMAS, check_shape

pytestmark = pytest.mark.slow


HERE = Path(__file__).parent
KINDS = {"models": "models.yaml", "rollout": "rollouts/*.yaml", "evidence": "evidence/*.yaml"}
_AJV = """
const Ajv = require("ajv/dist/2020"), formats = require("ajv-formats"), fs = require("fs");
const {schema, files} = JSON.parse(fs.readFileSync(0));
const ajv = new Ajv({strict: false}); formats(ajv);
const valid = ajv.compile(schema);
console.log(JSON.stringify(Object.keys(files).filter((name) => !valid(files[name]))));
"""


def documents(kind: str) -> dict[Path, Document]:
    """Read every file of a kind that can be read: of the corpus of wrong registries, and of the right ones."""
    folders = [*(HERE / "wrong").iterdir(), HERE / "right", SCHEMAS.parent]
    files = sorted(file for folder in folders for file in folder.glob(KINDS[kind]))
    read = {file: read_document(file, remedy_if_missing="")[0] for file in files}
    return {file: document for file, document in read.items() if document is not None}


def refused_by_us(kind: str) -> set[str]:
    return {str(file) for file, document in documents(kind).items() if check_shape(document, kind)}


def question(kind: str) -> dict[str, object]:
    """Make what other validators are asked: a schema, and the content of every file of its kind."""
    schema = json.loads(schema_file(kind).read_text(encoding="utf-8"))
    return {"schema": schema, "files": {str(file): document.data for file, document in documents(kind).items()}}


def schema_file(kind: str) -> Path:
    return SCHEMAS / f"{kind}.schema.json"


def test_the_corpus_has_files_that_break_a_schema_and_files_that_do_not() -> None:
    refused = set().union(*map(refused_by_us, KINDS))

    assert len(refused) >= 30
    assert sum(len(documents(kind)) for kind in KINDS) >= len(refused) + 15


@pytest.mark.parametrize("kind", KINDS)
def test_check_jsonschema_refuses_the_files_that_we_refuse(kind: str) -> None:
    files = [str(file) for file in documents(kind)]
    options = ["--output-format", "json", "--schemafile", str(schema_file(kind))]

    asked = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", *options, *files], capture_output=True, text=True, check=False
    )

    answer = json.loads(asked.stdout)
    assert answer.get("parse_errors", []) == []
    assert {error["filename"] for error in answer.get("errors", [])} == refused_by_us(kind)


@pytest.fixture(scope="session")
def validator_in_go(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the program in second_opinion/, whose modules are pinned by its go.sum."""
    program = tmp_path_factory.mktemp("second-opinion") / "second-opinion"
    built = subprocess.run(
        ["go", "build", "-o", str(program), "."],
        cwd=HERE / "second_opinion",
        env={**os.environ, "CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": "-mod=readonly"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return program


@pytest.mark.parametrize("kind", KINDS)
def test_a_validator_in_go_refuses_the_files_that_we_refuse(kind: str, validator_in_go: Path) -> None:
    asked = subprocess.run(
        [str(validator_in_go)], input=json.dumps(question(kind)), capture_output=True, text=True, check=True
    )

    assert set(json.loads(asked.stdout)) == refused_by_us(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_ajv_refuses_the_files_that_we_refuse(kind: str, node_packages: Path) -> None:
    asked = subprocess.run(
        ["node", "-e", _AJV],
        input=json.dumps(question(kind)),
        env={**os.environ, "NODE_PATH": str(node_packages)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert set(json.loads(asked.stdout)) == refused_by_us(kind)
