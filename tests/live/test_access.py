"""Who may do what, asked of the API server itself; and a veto that nothing but a person takes away."""

from __future__ import annotations

import json

import pytest

from tests.live.project import NAMESPACE, LiveProject, Ran, edit

GATEWAY = ("--as", f"system:serviceaccount:{NAMESPACE}:gateway")
GUARD = ("--as", f"system:serviceaccount:{NAMESPACE}:sluice-guard")
OPERATOR = ("--as", "ada", "--as-group", "llm-on-call")
REVIEWER = ("--as", "grace", "--as-group", "legal-reviewers")
STRANGER = ("--as", "mallory", "--as-group", "system:authenticated")

_ASK_FROM_THE_POD = """
import ssl, sys, urllib.error, urllib.request
folder = "/var/run/secrets/kubernetes.io/serviceaccount/"
token, namespace = (open(folder + name).read() for name in ("token", "namespace"))
trusted = ssl.create_default_context(cafile=folder + "ca.crt")
for path in sys.argv[1:]:
    url = f"https://kubernetes.default.svc/api/v1/namespaces/{namespace}/{path}"
    request = urllib.request.Request(url, headers={"Authorization": "Bearer " + token})
    try:
        print(urllib.request.urlopen(request, context=trusted, timeout=10).status)
    except urllib.error.HTTPError as error:
        print(error.code)
"""


@pytest.fixture(scope="module")
def serving(project: LiveProject) -> LiveProject:
    settings = project.folder / "Pulumi.live.yaml"
    if "sluice:operators" not in settings.read_text():
        edit(
            settings,
            r"  sluice:cache:",
            "  sluice:operators: [llm-on-call]\n  sluice:reviewers: [legal-reviewers]\n  sluice:cache:",
        )
    project.up()
    return project


def may(project: LiveProject, who: tuple[str, ...], *what: str) -> bool:
    asked = project.kubectl("auth", "can-i", *what, *who)
    assert asked.stdout.strip() in {"yes", "no"}, asked.stderr
    return asked.stdout.strip() == "yes"


@pytest.mark.parametrize(
    ("who", "what", "expected"),
    [
        (GATEWAY, ("watch", "configmaps/flags"), True),
        (GATEWAY, ("watch", "configmaps/override"), True),
        (GATEWAY, ("list", "configmaps"), False),
        (GATEWAY, ("get", "configmaps/another"), False),
        (GATEWAY, ("patch", "configmaps/override"), False),
        (GATEWAY, ("get", "secrets/provider-keys"), False),
        (GATEWAY, ("list", "pods"), False),
        (GUARD, ("patch", "configmaps/override"), True),
        (GUARD, ("patch", "configmaps/flags"), False),
        (GUARD, ("delete", "configmaps/override"), False),
        (GUARD, ("get", "secrets/provider-keys"), False),
        (GUARD, ("patch", "configmaps/rollbacks"), True),
        (GUARD, ("patch", "leases.coordination.k8s.io/sluice-guard"), True),
        (GUARD, ("create", "leases.coordination.k8s.io"), False),
        (GUARD, ("create", "events"), True),
        (GUARD, ("list", "pods"), False),
        (OPERATOR, ("patch", "configmaps/override"), True),
        (OPERATOR, ("patch", "configmaps/flags"), False),
        (OPERATOR, ("list", "pods"), True),
        (OPERATOR, ("list", "networkpolicies"), True),
        (OPERATOR, ("list", "ingresses"), True),
        (OPERATOR, ("get", "roles/gateway-watch"), True),
        (OPERATOR, ("patch", "roles/gateway-watch"), False),
        (OPERATOR, ("get", "pods", "--subresource=log"), True),
        (OPERATOR, ("create", "services/gateway:http", "--subresource=proxy"), True),
        (OPERATOR, ("create", "services/cache:redis", "--subresource=proxy"), False),
        (OPERATOR, ("create", "pods", "--subresource=exec"), False),
        (OPERATOR, ("get", "secrets/provider-keys"), False),
        (OPERATOR, ("get", "pods", "--subresource=exec"), False),
        (REVIEWER, ("get", "pods", "--subresource=exec"), True),
        (REVIEWER, ("create", "pods", "--subresource=exec"), True),
        (REVIEWER, ("list", "pods"), True),
        (REVIEWER, ("get", "secrets/provider-keys"), False),
        (REVIEWER, ("patch", "configmaps/override"), False),
        (STRANGER, ("get", "configmaps/override"), False),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value),
)
def test_everybody_may_do_what_their_role_says_and_no_more(
    serving: LiveProject, who: tuple[str, ...], what: tuple[str, ...], expected: bool
) -> None:
    assert may(serving, who, *what) is expected


