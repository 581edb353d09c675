"""Keys for teams, with a Pulumi that keeps a file of its own in place of Pulumi.ENVIRONMENT.yaml."""

from __future__ import annotations

import json
import re
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from sluice.cli.main import run
from sluice.local.toolchain import PulumiTools
from sluice.registry import load_environment

DIGEST = "sha256:" + "0" * 64
pytestmark = pytest.mark.slow

KEY = re.compile(r"sluice-web-[A-Za-z0-9_-]{43}\n")

PULUMI = f"""#!{sys.executable}
import json, sys
from pathlib import Path
here = Path(__file__).parent
calls = here / "calls"
calls.write_text((calls.read_text() if calls.exists() else "") + json.dumps(sys.argv[1:]) + "\\n")
kept = here / "kept.json"
values = json.loads(kept.read_text()) if kept.exists() else {{}}
if sys.argv[1] == "config":
    team = next(a for a in sys.argv if a.startswith("sluice:callers")).split('"')[1]
    if sys.argv[2] == "get":
        print(values[team])
        sys.exit()
    if sys.argv[2] == "set":
        assert "--secret" in sys.argv
        values[team] = sys.stdin.read()
    if sys.argv[2] == "rm":
        del values[team]
    kept.write_text(json.dumps(values))
    file = Path("Pulumi.dev.yaml")
    text = file.read_text().partition("  sluice:callers:")[0] + "  sluice:callers:" + ("\\n" if values else " {{}}\\n")
    for name in values:
        text += f"    {{name}}:\\n      secure: v1:made:up\\n"
    file.write_text(text)
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "bin" / "pulumi"
    program.parent.mkdir()
    program.write_text(PULUMI)
    program.chmod(0o755)
    tools = PulumiTools(program, {"PULUMI_HOME": str(tmp_path / "home")})
    settings = f"config:\n  sluice:namespace: a\n  sluice:gateway: {{image: 'a/b@{DIGEST}', replicas: 1}}\n"
    (tmp_path / "Pulumi.dev.yaml").write_text(settings)
    (tmp_path / "registry").symlink_to(Path(__file__).parent.parent.parent / "registry")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sluice.deploy.callers.PROJECT", tmp_path)
    monkeypatch.setattr("sluice.deploy.launch.PROJECT", tmp_path)
    monkeypatch.setattr("sluice.deploy.callers.ensure_pulumi", lambda *_: tools)
    return tmp_path


def kept(project: Path) -> dict[str, str]:
    values: dict[str, str] = json.loads((project / "bin" / "kept.json").read_text())
    return values


def issued(capsys: pytest.CaptureFixture[str]) -> str:
    assert run(["callers", "issue", "web", "--env", "dev"]) == 0
    key = capsys.readouterr().out
    assert KEY.fullmatch(key)
    return key.strip()


def test_a_key_is_printed_once_and_only_its_digest_is_kept(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = issued(capsys)

    (line,) = kept(project)["web"].splitlines()
    assert line.startswith(f"sha256:{sha256(key.encode()).hexdigest()}  # issued 20")
    assert key not in (project / "bin" / "calls").read_text()
    assert key not in (project / "Pulumi.dev.yaml").read_text()
    assert load_environment(project, "dev").settings.teams == ("web",)


def test_the_newest_two_keys_of_a_team_are_kept(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys = [issued(capsys) for _ in range(3)]

    digests = [line.split()[0] for line in kept(project)["web"].splitlines()]
    assert digests == [f"sha256:{sha256(key.encode()).hexdigest()}" for key in (keys[2], keys[1])]


def test_teams_are_listed_and_lose_their_keys(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["callers", "list", "--env", "dev"]) == 0
    assert capsys.readouterr() == ("", "no team has a key; make one: sluice callers issue TEAM --env dev\n")
    issued(capsys)
    assert run(["callers", "issue", "ops", "--env", "dev"]) == 0
    capsys.readouterr()
    assert run(["callers", "list", "--env", "dev", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"team": "ops"}, {"team": "web"}]
    for team in ("web", "ops"):
        assert run(["callers", "revoke", team, "--env", "dev"]) == 0
    # Not None: an empty Secret takes the last team's key away, a missing one would leave it in the pods.
    assert load_environment(project, "dev").settings.teams == ()


@pytest.mark.parametrize("team", ["Web", "web team", "-web", "", "x" * 41, 'a"]'])
def test_a_name_that_cannot_be_a_teams_is_refused(team: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["callers", "issue", "--env", "dev", "--", team]) == 1
    assert "cannot name a team" in capsys.readouterr().err


def test_a_team_that_has_no_key_has_none_to_lose(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["callers", "revoke", "web", "--env", "dev"]) == 1
    assert "team 'web' has no key in dev; those that have: (none)" in capsys.readouterr().err


def test_where_a_store_has_the_digests_a_key_is_made_and_the_line_to_put_there_is_said(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = project / "Pulumi.dev.yaml"
    file.write_text(f"{file.read_text()}  sluice:secrets: {{from: external, store: {{name: vault}}, callers: teams}}\n")

    assert run(["callers", "issue", "web", "--env", "dev"]) == 0
    said = capsys.readouterr()
    assert KEY.fullmatch(said.out)
    assert "(SecretStore vault, entry teams, property web):" in said.err
    digest = sha256(said.out.strip().encode()).hexdigest()
    assert said.err.splitlines()[-1].startswith(f"sha256:{digest}  # issued 20")
    assert not (project / "bin" / "calls").exists()
    for arguments in (["list"], ["revoke", "web"]):
        assert run(["callers", *arguments, "--env", "dev"]) == 1
        assert "the teams of dev are in a store; see SecretStore vault, entry teams" in capsys.readouterr().err


def test_a_digest_that_is_not_encrypted_is_refused_and_not_shown(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = project / "Pulumi.dev.yaml"
    file.write_text(f"{file.read_text()}  sluice:callers: {{web: sluice-web-plain}}\n")
    assert run(["callers", "list", "--env", "dev"]) == 1
    error = capsys.readouterr().err
    assert "Pulumi.dev.yaml:4:" in error
    assert "is not encrypted" in error
    assert "plain" not in error
