"""A way into a cluster: who it is, what its objects say, and a request to a service in it.

Everything goes through the API server with the rights of the person's own kubeconfig, so that it works the same for the
local cluster, for kind and for one in a cloud, with no port to open.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import urllib3
import websocket
from kubernetes import client, config
from kubernetes.stream import ws_client

from sluice.errors import SluiceError

_PATIENCE_SECONDS = 5.0
_CHECK = "check KUBECONFIG and --context, for example by `kubectl get --raw /readyz`"
_NO_SUCH_KIND = b"404 page not found"
"""What an API server says below an API group that it does not have; of an object that is not there it says JSON."""
_DEFAULT_KUBECONFIG = "~/.kube/config"


class ClusterUnreachable(SluiceError):
    """There is no usable kubeconfig, no API server answered, or it refused the person."""

    def __init__(self, where: str, reason: str, remedy: str) -> None:
        super().__init__(f"{where}: {reason}; {remedy}")


class NotAllowed(ClusterUnreachable):
    """The API server knows the person, who has no right to what was asked."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered: status, headers in lower case, body, and how long it took in milliseconds."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    milliseconds: float


@dataclass(frozen=True, slots=True)
class Ran:
    """What a program that was run in a pod said, and its exit code."""

    exit_code: int
    output: str
    errors: str


