"""CODEOWNERS out of the sign-off roles: who must look at what, held current like the manifests.

Which team stands for a role is people's to say, in `registry/owners.yaml`; which roles there are, and which agents need
them, is the registry's. A forge is content with one owner of a path, so each role has files of its own, its sign-offs,
and the registry's rules ask for those: nobody signs for another.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from sluice.errors import AnswerIsNo
from sluice.registry import Registry, Role
from sluice.registry.document import read_document
from sluice.registry.findings import InvalidRegistry
from sluice.registry.policy import is_production

OWNERS = ".github/CODEOWNERS"
TEAMS = "registry/owners.yaml"
ENGINEERS = "engineers"
"""Who owns what no role does, in that file."""

SIGN_OFF = "sign-off-{role}-"
"""What the name of a role's sign-off begins with: by it the role's team owns the file."""

_TEAM = re.compile(r"@[\w./-]+|[^@\s]+@[^@\s]+\.[^@\s]+")
_HEAD = """\
# Written by `sluice ci owners` from registry/owners.yaml and the roles of registry/models.yaml; do not edit it.
# Of the lines that match a path the last one counts.
"""


class OwnersUnusable(AnswerIsNo):
    """The file with the teams lacks one, or names one that no forge can know."""

    def __init__(self, where: str, problem: str, remedy: str) -> None:
        super().__init__(f"{TEAMS}: {where}: {problem}; {remedy}")


def read_teams(project: Path) -> Mapping[str, str] | None:
    """Return the team of each role, None where the project has no such file. Raises InvalidRegistry, OwnersUnusable."""
    file = project / TEAMS
    if not file.is_file():
        return None
    document, findings = read_document(file, remedy_if_missing="")
    if document is None:
        raise InvalidRegistry(findings)
    teams = document.mapping("owners")
    known = [ENGINEERS, *map(str, Role)]
    for name in known:
        if not isinstance(teams.get(name), str) or not _TEAM.fullmatch(teams[name]):
            raise OwnersUnusable(f"owners.{name}", f"{teams.get(name)!r} is no team", 'write one as "@example/team"')
    for name in teams:
        if name not in known:
            raise OwnersUnusable(f"owners.{name}", "is no role", f"the roles are {', '.join(known)}")
    return {str(name): str(team) for name, team in teams.items()}


def owners_text(registry: Registry, environments: Iterable[str], teams: Mapping[str, str]) -> str:
    """Write CODEOWNERS: each role owns its sign-offs, and says in a comment which agents wait for them."""
    technical, security = teams[Role.TECHNICAL], teams[Role.SECURITY]
    lines = [_HEAD, f"* {teams[ENGINEERS]}", "", f"/registry/models.yaml {technical}"]
    for environment in sorted(environments):
        if is_production(environment):
            lines.append(f"/registry/rollouts/{environment}.yaml {technical}")
            lines.append(f"/Pulumi.{environment}.yaml {security}")
    lines += [f"/{path} {security}" for path in (".github/", TEAMS, "policy/", "sluice/policy/")]
    for role in Role:
        lines += [
            "",
            f"# {_waiting(registry, role)}",
            f"/registry/evidence/{SIGN_OFF.format(role=role)}* {teams[role]}",
        ]
    return "\n".join([*lines, ""])


def _waiting(registry: Registry, role: Role) -> str:
    if role in registry.gates.sign_offs:
        return f"every agent waits for a {role} sign-off before production"
    agents = [name for name, agent in registry.agents.items() if role in agent.policy.safeguards.sign_offs]
    return f"waits for a {role} sign-off before production: {', '.join(agents) or 'no agent'}"
