"""Keys are listed, set and rotated; a value is in no argument, no output and no error, whatever becomes of it."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sluice.cli.main import run
from sluice.deploy import rotation
from sluice.deploy.cluster_access import ClusterAccess
from sluice.key_hash import METRIC, key_hash
from sluice.local.toolchain import PulumiTools
from sluice.registry import image_variable, load_environment
from sluice.render import render
from tests.deploy.api_server import ApiServer
from tests.everything import PROJECT, switched_on

pytestmark = pytest.mark.slow


DIGEST = "sha256:" + "0" * 64
VALUE = "made-key-that-opens-nothing"
PODS = "/api/v1/namespaces/a/pods"
DEPLOYMENTS = "/apis/apps/v1/namespaces/a/deployments"

# Keeps values in a file of its own, writes what Pulumi would into the settings, and notes every call.
PULUMI = f"""#!{sys.executable}
import json, os, sys
from pathlib import Path
here = Path(__file__).parent
with (here / "calls").open("a") as calls:
    calls.write(json.dumps([sys.argv[1:], os.environ.get("SLUICE_GATEWAY_IMAGE")]) + "\\n")
kept = here / "kept.json"
values = json.loads(kept.read_text()) if kept.exists() else {{}}
if sys.argv[1] == "config":
    name = next(a for a in sys.argv if a.startswith("sluice:"))
    if sys.argv[2] == "get":
        print(values[name])
    if sys.argv[2] == "set":
        assert "--secret" in sys.argv
        values[name] = sys.stdin.read()
        kept.write_text(json.dumps(values))
        file = Path("Pulumi.dev.yaml")
        if name not in file.read_text():
            file.write_text(file.read_text() + f"  {{name}}: {{{{secure: v1:made:up}}}}\\n")
if sys.argv[1] == "up":
    Path(sys.argv[sys.argv.index("--event-log") + 1]).write_text(
        json.dumps({{"summaryEvent": {{"durationSeconds": 1, "resourceChanges": {{"update": 1}}}}}}) + "\\n")
    sys.exit((here / "up-fails").is_file() and "error: the API server said no")