class ClusterAccess:
    """A connection to one cluster, by a kubeconfig file and one of its contexts; None means the person's own default.

    `context` is the name of the context in use, the kubeconfig's current one where none was given. Every method raises
    `ClusterUnreachable`.
    """

    def __init__(self, kubeconfig: Path | None, context: str | None = None, *, remedy: str = _CHECK) -> None:
        self._remedy = remedy
        self._where = f"{kubeconfig or 'the default kubeconfig'}{f', context {context}' if context else ''}"
        files = str(kubeconfig or _DEFAULT_KUBECONFIG)
        try:
            self._api = _api_client(files, context)
            self.context: str = context or config.list_kube_config_contexts(files)[1]["name"]
        except (config.ConfigException, OSError) as error:
            raise self._unreachable(f"no cluster can be read from it ({error})") from None
        except Exception as error:  # noqa: BLE001 - the client trusts a file's form: a broken one ends it in any way
            shown = " ".join(str(error).split())
            raise self._unreachable(f"no cluster can be read from it (it is no kubeconfig: {shown})") from None

    def unique_id(self) -> str:
        """Return what tells this cluster from every other: the uid of its kube-system namespace."""
        path = "/api/v1/namespaces/kube-system"
        try:
            return str(self.get(path)["metadata"]["uid"])
        except (LookupError, TypeError):
            raise self._unreachable(f"what answers {path} there is no Kubernetes") from None

    def get(self, path: str, **query: str) -> dict[str, Any]:
        """Return the JSON object at a path of the API server."""
        answer = self._request("GET", f"{path}?{urlencode(query)}", None, {}, _PATIENCE_SECONDS)
        found = _json_object(answer.body)
        if answer.status >= 300:
            said = found.get("message", "") if found else ""
            raise self._unreachable(f"the API server answers {answer.status} to {path} {said}".rstrip())
        if not found:
            raise self._unreachable(f"what answers {path} there is no Kubernetes")
        return found

    def items(self, path: str, **query: str) -> list[dict[str, Any]]:
        """Return the objects of the list at a path of the API server."""
        found = self.get(path, **query).get("items")
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise self._unreachable(f"what answers {path} there is no list of Kubernetes' objects")
        return found

    def find(self, path: str) -> dict[str, Any] | None:
        """Return the object at a path, None where there is none, or no such kind (a definition that nobody installed).

        Raises `NotAllowed` beside `ClusterUnreachable`.
        """
        answer = self._request("GET", path, None, {}, _PATIENCE_SECONDS)
        found = _json_object(answer.body)
        if answer.status == 404 and (found or answer.body.strip() == _NO_SUCH_KIND):
            return None
        if answer.status == 403:
            said = found.get("message", "forbidden") if found else "forbidden"
            raise NotAllowed(self._where, f"the API server refuses {path}: {said}", self._remedy)
        if answer.status >= 300:
            raise self._unreachable(f"the API server answers {answer.status} to {path}")
        if not found:
            raise self._unreachable(f"what answers {path} there is no Kubernetes")
        return found

    def merge(self, path: str, patch: Mapping[str, Any]) -> None:
        """Merge `patch` into the object at a path; a value None takes a field away. Where there is none, do nothing."""
        headers = {"Content-Type": "application/merge-patch+json"}
        answer = self._request("PATCH", path, json.dumps(patch).encode(), headers, _PATIENCE_SECONDS)
        if answer.status >= 300 and answer.status != 404:
            said = (_json_object(answer.body) or {}).get("message", "")
            raise self._unreachable(f"the API server answers {answer.status} to a change of {path} {said}".rstrip())

    def text(self, path: str, **query: str) -> str:
        """Return the text at a path, such as a pod's log; empty where there is none."""
        answer = self._request("GET", f"{path}?{urlencode(query)}", None, {}, _PATIENCE_SECONDS)
        return answer.body.decode(errors="replace").strip() if answer.status < 300 else ""

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        content_type: str = "application/json",
        timeout_seconds: float = _PATIENCE_SECONDS,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request, with `body` as JSON where there is one, and return whatever the API server answers."""
        content = None if body is None else json.dumps(body).encode()
        asked = f"{path}?{urlencode(query)}" if query else path
        return self._request(method, asked, content, {"Content-Type": content_type}, timeout_seconds)

    def post_to_service(
        self,
        namespace: str,
        service: str,
        path: str,
        body: object,
        headers: Mapping[str, str],
        *,
        timeout_seconds: float,
    ) -> Answer:
        """Send `body` as JSON to a service (`name:port`) by the API server's proxy, and return whatever it answers."""
        url = f"/api/v1/namespaces/{namespace}/services/{service}/proxy{path}"
        return self._request("POST", url, json.dumps(body).encode(), headers, timeout_seconds)

    def run_in_pod(self, namespace: str, pod: str, command: Sequence[str], *, timeout_seconds: float) -> Ran:
        """Run a program in a pod, without a shell, as `kubectl exec` does, and return what came of it."""
        try:
            stream = ws_client.websocket_call(
                self._api.configuration,
                "GET",
                f"{self._api.configuration.host}/api/v1/namespaces/{namespace}/pods/{pod}/exec",
                query_params=[*(("command", part) for part in command), ("stdout", "true"), ("stderr", "true")],
                headers=self._exec_headers(),
                _preload_content=False,
                _request_timeout=timeout_seconds,
            )
            stream.run_forever(timeout=timeout_seconds)
            code = stream.returncode
            output, errors = stream.read_stdout(), stream.read_stderr()
            stream.close()
        except client.ApiException as error:
            why = " ".join(str(error.reason or error).split())[:200]
            raise self._unreachable(f"the API server lets nothing be run in pod {pod} ({why})") from None
        except (websocket.WebSocketException, OSError) as error:
            raise self._unreachable(f"pod {pod} broke off ({error})") from None
        if code is None:
            raise self._unreachable(f"pod {pod} did not answer within {timeout_seconds:g} seconds")
        return Ran(code, output or "", errors or "")

    def _exec_headers(self) -> dict[str, str]:
        headers: dict[str, str] = {"sec-websocket-protocol": "v4.channel.k8s.io"}
        self._api.update_params_for_auth(headers, [], ["BearerToken"], "", "GET", None)
        return headers

    def _unreachable(self, reason: str) -> ClusterUnreachable:
        return ClusterUnreachable(self._where, reason, self._remedy)

    def _request(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str], timeout_seconds: float
    ) -> Answer:
        server = self._api.configuration.host
        sent: dict[str, Any] = {"Content-Type": "application/json", **headers}
        # Puts a token where the kubeconfig has one; a client certificate is the connection pool's business.
        self._api.update_params_for_auth(sent, [], ["BearerToken"], url, method, body)
        began = time.monotonic()
        try:
            response = self._api.rest_client.pool_manager.request(
                method, server + url, body=body, headers=sent, timeout=timeout_seconds, retries=False
            )
        except urllib3.exceptions.HTTPError as error:
            raise self._unreachable(f"{server} does not answer ({_shortly(error)})") from None
        milliseconds = (time.monotonic() - began) * 1000
        lowered = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status, lowered, response.data, milliseconds)


def _json_object(body: bytes) -> dict[str, Any] | None:
    """Return the object, None where the body is none: a proxy or a login page may stand before the API server."""
    try:
        found = json.loads(body)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _api_client(files: str, context: str | None) -> client.ApiClient:
    configuration = client.Configuration()
    config.load_kube_config(files, context, client_configuration=configuration)
    if urlsplit(configuration.host).hostname in ("127.0.0.1", "localhost", "::1"):
        configuration.proxy = None  # a web proxy cannot reach what runs on this machine
    return client.ApiClient(configuration)


def _shortly(error: urllib3.exceptions.HTTPError) -> str:
    """Say the innermost reason: urllib3 wraps a refused connection in sentences about pools and objects."""
    reason: BaseException = getattr(error, "reason", None) or error
    return str(reason).rsplit(": ", 1)[-1]
