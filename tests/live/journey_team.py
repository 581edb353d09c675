"""A small team and all it works with: a bare repository, clones of its people, and three environments that fit here.

The environments are as git has them but for their sizes, namespaces and keys, and for what others run: the stub
provider of `dev` stands for the providers of all, staging's Redis for that of both, and each of the two is measured by
a Prometheus in its namespace. A step holds for a minute and a soak asks for half of one: plain configuration, so that
times are real and the gates judge what was measured; made answers are worth seven points in a soak, not eight.
"""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sluice.deploy.cluster_access import ClusterAccess
from sluice.local.folders import PROJECT
from sluice.registry import EmbeddedPrometheus, load_environment
from sluice.render.prometheus import prometheus
from tests.live.narration import Narration
from tests.live.project import LiveProject, Ran

ENVIRONMENTS = ("dev", "staging", "production")
NO_DIGEST = f"@sha256:{'0' * 64}"
MODEL, ID = "qa-20251118", "ft:open-mistral-7b:5010731d:20251118:7c1e55aa"
ALLOWED, ALLOWED_LATER = 100, 200
"""Requests a second that the provider allows, and by its next tier: more than the load, so that nobody waits."""

_STUB = "http://stub-provider.sluice-journey-dev.svc:8080"
_PATIENCE_SECONDS = 900
_LEFT_OUT = (".git", ".venv", "__pycache__", ".*_cache", ".hypothesis", "tests", "manifests", "bench", "dist")

