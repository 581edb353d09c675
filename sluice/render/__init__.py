"""From what people declare to what should exist: pure functions to Kubernetes objects and to the files people review.

The same values always give the same objects. Neither Pulumi nor a Kubernetes client is known here, and no secret value.
"""

from __future__ import annotations

from sluice.render.environment import Rendered, render
from sluice.render.kubernetes_object import KubernetesObject, SecretReference
from sluice.render.manifests import Written, manifests, write_manifests

__all__ = ["KubernetesObject", "Rendered", "SecretReference", "Written", "manifests", "render", "write_manifests"]
