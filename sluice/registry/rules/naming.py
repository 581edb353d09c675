"""Rules about text: names that become labels, variables, limits that contradict each other, keys where none may be."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

from sluice.registry.document import Document
from sluice.registry.findings import KEY_RULE, shown
from sluice.registry.places import Place, Steps
from sluice.registry.rules.declared import Declared
from sluice.registry.rules.rule import Broken, rule
from sluice.registry.secret_text import secret_lines
from sluice.registry.variables import SECRET_NAME, expanded, references

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_LABEL_OF_A_FILE = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?")
_ADDRESS = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~-]+)*")
_RESERVED = {
    "unknown": "metrics count agents that are not in the registry so",
    "all": "commands mean every agent by it",
}


@rule(
    "SL080",
    "The name of a file is a name for Kubernetes",
    wrong="registry/rollouts/Prod_EU.yaml",
    right="registry/rollouts/prod-eu.yaml",
)
def file_names_are_labels(declared: Declared) -> Iterator[Broken]:
    """An environment is named by its rollout's file, and that becomes a label and part of a namespace.

    Small letters, digits and dashes, at most 63, with a letter or digit at both ends; evidence may have dots too. Names
    inside the files have the same form by their schema (SL024).
    """
    for file in declared.rollouts:
        if not _LABEL.fullmatch(file.environment):
            yield _named(file.document, file.environment)
    for name, document in declared.evidence.items():
        if not _LABEL_OF_A_FILE.fullmatch(name):
            yield _named(document, name)


@rule(
    "SL081",
    "An agent's name is not taken",
    wrong="agents:\n  unknown: {summary: what is left, baseline: [gpt-4o]}",
    right="agents:\n  other: {summary: what is left, baseline: [gpt-4o]}",
)
def agent_names_are_free(declared: Declared) -> Iterator[Broken]:
    """Two names mean something else already: `unknown` in metrics, and `all` in commands and overrides."""
    if declared.models is not None:
        for name in declared.models.mapping("agents"):
            if name in _RESERVED:
                path = ("agents", name)
                yield Broken(
                    declared.models,
                    path,
                    f"{shown(name)} is taken",
                    f"{_RESERVED[name]}; name it otherwise",
                    at_key=True,
                )


@rule(
    KEY_RULE,
    "No key, token or password",
    wrong="providers:\n  mistral: {api: https://api.mistral.ai/v1, key: <32 letters and digits>}",
    right="providers:\n  mistral: {api: https://api.mistral.ai/v1, key: mistral-api-key}",
)
def nothing_looks_like_a_key(declared: Declared) -> Iterator[Broken]:
    """Nothing in these files, comments included, looks like a key, a token or a password. It is never printed.

    Git keeps what was committed once. Take it out, have its owner replace it if it was ever pushed, and set the new one
    with `pulumi config set --secret`. Keys without a prefix, such as Mistral's, are judged by how random they look and
    by the words before them; should a name be mistaken for a key, write it in words.
    """
    documents = [*([declared.models] if declared.models else []), *declared.evidence.values(), *declared.unreadable]
    for document in (*documents, *(file.document for file in declared.rollouts)):
        for number, start, end in secret_lines(document.text):
            yield Broken(
                document,
                (),
                f"text of {end - start} characters looks like a key",
                "take it out, and have it replaced if it was ever pushed; name a secret in its place",
                place=Place(number, start + 1),
            )


@rule(
    "SL083",
    "A variable is set",
    wrong="api: ${MISTRAL_API}/v1     # and MISTRAL_API is not set",
    right="MISTRAL_API=https://api.mistral.ai sluice validate",
)
def variables_are_set(declared: Declared) -> Iterator[Broken]:
    """Every `${NAME}` is a variable of the environment that the command runs in, and that makes an address."""
    if declared.models is None:
        return
    for provider in declared.models.mapping("providers"):
        path = ("providers", provider, "api")
        text = declared.models.get(*path)
        if not isinstance(text, str):
            continue
        names = list(references(text))
        if any(map(SECRET_NAME.search, names)):
            continue  # it is not to be set: SL084
        missing = [name for name in names if name not in os.environ]
        if missing:
            yield Broken(declared.models, path, f"{missing[0]} is not set", f"set it: export {missing[0]}=...")
        elif names and not _ADDRESS.fullmatch(expanded(text)):
            yield Broken(
                declared.models,
                path,
                f"does not expand to an address, by {', '.join(names)}",
                "set it to one without user, password or query, for example https://api.mistral.ai",
            )


@rule(
    "SL084",
    "A variable stands where it is expanded, and is no secret",
    wrong="summary: the agent of ${TEAM}\napi: https://api.mistral.ai/${API_KEY}",
    right="api: ${MISTRAL_API}/v1",
)
def variables_are_in_their_place(declared: Declared) -> Iterator[Broken]:
    """`${NAME}` is expanded in a provider's `api` and nowhere else, and never a variable that is named like a secret.

    Elsewhere it would be taken as it is written. A secret in a variable would end in rendered manifests.
    """
    documents = [*([declared.models] if declared.models else []), *declared.evidence.values()]
    for document in (*documents, *(file.document for file in declared.rollouts)):
        if "${" not in document.text:
            continue
        for path, text in _texts(document.data, ()):
            if "${" not in text:
                continue
            expands = document is declared.models and len(path) == 3 and path[0] == "providers" and path[2] == "api"
            secrets = [name for name in references(text) if SECRET_NAME.search(name)]
            if not expands:
                yield Broken(document, path, "has a ${...} that nobody expands", "write the value itself")
            elif secrets:
                yield Broken(document, path, f"expands {secrets[0]}, a secret by its name", "name a secret under key")


@rule(
    "SL085",
    "Limits rise from goal to rollback",
    wrong="limits: {error_rate: {goal: 5, critical: 1}}",
    right="limits: {error_rate: {goal: 1, critical: 5}}",
)
def limits_are_in_order(declared: Declared) -> Iterator[Broken]:
    """A goal or warning is below the critical limit, a canary's rollback is not later than the usual one, P95 than P99.

    A warning that comes after the rollback warns nobody.
    """
    if declared.models is None:
        return
    seen: set[int] = set()
    for agent in declared.registry.agents.values():
        if id(agent.policy) in seen:
            continue
        seen.add(id(agent.policy))
        said: set[tuple[str, str]] = set()
        for path, most, high in _pairs(agent.policy.limits):
            if path in said:
                continue
            said.add(path)
            own = declared.models.get("agents", agent.name, "limits", *path)
            root: Steps = ("agents", agent.name) if own is not None else ("defaults",)
            where = (*root, "limits", *path)
            if declared.models.get(*where) is None:
                # It is the other one of the two that was written.
                other = (*root, "limits", path[0], high)
                own_other = ("agents", agent.name, "limits", path[0], high)
                where = own_other if declared.models.get(*own_other) is not None else other
            yield Broken(
                declared.models, where, f"{path[1]} is above {high}", f"{path[1]} comes first; the most is {most}"
            )


def _pairs(limits: Any) -> Iterator[tuple[tuple[str, str], str, str]]:
    """Yield the limits that stand above those they must stay below."""
    order = {
        "quality_drop": (("warning", "critical"), ("warning", "canary"), ("canary", "rollback")),
        "error_rate": (("goal", "critical"), ("goal", "canary"), ("canary", "rollback")),
        "latency": (("p95_goal", "p95_warning"), ("p95_warning", "p95_rollback"), ("p95_goal", "p99_goal")),
    }
    for group, pairs in order.items():
        values = getattr(limits, group)
        for lower, higher in pairs:
            low, high = (getattr(values, name if group == "latency" else f"{name}_percent") for name in (lower, higher))
            if low > high:
                yield (group, lower), _plain(high), higher


def _plain(limit: Any) -> str:
    return f"{limit.total_seconds():g}s" if hasattr(limit, "total_seconds") else f"{limit:g}"


def _texts(value: Any, path: Steps) -> Iterator[tuple[Steps, str]]:
    match value:
        case str():
            yield path, value
        case dict():
            for key, item in value.items():
                yield from _texts(item, (*path, key))
        case list():
            for index, item in enumerate(value):
                yield from _texts(item, (*path, index))


def _named(document: Document, name: str) -> Broken:
    return Broken(
        document, (), f"{shown(name)} cannot be a name", "use small letters, digits and dashes", place=Place(1, 1)
    )


RULES = (
    file_names_are_labels,
    agent_names_are_free,
    nothing_looks_like_a_key,
    variables_are_set,
    variables_are_in_their_place,
    limits_are_in_order,
)
