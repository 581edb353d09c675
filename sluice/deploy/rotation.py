"""Replacing a key while the gateway serves: into Pulumi's configuration, into the cluster, until every pod uses it.

Of the stack only the Secret is brought up to date, so that a rotation neither waits for, nor brings, what else has
changed in git. No pod restarts: the kubelet changes the mounted file, the gateway reads it, and its metrics say which
key it uses (`sluice.key_hash`). Until then a request that the provider refuses with the old key is asked again with the
new one where that has come.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass

from sluice.deploy.cluster_access import ClusterAccess, ClusterUnreachable
from sluice.deploy.engine import Engine
from sluice.deploy.in_gateway import ready_pods
from sluice.deploy.secret_values import check_value, set_secret, wanted_secret
from sluice.deploy.target import Target
from sluice.errors import SluiceError
from sluice.key_hash import METRIC, key_hash
from sluice.local.folders import PROJECT, cache_folder
from sluice.local.toolchain import ensure_pulumi
from sluice.progress import Progress, Step
from sluice.registry import image_variable
from sluice.render import cache, gateway, guard, litellm, prometheus, stub_provider

SECRET_RESOURCE = "provider-keys-secret"  # noqa: S105 - the name of a resource
"""What the stack calls the Secret with the providers' keys."""

_LOOK_EVERY_SECONDS = 0.5
_OTHER_WORKERS_SECONDS = 1.0
"""One worker of a pod speaks for all; the others look at the same file within half a second."""

_PARTS = {
    gateway.NAME: "gateway",
    stub_provider.NAME: "stub_provider",
    cache.NAME: "cache",
    guard.NAME: "guard",
    prometheus.NAME: "prometheus",
    litellm.NAME: "litellm",
}
"""By the name of its Deployment, the part of an environment whose image it runs."""

_HASH = re.compile(rf'^{METRIC}\{{provider="([^"]+)"\}} (\S+)$', re.MULTILINE)


class NotThere(SluiceError):
    """The environment is not in the cluster, so that there is nothing to rotate."""

    def __init__(self, environment: str, namespace: str, name: str) -> None:
        super().__init__(
            f"there is no gateway in namespace {namespace}; `sluice secrets set {environment} {name}` sets the key, "
            f"and `sluice up {environment}` brings it"
        )


class OldKeyInUse(SluiceError):
    """The new key is in the cluster, and some pods were not seen to use it in time."""

    def __init__(self, name: str, pods: tuple[str, ...], seconds: float) -> None:
        which = ", ".join(pods) or "no pod of the gateway is ready"
        super().__init__(
            f"{name} is set and in the cluster, but after {seconds:.0f} s it is not used by all: {which}; "
            "do not revoke the old key yet, and run this again with the same value to wait on"
        )


@dataclass(frozen=True, slots=True)
class Rotation:
    """A key that was replaced: whether it was another before, and after how many seconds each pod used it.

    No pod is named where the key is not a provider's: Redis is asked for its password at each new connection.
    """

    changed: bool
    pods: Mapping[str, float]


def rotate(
    environment: str, where: Target, name: str, value: str, progress: Progress, *, patience_seconds: float
) -> Rotation:
    """Replace a key and wait until every ready pod uses the new one.

    Nothing is changed before the cluster has answered. Raises as `set_secret` does, `NotThere`, `OldKeyInUse`,
    `ClusterUnreachable`, or what an update raises: the value is set then, and running this again goes on.
    """
    declared, wanted = wanted_secret(environment, name)
    check_value(wanted, value)
    access = where.connect()
    namespace = declared.settings.namespace
    images = _running_images(access, namespace)
    if image_variable("gateway") not in images:
        raise NotThere(environment, namespace, name)
    changed = set_secret(environment, name, value, progress)
    state, tools = where.pulumi_state(access), ensure_pulumi(cache_folder(), progress)
    began = time.monotonic()
    Engine(tools, PROJECT, environment, state, where.variables() | images).up_only(SECRET_RESOURCE, progress)
    if not wanted.providers:
        return Rotation(changed, {})
    hashes = dict.fromkeys(wanted.providers, key_hash(value))
    with progress.step(f"until every gateway pod uses {name}") as step:
        pods = _wait_until_used(access, namespace, hashes, began, patience_seconds, step)
    if pods.late or not pods.used:
        raise OldKeyInUse(name, pods.late, patience_seconds)
    return Rotation(changed, pods.used)


@dataclass(frozen=True, slots=True)
class _Pods:
    used: Mapping[str, float]
    late: tuple[str, ...]


def _wait_until_used(
    access: ClusterAccess,
    namespace: str,
    hashes: Mapping[str, int],
    began: float,
    patience_seconds: float,
    step: Step,
) -> _Pods:
    used: dict[str, float] = {}
    late: tuple[str, ...] = ()
    while True:
        try:
            ready = ready_pods(access, namespace)
            for pod in ready:
                if pod not in used and _uses(access, namespace, pod, hashes):
                    used[pod] = round(time.monotonic() - began, 1)
        except ClusterUnreachable:
            ready = [*used, *late]  # for the moment; what was seen before still holds
        late = tuple(pod for pod in ready if pod not in used)
        step.detail = f"{len(ready) - len(late)} of {len(ready)} do"
        if ready and not late:
            time.sleep(_OTHER_WORKERS_SECONDS)
            return _Pods({pod: used[pod] for pod in ready}, ())
        if time.monotonic() - began > patience_seconds:
            return _Pods(used, late)
        time.sleep(_LOOK_EVERY_SECONDS)


def _uses(access: ClusterAccess, namespace: str, pod: str, hashes: Mapping[str, int]) -> bool:
    text = access.text(f"/api/v1/namespaces/{namespace}/pods/{pod}:9090/proxy/metrics")
    shown = {provider: float(number) for provider, number in _HASH.findall(text)}
    return all(shown.get(provider) == number for provider, number in hashes.items())


def _running_images(access: ClusterAccess, namespace: str) -> dict[str, str]:
    """Return the variables by which the stack's program names the images that run: it must name some, and brings none.

    Settings may name none of their own, because `sluice up` builds them.
    """
    deployments = access.items(f"/apis/apps/v1/namespaces/{namespace}/deployments")
    return {
        image_variable(_PARTS[name]): str(one["spec"]["template"]["spec"]["containers"][0]["image"])
        for one in deployments
        if (name := one["metadata"]["name"]) in _PARTS
    }
