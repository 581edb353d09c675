"""A cluster follows git in both ways: Flux's controllers apply what is pushed, and `sluice ci apply` what is merged.

The controllers run as processes of this machine, and read from a git server beside them. The tests are one story, told
in order: the environment begins with Flux and nothing else, and is Pulumi's in the end.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import time
from collections.abc import Iterator

import pytest

from sluice.deploy.cluster_access import ClusterAccess
from tests.live.flux import (
    ENVIRONMENT,
    KUSTOMIZATION,
    SOURCE,
    Followed,
    cloned,
    controllers,
    make_secrets_by_hand,
)
from tests.live.git_server import git_server
from tests.live.shown import Say

pytestmark = pytest.mark.operators
FLUX_OBJECT = "kustomization.kustomize.toolkit.fluxcd.io"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an empty repository that takes pushes."""
    root = tmp_path_factory.mktemp("server")
    bare = root / "models.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch", "main", str(bare)], check=True)
    subprocess.run(["git", "-C", str(bare), "config", "http.receivepack", "true"], check=True)
    with git_server(root) as address:
        yield f"{address}/models.git"


@pytest.fixture(scope="module")
def followed(cluster: ClusterAccess, repository: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Followed]:
    """An environment that Flux made of a repository, beside the two Secrets that somebody made."""
    folder = tmp_path_factory.mktemp("followed")
    made = cloned(cluster, folder, repository)
    try:
        with controllers(made, folder):
            make_secrets_by_hand(made)
            made.follow(repository)
            first = made.git("rev-parse", "HEAD")
            made.wait_for(lambda: made.has_applied(first))
            yield made
    finally:
        made.remove()


def test_what_flux_makes_of_git_alone_is_what_git_says(followed: Followed) -> None:
    followed.wait_until_served("qa", 50)
    assert len(followed.weights("qa")) == 2

    looked = followed.sluice("status", ENVIRONMENT)

    assert looked.exit_code == 0, looked.stdout + looked.stderr
    commit = followed.git("rev-parse", "HEAD")
    assert f"Flux's kustomization flux-system/{KUSTOMIZATION} has applied main@sha1:{commit}" in looked.stdout
    assert "the cluster is what git says" in looked.stdout
    drifted = followed.sluice("ci", "drift", ENVIRONMENT)
    assert (drifted.exit_code, drifted.stdout) == (0, f"{ENVIRONMENT}: as git says\n")


def test_a_commit_reaches_every_pod_and_restarts_none(followed: Followed, say: Say) -> None:
    pods = followed.kubectl("get", "pods", "--output", "name")
    followed.weigh("qa", 75)
    began = followed.push("Take qa to 75 %")
    followed.wait_until_served("qa", 75)
    say(f"Flux, looking every 5 s: {time.monotonic() - began:.1f} s from commit to pods")

    followed.change("gitrepository", SOURCE, interval="1h")
    followed.weigh("qa", 100)
    began = followed.push("Take qa to 100 %")
    followed.ask("gitrepository", SOURCE)
    followed.wait_until_served("qa", 100)
    say(f"Flux, asked to look: {time.monotonic() - began:.1f} s from commit to pods")

    assert followed.kubectl("get", "pods", "--output", "name") == pods
    followed.change("gitrepository", SOURCE, interval="5s")


def test_an_override_stands_while_flux_goes_on(followed: Followed) -> None:
    """Set by hand, by the line that we print, and by the command: Flux owns neither, and fights for neither."""
    printed = followed.sluice("rollback", ENVIRONMENT, "legal", "--reason", "a drill", "--print-patch")
    assert printed.exit_code == 0, printed.stderr
    program, *arguments = shlex.split(printed.stdout)
    assert program == "kubectl"
    followed.kubectl(*arguments)
    by_command = ("rollback", ENVIRONMENT, "qa", "--reason", "a drill", "--prove-for", "0")
    assert followed.sluice(*by_command).exit_code == 0
    for agent in ("qa", "legal"):
        followed.wait_until_served(agent, 0)
    followed.reconcile()
    before = followed.get("configmap", "override")

    followed.reconcile()
    followed.weigh("content", 75)
    followed.push("Take content to 75 %")
    followed.wait_until_served("content", 75)
    followed.reconcile()

    after = followed.get("configmap", "override")
    assert set(after["data"]) == {"qa", "legal"}
    assert after == before, "written once more by nobody"
    owned = {entry["manager"]: entry["fieldsV1"] for entry in after["metadata"]["managedFields"]}
    assert "f:data" not in owned["kustomize-controller"]
    assert "kubectl-patch" in owned
    assert set(followed.weights("qa") + followed.weights("legal")) == {0.0}
    looked = followed.sluice("status", ENVIRONMENT)
    assert looked.exit_code == 1
    assert "drift" not in looked.stdout
    for agent in ("qa", "legal"):
        assert followed.sluice("resume", ENVIRONMENT, agent, "--force", "--reason", "it is over").exit_code == 0
    followed.wait_until_served("qa", 100)
    followed.wait_until_served("legal", 50)


