"""Callers from outside, by an Ingress and by a route, through a real controller that has the certificate: Traefik.

Everything about it is what docs/environments.md says of Traefik, and its own patience is as it comes. The gateway has
no port of the node here: what answers has come through the controller. The certificates are made by an authority of
this test, which the callers trust and nobody else.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from sluice.gateway.certificate import METRIC
from tests.live.load import Load
from tests.live.made_authority import MadeAuthority
from tests.live.project import AGENTS, NAMESPACE, STUB, LiveProject
from tests.live.traefik import (
    CONTROLLER_NAMESPACE,
    GATEWAY,
    GATEWAY_SECRET,
    PLAIN_PORT,
    SECURE_PORT,
    controller_pods,
    put_certificate,
    traefik,
)

pytestmark = pytest.mark.operators

OF_INGRESS, OF_ROUTE = "llm.example.com", "models.example.com"
SECRET = "gateway-tls"
SETTINGS = f"""\
  sluice:ingress:
    host: {OF_INGRESS}
    tls_secret: {SECRET}
    ingress_class: traefik
    controller_namespace: {CONTROLLER_NAMESPACE}
    annotations:
      traefik.ingress.kubernetes.io/router.entrypoints: websecure
      traefik.ingress.kubernetes.io/router.tls: "true"
  sluice:route: {{host: {OF_ROUTE}, gateway: {GATEWAY}, gateway_namespace: {CONTROLLER_NAMESPACE}, listener: https}}
"""
HOSTS = (OF_INGRESS, OF_ROUTE)
TRAEFIKS_PATIENCE_SECONDS = 60
_BODY_LIMIT = 4 * 1024**2


class OfThisMachine(AbstractResolver):
    """Finds every name here, as a name server would find the controller's address."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = ResolveResult(hostname=host, host="127.0.0.1", port=port, family=socket.AF_INET, proto=0, flags=0)
        return [found]

    async def close(self) -> None:
        pass


