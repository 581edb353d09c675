"""What the judges would have otherwise and we keep as it is, each with its reason; docs/judges.md is this list.

A finding that no exception covers fails its test, and so does an exception that covers nothing any more.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path

PROJECT = Path(__file__).parent.parent.parent
PAGE = PROJECT / "docs" / "judges.md"
GITLEAKS_CONFIGURATION = PROJECT / ".gitleaks.toml"


class Judge(StrEnum):
    """A judge whose findings can be excused one by one. The others take no exception."""

    KUBE_SCORE = "kube-score"
    CHECKOV = "checkov"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """What a judge says of one object: `subject` is `ENVIRONMENT/KIND/NAME`."""

    judge: Judge
    check: str
    subject: str
    said: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.said} [{self.check}]"


@dataclass(frozen=True, slots=True)
class Excused:
    """A check that does not count for the objects whose `ENVIRONMENT/KIND/NAME` fits `subjects`, and why."""

    judge: Judge
    check: str
    subjects: str
    reason: str

    def covers(self, finding: Finding) -> bool:
        """Whether a finding is one of those."""
        return (self.judge, self.check) == (finding.judge, finding.check) and fnmatchcase(
            finding.subject, self.subjects
        )


_NO_CPU_LIMIT = (
    "A CPU limit throttles a gateway in the middle of a request while the node idles. The request for CPU is what "
    "shares it fairly; memory, which cannot be shared, has its limit."
)
_DIGEST = (
    "Images are named by digest: what a node holds under that name is what would be pulled. Always would make every "
    "start of a pod wait for the registry, and fail with it; an image built on the machine can be pulled from nowhere."
)

_PODS = ("*/Deployment/*", "*/CronJob/*")

EXCEPTIONS: tuple[Excused, ...] = tuple(
    Excused(judge, check, subjects, reason)
    for judge, check, reason in (
        (Judge.KUBE_SCORE, "container-resources", _NO_CPU_LIMIT),
        (Judge.KUBE_SCORE, "container-cpu-requests-equal-limits", _NO_CPU_LIMIT),
        (Judge.KUBE_SCORE, "container-resource-requests-equal-limits", _NO_CPU_LIMIT),
        (Judge.CHECKOV, "CKV_K8S_11", _NO_CPU_LIMIT),
        (Judge.KUBE_SCORE, "container-image-pull-policy", _DIGEST),
    )
    for subjects in _PODS
)


def unexcused(findings: Iterable[Finding], exceptions: Iterable[Excused] = EXCEPTIONS) -> list[Finding]:
    """Return the findings that no exception covers, in order."""
    known = list(exceptions)
    return sorted({finding for finding in findings if not any(excused.covers(finding) for excused in known)})


def unused(judge: Judge, findings: Iterable[Finding], exceptions: Iterable[Excused] = EXCEPTIONS) -> list[Excused]:
    """Return a judge's exceptions that cover nothing."""
    found = list(findings)
    return [
        excused
        for excused in exceptions
        if excused.judge is judge and not any(excused.covers(finding) for finding in found)
    ]


def page() -> str:
    """Return docs/judges.md."""
    planted = tomllib.loads(GITLEAKS_CONFIGURATION.read_text())["allowlists"]
    of_judges = [
        "| judge | check | objects | why it is as it is |",
        "|---|---|---|---|",
        *(f"| {item.judge} | `{item.check}` | `{item.subjects}` | {item.reason} |" for item in EXCEPTIONS),
    ]
    return _HEAD.format(
        exceptions=len(EXCEPTIONS),
        table="\n".join(of_judges),
        planted=len(planted),
        keys="\n".join(f"- {item['description']}" for item in planted),
    )


_HEAD = """\
# Judges that we did not write

`make judges`, a part of `make test`, has others' programs look at `manifests/`, at the workflows and at the history.
Their versions are pinned (`sluice/local/toolchain/modules`, `requirements/judges.lock`); no schema and no rule is
fetched when they run.

| judge | what it looks at | what passes |
|---|---|---|
| kube-score | every environment's manifests, all checks, the optional ones too | nothing critical |
| checkov | the same, its kubernetes framework | nothing failed |
| kubeconform | the same, strict, by the API server's and the operator's descriptions | none invalid, none skipped |
| kubernetes-validate | the same, strict, by its own schemas, but for operators' kinds | none invalid |
| prometheus-operator | rules and alerts, by the code of its admission webhook | all taken |
| Pod Security admission | every environment's pods, level `restricted`, in the live tests | no warning |
| API server | every object, strict dry run, in the live tests | all taken |
| actionlint | every workflow of `.github/workflows/` | nothing found |
| gitleaks | every commit | no secret but planted ones |

Beside the environments they see one with all that is optional (`tests/everything.py`). For kinds that others serve,
HTTPRoute for one, kubeconform's schemas are made from their own definitions, out of Go modules that are pinned by hash
(`sluice/local/toolchain/modules/crds`). kubernetes-validate has none of these, and is not shown them.

## Exceptions: {exceptions}

This table is written from `tests/judges/exceptions.py` (`pytest tests/judges --refresh-expected`). An exception that
covers nothing any more fails the tests.

{table}

## Planted keys: {planted}

Made text in tests that looks like a key; `.gitleaks.toml` names each. Plant the next one so that gitleaks does not take
it for real ("made-key-of-mistral"), or name it there: a commit that has it stays in the history.

{keys}
"""
