"""The cache as Kubernetes runs it, in the environments that have it embedded: a Redis that holds nothing for good.

Everywhere else `sluice:cache` names a Redis that others run, and nothing is rendered but its address. What the embedded
one forgets when it restarts is what replicas share: answers, counts, the queue of reviews.

When its memory is full it drops what carries an end and was asked for longest ago (`volatile-lru`): a cached answer,
long before a sum of spending that every request touches. What carries no end is never dropped; when only that is left,
Redis refuses to write, and says so. docs/decisions/0007 has the reasons.
"""

from __future__ import annotations

from typing import Any

from sluice.registry import EmbeddedCache, Resources, Settings
from sluice.render.container_resources import resources
from sluice.render.kubernetes_object import KubernetesObject, restricted_container
from sluice.render.single_pod import single_pod

NAME = "cache"
PORT = 6379

_MIB = {"Mi": 1, "Gi": 1024}


def cache(settings: Settings) -> tuple[KubernetesObject, ...]:
    """Render the embedded cache's objects, none where the environment's cache is elsewhere or there is none."""
    if not isinstance(settings.cache, EmbeddedCache):
        return ()
    return single_pod(
        NAME,
        _container(settings.cache),
        namespace=settings.namespace,
        component="cache",
        port_name="redis",
        port=PORT,
    )


def cache_url(settings: Settings) -> str | None:
    """Return the address at which the gateway finds its Redis, None where it has none."""
    match settings.cache:
        case None:
            return None
        case EmbeddedCache():
            return f"redis://{NAME}:{PORT}"
        case external:
            return external.url


def _container(own: EmbeddedCache) -> dict[str, Any]:
    memory_mib = int(own.memory[:-2]) * _MIB[own.memory[-2:]]
    # Redis counts what it stores; buffers of clients and what the allocator cannot give back come on top.
    memory = f"{2 * memory_mib}Mi"
    given = Resources(cpu_request="50m", memory_request=memory, memory_limit=memory)
    # A Redis that is busy leaves the Service for a moment; to restart it would forget all.
    listens = {"tcpSocket": {"port": "redis"}, "timeoutSeconds": 2}
    answers = {"exec": {"command": ["redis-cli", "-e", "ping"]}, "timeoutSeconds": 2}
    return {
        "name": NAME,
        "image": own.image,
        "imagePullPolicy": "IfNotPresent",
        "args": _arguments(memory_mib),
        "ports": [{"name": "redis", "containerPort": PORT, "protocol": "TCP"}],
        "startupProbe": {**answers, "periodSeconds": 1, "failureThreshold": 30},
        "readinessProbe": {**answers, "periodSeconds": 5, "failureThreshold": 2},
        "livenessProbe": {**listens, "periodSeconds": 20, "failureThreshold": 3},
        "resources": resources(given),
        "securityContext": restricted_container(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def _arguments(memory_mib: int) -> list[str]:
    """Return Redis' settings: nothing is ever written to a disk, and who may connect is the network policy's to say."""
    settings = {
        "--port": str(PORT),
        "--bind": "*",
        "--protected-mode": "no",
        "--save": "",
        "--appendonly": "no",
        "--maxmemory": f"{memory_mib}mb",
        "--maxmemory-policy": "volatile-lru",
        "--maxmemory-samples": "10",
    }
    return [word for pair in settings.items() for word in pair]
