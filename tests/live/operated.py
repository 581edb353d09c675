"""prometheus-operator, and the Prometheus and the Alertmanager that it makes pods of: in a namespace of their own.

The operator runs as a process of this machine, as its way to be installed is its own; its config-reloader, Prometheus
and Alertmanager run in pods, from images that hold these programs and nothing else.
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import yaml

from sluice.local import cluster as local_cluster
from sluice.local.folders import cache_folder, state_folder
from sluice.local.images import archive, layer
from sluice.local.images.recipe import ProgramRecipe, architecture
from sluice.local.images.store import Store, key_of
from sluice.local.toolchain import WatchingTools, ensure_prometheus_operator, ensure_watching
from sluice.local.toolchain.catalog import ALERTMANAGER_VERSION, PROMETHEUS_VERSION
from sluice.progress import Progress
from tests.live.project import NAMESPACE, LiveProject
from tests.rules.compressed import WAITS

WATCHING = "sluice-live-monitoring"
"""The namespace of Prometheus and Alertmanager."""
NAME = "made"
FOUND_BY = {"release": "made"}
ROUTES = "sluice-routes"
KEYS = "sluice"
PROMETHEUS_URL = f"http://prometheus-operated.{WATCHING}.svc:9090"

_ARCHIVE = "watching.tar"
_UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_USER = 10001


class Operated:
    """What the operator looks after, and the way to its Prometheus and Alertmanager by the API server's proxy."""

    def __init__(self, project: LiveProject) -> None:
        self._project = project

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        """Run kubectl in the namespace of Prometheus and Alertmanager."""
        ran = self._project.kubectl("--namespace", WATCHING, *arguments, stdin=stdin)
        assert ran.exit_code == 0, ran.stderr
        return ran.stdout

    def apply(self, *objects: dict[str, Any], force: bool = False) -> None:
        """Apply objects; with `force` also what Pulumi wrote."""
        forced = ("--force-conflicts",) if force else ()
        for body in objects:
            there = ("--namespace", body["metadata"].get("namespace", WATCHING))
            self.kubectl("apply", *there, "--server-side", *forced, "--filename", "-", stdin=json.dumps(body))

    def asked(self, service: str, path: str) -> Any:
        """Return what Prometheus (`prometheus-operated:9090`) or Alertmanager answers, None while it does not."""
        url = f"/api/v1/namespaces/{WATCHING}/services/{service}/proxy{path}"
        answer = self._project.cluster.ask("GET", url)
        return json.loads(answer.body) if answer.status == 200 else None

    def of_prometheus(self, path: str) -> Any:
        """Return the data of an answer of Prometheus, None while there is none."""
        answer = self.asked("prometheus-operated:9090", f"/api/v1/{path}")
        return answer and answer["data"]

    def of_alertmanager(self, path: str) -> Any:
        """Return an answer of Alertmanager, None while there is none."""
        return self.asked("alertmanager-operated:9093", f"/api/v2/{path}")

    def conditions(self, kind: str) -> dict[str, str]:
        """Return what the operator says of the Prometheus or the Alertmanager."""
        said = json.loads(self.kubectl("get", kind, NAME, "--output", "json"))
        return {one["type"]: one["status"] for one in said.get("status", {}).get("conditions", [])}

    def routes(self, configuration: dict[str, Any]) -> None:
        """Give Alertmanager another configuration."""
        self.apply(_secret(ROUTES, {"alertmanager.yaml": yaml.safe_dump(configuration)}))

    def rules(self) -> list[dict[str, Any]]:
        """Return the rules that Prometheus has."""
        return [rule for group in self.groups() for rule in group["rules"]]

    def groups(self) -> list[dict[str, Any]]:
        """Return the groups of rules that Prometheus has."""
        return list((self.of_prometheus("rules") or {"groups": []})["groups"])

    def formatted(self, expression: str) -> str | None:
        """Return an expression as Prometheus itself writes it, None while it does not answer."""
        found: str | None = self.of_prometheus(f"format_query?{urlencode({'query': expression})}")
        return found

    def routed(self) -> dict[str, Any] | None:
        """Return the routes that Alertmanager has, as `routing` says them."""
        status = self.of_alertmanager("status")
        return status and routing(yaml.safe_load(status["config"]["original"]))

    def holds_back(self, agent: str, alert: str) -> bool:
        """Whether Alertmanager has an alert and tells nobody of it, because of another."""
        wanted = {("alertname", alert), ("agent", agent)}
        return any(
            one["labels"].items() >= wanted and one["status"]["state"] == "suppressed" and one["status"]["inhibitedBy"]
            for one in self.of_alertmanager("alerts") or []
        )

    def pods(self) -> dict[str, str]:
        """Return the uid of each pod by its name."""
        items = self._project.cluster.get(f"/api/v1/namespaces/{WATCHING}/pods")["items"]
        return {item["metadata"]["name"]: item["metadata"]["uid"] for item in items}

    def remount(self) -> None:
        """Have the kubelet bring changed Secrets and ConfigMaps now, which it does a minute later by itself."""
        self.kubectl("annotate", "pods", "--all", "--overwrite", f"sluice.test/looked-at={len(self.pods())}")
        self.kubectl("annotate", "pods", "--all", "sluice.test/looked-at-")


