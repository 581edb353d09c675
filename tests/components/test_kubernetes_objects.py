"""How one object is named to Pulumi: by its kind, with its own annotations."""

from __future__ import annotations

import pulumi
import pytest

from components.kubernetes_objects import make
from sluice.render import KubernetesObject
from tests.components.recording import OWNER, record


def _parent() -> pulumi.ComponentResource:
    return pulumi.ComponentResource("made:index:Parent", "parent")


def test_an_annotation_that_was_rendered_stays() -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "annotations": {"why": "so"}}}

    recording = record(lambda: make("a", KubernetesObject("v1", "ConfigMap", "a", body), parent=_parent()))

    assert recording.of_kind("ConfigMap")[0].inputs["metadata"]["annotations"] == {"why": "so", **OWNER}
    assert body["metadata"] == {"name": "a", "annotations": {"why": "so"}}, "what was rendered is not changed"


@pytest.mark.parametrize(
    ("api_version", "kind", "expected"),
    [
        ("v1", "ConfigMap", "kubernetes:core/v1:ConfigMap"),
        ("apps/v1", "Deployment", "kubernetes:apps/v1:Deployment"),
        ("rbac.authorization.k8s.io/v1", "Role", "kubernetes:rbac.authorization.k8s.io/v1:Role"),
        ("external-secrets.io/v1", "ExternalSecret", "kubernetes:external-secrets.io/v1:ExternalSecret"),
    ],
)
def test_a_kind_is_called_what_pulumis_own_classes_call_it(api_version: str, kind: str, expected: str) -> None:
    body = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}}

    (made,) = record(lambda: make("a", KubernetesObject(api_version, kind, "a", body), parent=_parent())).of_kind(kind)

    assert made.type == expected, "or every stack that is there would have it deleted and made anew"