def test_drift_is_told_and_then_taken_back(followed: Followed, say: Say) -> None:
    service, role = ("service", "gateway"), ("role", "gateway-watch")
    wanted = {one: followed.get(*one) for one in (service, role)}
    followed.change(FLUX_OBJECT, KUSTOMIZATION, suspend=True)
    _drift(followed)

    looked = followed.sluice("status", ENVIRONMENT)

    assert looked.exit_code == 1
    assert "drift: service/gateway: metadata.labels.app.kubernetes.io/component is" in looked.stdout
    assert "drift: role/gateway-watch: rules is not what git says (kubectl-patch" in looked.stdout
    assert f"Flux's kustomization flux-system/{KUSTOMIZATION} is stopped" in looked.stdout
    assert f"`sluice up {ENVIRONMENT}` makes it as git says" in looked.stdout

    followed.change(FLUX_OBJECT, KUSTOMIZATION, suspend=False)
    followed.wait_for(lambda: _is_repaired(followed))
    began = time.monotonic()
    _drift(followed)
    followed.wait_for(lambda: _is_repaired(followed))
    say(f"Flux, applying every 10 s: drift repaired after {time.monotonic() - began:.1f} s")

    assert followed.get(*role)["rules"] == wanted[role]["rules"]
    assert followed.get(*service)["metadata"]["labels"] == wanted[service]["metadata"]["labels"]


def _drift(followed: Followed) -> None:
    more = {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}
    patch = [{"op": "add", "path": "/rules/-", "value": more}]
    followed.kubectl("patch", "role", "gateway-watch", "--type=json", f"--patch={json.dumps(patch)}")
    followed.kubectl("label", "service", "gateway", "app.kubernetes.io/component=other", "--overwrite")


def _is_repaired(followed: Followed) -> bool:
    rules = followed.get("role", "gateway-watch")["rules"]
    labels = followed.get("service", "gateway")["metadata"]["labels"]
    return labels["app.kubernetes.io/component"] == "gateway" and not any("pods" in one["resources"] for one in rules)


def test_a_broken_commit_is_told_and_what_served_serves_on(followed: Followed) -> None:
    good = followed.git("rev-parse", "HEAD")
    followed.wait_for(lambda: followed.has_applied(good))
    followed.weigh("support", 100)
    deployment = followed.manifests / "deployment-gateway.yaml"
    followed.edit(deployment, "progressDeadlineSeconds: 60", "progressDeadlineSeconds: soon")
    followed.push("Break the gateway")
    followed.wait_for(lambda: followed.ready().get("status") == "False")

    assert followed.follower()["status"]["lastAppliedRevision"].endswith(good)
    assert set(followed.weights("support")) == {50.0}
    applied = f"Flux's kustomization flux-system/{KUSTOMIZATION} has applied main@sha1:{good}; not what came"

    def is_told() -> bool:
        told = followed.sluice("ci", "drift", ENVIRONMENT)
        assert told.exit_code == 1
        return applied in told.stdout and "progressDeadlineSeconds" in told.stdout

    followed.wait_for(is_told)  # while it tries once more, it says no more than that

    followed.render()
    followed.push("Mend it")
    followed.wait_until_served("support", 100)
    mended = followed.git("rev-parse", "HEAD")
    followed.wait_for(lambda: followed.has_applied(mended))