def routing(configuration: dict[str, Any]) -> dict[str, Any]:
    """Return who is told what and when, whichever of several ways Alertmanager or we write it."""
    routes = (configuration["route"], *configuration["route"]["routes"])
    return {
        "routes": [
            [route["receiver"], sorted(route.get("matchers", [])), [milliseconds(route.get(wait)) for wait in WAITS]]
            for route in routes
        ],
        "together": configuration["route"]["group_by"],
        "inhibitions": [
            [sorted(rule["source_matchers"]), sorted(rule["target_matchers"]), rule["equal"]]
            for rule in configuration["inhibit_rules"]
        ],
        "receivers": [
            [receiver["name"], *(one for one in receiver if one.endswith("_configs"))]
            for receiver in configuration["receivers"]
        ],
    }


def milliseconds(duration: str | None) -> int | None:
    """Return a duration of Alertmanager's; None where it is the one of the route above."""
    parts = re.findall(r"(\d+)(ms|[smhd])", duration or "")
    return sum(int(count) * _UNITS[unit] for count, unit in parts) if duration else None


@contextmanager
def operating(project: LiveProject, routes: dict[str, Any], keys: dict[str, str], log: Path) -> Iterator[Operated]:
    """Run the operator, and have it make a Prometheus and an Alertmanager, until the block ends.

    `routes` is Alertmanager's configuration, `keys` are the files that it reads beside it.
    """
    tools = ensure_prometheus_operator(cache_folder(), Progress())
    prometheus, alertmanager = _brought(ensure_watching(cache_folder(), Progress()))
    one = Operated(project)
    definitions = ("--filename", str(tools.definitions))
    one.kubectl("apply", "--server-side", "--force-conflicts", *definitions)
    one.kubectl("wait", "--for=condition=Established", "--timeout=50s", *definitions)
    one.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": WATCHING}})
    one.routes(routes)
    one.apply(*_rights(), _secret(KEYS, keys), _prometheus(prometheus), _alertmanager(alertmanager))
    process = _start(tools.operator, alertmanager, log)
    try:
        yield one
        assert process.poll() is None, log.read_text()[-3000:]
    finally:
        process.terminate()
        process.wait(timeout=30)
        one.kubectl(
            "delete",
            "namespace/" + WATCHING,
            f"clusterrole/{WATCHING}",
            f"clusterrolebinding/{WATCHING}",
            "--wait=false",
        )
        one.kubectl("delete", "--wait=false", *definitions)


def _start(operator: Path, reloader: str, log: Path) -> subprocess.Popen[bytes]:
    flags = [
        *_to_the_cluster(log.parent),
        f"--namespaces={NAMESPACE},{WATCHING}",
        f"--prometheus-config-reloader={reloader}",
        "--config-reloader-memory-request=0",
        "--config-reloader-memory-limit=0",
        "--config-reloader-cpu-request=0",
        "--config-reloader-cpu-limit=0",
        "--web.listen-address=127.0.0.1:0",
    ]
    with log.open("wb") as said:
        return subprocess.Popen([operator, *flags], stdout=said, stderr=said)


