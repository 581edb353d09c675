"""The way back by hand on real pods: how fast, beside what, and that nothing but a person takes it away."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sluice.render.alerts.commands import HARMLESS, HARMLESS_WITH, on_page
from sluice.rollout.pod_page import pages
from tests.live.project import AGENTS, NAMESPACE, LiveProject, edit

REPLICAS = 2
USERS = tuple(f"user-{number}" for number in range(12))


@pytest.fixture(scope="module")
def serving(project: LiveProject) -> Iterator[LiveProject]:
    """Two pods with everybody on the candidates, in a folder that is a repository as well."""
    settings = project.folder / "Pulumi.live.yaml"
    before = settings.read_text()
    edit(settings, r"replicas: \d+", f"replicas: {REPLICAS}")
    project.roll_out(dict.fromkeys(AGENTS, 100))
    project.up()
    git(project, "init", "-q", "-b", "main")
    git(project, "add", "registry")
    git(project, "-c", "user.name=Ada", "-c", "user.email=ada@example.com", "commit", "-q", "-m", "Begin")
    project.wait_for(lambda: len(project.pods()) == REPLICAS)
    yield project
    settings.write_text(before)
    shutil.rmtree(project.folder / ".git")


def git(project: LiveProject, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=project.folder, capture_output=True, text=True, check=True)
    return done.stdout


@contextmanager
def asking(project: LiveProject, agent: str) -> Iterator[list[dict[str, str]]]:
    """Ask an agent as a dozen users again and again; each round is kept, and one that fails fails the test."""
    rounds: list[dict[str, str]] = []
    failures: list[Exception] = []
    over = threading.Event()

    def ask() -> None:
        while not over.wait(0.5):
            try:
                rounds.append(project.arms(agent, USERS))
            except Exception as failure:  # noqa: BLE001 - it is raised at the end, in the test's own thread
                failures.append(failure)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield rounds
    finally:
        over.set()
        thread.join()
    assert failures == []


@contextmanager
def pulumi_locked(project: LiveProject) -> Iterator[Path]:
    """Hold the lock of the stack as an update by a living Pulumi elsewhere does."""
    exported = project.sluice("env", "live").stdout
    found = re.search(r"PULUMI_BACKEND_URL='?file://([^'\s]+)", exported)
    assert found, exported
    lock = Path(found[1]) / ".pulumi/locks/organization/sluice/live/held.json"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.write_text(
        json.dumps({"pid": 1, "username": "x", "hostname": "elsewhere", "timestamp": "2026-11-21T10:00:00Z"})
    )
    try:
        yield lock
    finally:
        lock.unlink()


def test_every_pod_is_on_the_baseline_within_seconds_while_pulumi_is_locked(serving: LiveProject) -> None:
    pods = serving.pods()
    with pulumi_locked(serving) as lock, asking(serving, "qa") as rounds:
        serving.wait_for(lambda: bool(rounds) and set(rounds[-1].values()) == {"candidate"})
        assert "is being updated on elsewhere" in serving.sluice("up", "live").stderr, "the lock is a real one"
        held = lock.read_text()
        began = time.monotonic()
        ran = serving.sluice(
            "rollback",
            "live",
            "qa",
            "--reason",
            "errors above 5 %",
            "--by",
            "ada",
            "--prove-for",
            "5",
            "--format",
            "json",
        )
        whole = time.monotonic() - began
        assert ran.exit_code == 0, ran.stdout + ran.stderr
        assert lock.read_text() == held
    told = json.loads(ran.stdout)

    seconds = [pod["seconds"] for pod in told["pods"]]
    print(f"\nrollback: set after {told['set_after_seconds']:.2f} s, the pods after {seconds} s, in all {whole:.1f} s")
    assert len(seconds) == REPLICAS
    assert max(seconds) < 5
    assert told["proof"]["holds"]
    (qa,) = told["proof"]["agents"]
    assert qa["baseline_requests"] > 0
    assert qa["candidate_requests"] == 0
    assert set(rounds[-1].values()) == {"baseline"}
    assert serving.pods() == pods

    assert git(serving, "status", "--porcelain", "--", "registry") == ""
    diff = git(serving, "diff", "--unified=0", "main", told["commit"]["branch"], "--", "registry")
    assert "+  qa: {candidate: qa-20251031, weight: 0, since: 20" in diff
    begun = git(serving, "show", f"{told['commit']['branch']}:{told['commit']['post_mortem']}")
    assert "| Agent, candidate, weight | qa: qa-20251031 at 100 % |" in begun
    assert "2 of 2 pods served the baseline alone" in begun


def test_a_second_one_says_who_was_first_and_coming_back_where_it_fell_is_refused(serving: LiveProject) -> None:
    again = serving.sluice("rollback", "live", "qa", "--reason", "another", "--by", "bob", "--prove-for", "0")
    assert again.exit_code == 0, again.stderr
    assert "qa: at most 0 % already, by ada" in again.stdout

    refused = serving.sluice("resume", "live", "qa", "--reason", "mended", "--by", "ada")
    assert refused.exit_code == 1
    assert "qa: 100 % of its users would be on the candidate at once" in refused.stderr
    assert set(serving.arms("qa", USERS).values()) == {"baseline"}

    assert set(serving.up()["changes"]) == {"same"}, "neither the override nor its notes are an update's business"
    lifted = serving.sluice("resume", "live", "qa", "--reason", "mended", "--by", "ada", "--force")
    assert lifted.exit_code == 0, lifted.stderr
    serving.wait_for(lambda: set(serving.arms("qa", USERS).values()) == {"candidate"})
    assert set(serving.up()["changes"]) == {"same"}
    noted = json.loads(serving.kubectl("get", "configmap", "override", "--output", "json").stdout)
    assert json.loads(noted["metadata"]["annotations"]["sluice/lifted"])[0]["reason"] == "mended (forced)"


def test_two_at_once_are_both_kept(serving: LiveProject) -> None:
    started = [
        serving.start("rollback", "live", agent, "--reason", "at once", "--by", "ada", "--prove-for", "0")
        for agent in ("legal", "support")
    ]
    assert [process.wait(120) for process in started] == [0, 0]

    held = json.loads(serving.kubectl("get", "configmap", "override", "--output", "json").stdout)["data"]
    assert set(held) == {"legal", "support"}
    for agent in held:
        assert serving.sluice("resume", "live", agent, "--reason", "over", "--force").exit_code == 0


@contextmanager
def another_candidate_ends_it(project: LiveProject) -> Iterator[None]:
    """Have the registry say so of every agent; leave it, flags and override as they were."""
    models = project.folder / "registry/models.yaml"
    before, flags = models.read_text(), flags_of(project)
    edit(models, r"(?m)^  ladder: report$", "  ladder: report\n  override_ends: new_candidate")
    try:
        yield
    finally:
        models.write_text(before)
        set_flags(project, flags)
        assert project.sluice("resume", "live", "qa", "--reason", "over", "--force").exit_code == 0


def flags_of(project: LiveProject) -> str:
    found = json.loads(project.kubectl("get", "configmap", "flags", "--output", "json").stdout)
    return str(found["data"]["flags.json"])


def set_flags(project: LiveProject, text: str) -> None:
    """Write the flags as whoever applies a merge does."""
    patch = json.dumps({"data": {"flags.json": text}})
    ran = project.kubectl("patch", "configmap", "flags", "--type", "merge", "--patch", patch)
    assert ran.exit_code == 0, ran.stderr


def with_another(flags: str, candidate: str, weight: int) -> str:
    """Return flags in which qa has another candidate."""
    document = json.loads(flags)
    qa = document["flags"]["qa"]
    was = qa["metadata"]["candidate"]
    qa["metadata"] |= {"candidate": candidate, "weight": weight}
    qa["variants"]["candidate"]["models"] = [
        candidate if name == was else name for name in qa["variants"]["candidate"]["models"]
    ]
    key = {"cat": [f"qa/{candidate}/", {"var": "targetingKey"}]}
    qa["targeting"] = {"fractional": [key, ["candidate", weight], ["baseline", 100 - weight]]}
    return json.dumps(document)


def served(project: LiveProject) -> list[float | None]:
    """Return what each pod serves of qa's candidate; nothing of one that does not answer."""
    found = pages(project.cluster, NAMESPACE, list(project.pods())).values()
    return [page.value("sluice_rollout_weight", agent="qa", kind="served") if page else None for page in found]


