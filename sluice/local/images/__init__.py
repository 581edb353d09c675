"""Builds the images of an environment's parts with no container engine, and brings them to a cluster.

`build` makes them from the checkout, and `build_litellm` LiteLLM's where an environment has one; `load` imports them
into a containerd of this machine, `deliver` brings them to a cluster of the user's own. What they consist of is in
recipe.py.
"""

from __future__ import annotations

from sluice.local.images.building import Image, Images, build
from sluice.local.images.containerd import load
from sluice.local.images.delivery import References, deliver
from sluice.local.images.errors import ImageError
from sluice.local.images.litellm import build_litellm

__all__ = ["Image", "ImageError", "Images", "References", "build", "build_litellm", "deliver", "load"]