def _to_the_cluster(folder: Path) -> list[str]:
    """Return the flags by which the operator finds the API server: it reads no kubeconfig."""
    kubeconfig = yaml.safe_load(local_cluster.kubeconfig(state_folder()).read_text())
    server, user = kubeconfig["clusters"][0]["cluster"], kubeconfig["users"][0]["user"]
    flags = [f"--apiserver={server['server']}"]
    for flag, value in (
        ("ca-file", server["certificate-authority-data"]),
        ("cert-file", user["client-certificate-data"]),
        ("key-file", user["client-key-data"]),
    ):
        file = folder / flag
        file.touch(mode=0o600)
        file.write_bytes(base64.b64decode(value))
        flags.append(f"--{flag}={file}")
    return flags


def _brought(tools: WatchingTools) -> tuple[str, str]:
    """Bring the images of Prometheus and Alertmanager, each with the config-reloader, to the cluster; their names."""
    programs = {path.name: path for path in (tools.config_reloader, tools.prometheus, tools.alertmanager)}
    store = Store(cache_folder() / "images")
    made_of = [str(path.parent.name) for path in programs.values()]
    with store.locked():
        layers = [_layer(store, path) for path in programs.values()]
        parts = [
            archive.assemble(
                ProgramRecipe(f"sluice.local/operated-{name}", f"{name}, for tests", (), (f"/bin/{name}",)),
                [layers[0], own],
                architecture=architecture(),
                version="0",
            )
            for name, own in zip(("prometheus", "alertmanager"), layers[1:], strict=True)
        ]
        folder = store.make("operated", key_of(*made_of), lambda folder: archive.write(parts, folder / _ARCHIVE))
    socket = local_cluster.containerd_socket(state_folder())
    command = ["ctr", "--address", str(socket), "--namespace", "k8s.io", "images", "import", str(folder / _ARCHIVE)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    prometheus, alertmanager = (f"{one.recipe.name}@{one.digest}" for one in parts)
    return prometheus, alertmanager


def _layer(store: Store, program: Path) -> layer.Layer:
    """Return a layer of one program in /bin."""

    def fill(folder: Path) -> None:
        with store.scratch() as root:
            root.chmod(0o755)
            (root / "bin").mkdir(mode=0o755)
            (root / "bin" / program.name).write_bytes(program.read_bytes())
            (root / "bin" / program.name).chmod(0o755)
            layer.write(root, folder)

    return layer.read(store.make(f"operated-{program.name}", key_of(program.parent.name), fill))


def _rights() -> list[dict[str, Any]]:
    """What Prometheus may read, as its operator's own example has it: pods to scrape, endpoints to tell of alerts."""
    reads = {"apiGroups": [""], "resources": ["pods", "services", "endpoints"], "verbs": ["get", "list", "watch"]}
    group = "rbac.authorization.k8s.io"
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _named("prometheus")},
        {"apiVersion": f"{group}/v1", "kind": "ClusterRole", "metadata": {"name": WATCHING}, "rules": [reads]},
        {
            "apiVersion": f"{group}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": WATCHING},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": WATCHING},
            "subjects": [{"kind": "ServiceAccount", **_named("prometheus")}],
        },
    ]


def _secret(name: str, content: dict[str, str]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": _named(name), "stringData": content}


def _prometheus(image: str) -> dict[str, Any]:
    there = {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}}
    told = {"namespace": WATCHING, "name": "alertmanager-operated", "port": "web"}
    return _looked_after(
        "Prometheus",
        image,
        version=f"v{PROMETHEUS_VERSION}",
        serviceAccountName="prometheus",
        podMonitorNamespaceSelector=there,
        podMonitorSelector={"matchLabels": FOUND_BY},
        ruleNamespaceSelector=there,
        ruleSelector={"matchLabels": FOUND_BY},
        alerting={"alertmanagers": [told]},
        retention="30d",
    )


def _alertmanager(image: str) -> dict[str, Any]:
    version = f"v{ALERTMANAGER_VERSION}"
    return _looked_after("Alertmanager", image, version=version, configSecret=ROUTES, secrets=[KEYS])


def _looked_after(kind: str, image: str, **spec: Any) -> dict[str, Any]:
    common = {
        "replicas": 1,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}},
        "securityContext": {"runAsNonRoot": True, "runAsUser": _USER, "fsGroup": _USER},
    }
    metadata = _named(NAME)
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": kind,
        "metadata": metadata,
        "spec": {**common, **spec},
    }


def _named(name: str) -> dict[str, str]:
    return {"name": name, "namespace": WATCHING}
