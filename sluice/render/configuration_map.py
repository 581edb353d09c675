"""A ConfigMap that is named by its content, so that another content restarts the pods that mount it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from sluice.render.following import OUTLIVES_ITS_SUCCESSOR
from sluice.render.kubernetes_object import KubernetesObject, kubernetes_object


def named_by_content(prefix: str, texts: Iterable[str]) -> str:
    """Return the name of the ConfigMap, or of the first of several, that holds these texts."""
    return f"{prefix}-{hashlib.sha256(''.join(texts).encode()).hexdigest()[:8]}"


def configuration_map(
    name: str, data: Mapping[str, str], namespace: str, labels: Mapping[str, str]
) -> KubernetesObject:
    """Render one that nobody changes, and that outlives the pods of before."""
    return kubernetes_object(
        "v1",
        "ConfigMap",
        name,
        namespace=namespace,
        labels=labels,
        annotations=OUTLIVES_ITS_SUCCESSOR,
        immutable=True,
        data=dict(data),
    )
