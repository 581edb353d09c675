"""An autoscaler is switched on, works and is switched off under a gateway that serves: nobody counts its pods to one.

This cluster has no metrics: an autoscaler without them holds the number of pods, within its bounds.
"""

from __future__ import annotations

import pytest

from tests.live.pod_numbers import every_number_of_pods
from tests.live.project import NAMESPACE, LiveProject, edit


def settings(project: LiveProject, *, replicas: int, most: int | None, cpu: str = "50m") -> None:
    file = project.folder / "Pulumi.live.yaml"
    edit(
        file,
        r"    replicas: \d+\n(    autoscaling: .*\n)?(    resources: .*\n)?",
        f"    replicas: {replicas}\n    resources: {{requests: {{cpu: {cpu}}}}}\n",
    )
    if most is not None:
        edit(file, r"    replicas: \d+\n", f"    replicas: {replicas}\n    autoscaling: {{max_replicas: {most}}}\n")


def replicas(project: LiveProject) -> int:
    path = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/gateway"
    return int(project.cluster.get(path)["spec"]["replicas"])


@pytest.fixture
def two_pods(fresh_project: LiveProject) -> LiveProject:
    settings(fresh_project, replicas=2, most=None)
    fresh_project.up()
    return fresh_project


@pytest.mark.long
def test_an_autoscaler_takes_the_number_of_pods_over_and_gives_it_back(two_pods: LiveProject) -> None:
    project = two_pods
    with every_number_of_pods(project) as seen:
        settings(project, replicas=2, most=4)
        project.up()
        assert set(project.up()["changes"]) == {"same"}
    assert set(seen) == {"2"}, "as many as git said before, until the autoscaler sets another number"

    # Below its least, an autoscaler needs no metric to know what is right.
    assert project.kubectl("scale", "deployment", "gateway", "--replicas", "1").exit_code == 0
    project.wait_for(lambda: replicas(project) == 2, seconds=60)
    # Within its bounds it leaves the number as it is, and so does every update from now on.
    assert project.kubectl("scale", "deployment", "gateway", "--replicas", "3").exit_code == 0
    with every_number_of_pods(project) as seen:
        settings(project, replicas=2, most=4, cpu="60m")
        assert "deployment/gateway" in project.up()["objects"]["update"]
    assert set(seen) == {"3"}, "also an update that starts other pods leaves their number as it is"

    settings(project, replicas=1, most=None)
    project.up()
    assert replicas(project) == 1, "without it the number is git's again, whoever set it last"
