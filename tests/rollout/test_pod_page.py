"""Which of the gateway's pods are asked, as the API server lists them."""

from __future__ import annotations

import pytest

from sluice.rollout.cluster import ClusterRefused
from sluice.rollout.pod_page import gateway_pods
from tests.rollout.made_cluster import NAMESPACE, MadeCluster, MadePod, said


def test_a_pod_that_is_told_to_end_is_not_asked() -> None:
    cluster = MadeCluster(pods={"gateway-b": MadePod(), "gateway-a": MadePod(), "gateway-c": MadePod(ends=True)})

    assert gateway_pods(cluster, NAMESPACE) == ("gateway-a", "gateway-b")


@pytest.mark.parametrize("answer", [{"kind": "Status"}, {"items": None}, {"items": ["gateway-a"]}])
def test_a_list_that_is_none_is_not_taken_for_a_gateway_without_pods(answer: dict[str, object]) -> None:
    cluster = MadeCluster(fault=lambda *_: said(200, answer))

    with pytest.raises(ClusterRefused, match=r"pods cannot be listed: .* that is no list of Kubernetes' objects"):
        gateway_pods(cluster, NAMESPACE)
