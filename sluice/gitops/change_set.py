"""What one request changes: the files of one environment, and what is said of them.

A change set knows what it is about, so that the same one made again is recognised: its branch is named by the
environment and by what it wants, and its commit says so in trailers.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

RAISING, RETURNING = "rollout", "return"
"""What branches begin with: of what the gates let pass, and of what records a rollback, which no gate takes back."""

ENVIRONMENT, AGENTS, WISH, CONTENT = "Sluice-Environment", "Sluice-Agents", "Sluice-Wish", "Sluice-Content"
"""The trailers of a commit: whose rollout it changes, and digests of what it wants and of the files it writes."""

_MOST_NAMED = 3
_LONGEST_SUBJECT = 100
_DIGITS = 10


class StrayFile(ValueError):
    """A change set was to touch a file that is no business of its environment."""

    def __init__(self, path: str, environment: str) -> None:
        super().__init__(
            f"{path}: a request of {environment} touches rollouts/{environment}.yaml, evidence/, "
            f"manifests/{environment}/ and a post-mortem alone"
        )


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """What is to become of some agents of one environment. `wish` is that by agent, in words that no day changes.

    `files` are contents by their path from the top of the repository, None for one that goes; `project` is the path
    of the project there, empty where it is the top itself. `said` is what the commit's message says below its title,
    `body` the whole text of the request.
    """

    environment: str
    wish: Mapping[str, str]
    files: Mapping[str, bytes | None]
    title: str
    said: str
    body: str
    project: str = ""
    returns: bool = False
    """Whether it records a rollback."""
    notes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """More trailers of the commit, such as who forced it and why."""

    def __post_init__(self) -> None:
        own = re.compile(
            rf"{re.escape(self.project)}(registry/rollouts/{re.escape(self.environment)}\.yaml"
            rf"|registry/evidence/[^/]+\.yaml|docs/post-mortems/[^/]+\.md|manifests/{re.escape(self.environment)}/[^/]+\.yaml)"
        )
        for path in self.files:
            if not own.fullmatch(path):
                raise StrayFile(path, self.environment)

    @property
    def agents(self) -> tuple[str, ...]:
        """The agents it changes, in their order."""
        return tuple(self.wish)

    @property
    def branch(self) -> str:
        """The branch it lies on: the same for the same wish, whenever and by whomever it is made."""
        named = "-".join(self.agents) if len(self.agents) <= _MOST_NAMED else f"{len(self.agents)}-agents"
        return f"{self.prefix}{named}-{self.wish_digest[:_DIGITS]}"

    @property
    def prefix(self) -> str:
        """What the branches of its kind and environment begin with."""
        return prefix_of(self.environment, RETURNING if self.returns else RAISING)

    @property
    def wish_digest(self) -> str:
        """The SHA-256 of environment and wish, in hexadecimal digits."""
        said = "\n".join([self.environment, *(f"{agent}={wish}" for agent, wish in sorted(self.wish.items()))])
        return hashlib.sha256(said.encode()).hexdigest()

    @property
    def message(self) -> str:
        """The message of its commit: title, what is said of it, trailers."""
        subject = self.title if len(self.title) <= _LONGEST_SUBJECT else f"{self.title[: _LONGEST_SUBJECT - 3]}..."
        trailers = {
            **self.notes,
            ENVIRONMENT: self.environment,
            AGENTS: ", ".join(self.agents),
            WISH: self.wish_digest,
            CONTENT: content_digest(self.files),
        }
        lines = [f"{name}: {' '.join(value.split())}" for name, value in trailers.items()]
        return "\n".join([subject, "", self.said.strip(), "", *lines, ""])


def prefix_of(environment: str, kind: str = RAISING) -> str:
    """Return what the names of an environment's branches of one kind begin with."""
    return f"{kind}/{environment}/"


def content_digest(files: Mapping[str, bytes | None]) -> str:
    """Return the SHA-256 of files by their paths; one that goes counts as that."""
    digest = hashlib.sha256()
    for path, content in sorted(files.items()):
        kind = b"gone" if content is None else hashlib.sha256(content).digest()
        digest.update(path.encode() + b"\0" + kind + b"\0")
    return digest.hexdigest()
