"""LiteLLM itself, in a process of its own, as its image starts it: asked as a gateway asks, and as others might."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from bench.gateway.programs import free_port, litellm_program, running
from sluice.litellm_proxy.__main__ import NotStarted, variables
from sluice.registry import LITELLM_KEY, LiteLLM, load_environment
from sluice.render import render

PROJECT = Path(__file__).parent.parent.parent
MASTER_KEY = "made-master-key"
KEY = {"Authorization": f"Bearer {MASTER_KEY}"}
ASK = {"model": "claude-sonnet-4", "messages": [{"role": "user", "content": "hello"}], "user": "ada"}

# Runs the module with those packages out of reach that its image leaves out.
_START = """
import importlib.metadata, re, runpy, sys
gone = set(sys.argv.pop(1).split(","))
modules = {
    module for module, packages in importlib.metadata.packages_distributions().items()
    if {re.sub("[-_.]+", "-", name).lower() for name in packages} <= gone
}
assert modules, "nothing of what the image leaves out is installed here"
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in modules:
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Finder())
runpy.run_module("sluice.litellm_proxy", run_name="__main__", alter_sys=True)
"""


def locked(name: str) -> dict[str, str]:
    """The packages of a lock, each with its version and hashes."""
    parts = re.split(r"\n(?=\w)", (PROJECT / "requirements" / name).read_text().strip())
    return {part.partition("==")[0]: part for part in parts}


def write_folder(folder: Path, stub_url: str) -> None:
    """What is mounted into the pod: the rendered configuration, and a file for each key."""
    declared = load_environment(PROJECT, "dev")
    settings = replace(
        declared.settings,
        provider_addresses={"anthropic": f"{stub_url}/anthropic"},
        litellm=LiteLLM("a/b", {"anthropic": "anthropic"}),
    )
    rendered = render(declared.registry, declared.rollout, settings)
    (configuration,) = [item for item in rendered.litellm if item.kind == "ConfigMap"]
    for name, text in {**configuration.body["data"]}.items():
        (folder / "config").mkdir(parents=True)
        (folder / "config" / name).write_text(text)
    (folder / "keys").mkdir()
    (folder / "keys" / LITELLM_KEY).write_text(f"{MASTER_KEY}\n")
    (folder / "keys" / "anthropic-api-key").write_text("made-key-of-anthropic\n")


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("litellm")
    stub_port, port = free_port(), free_port()
    stub = [sys.executable, "-m", "sluice.local.stub_provider"]
    told = {"SLUICE_STUB_PORT": str(stub_port), "SLUICE_STUB_HOST": "127.0.0.1"}
    left_out = locked("litellm.lock").keys() - locked("litellm-image.lock").keys()
    python = str(Path(litellm_program()).parent / "python")
    command = [python, "-c", _START, ",".join(sorted(left_out))]
    with running(stub, stub_port, folder / "stub.log", path="/healthz", variables=told) as provider:
        write_folder(folder, provider.url)
        own = {
            "SLUICE_LITELLM_FOLDER": str(folder),
            "SLUICE_LITELLM_HOST": "127.0.0.1",
            "SLUICE_LITELLM_PORT": str(port),
        }
        with running(command, port, folder / "litellm.log", path="/health/readiness", variables=own) as started:
            yield started.url


def ask(proxy: str, **more: Any) -> httpx2.Response:
    return httpx2.post(f"{proxy}/v1/chat/completions", json={**ASK, **more}, headers=KEY, timeout=20)


pytestmark = pytest.mark.slow


def test_a_question_is_answered_by_a_provider_of_another_dialect(proxy: str) -> None:
    answered = ask(proxy)

    assert answered.status_code == 200, answered.text
    assert "(stub: claude-sonnet-4" in answered.json()["choices"][0]["message"]["content"]
    assert answered.json()["usage"]["completion_tokens"] > 0


def test_a_stream_says_its_usage_and_ends(proxy: str) -> None:
    answered = ask(proxy, stream=True, stream_options={"include_usage": True})

    lines = [line.removeprefix("data: ") for line in answered.text.splitlines() if line.startswith("data: ")]
    assert lines[-1] == "[DONE]"
    assert json.loads(lines[-2])["usage"]["completion_tokens"] > 0


@pytest.mark.parametrize(
    "path",
    ["/key/generate", "/key/list", "/user/new", "/model/info", "/ui/", "/config/yaml", "/spend/logs", "/", "/docs"],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_nobody_manages_it_not_even_with_its_key(method: str, path: str, proxy: str) -> None:
    answered = httpx2.request(method, f"{proxy}{path}", headers=KEY)

    assert (answered.status_code, answered.json()["error"]["message"]) == (404, "nothing is here but the chat API")


def test_a_made_answer_is_not_to_be_had(proxy: str) -> None:
    assert ask(proxy, mock_response="whatever the caller wants").status_code == 400


def test_a_model_that_the_registry_does_not_send_its_way_is_not_asked(proxy: str) -> None:
    assert ask(proxy, model="anthropic/claude-opus-4").status_code == 400


def test_the_image_leaves_packages_out_and_changes_none() -> None:
    whole, image = locked("litellm.lock"), locked("litellm-image.lock")

    assert image.items() < whole.items()
    makefile = (PROJECT / "Makefile").read_text()
    named = re.search(r"^LEFT_OUT := ((?:.*\\\n)*.*)$", makefile, re.MULTILINE)
    assert named
    assert sorted(named[1].replace("\\", " ").split()) == sorted(whole.keys() - image.keys())


@pytest.mark.parametrize(
    ("missing", "expected"),
    [("config", r"litellm\.yaml: is not there"), (f"keys/{LITELLM_KEY}", r"litellm-master-key: is missing or empty")],
)
def test_it_does_not_start_without_its_files(missing: str, expected: str, tmp_path: Path) -> None:
    write_folder(tmp_path, "http://127.0.0.1:1")
    (tmp_path / missing).rename(tmp_path / "elsewhere")

    with pytest.raises(NotStarted, match=expected):
        variables(tmp_path)

    told = {"SLUICE_LITELLM_FOLDER": str(tmp_path), "PYTHONPATH": str(PROJECT)}
    ran = subprocess.run(
        [sys.executable, "-m", "sluice.litellm_proxy"], env=told, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 3
    assert re.search(rf"^sluice litellm: .*{expected}", ran.stderr)
    assert "Traceback" not in ran.stderr
