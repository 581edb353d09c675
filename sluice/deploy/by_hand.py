"""What people changed in the cluster by hand: said before an update, and made visible to Pulumi.

Pulumi's refresh compares what it once wrote. A rule that somebody added to a Role, or a variable to a container, stands
beside that, is no difference to it, and would outlive every update. So an object that others wrote to loses one of its
labels first: that Pulumi sees, and what it writes then takes the whole object back.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from sluice.deploy.cluster_access import ClusterAccess, NotAllowed
from sluice.deploy.drift import Difference, drift
from sluice.deploy.object_address import address
from sluice.override import NAME as OVERRIDE
from sluice.registry import Environment
from sluice.render import KubernetesObject, render

_AT_ONCE = 8
_LABEL = "app.kubernetes.io/managed-by"


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at one object found."""

    item: KubernetesObject
    is_there: bool
    is_allowed: bool
    """Whether the person may read it; if not, nothing is known of it."""
    differences: tuple[Difference, ...]

    @property
    def name(self) -> str:
        """What people call it: kind and name."""
        return f"{self.item.kind.lower()}/{self.item.name}"


def look_at_objects(access: ClusterAccess, declared: Environment) -> tuple[Look, ...]:
    """Hold each rendered object against the one in the cluster. Raises `ClusterUnreachable`."""
    objects = render(declared.registry, declared.rollout, declared.settings).objects()
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as several:
        return tuple(several.map(lambda item: _look(access, item), objects))


def show_to_pulumi(access: ClusterAccess, declared: Environment, say: Callable[[str], None]) -> None:
    """Say what was changed by hand, and see that the next update makes it as git says. Raises `ClusterUnreachable`."""
    for look in look_at_objects(access, declared):
        by_hand = [difference for difference in look.differences if difference.by]
        for difference in by_hand:
            say(f"  changed by hand: {difference}")
        # An update of the override could take somebody's veto for something that is not declared.
        if by_hand and look.item.name != OVERRIDE:
            access.merge(address(look.item), {"metadata": {"labels": {_LABEL: None}}})


def _look(access: ClusterAccess, item: KubernetesObject) -> Look:
    try:
        live: dict[str, Any] | None = access.find(address(item))
    except NotAllowed:
        return Look(item, is_there=False, is_allowed=False, differences=())
    return Look(item, live is not None, is_allowed=True, differences=drift(item, live))