def test_what_git_has_no_more_goes_and_what_is_protected_stays(followed: Followed) -> None:
    listed = followed.manifests / "kustomization.yaml"
    names = ("poddisruptionbudget-gateway.yaml", "configmap-override.yaml")
    assert followed.get("poddisruptionbudget", "gateway")
    for name in names:
        followed.edit(listed, f"  - {name}\n", "")
        (followed.manifests / name).unlink()
    followed.push("Take two objects away")
    without = followed.git("rev-parse", "HEAD")
    followed.wait_for(lambda: followed.has_applied(without))

    followed.wait_for(lambda: not followed.get("poddisruptionbudget", "gateway"))
    assert followed.get("configmap", "override")

    followed.render()
    followed.push("Bring them back")
    followed.wait_for(lambda: bool(followed.get("poddisruptionbudget", "gateway")))
    back = followed.git("rev-parse", "HEAD")
    followed.wait_for(lambda: followed.has_applied(back))


def test_nobody_updates_beside_flux_and_ci_verifies_what_flux_does(followed: Followed) -> None:
    refused = followed.sluice("up", ENVIRONMENT)
    assert refused.exit_code == 1
    assert f"Flux's kustomization flux-system/{KUSTOMIZATION} applies it from git" in refused.stderr

    followed.weigh("content", 100)
    followed.push("Take content to 100 %")
    verified = followed.sluice("ci", "apply", ENVIRONMENT)

    assert verified.exit_code == 0, verified.stdout + verified.stderr
    assert set(followed.weights("content")) == {100.0}
    commit = followed.git("rev-parse", "HEAD")
    assert f"{ENVIRONMENT}: applied at {commit[:12]}: Flux's kustomization" in verified.stdout
    assert followed.git("ls-remote", "origin", f"refs/sluice/applied/{ENVIRONMENT}").startswith(commit)


def test_a_merge_is_applied_by_ci_where_flux_follows_no_more(followed: Followed, say: Say) -> None:
    """Deleting Flux's object leaves all as it is; Pulumi takes it over, and from then on a merge takes seconds."""
    pods = followed.kubectl("get", "pods", "--output", "name")
    followed.follow_no_more()
    took_over = followed.sluice("ci", "apply", "--all", ENVIRONMENT)
    assert took_over.exit_code == 0, took_over.stdout + took_over.stderr
    assert followed.kubectl("get", "pods", "--output", "name") == pods
    assert followed.sluice("status", ENVIRONMENT).exit_code == 0

    followed.git("switch", "--quiet", "--create", "rollout/made")
    followed.weigh("analyst", 100)
    followed.git("add", "--all")
    followed.git("commit", "--quiet", "--message", "Take analyst to 100 %")
    followed.git("switch", "--quiet", "main")
    began = time.monotonic()
    followed.git("merge", "--quiet", "--no-ff", "--message", "Merge rollout/made", "rollout/made")
    followed.git("push", "--quiet", "origin", "main")
    applied = followed.project.start("ci", "apply", ENVIRONMENT)
    followed.wait_until_served("analyst", 100)
    served = time.monotonic() - began
    stdout, stderr = applied.communicate(timeout=300)
    say(f"sluice ci apply: {served:.1f} s from merge to pods, {time.monotonic() - began:.1f} s until it was verified")

    assert applied.returncode == 0, stdout + stderr
    commit = followed.git("rev-parse", "HEAD")
    assert f"{ENVIRONMENT}: applied at {commit[:12]}" in stdout
    marked = followed.git("ls-remote", "origin", f"refs/sluice/applied/{ENVIRONMENT}")
    assert marked.startswith(commit)


def test_flux_takes_over_from_pulumi_and_owns_what_pulumi_owned(followed: Followed, repository: str) -> None:
    """A field that Pulumi wrote goes with the commit that takes it out; an override survives the change of owner."""
    by_command = ("rollback", ENVIRONMENT, "qa", "--reason", "a drill", "--prove-for", "0")
    assert followed.sluice(*by_command).exit_code == 0
    followed.follow(repository)
    head = followed.git("rev-parse", "HEAD")
    followed.wait_for(lambda: followed.has_applied(head))
    service = followed.manifests / "service-gateway.yaml"
    label = re.search(r"(?m)^    app.kubernetes.io/component: gateway\n", service.read_text())
    assert label is not None
    followed.edit(service, label[0], "")
    followed.push("Take a label out")
    gone = followed.git("rev-parse", "HEAD")
    followed.wait_for(lambda: followed.has_applied(gone))

    assert "app.kubernetes.io/component" not in followed.get("service", "gateway")["metadata"]["labels"]
    assert set(followed.get("configmap", "override")["data"]) == {"qa"}
    assert set(followed.weights("qa")) == {0.0}
