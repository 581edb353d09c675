"""The Containerfile builds what recipe.py says, so that an image built elsewhere behaves as one built here."""

from __future__ import annotations

import re
import shlex
from pathlib import PurePath

import pytest

from sluice.local.folders import PROJECT
from sluice.local.images import code, recipe
from sluice.local.images.recipe import LITELLM, PROGRAMS, RECIPES, ProgramRecipe, Recipe


def _stages() -> dict[str, list[str]]:
    """The instructions of each stage, those of the stage that it stands on before its own."""
    text = (PROJECT / "Containerfile").read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    stages: dict[str, list[str]] = {}
    current: list[str] = []
    for instruction in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        if found := re.fullmatch(r"FROM (\S+) AS (\S+)", instruction):
            current = [*stages.get(found[1], [instruction])]
            stages[found[2]] = current
        else:
            current.append(re.sub(r"\s+", " ", instruction))
    return stages


def _values(stage: list[str], keyword: str) -> list[str]:
    return [line.removeprefix(f"{keyword} ") for line in stage if line.startswith(f"{keyword} ")]


@pytest.fixture(params=[*RECIPES, LITELLM], ids=lambda wanted: wanted.short_name)
def wanted(request: pytest.FixtureRequest) -> Recipe:
    param: Recipe = request.param
    return param


def test_there_is_a_target_for_each_image() -> None:
    assert {wanted.short_name for wanted in (*RECIPES, *PROGRAMS, LITELLM)} <= set(_stages())


@pytest.mark.parametrize("wanted", PROGRAMS, ids=lambda wanted: wanted.short_name)
def test_a_program_of_debians_is_installed(wanted: ProgramRecipe) -> None:
    install = f"install --yes --no-install-recommends {wanted.packages[0]} &&"
    assert any(install in line for line in _stages()[wanted.short_name])


@pytest.mark.parametrize("wanted", [*RECIPES, *PROGRAMS, LITELLM], ids=lambda wanted: wanted.short_name)
def test_user_command_and_environment_are_the_same(wanted: Recipe | ProgramRecipe) -> None:
    stage = _stages()[wanted.short_name]
    assert _values(stage, "USER") == [recipe.USER]
    assert _values(stage, "ENTRYPOINT") == ["[" + ", ".join(f'"{word}"' for word in wanted.entrypoint) + "]"]
    assert _values(stage, "WORKDIR") == ["/"]
    [environment] = _values(stage, "ENV")
    assert dict(pair.split("=", 1) for pair in shlex.split(environment)) == recipe.ENVIRONMENT


@pytest.mark.parametrize("wanted", [*RECIPES, *PROGRAMS, LITELLM], ids=lambda wanted: wanted.short_name)
def test_dpkg_finds_its_programs_under_the_path_of_the_image(wanted: Recipe | ProgramRecipe) -> None:
    stage = _stages()[wanted.short_name]
    begins = next(number for number, line in enumerate(stage) if line.startswith("ENV "))
    installs = [line for line in stage[begins:] if "apt-get install" in line]
    assert all(line.startswith("RUN export PATH=$PATH:/usr/sbin:/sbin && ") for line in installs)


def test_the_same_files_are_copied(wanted: Recipe) -> None:
    copied = set()
    for line in _values(_stages()[wanted.short_name], "COPY"):
        if line.startswith("--from="):
            continue
        *sources, target = line.split()
        copied.update(sources)
        for source in sources:
            inside = target + source.rpartition("/")[2] if target.endswith("/") else target
            assert inside == f"{recipe.SITE_FOLDER}/{source}"
    assert copied == set(wanted.sources)


def test_the_base_has_the_same_release_and_packages() -> None:
    stage = _stages()["base"]
    assert stage[0] == f"FROM debian:{recipe.SUITE}-slim AS base"
    [run] = _values(stage, "RUN")
    installed = set(re.search(r"--no-install-recommends (.*?) &&", run)[1].split())  # type: ignore[index]
    # python3-minimal is the name `python3`; base-files comes with the base.
    assert installed - {"python3-minimal"} == set(recipe.BASE_PACKAGES) - {"base-files"}


@pytest.mark.parametrize(
    ("stage_name", "lock", "copied"),
    [
        ("packages", recipe.LOCK, "/tmp/gateway.lock"),
        ("litellm-packages", recipe.LITELLM_LOCK, "/tmp/litellm.lock"),
    ],
)
def test_the_lock_is_installed_with_the_same_options(stage_name: str, lock: str, copied: str) -> None:
    stage = _stages()[stage_name]
    [install] = [line for line in _values(stage, "RUN") if "pip install" in line]
    words = install.partition(" && ")[0].split()
    target = ["--target", recipe.SITE_FOLDER, "--requirement", copied]
    assert words == ["python3", "-m", "pip", "install", *recipe.PIP_OPTIONS, *target]
    assert f"{lock} {copied}" in _values(stage, "COPY")


def test_pip_does_not_reach_the_images(wanted: Recipe) -> None:
    assert not any("python3-pip" in line for line in _stages()[wanted.short_name])


@pytest.mark.parametrize("name", [".containerignore", ".dockerignore"])
def test_what_is_no_source_is_kept_out_of_the_context(name: str) -> None:
    patterns = _patterns(name)
    unversioned = {line.rstrip("/") for line in (PROJECT / ".gitignore").read_text().splitlines() if line}
    assert {".venv", "__pycache__", ".mypy_cache", ".ruff_cache"} <= unversioned
    # Docker matches a pattern without `**/` at the top folder alone.
    assert {".git", *(f"**/{pattern}" for pattern in unversioned)} <= patterns


@pytest.mark.parametrize("name", [".containerignore", ".dockerignore"])
def test_no_source_is_kept_out_of_the_context(name: str, wanted: Recipe) -> None:
    for path in (PurePath(recipe.LOCK), *code.files(PROJECT, wanted)):
        for part in (path, *path.parents):
            assert not any(part.match(pattern.removeprefix("**/")) for pattern in _patterns(name)), f"{part} is ignored"


def test_both_builders_are_given_the_same_context() -> None:
    assert _patterns(".containerignore") == _patterns(".dockerignore")


def _patterns(name: str) -> set[str]:
    return {line for line in (PROJECT / name).read_text().splitlines() if line and not line.startswith("#")}
