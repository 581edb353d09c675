"""A rule: its name, its sentence, how an object breaks it, and the same as CEL where an API server can ask it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Body = Mapping[str, Any]
"""A Kubernetes object as JSON values."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One object that breaks one rule; `said` is what is wrong with it."""

    rule: str
    subject: str
    said: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.said} [{self.rule}]"


@dataclass(frozen=True, slots=True)
class ObjectRule:
    """A rule that one object keeps or breaks by itself."""

    id: str
    sentence: str
    broken_by: Callable[[Body], Iterator[str]]
    """Yields what is wrong with an object, nothing for one that the rule is not about."""
    cel: str | None = None
    """True for an object that keeps the rule. It knows `variables.pods` and `variables.containers`."""

    def violations(self, objects: Iterable[Body]) -> Iterator[Violation]:
        """Yield what is wrong with each of the objects."""
        return (Violation(self.id, subject(item), said) for item in objects for said in self.broken_by(item))


@dataclass(frozen=True, slots=True)
class EnvironmentRule:
    """A rule that takes a look at all objects of an environment together."""

    id: str
    sentence: str
    broken_by: Callable[[Sequence[Body]], Iterator[tuple[Body, str]]]
    """Yields an object and what is wrong with it."""
    cel: str | None = None

    def violations(self, objects: Sequence[Body]) -> Iterator[Violation]:
        """Yield what is wrong, by object."""
        return (Violation(self.id, subject(item), said) for item, said in self.broken_by(objects))


def subject(item: Body) -> str:
    """Return how an object is named to a person: `Deployment/gateway`."""
    return f"{item.get('kind')}/{item.get('metadata', {}).get('name')}"
