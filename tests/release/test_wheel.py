"""Who has the wheel and a project of their own needs no checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from release.distributions import BuildFailed, build_distributions
from sluice import __version__
from sluice.cli.main import COMMANDS
from sluice.local.images.building import images_key
from sluice.registry import environments
from tests.release.installation import EPOCH, PROJECT, Installed

pytestmark = pytest.mark.slow


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project as a team has it: the registry and Pulumi's files, in git, and no code."""
    folder = tmp_path / "project"
    shutil.copytree(PROJECT / "registry", folder / "registry")
    for file in (*PROJECT.glob("Pulumi*.yaml"), PROJECT / "__main__.py"):
        shutil.copy(file, folder)
    committed(folder)
    return folder


def committed(folder: Path) -> None:
    git = ("git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com")
    for arguments in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "Begin")):
        subprocess.run([*git, *arguments], cwd=folder, check=True, capture_output=True)


def test_a_project_of_registry_and_pulumi_files_validates_renders_and_plans(
    installed: Installed, project: Path
) -> None:
    inside = project / "registry" / "rollouts"
    assert installed.sluice(inside, "--version").stdout == f"sluice {__version__}\n"
    validated = installed.sluice(inside, "validate")
    assert (validated.returncode, validated.stdout[:6]) == (0, "valid:"), validated.stderr
    planned = installed.sluice(inside, "plan", "dev")
    assert (planned.returncode, planned.stdout.splitlines()[:2]) == (0, ["dev, against HEAD:", "  nothing changes"])
    for environment in environments(PROJECT):
        rendered = installed.sluice(inside, "render", environment)
        assert rendered.returncode == 0, rendered.stderr
        reviewed = {file.name: file.read_text() for file in (PROJECT / "manifests" / environment).iterdir()}
        written = project / "manifests" / environment
        assert {file.name: file.read_text() for file in written.iterdir()} == reviewed


def test_every_command_and_the_program_of_pulumi_have_all_that_they_import(
    installed: Installed, tmp_path: Path
) -> None:
    modules = sorted({where.partition(":")[0] for where, _ in COMMANDS.values()})
    program = f"import importlib\nfor name in {[*modules, 'stacks.environment']}: importlib.import_module(name)\n"

    assert installed.python(tmp_path, f"{program}print('all')") == "all\n"


def test_the_wheel_builds_the_images_and_the_programs_that_its_checkout_builds(
    installed: Installed, tmp_path: Path
) -> None:
    names = "sorted(str(p.relative_to(MODULES)) for p in MODULES.rglob('*') if p.is_file())"
    asked = installed.python(
        tmp_path,
        "from sluice.carried import SOURCE, carried\n"
        "from sluice.local.images.building import images_key\n"
        "from sluice.local.images.recipe import LITELLM_LOCK\n"
        "from sluice.local.toolchain.catalog import MODULES\n"
        f"print(images_key(SOURCE), carried(LITELLM_LOCK).is_file(), {names}, sep='\\n')",
    )
    modules = PROJECT / "sluice/local/toolchain/modules"
    there = sorted(str(path.relative_to(modules)) for path in modules.rglob("*") if path.is_file())

    assert asked.splitlines() == [images_key(PROJECT), "True", str(there)]


def test_a_new_project_validates_and_renders_as_it_is(installed: Installed, tmp_path: Path) -> None:
    begun = installed.sluice(tmp_path, "init", "mine")
    assert begun.returncode == 0, begun.stderr
    committed(tmp_path / "mine")

    for command in (("validate",), ("render", "dev"), ("plan", "dev")):
        done = installed.sluice(tmp_path / "mine", *command)
        assert (done.returncode, done.stderr) == (0, ""), command
    assert (tmp_path / "mine/manifests/dev/deployment-gateway.yaml").is_file()


def test_where_no_project_is_that_is_what_is_said(installed: Installed, tmp_path: Path) -> None:
    done = installed.sluice(tmp_path, "render", "dev")

    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no project here, and none above" in done.stderr
    assert "sluice init" in done.stderr
    planned = installed.sluice(tmp_path, "plan", "dev")
    assert planned.returncode == 2
    assert "change into your project" in planned.stderr


def test_two_builds_of_the_same_files_are_the_same_bytes_and_so_is_what_the_source_distribution_builds(
    tmp_path: Path,
) -> None:
    built = []
    for name, modified in (("first", 1_000_000_000), ("second", 1_700_000_000)):
        source, out = tmp_path / name / "source", tmp_path / name / "dist"
        source.mkdir(parents=True, mode=0o700)
        out.mkdir()
        archive = subprocess.run(["git", "archive", "HEAD"], cwd=PROJECT, capture_output=True, check=True)
        subprocess.run(["tar", "-x"], cwd=source, input=archive.stdout, check=True)
        for path in source.rglob("*.py"):
            os.utime(path, (modified, modified))
        built.append({file.name: file.read_bytes() for file in build_distributions(source, out, epoch=EPOCH)})

    assert sorted(built[0]) == [f"sluice-{__version__}-py3-none-any.whl", f"sluice-{__version__}.tar.gz"]
    assert built[0] == built[1]
    wheel, sdist = sorted(built[0])
    subprocess.run(["tar", "-xzf", tmp_path / "first/dist" / sdist], cwd=tmp_path, check=True)
    (tmp_path / "third").mkdir()
    unpacked = tmp_path / sdist.removesuffix(".tar.gz")
    assert build_distributions(unpacked, tmp_path / "third", epoch=EPOCH)[0].read_bytes() == built[0][wheel]


def test_a_checkout_that_cannot_be_built_is_said_in_the_backends_words(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "sluice"\n')
    (tmp_path / "dist").mkdir()

    with pytest.raises(BuildFailed, match=r"cannot be built:\n(.|\n)*version"):
        build_distributions(tmp_path, tmp_path / "dist", epoch=EPOCH)