def test_a_pod_of_the_gateway_reads_flags_and_override_by_its_token_and_nothing_else(serving: LiveProject) -> None:
    paths = ("configmaps?fieldSelector=metadata.name%3Doverride", "configmaps/flags", "configmaps", "secrets")

    asked = serving.kubectl("exec", "deployment/gateway", "--", "python3", "-c", _ASK_FROM_THE_POD, *paths)

    assert asked.stdout.split() == ["200", "200", "403", "403"], asked.stderr


def as_reviewer(serving: LiveProject, *program: str) -> Ran:
    (pod, *_) = serving.pods()
    return serving.kubectl("exec", pod, *REVIEWER, "--", *program)


def test_a_reviewer_runs_the_program_for_reviews_in_a_gateway_pod(serving: LiveProject) -> None:
    ran = as_reviewer(serving, "python3", "-m", "sluice.gateway.kept_tool", "review", "list")

    assert ran.exit_code == 0, ran.stderr
    assert {item["status"] for item in json.loads(ran.stdout)} <= {"pending"}


@pytest.mark.parametrize(
    "program",
    [
        ("cat", "/etc/sluice/keys/mistral-api-key"),
        ("python3", "-c", "print(open('/etc/sluice/keys/mistral-api-key').read())"),
        ("python3", "-m", "sluice.gateway.kept_tool_of_another_kind", "review"),
        ("sh", "-c", "python3 -m sluice.gateway.kept_tool"),
    ],
    ids=lambda program: " ".join(program[:3]),
)
def test_a_reviewer_runs_nothing_else_there_and_so_reads_no_key(program: tuple[str, ...], serving: LiveProject) -> None:
    ran = as_reviewer(serving, *program)

    assert ran.exit_code != 0
    assert "denied request: reviewers-run-one-program" in ran.stderr
    assert ran.stdout == ""


@pytest.mark.long
def test_a_veto_outlives_every_update(serving: LiveProject) -> None:
    veto = {"data": {"qa": json.dumps({"weight": 0, "by": "ada", "reason": "a test"})}}
    assert serving.kubectl("patch", "configmap", "override", "--type", "merge", "-p", json.dumps(veto)).exit_code == 0
    try:
        assert set(serving.up()["changes"]) == {"same"}, "a veto is no difference that an update would undo"
        serving.roll_out(dict.fromkeys(("qa", "content", "legal", "support", "analyst"), 25))
        assert serving.up()["changes"]["update"] == 1, "the flags alone"

        kept = json.loads(serving.kubectl("get", "configmap", "override", "--output", "json").stdout)
        assert kept["data"] == veto["data"]
    finally:
        lifted = serving.kubectl("patch", "configmap", "override", "--type", "json", "-p", _LIFT)
        assert lifted.exit_code == 0, lifted.stderr


_LIFT = json.dumps([{"op": "remove", "path": "/data"}])


def test_the_gateway_finds_its_redis_which_forgets_rather_than_writes(serving: LiveProject) -> None:
    (pod, *_) = serving.pods()
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}:9090/proxy/metrics"
    serving.wait_for(lambda: "\nsluice_store_up 1.0" in serving.cluster.text(path))

    policy = serving.kubectl("exec", "deployment/cache", "--", "redis-cli", "config", "get", "maxmemory*")

    said = dict(zip(policy.stdout.split()[::2], policy.stdout.split()[1::2], strict=True))
    assert said["maxmemory"] == str(64 * 2**20)
    assert said["maxmemory-policy"] == "volatile-lru"
