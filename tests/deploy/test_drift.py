"""What differs between an object that git says and the one in the cluster, and who is said to have done it."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from sluice.deploy.drift import drift
from sluice.deploy.object_address import address
from sluice.render import KubernetesObject
from sluice.render.kubernetes_object import kubernetes_object

ZEROS = "registry.example.com/gateway@sha256:" + "0" * 64

DEPLOYMENT = kubernetes_object(
    "apps/v1",
    "Deployment",
    "gateway",
    namespace="sluice-made",
    labels={"app.kubernetes.io/name": "gateway"},
    spec={
        "replicas": 3,
        "template": {
            "spec": {
                "securityContext": {},
                "containers": [
                    {
                        "name": "gateway",
                        "image": ZEROS,
                        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                        "resources": {"limits": {"memory": "256Mi", "cpu": "1000m"}},
                    }
                ],
            }
        },
    },
)
ROLE = kubernetes_object(
    "rbac.authorization.k8s.io/v1",
    "Role",
    "watch",
    namespace="sluice-made",
    labels={},
    rules=[{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}],
)
FLAGS = kubernetes_object("v1", "ConfigMap", "flags", namespace="sluice-made", labels={}, data={"flags.json": "{}\n"})
OVERRIDE = kubernetes_object("v1", "ConfigMap", "override", namespace="sluice-made", labels={})
LEASE = kubernetes_object("coordination.k8s.io/v1", "Lease", "sluice-guard", namespace="sluice-made", labels={})


OURS: dict[str, Any] = {
    "f:spec": {"f:replicas": {}, "f:template": {}, "f:selector": {}},
    "f:rules": {},
    "f:data": {"f:flags.json": {}},
}


def live(item: KubernetesObject) -> dict[str, Any]:
    """The object as an API server holds it: with what it fills in, and the notes of who wrote what."""
    body = copy.deepcopy(item.body)
    body["metadata"] |= {
        "uid": "made",
        "annotations": {"pulumi.com/patchFieldManager": "sluice"},
        "managedFields": [{"manager": "sluice", "operation": "Apply", "fieldsV1": OURS}],
    }
    if item.kind == "Deployment":
        body["spec"]["progressDeadlineSeconds"] = 600
        body["status"] = {"replicas": 3}
        container(body).update(image="registry.example.com/gateway@sha256:" + "1" * 64, terminationMessagePath="/dev/x")
        container(body)["resources"]["limits"]["cpu"] = "1"
        del body["spec"]["template"]["spec"]["securityContext"]
    return body


def container(body: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = body["spec"]["template"]["spec"]["containers"][0]
    return found


def note(body: dict[str, Any], manager: str, fields: dict[str, Any], *, at: str = "", subresource: str = "") -> None:
    """Note beside an object who wrote these fields."""
    entry = {"manager": manager, "operation": "Update", "time": at, "fieldsV1": fields, "subresource": subresource}
    body["metadata"]["managedFields"].append(entry)


def said(item: KubernetesObject, body: dict[str, Any] | None) -> list[str]:
    return [str(difference) for difference in drift(item, body)]


@pytest.mark.parametrize("item", [DEPLOYMENT, ROLE, FLAGS, OVERRIDE], ids=lambda item: str(item.kind))
def test_what_kubernetes_fills_in_is_no_difference(item: KubernetesObject) -> None:
    assert said(item, live(item)) == []


def test_an_object_that_is_gone_is_named() -> None:
    assert said(ROLE, None) == ["role/watch: is not there"]


def test_a_value_changed_by_hand_names_who_did_it_and_when() -> None:
    body = live(DEPLOYMENT)
    body["spec"]["replicas"] = 0
    note(body, "kubectl-scale", {"f:spec": {"f:replicas": {}}}, at="2026-11-21T16:00:00Z", subresource="scale")

    assert said(DEPLOYMENT, body) == [
        "deployment/gateway: spec.replicas is 0, and git says 3 (kubectl-scale, 2026-11-21T16:00:00Z)"
    ]


def test_a_change_in_git_that_was_not_applied_yet_is_nobodys() -> None:
    body = live(DEPLOYMENT)
    body["spec"]["replicas"] = 2

    (difference,) = drift(DEPLOYMENT, body)

    assert (difference.wanted, difference.found, difference.by) == ("3", "2", "")


def test_a_field_that_was_taken_out_is_named_by_its_place() -> None:
    body = live(DEPLOYMENT)
    del container(body)["env"][0]

    assert said(DEPLOYMENT, body) == [
        (
            "deployment/gateway: spec.template.spec.containers[gateway].env[A] is gone, and git says "
            '{"name": "A", "value": "1"}'
        )
    ]


def test_what_somebody_added_is_a_difference_though_git_says_nothing_of_it() -> None:
    body = live(DEPLOYMENT)
    container(body)["env"].insert(0, {"name": "EXTRA", "value": "1"})
    body["spec"]["template"]["spec"]["containers"].append({"name": "sidecar", "image": "x" * 80})
    of_pod = {
        'k:{"name":"gateway"}': {"f:env": {'k:{"name":"EXTRA"}': {".": {}, "f:name": {}, "f:value": {}}}},
        'k:{"name":"sidecar"}': {".": {}, "f:name": {}, "f:image": {}},
    }
    note(body, "kubectl-edit", {"f:spec": {"f:template": {"f:spec": {"f:containers": of_pod}}}}, at="at four")

    assert said(DEPLOYMENT, body) == [
        (
            "deployment/gateway: spec.template.spec.containers[gateway].env[EXTRA] is "
            '{"name": "EXTRA", "value": "1"}, and git says nothing of it (kubectl-edit, at four)'
        ),
        "deployment/gateway: spec.template.spec.containers[sidecar] was added (kubectl-edit, at four)",
    ]


def test_what_controllers_and_notes_of_others_write_is_no_difference() -> None:
    body = live(DEPLOYMENT)
    body["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "1"
    body["spec"]["paused"] = True
    body["spec"]["template"]["metadata"] = {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}
    restarted: dict[str, Any] = {"f:annotations": {".": {}, "f:kubectl.kubernetes.io/restartedAt": {}}}
    note(body, "kube-controller-manager", {"f:spec": {"f:paused": {}}, "f:status": {"f:replicas": {}}})
    note(body, "kubectl-rollout", {"f:spec": {"f:template": {"f:metadata": restarted}}})
    note(body, "somebody", {"f:metadata": {"f:annotations": {"f:deployment.kubernetes.io/revision": {}}}})
    note(body, "somebody", {"f:status": {"f:replicas": {}}}, subresource="status")

    assert said(DEPLOYMENT, body) == []


def test_a_rule_more_in_a_role_is_a_difference() -> None:
    body = live(ROLE)
    body["rules"].append({"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]})
    note(body, "kubectl-edit", {"f:rules": {}}, at="at four")

    assert said(ROLE, body) == ["role/watch: rules is not what git says (kubectl-edit, at four)"]


def test_a_key_more_in_the_flags_is_a_difference_and_one_in_the_override_is_not() -> None:
    flags, override = live(FLAGS), live(OVERRIDE)
    flags["data"]["more"] = "x"
    override["data"] = {"qa": "0"}
    note(flags, "kubectl-patch", {"f:data": {"f:more": {}}}, at="at four")
    note(override, "kubectl-patch", {"f:data": {".": {}, "f:qa": {}}}, at="at four")

    assert said(FLAGS, flags) == [
        'configmap/flags: data.more is "x", and git says nothing of it (kubectl-patch, at four)'
    ]
    assert said(OVERRIDE, override) == []


def test_who_holds_the_lease_is_no_difference() -> None:
    lease = {**live(LEASE), "spec": {"holderIdentity": "sluice-guard-1"}}
    note(lease, "sluice-guard", {"f:spec": {"f:holderIdentity": {}}}, at="at four")

    assert said(LEASE, lease) == []


def test_a_label_that_somebody_put_on_is_a_difference() -> None:
    body = live(OVERRIDE)
    body["metadata"]["labels"]["team"] = "x"
    note(body, "kubectl-label", {"f:metadata": {"f:labels": {"f:team": {}}}}, at="at four")

    assert [difference.path for difference in drift(OVERRIDE, body)] == ["metadata.labels.team"]


@pytest.mark.parametrize("manager", ["kustomize-controller", "argocd-controller"])
def test_what_a_follower_of_git_puts_on_is_no_difference(manager: str) -> None:
    body = live(ROLE)
    body["metadata"]["labels"]["kustomize.toolkit.fluxcd.io/name"] = "models"
    note(body, manager, {"f:metadata": {"f:labels": {"f:kustomize.toolkit.fluxcd.io/name": {}}}})

    assert said(ROLE, body) == []


def test_a_quantity_is_the_same_however_it_is_written() -> None:
    body = live(DEPLOYMENT)
    container(body)["resources"]["limits"] = {"memory": "0.25Gi", "cpu": "2"}

    assert [difference.path for difference in drift(DEPLOYMENT, body)] == [
        "spec.template.spec.containers[gateway].resources.limits.cpu"
    ]


def test_an_image_that_git_names_is_compared() -> None:
    named = json.loads(json.dumps(DEPLOYMENT.body).replace("0" * 64, "2" * 64))
    item = KubernetesObject("apps/v1", "Deployment", "gateway", named)

    (difference,) = drift(item, live(DEPLOYMENT))

    assert difference.path == "spec.template.spec.containers[gateway].image"


@pytest.mark.parametrize(
    ("item", "path"),
    [
        (DEPLOYMENT, "/apis/apps/v1/namespaces/sluice-made/deployments/gateway"),
        (FLAGS, "/api/v1/namespaces/sluice-made/configmaps/flags"),
        (KubernetesObject("v1", "Namespace", "a", {"metadata": {}}), "/api/v1/namespaces/a"),
        (
            KubernetesObject("networking.k8s.io/v1", "NetworkPolicy", "a", {"metadata": {"namespace": "b"}}),
            "/apis/networking.k8s.io/v1/namespaces/b/networkpolicies/a",
        ),
        (
            KubernetesObject("networking.k8s.io/v1", "Ingress", "a", {"metadata": {"namespace": "b"}}),
            "/apis/networking.k8s.io/v1/namespaces/b/ingresses/a",
        ),
    ],
)
def test_an_object_is_asked_for_at_its_path(item: KubernetesObject, path: str) -> None:
    assert address(item) == path


def test_a_value_that_we_do_not_own_any_more_was_somebodys_though_nobody_is_named() -> None:
    body = live(DEPLOYMENT)
    body["spec"]["replicas"] = 0  # `kubectl scale` leaves no note of itself
    body["metadata"]["managedFields"][0]["fieldsV1"] = {"f:spec": {"f:template": {}}}

    assert said(DEPLOYMENT, body) == ["deployment/gateway: spec.replicas is 0, and git says 3 (somebody)"]


def test_a_field_more_in_what_is_written_as_a_whole_is_a_difference() -> None:
    service = kubernetes_object("v1", "Service", "a", namespace="b", labels={}, spec={"selector": {"name": "a"}})
    body = live(service)
    body["spec"]["selector"]["extra"] = "yes"
    note(body, "kubectl-patch", {"f:spec": {"f:selector": {}}}, at="at four")

    assert said(service, body) == [
        'service/a: spec.selector is {"name": "a", "extra": "yes"}, and git says {"name": "a"} (kubectl-patch, at four)'
    ]