"""


class Project:
    """A project of one environment, and what its made Pulumi was asked."""

    def __init__(self, folder: Path) -> None:
        self.settings = folder / "Pulumi.dev.yaml"
        self.programs = folder / "bin"

    def kept(self) -> dict[str, str]:
        file = self.programs / "kept.json"
        values: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
        return values

    def calls(self) -> list[list[str]]:
        file = self.programs / "calls"
        return [json.loads(line)[0] for line in file.read_text().splitlines()] if file.exists() else []

    def ups(self) -> list[tuple[list[str], str]]:
        lines = map(json.loads, (self.programs / "calls").read_text().splitlines())
        return [(arguments, image) for arguments, image in lines if arguments[0] == "up"]


Type = Callable[[str | bytes], None]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    made = Project(tmp_path)
    made.programs.mkdir()
    program = made.programs / "pulumi"
    program.write_text(PULUMI)
    program.chmod(0o755)
    made.settings.write_text(
        f"config:\n  sluice:namespace: a\n  sluice:gateway: {{image: 'a/b@{DIGEST}', replicas: 1}}\n"
    )
    (tmp_path / "registry").symlink_to(Path(__file__).parent.parent.parent / "registry")
    monkeypatch.chdir(tmp_path)
    tools = PulumiTools(program, {"PULUMI_HOME": str(tmp_path / "home")})
    for module in ("secret_values", "launch", "rotation"):
        monkeypatch.setattr(f"sluice.deploy.{module}.PROJECT", tmp_path)
        monkeypatch.setattr(f"sluice.deploy.{module}.ensure_pulumi", lambda *_: tools)
    return made


@pytest.fixture
def type_in(monkeypatch: pytest.MonkeyPatch) -> Type:
    """Give the command a standard input."""

    def give(content: str | bytes) -> None:
        data = content if isinstance(content, bytes) else content.encode()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    return give


def test_what_is_asked_for_is_listed_with_who_asks_and_whether_it_is_set(
    type_in: Type, capsys: pytest.CaptureFixture[str]
) -> None:
    type_in(VALUE)
    assert run(["secrets", "set", "dev", "openai-api-key"]) == 0
    capsys.readouterr()

    assert run(["secrets", "list", "dev", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["name"]: (row["providers"], row["set"]) for row in rows} == {
        "mistral-api-key": (["mistral"], False),
        "openai-api-key": (["openai"], True),
        "anthropic-api-key": (["anthropic"], False),
    }
    assert run(["secrets", "list", "dev"]) == 0
    assert "mistral-api-key    missing  mistral  (Pulumi.dev.yaml)" in capsys.readouterr().out


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_value_goes_from_standard_input_into_the_encrypted_settings_and_nowhere_else(
    ending: str, project: Project, type_in: Type, capsys: pytest.CaptureFixture[str]
) -> None:
    type_in(VALUE + ending)

    assert run(["secrets", "set", "dev", "mistral-api-key"]) == 0

    said = capsys.readouterr()
    assert said.out == "mistral-api-key of dev is set\n"
    assert "sluice up dev" in said.err
    assert project.kept() == {"sluice:mistral-api-key": VALUE}
    assert VALUE not in repr(project.calls()) + said.out + said.err + project.settings.read_text()
    assert load_environment(project.settings.parent, "dev").settings.keys_set == ("mistral-api-key",)


def test_a_value_may_come_from_a_file(project: Project, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{VALUE}\n")

    assert run(["secrets", "set", "dev", "mistral-api-key", "--from-file", str(file)]) == 0
    assert project.kept() == {"sluice:mistral-api-key": VALUE}


def test_at_a_terminal_it_is_asked_for_twice_and_not_shown(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def hidden(prompt: str) -> str:
        asked.append(prompt)
        return VALUE

    monkeypatch.setattr(sys, "stdin", type("Terminal", (io.StringIO,), {"isatty": lambda _: True})())
    monkeypatch.setattr("click.termui.hidden_prompt_func", hidden)

    assert run(["secrets", "set", "dev", "mistral-api-key"]) == 0
    assert len(asked) == 2
    assert project.kept() == {"sluice:mistral-api-key": VALUE}


def test_a_value_that_is_set_already_changes_no_file(
    project: Project, type_in: Type, capsys: pytest.CaptureFixture[str]
) -> None:
    for expected in ("mistral-api-key of dev is set\n", "mistral-api-key of dev is that already\n"):
        type_in(VALUE)
        assert run(["secrets", "set", "dev", "mistral-api-key"]) == 0
        assert capsys.readouterr().out == expected
    assert [call[1] for call in project.calls() if call[0] == "config"] == ["set", "get"]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("", "is empty"),
        ("two words-of-a-key", "has spaces"),
        ("first-line-of-it\nsecond-line-of-it", "has several lines"),
        ("schlüssel-der-nichts-öffnet", "that a header cannot carry"),
        (b"\xff\xfe made of bytes", "that a header cannot carry"),
        ("'made-key-in-quotes'", "is in quotes"),
        ("<the key itself>".replace(" ", "-"), "stands in for a key"),
        ("your-api-key-goes-here", "stands in for a key"),
        ("${MISTRAL_API_KEY}", "stands in for a key"),
        ("xxxxxxxxxxxxxxxxxxxx", "stands in for a key"),
        ("changeme-changeme", "stands in for a key"),
        ("short-one", "fewer than 12 characters"),
        ("k" * 500 + "1" * 8000, "more than 8192 characters"),
        ("k1" * 100_000, "more than 8192 characters"),
    ],
)
def test_what_cannot_be_the_key_is_refused_and_not_shown(
    value: str | bytes, why: str, project: Project, type_in: Type, capsys: pytest.CaptureFixture[str]
) -> None:
    type_in(value)

    assert run(["secrets", "set", "dev", "mistral-api-key"]) == 1

    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("sluice: the value for mistral-api-key ")
    assert why in said.err
    shown = value if isinstance(value, str) else "made of bytes"
    assert not shown or shown[:30] not in said.err
    assert project.calls() == []


def test_a_name_that_nobody_asks_for_is_refused_before_a_value_is_read(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["secrets", "set", "dev", "mistral-apikey"]) == 2
    error = capsys.readouterr().err
    assert "dev asks for no 'mistral-apikey'; did you mean mistral-api-key? it asks for mistral-api-key, " in error
    # dev has no Redis of others, so that no password could be used.
    assert run(["secrets", "set", "dev", "redis-password"]) == 2
    assert project.calls() == []


def test_a_key_typed_as_an_argument_is_refused_and_not_shown_again(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["dev", "mistral-api-key", VALUE], ["dev", VALUE]):
        for verb in ("set", "rotate"):
            assert run(["secrets", verb, *arguments]) == 2
            said = capsys.readouterr()
            assert VALUE not in said.out + said.err


def test_the_password_of_a_redis_of_others_may_be_what_a_key_may_not(
    project: Project, type_in: Type, capsys: pytest.CaptureFixture[str]
) -> None:
    with project.settings.open("a") as settings:
        settings.write("  sluice:cache: {url: 'redis://redis.example.com:6379'}\n")
    type_in("pass phrase")
    assert run(["secrets", "set", "dev", "redis-password"]) == 0
    assert project.kept() == {"sluice:redis-password": "pass phrase"}
    type_in("pass\x07phrase")
    assert run(["secrets", "set", "dev", "redis-password"]) == 1
    assert "has control characters" in capsys.readouterr().err


def test_the_key_by_which_litellm_knows_the_gateway_is_asked_for_and_set_where_there_is_one(
    project: Project, type_in: Type, capsys: pytest.CaptureFixture[str]
) -> None:
    type_in(VALUE)
    assert run(["secrets", "set", "dev", "litellm-master-key"]) == 2
    with project.settings.open("a") as settings:
        settings.write(f"  sluice:litellm: {{image: 'a/b@{DIGEST}', providers: {{anthropic: anthropic}}}}\n")

    type_in(VALUE)
    assert run(["secrets", "set", "dev", "litellm-master-key"]) == 0

    assert project.kept() == {"sluice:litellm-master-key": VALUE}
    capsys.readouterr()
    assert run(["secrets", "list", "dev"]) == 0
    assert "litellm-master-key  set      litellm  (Pulumi.dev.yaml)" in capsys.readouterr().out


def test_keys_of_a_store_are_listed_by_their_place_and_not_set_here(
    project: Project, type_in: Type, capsys: pytest.CaptureFixture[str]
) -> None:
    with project.settings.open("a") as settings:
        settings.write("  sluice:secrets: {from: external, store: {name: vault}, entry: llm/dev}\n")
    assert run(["secrets", "list", "dev"]) == 0
    assert "openai-api-key     there    openai  (SecretStore vault, entry llm/dev, property openai-api-key)" in (
        capsys.readouterr().out
    )
    for verb in ("set", "rotate"):
        type_in(VALUE)
        assert run(["secrets", verb, "dev", "openai-api-key"]) == 1
        error = capsys.readouterr().err
        assert "come from a store; write openai-api-key there (SecretStore vault, entry llm/dev" in error
        assert "kubectl -n a annotate externalsecret provider-keys-from-store force-sync" in error
    assert project.calls() == []


class Cluster:
    """Pods of a gateway on the made API server, and which key each says that it uses."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        image = {"containers": [{"image": "made/gateway@sha256:1"}]}
        deployment = {"metadata": {"name": "gateway"}, "spec": {"template": {"spec": image}}}
        other = {"metadata": {"name": "somebody-elses"}, "spec": {"template": {"spec": image}}}
        server.put(DEPLOYMENTS, {"items": [deployment, other]})
        self.use({"gateway-1": VALUE, "gateway-2": VALUE})

    def use(self, keys: dict[str, str], *, ending: tuple[str, ...] = (), unready: tuple[str, ...] = ()) -> None:
        items = []
        for name, key in keys.items():
            metadata = {"name": name, **({"deletionTimestamp": "2025-11-06T10:00:00Z"} if name in ending else {})}
            ready = {"type": "Ready", "status": str(name not in unready)}
            items.append({"metadata": metadata, "status": {"conditions": [ready]}})
            numbers = {"mistral": key_hash(key), "openai": 7}
            lines = [f'{METRIC}{{provider="{provider}"}} {float(number)}' for provider, number in numbers.items()]
            self._server.put(f"{PODS}/{name}:9090/proxy/metrics", "\n".join(["# HELP made", *lines]))
        self._server.put(PODS, {"items": items})


