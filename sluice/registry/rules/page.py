"""The page of a rule, as people read it at a terminal and in docs/rules.md."""

from __future__ import annotations

import textwrap

from sluice.registry.findings import Severity
from sluice.registry.rules.catalogue import RULES
from sluice.registry.rules.rule import Rule


def page(rule: Rule) -> str:
    """Write a rule's page as plain text."""
    return "\n".join(
        [
            f"{rule.id}: {rule.title}",
            "",
            rule.text,
            "",
            "Wrong:",
            textwrap.indent(rule.wrong, "    "),
            "Right:",
            textwrap.indent(rule.right, "    "),
            "",
            f"Severity: {severities(rule)}.",
            f"Looks at: {rule.looks_at}.",
        ]
    )


def severities(rule: Rule) -> str:
    """Say how grave a rule is in each environment."""
    by_environment = {
        "dev": rule.severities.dev,
        "staging": rule.severities.staging,
        "production": rule.severities.production,
    }
    words = {environment: _word(severity) for environment, severity in by_environment.items()}
    if len(set(words.values())) == 1:
        return f"{words['production']} everywhere"
    return ", ".join(f"{environment}: {word}" for environment, word in words.items())


def rules_page() -> str:
    """Write docs/rules.md: every rule, with an anchor for each id."""
    lines = [
        "# The rules of the registry",
        "",
        "Written by `make docs` from sluice/registry/rules/; do not edit it. `sluice explain SL034` prints one.",
        "",
        "Rules that look at the files alone also keep an environment from being loaded, and so from `sluice render`",
        "and `pulumi up`. Those that look at the day or the last commit are asked by `sluice validate` and",
        "`sluice plan`. An environment whose name ends in -production counts as production, any other as staging.",
        "",
        "| rule | | dev | staging | production | looks at |",
        "|---|---|---|---|---|---|",
    ]
    for rule in RULES.values():
        grave = " | ".join(
            _word(severity) for severity in (rule.severities.dev, rule.severities.staging, rule.severities.production)
        )
        lines.append(f"| [{rule.id}](#{rule.id.lower()}) | {rule.title} | {grave} | {rule.looks_at} |")
    for rule in RULES.values():
        examples = [f"```yaml\n# wrong\n{rule.wrong}\n```", f"```yaml\n# right\n{rule.right}\n```"]
        lines += ["", f"## {rule.id}", "", f"**{rule.title}.** {rule.text}", "", *examples]
    return "\n".join(lines) + "\n"


def _word(severity: Severity | None) -> str:
    return str(severity) if severity else "not asked"