def test_another_candidate_ends_an_override_where_the_registry_says_so_and_the_old_one_comes_back_held(
    serving: LiveProject,
) -> None:
    serving.wait_for(lambda: served(serving) == [100.0] * REPLICAS)
    flags = flags_of(serving)
    began = time.monotonic()
    with another_candidate_ends_it(serving):
        ran = serving.sluice(
            "rollback", "live", "qa", "--reason", "points", "--by", "ada", "--prove-for", "0", "--format", "json"
        )
        assert ran.exit_code == 0, ran.stdout + ran.stderr
        assert json.loads(ran.stdout)["override"]["candidate"] == "qa-20251031"
        serving.wait_for(lambda: served(serving) == [0.0] * REPLICAS)

        # A fine-tune that the pods know; that it is another agent's matters to nobody here.
        set_flags(serving, with_another(flags, "content-20251031", 10))
        merged = serving.wait_for(lambda: served(serving) == [10.0] * REPLICAS)

        set_flags(serving, flags)
        back = serving.wait_for(lambda: served(serving) == [0.0] * REPLICAS)
        assert set(serving.arms("qa", USERS).values()) == {"baseline"}
    whole = time.monotonic() - began
    print(f"\nanother candidate served after {merged:.1f} s, the old one held after {back:.1f} s, in all {whole:.1f} s")