_MODEL = f"""\
  {MODEL}:
    provider: mistral
    id: {ID}
    base: open-mistral-7b
    price: {{input: 0.0008, output: 0.0008}}
    training:
      examples: 5000
      cost: 1.20
      jobs: [{{id: 7c1e55aa-0000-4000-8000-000000000001, status: SUCCESS}}]
      audit: training-data-20251118
    benchmark: {{date: 2025-11-18, tests: 10, score: 8.61, baseline: 7.0}}

"""
_AUDIT = """\
# yaml-language-server: $schema=../schema/evidence.schema.json
version: 1
kind: data-audit
date: 2025-11-18
data_audit: {email_addresses: 0, phone_numbers: 0, easy: 30, hard: 25, easy_wanted: 30, hard_wanted: 25}
"""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a clone of their own."""

    name: str
    folder: Path
    cluster: ClusterAccess
    narration: Narration

    @property
    def backend(self) -> str:
        """Pulumi's state of this team: another one knows the same cluster's `dev` of whoever uses it."""
        return f"file://{self.folder.parent / 'pulumi'}"

    def sluice(self, *arguments: str, shown: Iterable[str] = ("",), expects: int = 0) -> str:
        """Run a command of sluice, which must end as expected; return all that it printed."""
        variables = {"PULUMI_BACKEND_URL": self.backend}
        process = LiveProject(self.folder, self.cluster).started(arguments, variables, stderr=subprocess.STDOUT)
        said, _ = process.communicate(timeout=_PATIENCE_SECONDS)
        ran = Ran(process.returncode, said, "")
        return self._typed("sluice", arguments, ran, shown, expects)

    def git(self, *arguments: str, is_told: bool = True) -> str:
        """Run git, which must succeed."""
        done = subprocess.run(["git", *arguments], cwd=self.folder, capture_output=True, text=True, check=False)
        ran = Ran(done.returncode, done.stdout, done.stderr)
        if is_told:
            return self._typed("git", arguments, ran, (), 0)
        assert ran.exit_code == 0, f"{arguments}: {ran.stderr}"
        return ran.stdout.strip()

    def edit(self, name: str, pattern: str, replacement: str) -> None:
        """Change one place of a file."""
        file = self.folder / name
        text, count = re.subn(pattern, lambda _: replacement, file.read_text(), count=1)
        assert count == 1, f"{pattern} is not in {name}"
        file.write_text(text)

    def is_up_to_date(self) -> None:
        """Have what everybody has."""
        self.git("fetch", "-q", "--prune", is_told=False)
        self.git("checkout", "-q", "-B", "main", "origin/main", is_told=False)

    def proposes(self, branch: str, message: str) -> None:
        """Commit what was edited on a branch, and push it."""
        self.git("checkout", "-q", "-b", branch, is_told=False)
        self.git("add", "--all", is_told=False)
        self.git("commit", "-qm", message)
        self.git("push", "-q", "origin", branch)

    def merges(self, branch: str) -> None:
        """Merge a request as a forge does: by a merge commit, which says who approved it."""
        self.is_up_to_date()
        approved = f"Merge {branch}\n\nApproved-by: {self.name} <{self.name.lower()}@example.com>"
        self.git("merge", "-q", "--no-ff", "-m", approved, f"origin/{branch}", is_told=False)
        self.narration.typed(self.name.lower(), f"git merge --no-ff origin/{branch}", 0, "")
        self.git("push", "-q", "origin", "main")

    def _typed(self, program: str, arguments: Iterable[str], ran: Ran, shown: Iterable[str], expects: int) -> str:
        said = "\n".join(part.rstrip("\n") for part in (ran.stdout, ran.stderr) if part.strip())
        command = " ".join([program, *(_quoted(one) for one in arguments)])
        self.narration.typed(self.name.lower(), command, ran.exit_code, said, tuple(shown))
        assert ran.exit_code == expects, f"{command} ended with {ran.exit_code}:\n{said}"
        return said


@dataclass(slots=True)
class Team:
    """Ada trains and rolls out, Grace reviews, `ci` applies what was merged."""

    folder: Path
    cluster: ClusterAccess
    narration: Narration = field(init=False)
    ada: Person = field(init=False)
    grace: Person = field(init=False)
    ci: Person = field(init=False)

    def __post_init__(self) -> None:
        bare = self.folder / "forge.git"
        (self.folder / "pulumi").mkdir()
        names = ("Ada", "Grace", "CI")
        self.narration = Narration({f"{self.folder / name.lower()}/": "" for name in names} | {str(Path.home()): "~"})
        _begin(bare, self.folder / "begun", self.cluster)
        self.ada, self.grace, self.ci = (
            _with_clone(Person(name, self.folder / name.lower(), self.cluster, self.narration), bare) for name in names
        )

    def applies(self, *environments: str, shown: Iterable[str] = ("^(dev|staging|production): ",)) -> str:
        """Have CI apply what was merged."""
        self.ci.is_up_to_date()
        return self.ci.sluice("ci", "apply", *environments, shown=shown)

    def measured(self) -> None:
        """Run what others run: the Prometheus of production, as staging has its own, in production's namespace."""
        declared = load_environment(self.ci.folder, "production")
        path = f"/apis/apps/v1/namespaces/{namespace('staging')}/deployments/prometheus"
        image = self.cluster.get(path)["spec"]["template"]["spec"]["containers"][0]["image"]
        embedded = EmbeddedPrometheus(image, declared.settings.namespace)
        objects = prometheus(dataclasses.replace(declared.settings, prometheus=embedded))
        text = "\n---\n".join(json.dumps(one.body) for one in objects)
        applied = LiveProject(self.ci.folder, self.cluster).kubectl(
            "apply", "-n", embedded.namespace, "-f", "-", stdin=text
        )
        assert applied.exit_code == 0, applied.stderr
        for one in ("staging", "production"):
            ran = LiveProject(self.ci.folder, self.cluster).kubectl(
                "rollout", "status", "deployment/prometheus", "-n", namespace(one), "--timeout=55s"
            )
            assert ran.exit_code == 0, ran.stdout + ran.stderr

    def is_gone(self) -> None:
        """Take all of it out of the cluster; nobody waits until it is."""
        project = LiveProject(self.ci.folder, self.cluster)
        kinds = "namespaces,validatingadmissionpolicies,validatingadmissionpolicybindings"
        listed = project.kubectl("get", kinds, "--output", "name")
        ours = [name for name in listed.stdout.split() if "/sluice-journey-" in name]
        deleted = project.kubectl("delete", "--wait=false", *ours) if ours else listed
        assert deleted.exit_code == 0, deleted.stderr


def namespace(environment: str) -> str:
    """Return the namespace of one of the team's environments."""
    return f"sluice-journey-{environment}"


def with_new_model(person: Person) -> None:
    """Edit what a new model takes: its entry and its audit, and who tries it in dev."""
    person.edit("registry/models.yaml", r"(?m)^  content-20251031:\n", f"{_MODEL}  content-20251031:\n")
    (person.folder / "registry/evidence/training-data-20251118.yaml").write_text(_AUDIT)
    person.edit("registry/rollouts/dev.yaml", "qa: {candidate: qa-20251031,", f"qa: {{candidate: {MODEL},")


def sign_off(role: str, by: str, day: str, ends: str) -> str:
    """Write a sign-off for the new model."""
    return (
        f"# yaml-language-server: $schema=../schema/evidence.schema.json\nversion: 1\nkind: sign-off\ndate: {day}\n"
        f"by: {by}\nsign_off:\n  role: {role}\n  ends: {ends}\n  conditions: []\n  models: {{{MODEL}: '{ID}'}}\n"
    )


