"""A release is made of a commit that says so, or of nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from release.__main__ import release
from release.source import NotReady, export, section_of, source_of
from sluice import __version__
from tests.gitops.project import git
from tests.release.checkouts import CHANGELOG, committed, made_checkout
from tests.release.installation import PROJECT


def test_a_committed_version_with_its_section_is_ready(tmp_path: Path) -> None:
    checkout = made_checkout(tmp_path)

    source = source_of(checkout, "1.2.0")

    assert source.commit == git(checkout, "rev-parse", "HEAD")
    assert source.epoch == int(git(checkout, "log", "-1", "--format=%ct"))
    assert source.notes == "- The gateway sings.\n\n### Upgrading\n\nNothing is to be edited."


def test_everything_that_is_missing_is_said_at_once(tmp_path: Path) -> None:
    checkout = made_checkout(tmp_path)
    (checkout / "new.py").touch()
    (checkout / "CHANGELOG.md").write_text(CHANGELOG.replace("sings", "shouts"))

    with pytest.raises(NotReady) as refused:
        source_of(checkout, "1.3")

    assert str(refused.value).splitlines() == [
        "1.3 cannot be released yet; nothing was built:",
        '  "1.3" is no version; write three numbers, such as 1.4.0',
        '  sluice/__init__.py: __version__ is "1.2.0"; write "1.3" there, and commit',
        "  the tree is not what was committed: CHANGELOG.md, new.py; commit it, or take it away",
        '  CHANGELOG.md: no section "## 1.3, DATE" that says something; write it, and commit',
    ]


def test_a_version_that_says_nothing_of_upgrading_is_not_ready(tmp_path: Path) -> None:
    checkout = made_checkout(tmp_path)
    (checkout / "CHANGELOG.md").write_text(CHANGELOG.replace("### Upgrading", "### Later"))
    committed(checkout)

    with pytest.raises(NotReady, match=r'1\.2\.0 has no "### Upgrading"'):
        source_of(checkout, "1.2.0")


def test_what_a_changelog_does_not_name_has_no_section() -> None:
    assert section_of(CHANGELOG, "1.1.0") == "- The gateway hums."
    assert section_of(CHANGELOG, "1.1") == ""
    assert section_of(CHANGELOG, "1x2.0") == ""
    assert section_of("## 2.0.0: soon\n\n- text\n", "2.0.0") == ""


def test_what_is_exported_is_the_commit_alone_and_says_which(tmp_path: Path) -> None:
    checkout, files = made_checkout(tmp_path / "checkout"), tmp_path / "files"
    files.mkdir()
    (checkout / "secret.txt").write_text("not committed")

    export(checkout, "HEAD", files)

    assert (files / "sluice/commit.txt").read_text().strip() == git(checkout, "rev-parse", "HEAD")
    assert not (files / "secret.txt").exists()
    assert (checkout / "sluice/commit.txt").read_text() == "$Format:%H$\n"


def test_a_version_that_the_code_does_not_have_is_refused_in_a_sentence(tmp_path: Path) -> None:
    asked = CliRunner().invoke(release, ["9.9.9", "--out", str(tmp_path / "dist")])

    assert asked.exit_code == 1
    assert f'__version__ is "{__version__}"; write "9.9.9" there' in asked.stderr
    assert asked.stdout == ""
    assert not (tmp_path / "dist").exists()


def test_the_policy_pack_has_the_version_of_the_package() -> None:
    pack = yaml.safe_load((PROJECT / "policy/PulumiPolicy.yaml").read_text())

    assert pack["version"] == __version__
