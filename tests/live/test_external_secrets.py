"""Keys come from a store by the real External Secrets Operator, and back to Pulumi's, while callers are served.

The operator runs as a process of this machine and not in a pod: what is tried is what it does with our objects, and
the way to install it is its own. Its store are two Secrets in another namespace, read by its Kubernetes provider with a
right to these alone.
"""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from sluice.key_hash import METRIC, key_hash
from sluice.local import cluster as local_cluster
from sluice.local.cluster.layout import API_PORT
from sluice.local.folders import cache_folder, state_folder
from sluice.local.toolchain import OperatorTools, ensure_external_secrets
from sluice.progress import Progress
from tests.live.load import Load
from tests.live.project import AGENTS, NAMESPACE, URL, LiveProject
from tests.live.shown import Say
from tests.live.traces import everything_that_is_written, traces_of

STORE_NAMESPACE = "sluice-live-store"
ENTRY = "llm-keys"
TEAMS = "llm-teams"
KEYS = ("mistral-api-key", "openai-api-key", "anthropic-api-key")
DEFINITIONS = (
    "external-secrets.io_externalsecrets.yaml",
    "external-secrets.io_secretstores.yaml",
    "generators.external-secrets.io_generatorstates.yaml",
)
FROM_STORE = """\
  sluice:secrets: {{from: external, store: {{name: store}}, entry: {entry}, callers: {teams}, refresh: 2s}}
"""


_READ = "import sys; print(open(sys.argv[1]).read())"
_MODE = "import os, sys; print(oct(os.stat(sys.argv[1]).st_mode & 0o777))"


@pytest.fixture(scope="module")
def tools() -> OperatorTools:
    return ensure_external_secrets(cache_folder(), Progress())


@pytest.fixture(scope="module")
def operator(tools: OperatorTools, project: LiveProject, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The operator with its definitions; its log. Both are gone afterwards."""
    files = [str(tools.definitions / name) for name in DEFINITIONS]
    names = [name for file in files for name in ("--filename", file)]
    assert project.kubectl("apply", "--server-side", *names).exit_code == 0
    established = ("wait", "--for", "condition=Established", "--timeout=30s", *names)
    project.wait_for(lambda: project.kubectl(*established).exit_code == 0)  # it fails on one that has no status yet
    log = tmp_path_factory.mktemp("operator") / "log"
    off = ("cluster-store-reconciler", "cluster-external-secret-reconciler", "push-secret-reconciler")
    with log.open("wb") as said:
        process = subprocess.Popen(
            [
                tools.operator,
                *("--namespace", NAMESPACE, "--metrics-addr", "0", "--live-addr", "0", "--loglevel", "debug"),
                *(f"--enable-{name}=false" for name in (*off, "cluster-push-secret-reconciler")),
            ],
            env={**os.environ, "KUBECONFIG": str(local_cluster.kubeconfig(state_folder()))},
            stdout=said,
            stderr=said,
        )
    yield log
    process.terminate()
    process.wait(20)
    project.kubectl("delete", "--ignore-not-found", *names)


@pytest.fixture(scope="module")
def store(project: LiveProject, operator: Path) -> Iterator[Store]:
    """A store with a key for each provider and no team; the environment is made before, by Pulumi's keys."""
    project.roll_out(dict.fromkeys(AGENTS, 50))
    project.up()
    project.kubectl("delete", "namespace", STORE_NAMESPACE, "--ignore-not-found")  # of a run that was broken off
    assert project.kubectl("create", "namespace", STORE_NAMESPACE).exit_code == 0
    made = Store(project)
    made.put(ENTRY, {name: made_key(name) for name in KEYS})
    made.put(TEAMS, {"nobody": "# no key yet"})
    authority = project.kubectl("get", "configmap", "kube-root-ca.crt", "--output", "json")
    for item in _objects_of_a_store(json.loads(authority.stdout)["data"]["ca.crt"]):
        there = ("--namespace", item["metadata"]["namespace"])
        applied = project.kubectl("apply", "--filename", "-", *there, stdin=json.dumps(item))
        assert applied.exit_code == 0, applied.stderr
    yield made
    project.kubectl("delete", "secretstore", "store")
    project.kubectl("delete", "namespace", STORE_NAMESPACE, "--wait=false")


class Store:
    """Secrets in another namespace: an entry is one of them, its properties are the Secret's keys."""

    def __init__(self, project: LiveProject) -> None:
        self._project = project

    def put(self, entry: str, properties: dict[str, str]) -> None:
        """Make an entry, or set some of its properties."""
        metadata = {"name": entry, "namespace": STORE_NAMESPACE}
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": properties}
        there = ("--namespace", STORE_NAMESPACE)
        ran = self._project.kubectl("apply", "--server-side", "--filename", "-", *there, stdin=json.dumps(body))
        assert ran.exit_code == 0, ran.stderr


def _objects_of_a_store(authority: str) -> list[dict[str, Any]]:
    """Return the store's object in the environment's namespace, and its right to read two Secrets elsewhere."""
    reader = {"kind": "ServiceAccount", "name": "store-reader", "namespace": NAMESPACE}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "store-reader"}
    there = {"name": "store-reader", "namespace": STORE_NAMESPACE}
    rule = {"apiGroups": [""], "resources": ["secrets"], "resourceNames": [ENTRY, TEAMS], "verbs": ["get"]}
    provider = {
        "remoteNamespace": STORE_NAMESPACE,
        "server": {"url": f"https://127.0.0.1:{API_PORT}", "caBundle": base64.b64encode(authority.encode()).decode()},
        "auth": {"serviceAccount": {"name": "store-reader"}},
    }
    return [
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "store-reader", "namespace": NAMESPACE},
            "automountServiceAccountToken": False,
        },
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": there, "rules": [rule]},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": there,
            "roleRef": role,
            "subjects": [reader],
        },
        {
            "apiVersion": "external-secrets.io/v1",
            "kind": "SecretStore",
            "metadata": {"name": "store", "namespace": NAMESPACE},
            "spec": {"provider": {"kubernetes": provider}},
        },
    ]


