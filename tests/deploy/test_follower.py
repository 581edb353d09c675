"""Who follows git for an environment, as the cluster's own objects say it. The API server is a made one."""

from __future__ import annotations

from typing import Any

import pytest

from sluice.deploy.cluster_access import ClusterAccess
from sluice.deploy.follower import FollowedByAnother, follower, require_no_follower
from tests.deploy.api_server import ApiServer

pytestmark = pytest.mark.slow

NAMESPACE = "sluice-dev"
KUSTOMIZATION = "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/flux-system/kustomizations/models"
APPLICATION = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/models"
BY_FLUX = {"kustomize.toolkit.fluxcd.io/name": "models", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}
BY_ARGO_CD = {"argocd.argoproj.io/tracking-id": "models:/ConfigMap:sluice-dev/flags"}


def put_flags(api: ApiServer, **metadata: Any) -> None:
    api.put(f"/api/v1/namespaces/{NAMESPACE}/configmaps/flags", {"metadata": {"name": "flags", **metadata}})


def flux(*, suspend: bool = False, ready: str = "True", message: str = "") -> dict[str, Any]:
    condition = {"type": "Ready", "status": ready, "message": message}
    return {
        "spec": {"suspend": suspend},
        "status": {"lastAppliedRevision": "main@sha1:abc", "conditions": [condition]},
    }


def test_an_environment_that_pulumi_applies_follows_nobody_else(api: ApiServer, access: ClusterAccess) -> None:
    put_flags(api, labels={"app.kubernetes.io/name": "gateway"})

    assert follower(access, NAMESPACE) is None
    require_no_follower(access, "dev", NAMESPACE)


def test_an_environment_that_is_not_there_follows_nobody(api: ApiServer, access: ClusterAccess) -> None:
    assert follower(access, NAMESPACE) is None


def test_flux_is_named_with_the_commit_that_it_applied(api: ApiServer, access: ClusterAccess) -> None:
    put_flags(api, labels=BY_FLUX)
    api.put(KUSTOMIZATION, flux())

    assert str(follower(access, NAMESPACE)) == "Flux's kustomization flux-system/models has applied main@sha1:abc"


def test_an_update_of_what_flux_follows_is_refused_with_both_ways_out(api: ApiServer, access: ClusterAccess) -> None:
    put_flags(api, labels=BY_FLUX)
    api.put(KUSTOMIZATION, flux())

    with pytest.raises(FollowedByAnother) as refused:
        require_no_follower(access, "dev", NAMESPACE)

    assert str(refused.value) == (
        "dev: Flux's kustomization flux-system/models applies it from git; merge what should change (at once: "
        "flux reconcile kustomization models --namespace flux-system --with-source), or first stop it: "
        "flux suspend kustomization models --namespace flux-system"
    )
    assert refused.value.exit_code == 1


def test_what_flux_could_not_apply_is_said(api: ApiServer, access: ClusterAccess) -> None:
    put_flags(api, labels=BY_FLUX)
    api.put(KUSTOMIZATION, flux(ready="False", message="kustomize build failed:\n no such file"))

    found = follower(access, NAMESPACE)

    assert found is not None
    assert found.trouble == "not what came after: kustomize build failed: no such file"


def test_flux_that_is_suspended_is_in_nobodys_way(api: ApiServer, access: ClusterAccess) -> None:
    put_flags(api, labels=BY_FLUX)
    api.put(KUSTOMIZATION, flux(suspend=True))

    require_no_follower(access, "dev", NAMESPACE)

    assert str(follower(access, NAMESPACE)).endswith("is stopped, and applies nothing")


def test_what_a_stopped_one_could_not_apply_is_no_complaint(api: ApiServer, access: ClusterAccess) -> None:
    put_flags(api, labels=BY_FLUX)
    api.put(KUSTOMIZATION, flux(suspend=True, ready="False", message="no such file"))
    by_flux = follower(access, NAMESPACE)
    put_flags(api, annotations=BY_ARGO_CD)
    api.put(APPLICATION, {"spec": {}, "status": {"operationState": {"phase": "Failed", "message": "one failed"}}})
    by_argo_cd = follower(access, NAMESPACE)

    assert by_flux is not None
    assert by_argo_cd is not None
    assert (by_flux.is_stopped, by_flux.trouble, by_argo_cd.is_stopped, by_argo_cd.trouble) == (True, "", True, "")


def test_labels_that_flux_left_when_it_went_are_no_follower(api: ApiServer, access: ClusterAccess) -> None:
    put_flags(api, labels=BY_FLUX)

    assert follower(access, NAMESPACE) is None


@pytest.mark.parametrize("of_flux", [None, flux(suspend=True)], ids=["gone", "suspended"])
def test_argo_cd_that_came_after_flux_is_the_one_that_follows(
    of_flux: dict[str, Any] | None, api: ApiServer, access: ClusterAccess
) -> None:
    put_flags(api, labels=BY_FLUX, annotations=BY_ARGO_CD)
    api.put(APPLICATION, {"spec": {"syncPolicy": {"automated": {}}}})
    if of_flux is not None:
        api.put(KUSTOMIZATION, of_flux)

    assert str(follower(access, NAMESPACE)) == "Argo CD's application argocd/models follows git"


def test_whoever_may_not_ask_flux_is_told_that_it_follows(api: ApiServer, access: ClusterAccess) -> None:
    put_flags(api, labels=BY_FLUX)
    api.put(KUSTOMIZATION, {"message": "forbidden"}, status=403)

    assert str(follower(access, NAMESPACE)) == "Flux's kustomization flux-system/models follows git"


def test_argo_cd_is_named_with_what_went_wrong(api: ApiServer, access: ClusterAccess) -> None:
    put_flags(api, annotations=BY_ARGO_CD)
    status = {"sync": {"revision": "abc"}, "operationState": {"phase": "Failed", "message": "one or more failed"}}
    api.put(APPLICATION, {"spec": {"syncPolicy": {"automated": {}}}, "status": status})

    assert str(follower(access, NAMESPACE)) == (
        "Argo CD's application argocd/models has applied abc; not what came after: one or more failed"
    )


@pytest.mark.parametrize("policy", [{}, {"automated": None}, {"automated": {"enabled": False, "prune": True}}])
def test_argo_cd_that_syncs_when_a_person_says_so_is_in_nobodys_way(
    policy: dict[str, Any], api: ApiServer, access: ClusterAccess
) -> None:
    put_flags(api, annotations=BY_ARGO_CD)
    api.put(APPLICATION, {"spec": {"syncPolicy": policy}, "status": {}})

    require_no_follower(access, "dev", NAMESPACE)