@pytest.fixture
def cluster(api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(tmp_path / "kubeconfig")))
    monkeypatch.setenv("SLUICE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path / 'state'}")
    monkeypatch.setattr(rotation, "_OTHER_WORKERS_SECONDS", 0.0)
    monkeypatch.setattr(rotation, "_LOOK_EVERY_SECONDS", 0.01)
    return Cluster(api)


@pytest.mark.parametrize("environment", ["dev", "everything"])
def test_the_program_of_a_rotation_is_told_every_image_that_runs(
    environment: str, api: ApiServer, tmp_path: Path
) -> None:
    declared = load_environment(PROJECT, "production" if environment == "everything" else environment)
    settings = switched_on(declared.settings) if environment == "everything" else declared.settings
    objects = render(declared.registry, declared.rollout, settings).objects()
    api.put(DEPLOYMENTS, {"items": [item.body for item in objects if item.kind == "Deployment"]})
    access = ClusterAccess(api.kubeconfig(tmp_path / "kubeconfig"))

    told = rotation._running_images(access, "a")

    assert told == {image_variable(part): image for part, image in settings.images.items()}


ROTATE = ["secrets", "rotate", "dev", "mistral-api-key"]


def test_a_rotation_sets_the_key_brings_the_secret_alone_and_waits_for_every_pod(
    cluster: Cluster, project: Project, type_in: Type, capsys: pytest.CaptureFixture[str]
) -> None:
    type_in(VALUE)

    assert run([*ROTATE, "--format", "json"]) == 0

    said = capsys.readouterr()
    report = json.loads(said.out)
    assert (report["secret"], report["changed"], sorted(report["pods"])) == (
        "mistral-api-key",
        True,
        ["gateway-1", "gateway-2"],
    )
    assert project.kept() == {"sluice:mistral-api-key": VALUE}
    ((arguments, image),) = project.ups()
    assert arguments[arguments.index("--target") + 1] == "**::provider-keys-secret"
    assert image == "made/gateway@sha256:1", "the program must name an image; it is the one that runs"
    assert VALUE not in said.out + said.err + repr(project.calls())