@dataclass(frozen=True)
class Served:
    """The environment as callers from outside reach it."""

    project: LiveProject
    authority: MadeAuthority
    shown_before: dict[str, float]
    """What each gateway pod said of the certificate's end while there was none."""

    @property
    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=self.authority.certificate.decode())

    def connector(self) -> aiohttp.TCPConnector:
        return aiohttp.TCPConnector(resolver=OfThisMachine(), ssl=self.context, limit=0)

    def load(self) -> Load:
        return Load(url(OF_INGRESS), AGENTS, calls_a_second=10, connector=self.connector)

    def dial(self, **dials: Any) -> None:
        """Set how every made model behaves."""
        body = json.dumps({"latency_ms": 20, "latency_jitter_ms": 10, **dials})
        ran = self.project.kubectl("replace", "--raw", f"{STUB}/default", "--filename", "-", stdin=body)
        assert ran.exit_code == 0, ran.stderr

    def raw(self, host: str, target: str, *, name: str | None = None, port: int = SECURE_PORT) -> tuple[int, str]:
        """Ask for just this target, which a client would have tidied up; `name` is what TLS is asked to show."""
        with socket.create_connection(("127.0.0.1", port), timeout=30) as plain:
            one = plain if port == PLAIN_PORT else self.context.wrap_socket(plain, server_hostname=name or host)
            with one:
                one.sendall(f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
                said = b"".join(iter(partial(one.recv, 65536), b"")).decode()
        return int(said.split()[1]), said.partition("\r\n\r\n")[2]

    def shows(self, host: str, number: int) -> bool:
        """Whether a caller is shown the certificate of that serial number."""
        blind = ssl.create_default_context()
        blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
        with (
            socket.create_connection(("127.0.0.1", SECURE_PORT), timeout=30) as plain,
            blind.wrap_socket(plain, server_hostname=host) as one,
        ):
            return MadeAuthority.number_of(one.getpeercert(binary_form=True) or b"") == number

    def ends(self) -> dict[str, float]:
        """Return what each gateway pod says of the certificate's end."""
        return {pod: self.metric(pod, f'{METRIC}{{name="{SECRET}"}}') for pod in self.project.pods()}

    def metric(self, pod: str, series: str) -> float:
        page = self.project.cluster.text(f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}:9090/proxy/metrics")
        found = re.search(rf"^{re.escape(series)} (\S+)$", page, re.MULTILINE)
        assert found, f"{pod} shows no {series}"
        return float(found[1])


def url(host: str) -> str:
    return f"https://{host}:{SECURE_PORT}"


@pytest.fixture(scope="module")
def served(project: LiveProject) -> Iterator[Served]:
    """Two gateways behind the controller; the Ingress' certificate comes after the update, as cert-manager's does."""
    file = project.folder / "Pulumi.live.yaml"
    before = file.read_text()
    settings = re.sub(r"    node_port: \d+\n", "", before).replace("replicas: 1", "replicas: 2", 1)
    file.write_text(settings.replace("config:\n", f"config:\n{SETTINGS}", 1))
    project.roll_out(dict.fromkeys(AGENTS, 50))
    authority = MadeAuthority.make()
    try:
        with traefik(project):
            made = authority.issue(OF_ROUTE, hours=1)
            put_certificate(project, GATEWAY_SECRET, CONTROLLER_NAMESPACE, made.chain, made.key)
            project.up()
            served = Served(project, authority, {})
            served.shown_before.update(served.ends())
            first = authority.issue(OF_INGRESS, hours=1)
            put_certificate(project, SECRET, NAMESPACE, first.chain, first.key)
            for host, one in ((OF_INGRESS, first), (OF_ROUTE, made)):
                project.wait_for(partial(served.shows, host, one.number), seconds=60)
            served.dial()
            yield served
            # While the kinds are there: Pulumi would look for a route of a kind that is gone.
            assert project.pulumi("destroy", "--yes").exit_code == 0
    finally:
        file.write_text(before)


def question(text: str, user: str, **more: Any) -> dict[str, Any]:
    return {"model": "qa", "user": user, "messages": [{"role": "user", "content": text}], **more}


def ask(served: Served, host: str, body: dict[str, Any]) -> tuple[int, Mapping[str, str], bytes]:
    async def asked() -> tuple[int, Mapping[str, str], bytes]:
        async with (
            aiohttp.ClientSession(url(host), connector=served.connector()) as session,
            session.post("/v1/chat/completions", json=body) as response,
        ):
            return response.status, response.headers, await response.read()

    return asyncio.run(asked())


@dataclass
class Stream:
    """A streamed answer: when each piece of it came, by `time.monotonic`, and its last line."""

    at: list[float] = field(default_factory=list)
    last: str = ""

    @property
    def seconds(self) -> float:
        return self.at[-1] - self.at[0]


def follow(served: Served, host: str, user: str, stream: Stream) -> None:
    """Ask for a stream and read it to its end."""

    async def read() -> None:
        patience = aiohttp.ClientTimeout(total=240)
        async with (
            aiohttp.ClientSession(url(host), connector=served.connector(), timeout=patience) as session,
            session.post("/v1/chat/completions", json=question("What is it?", user, stream=True)) as response,
        ):
            assert response.status == 200, await response.text()
            async for line in response.content:
                if line.startswith(b"data: "):
                    stream.at.append(time.monotonic())
                    stream.last = line.decode().strip()

    asyncio.run(read())


@pytest.mark.parametrize("host", HOSTS)
def test_an_agent_answers_over_a_certificate_that_the_caller_trusts(served: Served, host: str) -> None:
    status, headers, body = ask(served, host, question("Hello", f"ada-at-{host}"))

    assert status == 200, body
    assert headers["x-sluice-arm"] in {"candidate", "baseline"}
    assert json.loads(body)["choices"][0]["message"]["content"]


@pytest.mark.parametrize("host", HOSTS)
def test_the_largest_body_gets_to_the_gateway_and_a_larger_one_is_refused_by_it(served: Served, host: str) -> None:
    # Its answer is the gateway's either way, and says so; that of a controller would not.
    for size, refused in ((_BODY_LIMIT - 1024, False), (_BODY_LIMIT + 1024, True)):
        status, headers, body = ask(served, host, question("word " * (size // 5), f"large-{size}-{host}"))

        assert "x-sluice-request-id" in headers, (status, body[:200])
        assert (status == 413) == refused, (status, body[:200])


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/metrics",
        "/healthz",
        "/readyz",
        "/v1/../metrics",
        "/v1/%2e%2e/readyz",
        "/v1/..%2fhealthz",
        "/v1//../healthz",
        "/v2/models",
    ],
)
def test_nothing_but_the_api_is_reached(served: Served, host: str, target: str) -> None:
    status, body = served.raw(host, target)

    assert status in {400, 404}, body
    assert "sluice_" not in body
    assert served.raw(host, "/v1/models")[0] == 200, "the API is"


@pytest.mark.parametrize("host", HOSTS)
def test_nobody_answers_without_tls(served: Served, host: str) -> None:
    assert served.raw(host, "/v1/models", port=PLAIN_PORT)[0] == 404
    assert served.raw(host, "/metrics", port=PLAIN_PORT)[0] == 404


def test_another_name_is_shown_no_certificate_of_ours_and_gets_no_answer(served: Served) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        served.raw("other.example.com", "/v1/models")

    assert served.raw("other.example.com", "/v1/models", name=OF_INGRESS)[0] in {404, 421}


@pytest.mark.parametrize("host", HOSTS)
def test_a_stream_arrives_token_by_token(served: Served, host: str) -> None:
    apart_seconds = 0.1
    served.dial(chunk_delay_ms=1000 * apart_seconds)
    stream = Stream()

    follow(served, host, f"streaming-at-{host}", stream)

    assert stream.last == "data: [DONE]"
    assert len(stream.at) > 20
    # Held back until its end, all of it would come at once.
    assert stream.seconds > apart_seconds * len(stream.at) / 2
    print(f"\n{host}: {len(stream.at)} events in {stream.seconds:.1f} s, written {apart_seconds} s apart")


def test_the_network_policy_lets_in_where_the_controller_runs_and_nobody_else(served: Served) -> None:
    path = f"/apis/networking.k8s.io/v1/namespaces/{NAMESPACE}/networkpolicies/gateway"
    rules = served.project.cluster.get(path)["spec"]["ingress"]
    (to_the_api,) = [rule for rule in rules if 8080 in {port["port"] for port in rule["ports"]}]
    (peer,) = to_the_api["from"]
    (asked,) = peer["namespaceSelector"]["matchExpressions"]

    (pod,) = controller_pods(served.project)
    where = served.project.cluster.get(f"/api/v1/namespaces/{pod['metadata']['namespace']}")["metadata"]["labels"]

    assert asked["operator"] == "In"
    assert asked["values"] == [where[asked["key"]]] == [CONTROLLER_NAMESPACE]


def test_a_new_certificate_is_served_and_seen_without_a_restart(served: Served) -> None:
    assert served.shown_before, "pods were asked before there was a certificate"
    assert all(map(math.isnan, served.shown_before.values())), "what an alert goes by"
    project = served.project
    pods, controllers = project.pods(), controller_pods(project)
    new = served.authority.issue(OF_INGRESS, hours=2)
    served.dial()

    with served.load() as load:
        began = time.monotonic()
        put_certificate(project, SECRET, NAMESPACE, new.chain, new.key)
        project.wait_for(lambda: served.shows(OF_INGRESS, new.number), seconds=60)
        shown = time.monotonic() - began
        project.wait_for(lambda: set(served.ends().values()) == {new.ends}, seconds=180)
        seen = time.monotonic() - began

    print(f"\na new certificate: served after {shown:.1f} s, seen by gateway pods after {seen:.1f} s")
    print(f"{len(load.calls)} calls meanwhile, {len(load.failed)} failed; {load.counts()}")
    assert load.failed == []
    assert project.pods() == pods
    now = controller_pods(project)
    assert [pod["metadata"]["uid"] for pod in now] == [pod["metadata"]["uid"] for pod in controllers]
    assert [one["restartCount"] for pod in now for one in pod["status"]["containerStatuses"]] == [0]


def test_streams_of_more_than_a_minute_and_all_other_calls_outlive_the_pod_that_answers_them(served: Served) -> None:
    project = served.project
    served.dial(chunk_delay_ms=1000)
    before = project.pods()
    streams = [Stream() for _ in range(6)]
    with ThreadPoolExecutor(len(streams)) as at_once:
        ends = [
            at_once.submit(follow, served, HOSTS[number % 2], f"long-{number}", stream)
            for number, stream in enumerate(streams)
        ]
        project.wait_for(lambda: all(stream.at for stream in streams) or any(end.done() for end in ends), seconds=60)
        under_way = {pod: served.metric(pod, "sluice_requests_in_flight") for pod in before}
        served.dial()  # those that run keep their pace
        pod = max(under_way, key=lambda name: under_way[name])
        assert under_way[pod] >= 1, under_way
        with served.load() as load:
            assert project.kubectl("delete", "pod", pod, "--wait=false").exit_code == 0
            ready = ("rollout", "status", "deployment/gateway", "--timeout=50s")
            project.wait_for(
                lambda: (
                    len(project.pods()) == 2 and pod not in project.pods() and not project.kubectl(*ready).exit_code
                ),
                seconds=120,
            )
            time.sleep(20)  # longer than the one that ends answers on: from then on only streams hold it
        for end in ends:
            end.result(timeout=240)

    print(f"\n{under_way[pod]:.0f} of {len(streams)} streams at the pod that was deleted; all took")
    print(", ".join(f"{stream.seconds:.0f} s" for stream in streams))
    print(f"{len(load.calls)} calls meanwhile, {len(load.failed)} failed; {load.counts()}")
    assert [stream.last for stream in streams] == ["data: [DONE]"] * len(streams)
    assert min(stream.seconds for stream in streams) > TRAEFIKS_PATIENCE_SECONDS
    assert load.failed == []
