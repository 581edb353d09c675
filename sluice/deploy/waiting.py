"""How long an update is worth waiting for: it is in vain once a pod of the version that it wants cannot start.

A pod that crashed before the update may be what the update mends, by another version or by another key. Kubernetes lets
it wait for up to five minutes before it tries again; so once Pulumi has written the Deployment, a pod that is still
wanted is started anew, and shows within seconds whether it was mended.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from sluice.deploy.cluster_access import ClusterAccess, ClusterUnreachable
from sluice.deploy.diagnosis import (
    cannot_start,
    is_unscheduled,
    reasons_pods_do_not_start,
    wanting_deployment,
)
from sluice.deploy.pods import Pod, pods_of

_WRITTEN_AFTER_LOOKS = 5
"""Pulumi writes an object within a moment of beginning with it; a look is two seconds."""


class Waiting:
    """Looks at an environment's pods while an update runs.

    `has_one_node`: a pod that this one has no room for will find none. Raises `ClusterUnreachable` when it is made.
    """

    def __init__(
        self, access: ClusterAccess, namespace: str, *, has_one_node: bool, say: Callable[[str], None]
    ) -> None:
        self._access = access
        self._namespace = namespace
        self._has_one_node = has_one_node
        self._say = say
        self._before = pods_of(access, namespace).keys()
        self._unscheduled: set[str] = set()
        self._looks: Counter[str] = Counter()
        self._started_anew: set[str] = set()

    def say_what_fails_already(self) -> None:
        """Say at once which pods cannot start before anything is done, and why. Raises `ClusterUnreachable`."""
        for reason in reasons_pods_do_not_start(self._access, self._namespace, such_as=cannot_start):
            self._say(f"  before this update: {reason}")

    def is_in_vain(self, begun: frozenset[str]) -> bool:
        """Whether to wait no longer; `begun` are the objects that Pulumi has in hand, or has done, as `kind/name`."""
        self._looks.update(begun)
        try:
            pods = pods_of(self._access, self._namespace)
            self._start_anew([pod for uid, pod in pods.items() if uid in self._before])
            # A pod from before may be what this very update mends.
            new = [pod for uid, pod in pods.items() if uid not in self._before]
            return self._has_no_room(new) or any(self._is_wanted(pod) for pod in new if cannot_start(pod))
        except ClusterUnreachable:
            return False  # for the moment: whether the update goes on without an API server is Pulumi's to say

    def _has_no_room(self, new: list[Pod]) -> bool:
        stuck = {str(pod["metadata"]["uid"]) for pod in new if self._has_one_node and is_unscheduled(pod)}
        twice = stuck & self._unscheduled  # one look may fall between two pods, or before the node is ready
        self._unscheduled = stuck
        return bool(twice)

    def _is_wanted(self, pod: Pod) -> bool:
        """Whether no newer version is there to take its place; a pod of nobody's is always wanted, a job's never."""
        return not pod["metadata"].get("ownerReferences") or wanting_deployment(self._access, pod) is not None

    def _start_anew(self, pods: list[Pod]) -> None:
        for pod in pods:
            uid, name = pod["metadata"]["uid"], pod["metadata"]["name"]
            if uid in self._started_anew or "deletionTimestamp" in pod["metadata"] or not cannot_start(pod):
                continue
            deployment = wanting_deployment(self._access, pod)
            if deployment is None or self._looks[f"deployment/{deployment}"] < _WRITTEN_AFTER_LOOKS:
                continue
            self._started_anew.add(uid)
            path = f"/api/v1/namespaces/{self._namespace}/pods/{name}"
            # Of this pod alone: one that has taken its name, or been mended meanwhile, is not the one that was seen.
            seen = {"uid": uid, "resourceVersion": pod["metadata"]["resourceVersion"]}
            if self._access.ask("DELETE", path, {"preconditions": seen}).status < 300:
                self._say(f"  pod {name} is of the version that this update wants, and is started anew")