def test_a_rotation_ends_with_3_and_names_the_pods_that_use_the_old_key_yet(
    cluster: Cluster, project: Project, type_in: Type, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.use(
        {"gateway-1": VALUE, "gateway-2": "old", "gateway-3": "old", "gateway-4": "old"},
        ending=("gateway-3",),
        unready=("gateway-4",),
    )
    type_in(VALUE)

    assert run([*ROTATE, "--wait", "1"]) == 3

    error = capsys.readouterr().err
    assert "after 1 s it is not used by all: gateway-2; do not revoke the old key yet" in error
    assert project.kept() == {"sluice:mistral-api-key": VALUE}


def test_the_same_value_again_goes_on_where_the_first_run_stopped(
    cluster: Cluster, project: Project, type_in: Type, capsys: pytest.CaptureFixture[str]
) -> None:
    (project.programs / "up-fails").touch()
    type_in(VALUE)
    assert run(ROTATE) == 3
    assert "the API server said no" in capsys.readouterr().err
    (project.programs / "up-fails").unlink()
    type_in(VALUE)

    assert run([*ROTATE, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["changed"] is False
    assert len(project.ups()) == 2


def test_nothing_is_set_where_there_is_no_gateway_to_take_it(
    cluster: Cluster, api: ApiServer, project: Project, type_in: Type, capsys: pytest.CaptureFixture[str]
) -> None:
    api.put(DEPLOYMENTS, {"items": []})
    type_in(VALUE)

    assert run(ROTATE) == 3
    assert "there is no gateway in namespace a; `sluice secrets set dev mistral-api-key`" in capsys.readouterr().err
    assert project.kept() == {}


def test_nothing_is_set_where_the_cluster_does_not_answer(
    cluster: Cluster, project: Project, type_in: Type, capsys: pytest.CaptureFixture[str]
) -> None:
    type_in(VALUE)

    assert run([*ROTATE, "--context", "nowhere"]) == 3
    assert "does not answer" in capsys.readouterr().err
    assert project.kept() == {}