def test_the_runbooks_line_does_it_with_kubectl_alone(serving: LiveProject) -> None:
    text = (serving.folder / "docs/runbooks/rollback.md").read_text()
    (line,) = re.findall(r"^    (kubectl -n sluice-production patch configmap override .*)$", text, re.MULTILINE)
    serving.wait_for(lambda: set(serving.arms("qa", USERS).values()) == {"candidate"})

    began = time.monotonic()
    ran = serving.in_shell(line.replace("sluice-production", NAMESPACE))
    assert ran.exit_code == 0, ran.stderr
    said = time.monotonic() - began
    serving.wait_for(lambda: set(serving.arms("qa", USERS).values()) == {"baseline"}, seconds=5)

    entry = json.loads(
        json.loads(serving.kubectl("get", "configmap", "override", "--output", "json").stdout)["data"]["qa"]
    )
    print(f"\nby the runbook's kubectl line, shell included: {said:.1f} s; it says {entry}")
    assert entry["weight"] == 0
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT[\d:.]+Z", entry["at"])
    assert serving.sluice("resume", "live", "qa", "--reason", "over", "--force").exit_code == 0


EACH = """
sluice() { "$SLUICE_PYTHON" -m sluice "$@"; }
for line in "$@"; do
  said=$(eval "$line" 2>&1) && code=0 || code=$?
  printf '%s\\t%s\\t%s\\n' "$code" "$line" "$(printf %s "$said" | tail -1)"
done
"""
LACKS = r"doesn't have a resource type|not found|Metrics API not available"


def test_the_harmless_commands_of_the_runbooks_run_as_they_are_written(serving: LiveProject) -> None:
    serving.arms("qa", USERS)
    lines = {
        re.sub(r"\bNAME\b", "gateway-tls", re.sub(r"\bENV\b", "live", re.sub(r"\bAGENT\b", "qa", on_page(command)))): (
            needs
        )
        for command, needs in {**dict.fromkeys(HARMLESS, ""), **HARMLESS_WITH}.items()
    }

    ran = serving.in_shell(f"SLUICE_PYTHON={sys.executable}\n{EACH}", *lines)

    assert ran.exit_code == 0, ran.stderr
    told = [line.split("\t") for line in ran.stdout.splitlines()]
    assert [line for _, line, _ in told] == list(lines)
    assert [one for one in told if one[0] != "0" and not (lines[one[1]] and re.search(LACKS, one[2]))] == []


def test_all_are_stopped_and_come_back(serving: LiveProject) -> None:
    ran = serving.sluice(
        "rollback", "live", "--reason", "provider", "--by", "ada", "--prove-for", "0", "--format", "json"
    )
    assert ran.exit_code == 0, ran.stderr
    told = json.loads(ran.stdout)
    print(f"\nall agents: the pods after {[pod['seconds'] for pod in told['pods']]} s")
    assert max(pod["seconds"] for pod in told["pods"]) < 5
    for agent in AGENTS:
        assert set(serving.arms(agent, USERS).values()) == {"baseline"}
    assert "enabled: false" in git(serving, "show", f"{told['commit']['branch']}:registry/rollouts/live.yaml")
    assert serving.sluice("resume", "live", "--reason", "over", "--force").exit_code == 0


def test_a_soak_asks_every_candidate_and_goes_to_the_baseline_and_back(serving: LiveProject) -> None:
    ran = serving.sluice("soak", "live", "--lasts", "0s", "--queries", "2", "--format", "json")

    assert ran.exit_code == 1, ran.stderr  # two queries are too few for the gate
    told = json.loads(ran.stdout)
    print(f"\nsoak: {ran.stderr}")
    assert [told["models"][f"{agent}-20251031"]["queries"] for agent in AGENTS] == [2] * len(AGENTS)
    assert "no rollback was exercised" not in ran.stdout
    assert "health checks were not seen working" not in ran.stdout
    written = (serving.folder / "registry/evidence" / Path(told["evidence"]).name).read_text()
    assert told["digest"] in written
    assert "rollback_exercised: true" in written
    assert set(serving.arms("qa", USERS).values()) == {"candidate"}
