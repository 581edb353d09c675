"""What the images consist of: the packages of the base, who runs in it, and which of our code each image carries.

These are the facts that the layers, the images' configuration and the Containerfile at the repository's root agree on;
a test holds the Containerfile to them. How a layer is made is left to the modules named after it.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass

SUITE = "bookworm"
PYTHON = "python3.11"
"""The interpreter of the base's Debian release: the one that installs the lock and runs the code."""

BASE_PACKAGES = ("base-files", "ca-certificates", f"lib{PYTHON}-stdlib", "netbase", f"{PYTHON}-minimal")
"""What the base is asked for; apt adds the libraries these depend on."""

LEFT_OUT = frozenset(
    {
        "debconf",
        "dpkg",
        "gcc-12-base",
        "libacl1",
        "libmd0",
        "libpcre2-8-0",
        "libselinux1",
        "libzstd1",
        "mawk",
        "openssl",
        "readline-common",
        "tar",
    }
)
"""Dependencies that only installing packages needs, and nothing does once the image exists."""

SITE_FOLDER = f"/usr/local/lib/{PYTHON}/dist-packages"
"""Where Debian's Python looks for what did not come from Debian: the lock's packages, and our code beside them."""

LOCK = "requirements/gateway.lock"
LITELLM_LOCK = "requirements/litellm-image.lock"
"""requirements/litellm.lock without what its proxy needs neither to start nor to answer: the Makefile names it."""
PIP_OPTIONS = (
    "--require-hashes",
    "--only-binary=:all:",
    "--no-deps",
    "--no-compile",
    "--no-cache-dir",
    "--no-input",
    "--root-user-action=ignore",
)
"""Every package by its hash, none that a lock does not name, and none built from source: there is no compiler."""

USER_ID = 10001
USER = f"{USER_ID}:{USER_ID}"
"""Above 10,000, so that it is no user of the node; a number, so that Kubernetes can see that it is not root."""

ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "PYTHONUNBUFFERED": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}


@dataclass(frozen=True, slots=True)
class Recipe:
    """One image: its name in a reference, the module it runs, and the files of the checkout that it carries."""

    name: str
    title: str
    module: str
    sources: tuple[str, ...]

    @property
    def short_name(self) -> str:
        """The name without the host: what a registry's path and the Containerfile's target are called."""
        return self.name.rpartition("/")[2]

    @property
    def entrypoint(self) -> tuple[str, ...]:
        """The command of a container of this image."""
        return ("python3", "-m", self.module)


_REGISTRY_WITHOUT_FILES = (
    "__init__",
    "building",
    "evidence",
    "forecast",
    "judgement",
    "model",
    "policy",
    "typed",
    "variables",
)
"""The registry's types and arithmetic: what reads files needs packages that no pod has."""

GATEWAY = Recipe(
    name="sluice.local/gateway",
    title="Sluice's gateway: assigns each user an arm and forwards to its models",
    module="sluice.gateway",
    sources=(
        "sluice/__init__.py",
        "sluice/errors.py",
        "sluice/key_hash.py",
        "sluice/override.py",
        "sluice/service_account.py",
        "sluice/gateway",
    ),
)
STUB_PROVIDER = Recipe(
    name="sluice.local/stub-provider",
    title="A provider with made answers, for development and tests",
    module="sluice.local.stub_provider",
    sources=("sluice/__init__.py", "sluice/errors.py", "sluice/local/__init__.py", "sluice/local/stub_provider"),
)
GUARD = Recipe(
    name="sluice.local/guard",
    title="Sluice's guard: sends a candidate that does harm back to the baseline",
    module="sluice.rollout.guard",
    sources=(
        "sluice/__init__.py",
        "sluice/errors.py",
        "sluice/override.py",
        "sluice/service_account.py",
        *(f"sluice/registry/{name}.py" for name in _REGISTRY_WITHOUT_FILES),
        "sluice/rollout",
    ),
)
RECIPES = (GATEWAY, STUB_PROVIDER, GUARD)

LITELLM = Recipe(
    name="sluice.local/litellm",
    title="LiteLLM's proxy behind a list of what it may answer, for providers of another dialect",
    module="sluice.litellm_proxy",
    sources=("sluice/__init__.py", "sluice/litellm_proxy"),
)
"""Built where an environment has one, and nowhere else: it is four times the others together."""


@dataclass(frozen=True, slots=True)
class ProgramRecipe:
    """One image that runs a program of Debian's: its name, the program's package, those it needs, and its command.

    `left_out` are files of the package that no container runs.
    """

    name: str
    title: str
    packages: tuple[str, ...]
    entrypoint: tuple[str, ...]
    left_out: tuple[str, ...] = ()

    @property
    def short_name(self) -> str:
        """The name without the host."""
        return self.name.rpartition("/")[2]


CACHE = ProgramRecipe(
    name="sluice.local/cache",
    title="Redis: what the gateway's replicas share, for development and tests",
    packages=(
        "redis-server",
        "redis-tools",
        "libatomic1",
        "libcap2",
        "libgcrypt20",
        "libgpg-error0",
        "libjemalloc2",
        "liblz4-1",
        "liblzf1",
        "libstdc++6",
        "libsystemd0",
        "libzstd1",
    ),
    entrypoint=("redis-server",),
)
PROMETHEUS = ProgramRecipe(
    name="sluice.local/prometheus",
    title="Prometheus: what the guard judges by, for development and tests",
    packages=("prometheus",),
    entrypoint=("prometheus",),
    # Its pages want scripts of other packages: it is asked by its API alone.
    left_out=("usr/bin/promtool", "usr/bin/tsdb", "usr/share/prometheus/web", "usr/share/prometheus/consoles"),
)
PROGRAMS = (CACHE, PROMETHEUS)

LITELLM_LIBRARIES = ProgramRecipe(
    name="sluice.local/litellm-libraries",
    title="What compiled packages of LiteLLM's are linked with",
    packages=("libstdc++6",),
    entrypoint=("python3",),
)


def architecture() -> str:
    """The architecture of this machine as the OCI image specification spells it: `amd64`, `arm64`."""
    machine = platform.machine()
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
