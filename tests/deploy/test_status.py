"""What `sluice status` finds: weights of git, override and pods, and what drifted. The API server is a made one."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from sluice.deploy.by_hand import show_to_pulumi
from sluice.deploy.cluster_access import ClusterAccess, ClusterUnreachable
from sluice.deploy.object_address import address
from sluice.deploy.status import AgentStatus, status
from sluice.local.folders import PROJECT
from sluice.registry import Environment, load_environment
from sluice.render import KubernetesObject, render
from tests.deploy.api_server import ApiServer

pytestmark = pytest.mark.slow


NAMESPACE = "sluice-dev"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"


@pytest.fixture
def dev() -> Environment:
    return load_environment(PROJECT, "dev")


def objects(declared: Environment) -> dict[str, KubernetesObject]:
    made = render(declared.registry, declared.rollout, declared.settings).objects()
    return {f"{item.kind.lower()}/{item.name}": item for item in made}


def put(api: ApiServer, item: KubernetesObject, **content: Any) -> None:
    """Have the API server hold an object as it is rendered, or with other content."""
    api.put(address(item), {**copy.deepcopy(item.body), **content})


def serve(api: ApiServer, declared: Environment, weights: dict[str, int], *, pod: str = "gateway-1") -> None:
    """Have one pod serve the weights that are wanted, but for those given."""
    served = {agent: declared.rollout.wanted_weight_percent(agent) for agent in declared.rollout.agents} | weights
    lines = [f'sluice_rollout_weight{{agent="{a}",kind="served"}} {weight:.1f}' for a, weight in served.items()]
    lines = ["# TYPE sluice_rollout_weight gauge", *lines, "# TYPE sluice_flags_broken gauge", "sluice_flags_broken 0"]
    api.put(PODS, {"items": [{"metadata": {"name": pod}}, {"metadata": {"name": "old", "deletionTimestamp": "now"}}]})
    api.put(f"{PODS}/{pod}:9090/proxy/metrics", "\n".join(lines) + "\n")


@pytest.fixture
def made(api: ApiServer, dev: Environment) -> ApiServer:
    """An API server that holds all of dev as git says it."""
    for item in objects(dev).values():
        put(api, item)
    serve(api, dev, {})
    return api


def test_an_environment_that_is_what_git_says(made: ApiServer, access: ClusterAccess, dev: Environment) -> None:
    found = status(access, dev)

    assert found.is_as_git_says
    assert found.pods == {"gateway-1": True}
    assert (found.differences, found.complaints, found.unseen) == ((), (), ())
    assert [agent.agent for agent in found.agents] == list(dev.rollout.agents)
    assert {request.method for request in made.requests} == {"GET"}, "nothing is written"


def test_an_environment_that_is_not_in_the_cluster(api: ApiServer, access: ClusterAccess, dev: Environment) -> None:
    found = status(access, dev)

    assert not found.is_there
    assert not found.is_as_git_says


def test_an_override_lowers_what_is_allowed_and_is_no_drift(
    made: ApiServer, access: ClusterAccess, dev: Environment
) -> None:
    (agent, *_) = dev.rollout.agents
    wanted = dev.rollout.wanted_weight_percent(agent)
    said = {"weight": 0, "by": "guard", "reason": "errors above 5 %", "at": "2026-11-21T16:00:00Z"}
    put(made, objects(dev)["configmap/override"], data={agent: json.dumps(said)})
    serve(made, dev, {agent: 0})

    found = status(access, dev)

    assert found.agents[0] == AgentStatus(agent, dev.rollout.agents[agent].candidate, wanted, 0, (0.0,))
    assert found.overrides[agent].reason == "errors above 5 %"
    assert found.differences == ()
    assert not found.is_as_git_says


def test_pods_that_serve_different_weights_are_told(made: ApiServer, access: ClusterAccess, dev: Environment) -> None:
    (agent, *_) = dev.rollout.agents
    serve(made, dev, {agent: 3}, pod="gateway-2")
    made.put(PODS, {"items": [{"metadata": {"name": "gateway-1"}}, {"metadata": {"name": "gateway-2"}}]})

    found = status(access, dev)

    assert found.agents[0].served_percent == (3.0, float(dev.rollout.wanted_weight_percent(agent)))
    assert not found.is_as_git_says


def test_a_pod_that_does_not_answer_is_named(made: ApiServer, access: ClusterAccess, dev: Environment) -> None:
    made.put(PODS, {"items": [{"metadata": {"name": "gateway-1"}}, {"metadata": {"name": "silent"}}]})

    found = status(access, dev)

    assert found.pods == {"gateway-1": True, "silent": False}
    assert not found.is_as_git_says


def test_an_override_that_cannot_be_read_or_is_nobodys_is_told(
    made: ApiServer, access: ClusterAccess, dev: Environment
) -> None:
    put(made, objects(dev)["configmap/override"], data={"qa": "soon", "nobody": "0"})

    found = status(access, dev)

    assert found.complaints[0].startswith("override.qa: is neither a whole number nor JSON")
    assert found.complaints[1] == "override.nobody: is no agent, and stops nobody"


def test_what_differs_and_what_is_gone_is_drift(made: ApiServer, access: ClusterAccess, dev: Environment) -> None:
    deployment, policy = (objects(dev)[name] for name in ("deployment/gateway", "networkpolicy/default-deny"))
    put(made, deployment, spec={**deployment.body["spec"], "replicas": 0})
    del made.pages["GET", address(policy), ()]

    found = status(access, dev)

    assert {(difference.name, difference.path) for difference in found.differences} == {
        ("gateway", "spec.replicas"),
        ("default-deny", ""),
    }
    assert not found.is_as_git_says


def test_what_the_person_may_not_read_is_named_and_nothing_is_said_of_it(
    made: ApiServer, access: ClusterAccess, dev: Environment
) -> None:
    made.put(address(objects(dev)["role/gateway-watch"]), {"message": "forbidden"}, status=403)

    found = status(access, dev)

    assert found.unseen == ("role/gateway-watch",)
    assert found.is_as_git_says


def test_an_api_server_that_fails_is_no_answer(made: ApiServer, access: ClusterAccess, dev: Environment) -> None:
    made.put(address(objects(dev)["role/gateway-watch"]), "broken", status=500)

    with pytest.raises(ClusterUnreachable, match=r"the API server answers 500 to .*gateway-watch"):
        status(access, dev)


def test_before_an_update_what_people_changed_is_said_and_made_visible_to_pulumi(
    made: ApiServer, access: ClusterAccess, dev: Environment
) -> None:
    role, service = objects(dev)["role/gateway-watch"], objects(dev)["service/gateway"]
    rules = [*role.body["rules"], {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]
    by = {"manager": "kubectl-edit", "operation": "Update", "time": "at four", "fieldsV1": {"f:rules": {}}}
    put(made, role, rules=rules, metadata={**role.body["metadata"], "managedFields": [by]})
    put(made, service, spec={**service.body["spec"], "type": "ClusterIP"})  # git has changed: nobody's hand
    made.put(address(role), {}, method="PATCH")
    said: list[str] = []

    show_to_pulumi(access, dev, said.append)

    assert said == ["  changed by hand: role/gateway-watch: rules is not what git says (kubectl-edit, at four)"]
    (patch,) = [request for request in made.requests if request.method == "PATCH"]
    assert patch.path == address(role)
    assert patch.headers["content-type"] == "application/merge-patch+json"
    assert json.loads(patch.body) == {"metadata": {"labels": {"app.kubernetes.io/managed-by": None}}}


def test_the_override_is_never_marked_for_an_update(made: ApiServer, access: ClusterAccess, dev: Environment) -> None:
    override = objects(dev)["configmap/override"]
    labels = {**override.body["metadata"]["labels"], "team": "other"}
    fields: dict[str, Any] = {"f:metadata": {"f:labels": {"f:team": {}}}}
    by = {"manager": "kubectl-label", "operation": "Update", "time": "at four", "fieldsV1": fields}
    put(made, override, metadata={**override.body["metadata"], "labels": labels, "managedFields": [by]})
    said: list[str] = []

    show_to_pulumi(access, dev, said.append)

    assert len(said) == 1
    assert not any(request.method == "PATCH" for request in made.requests)


def test_an_override_for_another_candidate_lowers_nothing(
    made: ApiServer, access: ClusterAccess, dev: Environment
) -> None:
    (agent, *_) = dev.rollout.agents
    said = {"weight": 0, "by": "guard", "candidate": "qa-0", "earlier": ["soon"]}
    put(made, objects(dev)["configmap/override"], data={agent: json.dumps(said)})
    assert status(access, dev).agents[0].allowed_percent == 0, "what cannot be read stops it"

    put(made, objects(dev)["configmap/override"], data={agent: json.dumps({**said, "earlier": []})})

    assert status(access, dev).agents[0].allowed_percent == 100
