"""A rule: its name, how grave it is in which environment, its page, and the function that finds where it is broken.

The function's docstring is the page's text, so that what a rule does and what is said of it stand together.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice

from sluice.registry.bounds import MAX_FINDINGS
from sluice.registry.document import Document
from sluice.registry.findings import MEND_THOSE_FIRST, Finding, Severity, dotted
from sluice.registry.places import Place, Steps
from sluice.registry.policy import is_production
from sluice.registry.rules.declared import Declared

ERROR, WARNING = Severity.ERROR, Severity.WARNING


class LooksAt(StrEnum):
    """What a rule looks at beside the files.

    Only rules that look at nothing else refuse to load an environment: the same files always load or never do, so that
    neither the calendar nor a missing commit can stand between a person and a rollback. The others are asked where
    somebody decides: in `sluice validate`, `sluice plan` and the checks of a pull request.
    """

    FILES = "the files alone"
    DAY = "the day"
    HISTORY = "the last commit"


@dataclass(frozen=True, slots=True)
class Broken:
    """One place where a rule is broken; `environment` is None where it is broken for all of them.

    `severity` is set where this way of breaking the rule is less grave than the rule's own, `place` where it is
    known from the text and not from a path. Places that one mistake breaks a rule in have the same `cause`.
    """

    document: Document
    path: Steps
    problem: str
    remedy: str
    environment: str | None = None
    at_key: bool = False
    severity: Severity | None = None
    place: Place | None = None
    cause: str | None = None

    def finding(self, rule: str, severity: Severity) -> Finding:
        """Make the finding of a rule: at `place` where that is known already, else where `path` stands."""
        place = self.place or self.document.place(self.path, at_key=self.at_key)
        where = dotted(self.path)
        return Finding(self.document.file, place.line, place.column, where, self.problem, self.remedy, rule, severity)


Check = Callable[[Declared], Iterator[Broken]]


@dataclass(frozen=True, slots=True)
class Severities:
    """How grave a broken rule is; None where it is not asked.

    An environment whose name ends in -production counts as production, any other as staging.
    """

    dev: Severity | None
    staging: Severity | None
    production: Severity | None

    def in_environment(self, environment: str | None) -> Severity | None:
        """Return the severity in an environment; in what holds for all of them it is production's."""
        if environment == "dev":
            return self.dev
        return self.production if environment is None or is_production(environment) else self.staging


EVERYWHERE = Severities(ERROR, ERROR, ERROR)
WARNING_EVERYWHERE = Severities(WARNING, WARNING, WARNING)
GATE = Severities(None, None, ERROR)
"""What production waits for; elsewhere candidates are tried out to get there."""
SOFTER_BEFORE_PRODUCTION = Severities(WARNING, WARNING, ERROR)


@dataclass(frozen=True, slots=True)
class Rule:
    """One named rule; `text` is its page, and the examples are one mistake and its mending."""

    id: str
    title: str
    text: str
    wrong: str
    right: str
    severities: Severities = EVERYWHERE
    looks_at: LooksAt = LooksAt.FILES
    check: Check | None = None

    def findings(self, declared: Declared) -> Iterator[Finding]:
        """Find where the rule is broken, with the severity that it has there; places with one cause are one finding."""
        by_cause: dict[str, list[Finding]] = {}
        everything = self.check(declared) if self.check else iter(())
        for broken in islice(everything, MAX_FINDINGS):
            severity = self.severities.in_environment(broken.environment)
            if severity is None:
                continue
            if broken.severity is not None and severity is ERROR:
                severity = broken.severity
            finding = broken.finding(self.id, severity)
            if broken.cause is None:
                yield finding
            else:
                by_cause.setdefault(broken.cause, []).append(finding)
        yield from map(_gravest, by_cause.values())
        for broken in islice(everything, 1):
            if (severity := self.severities.in_environment(broken.environment)) is not None:
                problem = f"{self.id} is broken in more than {MAX_FINDINGS} places"
                yield Finding(broken.document.file, 1, 1, "", problem, MEND_THOSE_FIRST, self.id, severity)


def _gravest(findings: list[Finding]) -> Finding:
    """Return the first of the gravest findings, saying where the others are."""
    first, *others = sorted(set(findings), key=lambda finding: (finding.severity is not ERROR, finding))
    if not others:
        return first
    places = ", ".join(f"{finding.file}:{finding.line}" for finding in others[:3])
    more = f" and {len(others) - 3} more" if len(others) > 3 else ""
    return replace(first, problem=f"{first.problem} (likewise {places}{more})")


def rule(
    identity: str,
    title: str,
    *,
    wrong: str,
    right: str,
    severities: Severities = EVERYWHERE,
    looks_at: LooksAt = LooksAt.FILES,
) -> Callable[[Check], Rule]:
    """Make a rule of a function, whose docstring is the rule's page."""

    def made(check: Check) -> Rule:
        return Rule(identity, title, inspect.getdoc(check) or "", wrong, right, severities, looks_at, check)

    return made
