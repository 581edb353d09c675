"""Every folder of tests/registry/wrong is the registry in tests/registry/right with one mistake laid over it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from sluice.registry import InvalidRegistry, check, load_registry

HERE = Path(__file__).parent
WRONG = sorted(folder.name for folder in (HERE / "wrong").iterdir())


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(HERE / "right", tmp_path / "registry")
    monkeypatch.chdir(tmp_path)
    return Path("registry")


def test_the_right_registry_has_no_findings(registry: Path) -> None:
    assert check(registry) == ()


@pytest.mark.parametrize("mistake", WRONG)
def test_a_wrong_registry_is_refused_with_the_place_and_the_remedy(mistake: str, registry: Path) -> None:
    shutil.copytree(HERE / "wrong" / mistake, registry, dirs_exist_ok=True)

    found = "".join(f"{finding}\n" for finding in check(registry))

    assert found == (HERE / "wrong" / mistake / "expected.txt").read_text()


def test_all_mistakes_of_a_file_are_in_one_error(registry: Path) -> None:
    text = (registry / "models.yaml").read_text()
    wrong = text.replace("tests: 10", "tests: 0").replace("[gpt-4o]", "[gpt-5o]").replace("key: openai", "kay: openai")
    (registry / "models.yaml").write_text(wrong)

    with pytest.raises(InvalidRegistry, match=r"^refused, 3 mistakes:\nregistry/models\.yaml:4:") as refused:
        load_registry(registry)

    assert refused.value.exit_code == 1
    assert "likewise registry/models.yaml:20" in str(refused.value)
    assert [(finding.line, finding.path) for finding in refused.value.findings] == [
        (4, "providers.openai.kay"),
        (12, "models.qa-20251031.benchmark.tests"),
        (17, "agents.qa.baseline[0]"),
    ]


def test_a_key_in_the_wrong_place_is_one_finding_that_does_not_show_it(registry: Path) -> None:
    key = "aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xY"
    for quote in ("", '"'):
        text = (HERE / "right" / "models.yaml").read_text()
        (registry / "models.yaml").write_text(text.replace("openai-api-key", f"{quote}{key}{quote}"))

        (finding,) = check(registry)

        assert finding.rule == "SL082"
        assert key not in str(finding)


def test_a_section_misspelt_in_a_large_file_is_one_finding(registry: Path) -> None:
    model = "  m{}: {{provider: openai, id: m-{}, price: {{input: 1, output: 1}}}}\n"
    many = "".join(model.format(number, number) for number in range(2_500))
    text = (registry / "models.yaml").read_text().replace("models:\n", f"models:\n{many}")
    (registry / "models.yaml").write_text(text.replace("\nagents:", "\nagentz:"))
    (registry / "rollouts" / "dev.yaml").write_text("version: 1\nenabled: true\nagents: {}\n")

    assert [finding.path for finding in check(registry)] == ["agentz"]


@pytest.mark.parametrize("day", [date.min, date.max])
def test_a_clock_that_is_far_off_stops_nobody_from_checking(day: date, registry: Path) -> None:
    assert {finding.rule for finding in check(registry, today=day)} <= {"SL058"}


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda file: file.unlink(), "does not exist; name the folder that holds models.yaml and rollouts/"),
        (lambda file: (file.unlink(), file.mkdir()), "is not a file; name the folder that holds"),
        (lambda file: file.write_bytes(b"#" * 100_000_000), "has 100000000 bytes, and 8388608 is the most; keep"),
    ],
)
def test_a_models_file_that_cannot_be_read_is_one_finding(
    make: Callable[[Path], object], expected: str, registry: Path
) -> None:
    make(registry / "models.yaml")

    (finding,) = check(registry)

    assert str(finding).startswith(f"registry/models.yaml:1:1: {expected}")


def test_a_file_that_may_not_be_read_is_one_finding(registry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)

    with pytest.raises(InvalidRegistry, match=r"cannot be read: Permission denied; make it readable"):
        load_registry(registry)


def test_a_folder_that_is_not_there_is_one_finding(registry: Path) -> None:
    assert [str(finding) for finding in check(Path("registri"))] == [
        "registri:1:1: does not exist; name the folder that holds models.yaml and rollouts/ [SL001]"
    ]


@pytest.mark.parametrize("make", [os.mkfifo, lambda file: file.symlink_to("/dev/zero"), Path.mkdir])
def test_what_is_no_file_is_a_finding_and_not_waited_for(make: Callable[[Path], object], registry: Path) -> None:
    make(registry / "rollouts" / "staging.yaml")

    (finding,) = check(registry)

    assert finding.problem == "is not a file"


@pytest.mark.parametrize("name", ["rollouts", "evidence"])
def test_a_file_in_the_place_of_a_folder_is_one_finding(name: str, registry: Path) -> None:
    shutil.rmtree(registry / name, ignore_errors=True)
    (registry / name).write_text("")

    (finding,) = check(registry)

    assert str(finding).startswith(f"registry/{name}:1:1: is not a folder; ")


def test_a_name_of_several_lines_is_written_in_one(registry: Path) -> None:
    (registry / "rollouts" / "a\nb.yaml").write_bytes((registry / "rollouts" / "dev.yaml").read_bytes())

    (finding,) = check(registry)

    assert str(finding).startswith("registry/rollouts/a\\nb.yaml:1:1: ")


def test_a_link_to_itself_is_one_finding(registry: Path) -> None:
    (registry / "models.yaml").unlink()
    (registry / "models.yaml").symlink_to("models.yaml")

    (finding,) = check(registry)

    assert str(finding).startswith("registry/models.yaml:1:1: is a link that leads nowhere; name the folder that holds")


def test_a_rollout_without_a_name_is_a_finding(registry: Path) -> None:
    (registry / "rollouts" / ".yaml").write_text("version: 1\n")

    assert [str(finding) for finding in check(registry)] == [
        "registry/rollouts/.yaml:1:1: is read by nobody; name it ENVIRONMENT.yaml, or take it away [SL001]"
    ]