def with_store(settings: str, entry: str) -> str:
    """Return settings whose keys come from an entry of the store, and not from the file."""
    without = re.sub(r"  sluice:[a-z]+-api-key:\n    secure: .*\n", "", settings)
    return without.replace("config:\n", "config:\n" + FROM_STORE.format(entry=entry, teams=TEAMS), 1)


def in_pod(project: LiveProject, pod: str, program: str, file: str) -> str:
    """Run a program on a file of the gateway, whose image has Python and little else."""
    return project.kubectl("exec", pod, "--", "python3", "-c", program, f"/etc/sluice/{file}").stdout


def made_key(kind: str) -> str:
    return f"made-{kind}-{secrets.token_hex(20)}"


def hashes(project: LiveProject) -> set[float]:
    """What each gateway pod says of the key of Mistral that it uses."""
    line = re.compile(rf'^{METRIC}\{{provider="mistral"\}} (\S+)$', re.MULTILINE)
    pages = [
        project.cluster.text(f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}:9090/proxy/metrics") for pod in project.pods()
    ]
    return {float(number) for page in pages for number in line.findall(page)}


@contextmanager
def steady(what: str, say: Say) -> Iterator[Load]:
    """Ask 20 times a second meanwhile; no call may fail."""
    with Load(URL, AGENTS, calls_a_second=20) as load:
        yield load
        time.sleep(1)
    say(f"{what}: {len(load.calls)} calls, {len(load.failed)} failed; {load.counts()}")
    assert load.failed == []
    assert load.fallen_back == []


@pytest.mark.operators
def test_keys_change_over_to_a_store_rotate_in_it_and_change_back_under_load(
    project: LiveProject, store: Store, operator: Path, say: Say
) -> None:
    settings = project.folder / "Pulumi.live.yaml"
    before = settings.read_text()
    before_pods = project.pods()
    by_pulumi = hashes(project)
    planted = [made_key("mistral-api-key") for _ in range(2)]
    started = time.time()
    try:
        with steady("to a store", say):
            store.put(ENTRY, {"mistral-api-key": planted[0]})
            settings.write_text(with_store(before, ENTRY))
            said = project.up()
            project.wait_for(lambda: hashes(project) == {key_hash(planted[0])}, seconds=60)
            pods = project.pods()
        assert said["changes"]["create"] == 3, "two ExternalSecrets and their component"
        assert not pods.keys() & before_pods.keys(), "they mount the operator's Secrets"
        assert set(project.up()["changes"]) == {"same"}

        with steady("rotated in the store", say):
            began = time.monotonic()
            store.put(ENTRY, {"mistral-api-key": planted[1]})
            project.wait_for(lambda: hashes(project) == {key_hash(planted[1])}, seconds=60)
            took = time.monotonic() - began
        say(f"from the store to the pod: {took:.1f} s")
        assert project.pods() == pods, "no pod restarted"

        # A team is added in the store alone: its digest reaches the mounted files.
        line = f"sha256:{sha256(b'made-key-of-a-team').hexdigest()}"
        store.put(TEAMS, {"web": line})
        (pod,) = pods
        project.wait_for(lambda: in_pod(project, pod, _READ, "callers/web") == f"{line}\n", seconds=60)
        assert in_pod(project, pod, _MODE, "keys/mistral-api-key") == "0o440\n"

        # Pulumi has never seen these keys, and nobody has written them anywhere.
        written = everything_that_is_written(project, since=started)
        written["the operator's log"] = operator.read_bytes()
        assert [traces_of(key, written) for key in planted] == [[], []]
        assert b"provider-keys-from-store" in written["the operator's log"], "its log is of this test"
    finally:
        settings.write_text(before)
    with steady("back to Pulumi", say):
        project.up()
        project.wait_for(lambda: hashes(project) == by_pulumi, seconds=60)
    assert project.kubectl("get", "externalsecrets", "--output", "name").stdout == ""
    assert project.kubectl("delete", "secret", "provider-keys-from-store", "caller-keys-from-store").exit_code == 0
    assert set(project.up()["changes"]) == {"same"}


@pytest.mark.operators
def test_an_update_fails_and_says_so_where_the_store_has_no_such_key(project: LiveProject, store: Store) -> None:
    settings = project.folder / "Pulumi.live.yaml"
    before = settings.read_text()
    before_pods = project.pods()
    settings.write_text(with_store(before, "llm-missing"))
    try:
        ran = project.sluice("up", "live")
    finally:
        settings.write_text(before)
        project.up()

    assert ran.exit_code == 3
    assert "provider-keys-from-store" in ran.stderr
    assert before_pods == {name: uid for name, uid in project.pods().items() if name in before_pods}, "they serve on"