def _begin(bare: Path, folder: Path, cluster: ClusterAccess) -> None:
    """Make the repository that everybody has, with the team's first commit."""
    shutil.copytree(PROJECT, folder, ignore=shutil.ignore_patterns(*_LEFT_OUT))
    registry = folder / "registry/models.yaml"
    text = registry.read_text()
    for pattern, replacement in (
        (r"https://api\.mistral\.ai/v1", f"{_STUB}/mistral/v1"),
        (r"https://api\.openai\.com/v1", f"{_STUB}/openai/v1"),
        (r"https://api\.anthropic\.com/v1", f"{_STUB}/anthropic/v1"),
        (r"requests_per_second: 5 .*", f"requests_per_second: {ALLOWED}"),
        (r"tier: \{name: free, production: false,", "tier: {name: paid, production: true,"),
        (r"soak: \{lasts: 24h, queries: 100, quality: 8\.0,", "soak: {lasts: 30s, queries: 10, quality: 7.0,"),
        (
            r"(?m)^    ladder: summary .*\n    scoring: \{expects: code\}",
            "    rate: {requests_per_second: 60}\n    scoring: {expects: code}",
        ),
    ):
        text, count = re.subn(pattern, replacement, text, count=1)
        assert count == 1, f"{pattern} is not in models.yaml"
    registry.write_text(re.sub(r"hold: [0-9]+d", "hold: 1m", text))
    staging = folder / "registry/rollouts/staging.yaml"
    staging.write_text(
        re.sub(r"qa: \{candidate: qa-20251031, .*\}", "qa: {candidate: qa-20251031, weight: 0}", staging.read_text())
    )
    dev = yaml.safe_load((PROJECT / "Pulumi.dev.yaml").read_text())
    for environment in ENVIRONMENTS:
        document = yaml.safe_load((PROJECT / f"Pulumi.{environment}.yaml").read_text())
        settings = _sized(environment, document["config"], dev["config"])
        written = yaml.safe_dump({"config": settings, "encryptionsalt": dev["encryptionsalt"]}, sort_keys=False)
        (folder / f"Pulumi.{environment}.yaml").write_text(written)
    (folder / ".venv").symlink_to(PROJECT / ".venv")
    with (folder / ".gitignore").open("a") as ignored:
        ignored.write(".venv\nreport-*.html\n")
    for environment in ENVIRONMENTS:
        ran = LiveProject(folder, cluster).sluice("render", environment)
        assert ran.exit_code == 0, ran.stderr
    for command in (
        ["init", "-q", "-b", "main"],
        ["add", "--all"],
        ["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "commit", "-qm", "Begin"],
        ["clone", "-q", "--bare", ".", str(bare)],
    ):
        subprocess.run(["git", *command], cwd=folder, check=True, capture_output=True)


def _sized(environment: str, settings: Mapping[str, Any], dev: Mapping[str, Any]) -> dict[str, Any]:
    """Return an environment's settings with what others would run for it embedded, in sizes for two cores."""
    found = dict(settings)
    gateway = {
        name: value for name, value in found["sluice:gateway"].items() if name not in ("autoscaling", "node_port")
    }
    gateway |= {"callers": "open", "replicas": 2 if environment == "production" else 1}
    gateway |= {"resources": {"requests": {"cpu": "20m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}}}
    found |= {
        "sluice:namespace": namespace(environment),
        "sluice:gateway": gateway,
        "sluice:cache": dev["sluice:cache"],
    }
    for name in ("sluice:monitoring", "sluice:report", "sluice:prometheus", "sluice:guard", "sluice:quota"):
        found.pop(name, None)
    if environment == "staging":
        found["sluice:prometheus"] = dev["sluice:prometheus"]
    if environment == "production":
        found |= {"sluice:guard": settings["sluice:guard"], "sluice:protected": False}
        found["sluice:cache"] = {"url": f"redis://cache.{namespace('staging')}.svc:6379"}
        found["sluice:prometheus"] = {"url": f"http://prometheus.{namespace(environment)}.svc:9090"}
    return found | {name: value for name, value in dev.items() if name.endswith("-api-key")}


def _with_clone(person: Person, bare: Path) -> Person:
    subprocess.run(["git", "clone", "-q", str(bare), str(person.folder)], check=True, capture_output=True)
    (person.folder / ".venv").symlink_to(PROJECT / ".venv")
    person.git("config", "user.name", person.name, is_told=False)
    person.git("config", "user.email", f"{person.name.lower()}@example.com", is_told=False)
    return person


def _quoted(word: str) -> str:
    return f"'{word}'" if re.search(r"[\s{}$*]", word) else word
