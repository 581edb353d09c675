"""The way into a cluster, against a real server: what is sent, what is read, and the sentence when it does not work."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path

import pytest

from sluice.deploy.cluster_access import ClusterAccess, ClusterUnreachable
from tests.deploy.api_server import TOKEN, ApiServer


def test_a_cluster_is_told_by_the_uid_of_its_kube_system_namespace(access: ClusterAccess) -> None:
    assert access.unique_id() == "5f0c4a1e-made"


def test_the_token_of_the_kubeconfig_is_sent_with_everything(api: ApiServer, access: ClusterAccess) -> None:
    api.put("/log", "one\n")
    path = "/api/v1/namespaces/ours/services/gateway:http/proxy/v1/models"
    api.put(path, {}, method="POST")

    access.get("/api/v1/namespaces/kube-system")
    access.text("/log")
    access.post_to_service("ours", "gateway:http", "/v1/models", {}, {}, timeout_seconds=5)

    assert [request.method for request in api.requests] == ["GET", "GET", "POST"]
    assert {request.headers["authorization"] for request in api.requests} == {f"Bearer {TOKEN}"}


def test_a_query_is_encoded(api: ApiServer, access: ClusterAccess) -> None:
    api.put("/pods", {"items": []}, query={"labelSelector": "app.kubernetes.io/part-of=sluice"})

    assert access.get("/pods", labelSelector="app.kubernetes.io/part-of=sluice") == {"items": []}


@pytest.mark.parametrize("answer", [{"kind": "Status"}, {"items": None}, {"items": {"a": 1}}, {"items": ["a"]}])
def test_a_list_that_is_none_is_one_sentence(api: ApiServer, access: ClusterAccess, answer: dict[str, object]) -> None:
    api.put("/pods", answer)

    with pytest.raises(ClusterUnreachable, match=r"what answers /pods there is no list of Kubernetes' objects; check"):
        access.items("/pods")


def test_an_object_is_not_there_where_nobody_installed_its_kind(api: ApiServer, access: ClusterAccess) -> None:
    path = "/apis/monitoring.coreos.com/v1/namespaces/ours/podmonitors/sluice"
    api.put(path, "404 page not found\n", status=404)

    assert access.find(path) is None
    assert access.find("/api/v1/namespaces/ours/configmaps/override") is None

    api.put(path, "<html>nothing here</html>", status=404)
    with pytest.raises(ClusterUnreachable, match="answers 404"):
        access.find(path)


def test_a_question_goes_through_the_proxy_of_the_service(api: ApiServer, access: ClusterAccess) -> None:
    path = "/api/v1/namespaces/sluice-dev/services/gateway:http/proxy/v1/chat/completions"
    api.put(path, {"choices": []}, method="POST", headers={"X-Sluice-Arm": "candidate"})

    answer = access.post_to_service(
        "sluice-dev", "gateway:http", "/v1/chat/completions", {"model": "qa"}, {"X-Trace": "1"}, timeout_seconds=5
    )

    (request,) = api.requests
    assert json.loads(request.body) == {"model": "qa"}
    assert (request.headers["content-type"], request.headers["x-trace"]) == ("application/json", "1")
    assert answer.status == 200
    assert answer.headers["x-sluice-arm"] == "candidate"
    assert json.loads(answer.body) == {"choices": []}
    assert answer.milliseconds > 0


def test_what_a_service_refuses_is_an_answer_and_no_error(api: ApiServer, access: ClusterAccess) -> None:
    api.put("/api/v1/namespaces/a/services/b/proxy/c", "busy", method="POST", status=503)

    answer = access.post_to_service("a", "b", "/c", {}, {}, timeout_seconds=5)

    assert (answer.status, answer.body) == (503, b"busy")


def test_a_port_where_nobody_listens_is_named_with_its_reason(api: ApiServer, tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        access = ClusterAccess(api.kubeconfig(tmp_path / "kubeconfig", port=port))

        with pytest.raises(
            ClusterUnreachable,
            match=rf"kubeconfig: http://127\.0\.0\.1:{port} does not answer \(\[Errno 111\] Connection refused\); "
            r"check KUBECONFIG and --context, for example by `kubectl get --raw /readyz`$",
        ):
            access.unique_id()


def test_a_server_that_takes_a_connection_and_says_nothing_is_not_waited_for_long(
    api: ApiServer, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        access = ClusterAccess(api.kubeconfig(tmp_path / "kubeconfig", port=port))

        with pytest.raises(ClusterUnreachable, match=r"does not answer \(Read timed out\. \(read timeout=0\.1\)\)"):
            access.post_to_service("a", "b", "/c", {}, {}, timeout_seconds=0.1)


def test_without_rights_it_is_said_that_the_server_refuses(api: ApiServer, tmp_path: Path) -> None:
    access = ClusterAccess(api.kubeconfig(tmp_path / "kubeconfig", token="stale"))

    with pytest.raises(
        ClusterUnreachable, match=r"the API server answers 401 to /api/v1/namespaces/kube-system Unauthorized; check"
    ):
        access.unique_id()


def test_what_may_not_be_read_is_said_in_the_servers_words(api: ApiServer, access: ClusterAccess) -> None:
    said = 'namespaces "kube-system" is forbidden: User "ada" cannot get resource "namespaces"'
    api.put("/api/v1/namespaces/kube-system", {"kind": "Status", "message": said, "code": 403}, status=403)

    with pytest.raises(ClusterUnreachable, match=f"answers 403 to .* {re.escape(said)}; check"):
        access.unique_id()


def test_a_text_that_is_not_there_is_empty(api: ApiServer, access: ClusterAccess) -> None:
    api.put("/log", " one\ntwo \n")

    assert access.text("/log") == "one\ntwo"
    assert access.text("/no/log") == ""


@pytest.mark.parametrize("status", [200, 502])
@pytest.mark.parametrize("body", ["<html>Log in to the network</html>", '{"kind": "Sta', "[]", ""])
def test_a_server_that_is_no_kubernetes_is_one_sentence(
    body: str, status: int, api: ApiServer, access: ClusterAccess
) -> None:
    api.put("/api/v1/namespaces/kube-system", body, status=status)

    with pytest.raises(ClusterUnreachable, match=r"^[^\n]+$"):
        access.unique_id()


def test_a_context_chooses_the_cluster(api: ApiServer, tmp_path: Path) -> None:
    file = api.kubeconfig(tmp_path / "kubeconfig")

    assert ClusterAccess(file, "made").unique_id() == "5f0c4a1e-made"
    with pytest.raises(ClusterUnreachable, match=r"kubeconfig, context nowhere: http://127\.0\.0\.1:9 does not answer"):
        ClusterAccess(file, "nowhere").unique_id()


def test_a_context_that_is_not_there_is_said(api: ApiServer, tmp_path: Path) -> None:
    file = api.kubeconfig(tmp_path / "kubeconfig")

    with pytest.raises(ClusterUnreachable, match=r"context absent: no cluster can be read from it .*absent"):
        ClusterAccess(file, "absent")


@pytest.mark.parametrize(
    "text",
    [
        "clusters: [\n",
        "just words",
        "- a\n- list\n",
        "",
        "current-context: a\ncontexts: [{name: a, context: {cluster: gone, user: gone}}]\nclusters: []\nusers: []\n",
        "\x00\x01",
    ],
    ids=["broken YAML", "words", "a list", "empty", "dangling names", "binary"],
)
def test_a_kubeconfig_that_cannot_be_read_is_one_sentence(text: str, tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(text)

    with pytest.raises(ClusterUnreachable, match=r"kubeconfig: no cluster can be read from it \([^\n]+\); check"):
        ClusterAccess(file)


@pytest.mark.parametrize("file", ["absent", "."])
def test_a_kubeconfig_that_is_no_file_is_one_sentence(file: str, tmp_path: Path) -> None:
    with pytest.raises(ClusterUnreachable, match=r": no cluster can be read from it \([^\n]+\); check"):
        ClusterAccess(tmp_path / file)


def test_without_a_kubeconfig_at_all_the_default_is_named() -> None:
    with pytest.raises(ClusterUnreachable, match=r"^the default kubeconfig: no cluster can be read from it"):
        ClusterAccess(None)


def test_several_kubeconfigs_are_merged_as_kubectl_does(api: ApiServer, tmp_path: Path) -> None:
    file = api.kubeconfig(tmp_path / "second")

    assert ClusterAccess(Path(f"{tmp_path / 'absent'}:{file}")).unique_id() == "5f0c4a1e-made"
