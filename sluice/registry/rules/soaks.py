"""The rule about soaks that are stale: what was tested is not what would run."""

from __future__ import annotations

from collections.abc import Iterator

from sluice.registry.evidence import SoakEvidence, SoakMadeOf
from sluice.registry.findings import shown
from sluice.registry.places import Steps
from sluice.registry.rules.declared import Declared, RolloutFile
from sluice.registry.rules.rule import GATE, WARNING, Broken, LooksAt, rule
from sluice.registry.soak_contents import digest_of_soak, scorer_digest


@rule(
    "SL046",
    "A soak is of what would run",
    severities=GATE,
    looks_at=LooksAt.HISTORY,
    wrong="# registry/queries/qa.txt was changed after the soak\nagents:\n  qa: {candidate: qa-20251031, weight: 10}",
    right="# `sluice soak staging` was run again\nagents:\n  qa: {candidate: qa-20251031, weight: 10}",
)
def soak_is_of_what_would_run(declared: Declared) -> Iterator[Broken]:
    """A candidate that enters production was soaked with today's queries, today's scorer and production's gateway.

    A soak holds digests of all three, and one of all that it says. Where one is another now, run `sluice soak staging`
    again. A candidate that already had users in the last commit is only warned of: what they get is measured. A soak
    with no digests, written by hand, is not held against anything; a model under another id is another model (SL050).
    """
    for file in declared.rollouts:
        for agent in file.serving():
            model = declared.model_of(agent)
            soaks = [
                (evidence.name, evidence.soak)
                for evidence in sorted(declared.registry.evidence.values(), key=lambda one: one.date)
                if evidence.soak and model and evidence.ids().get(model.name) == model.id
            ]
            stale = [(name, tuple(_stale(declared, file, agent.agent, soak))) for name, soak in soaks]
            if not stale or any(not why for _, why in stale):
                continue
            name, why = stale[-1]
            path: Steps = ("soak", "made_of")
            document = declared.evidence.get(name)
            if document is None:
                document, path = file.document, ("agents", agent.agent, "candidate")
            severity = None if _enters(file, agent.agent) else WARNING
            problem = f"the soak of {shown(agent.candidate or '')} is stale: {', '.join(why)}"
            remedy = "run `sluice soak staging` again"
            yield Broken(document, path, problem, remedy, file.environment, severity=severity, cause=f"{name}: {why}")


def _stale(declared: Declared, file: RolloutFile, agent: str, soak: SoakEvidence) -> Iterator[str]:
    if soak.digest is not None and soak.digest != digest_of_soak(soak):
        yield "its file was changed after it was written"
    made_of: SoakMadeOf | None = soak.made_of
    if made_of is None:
        return
    if made_of.queries.get(agent) != declared.queries.get(agent):
        yield f"queries/{agent}.txt is another"
    if made_of.scorer != scorer_digest():
        yield "the scorer is another"
    gateway = declared.gateways.get(file.environment)
    if gateway is not None and made_of.gateway != gateway:
        yield f"{file.environment} runs another image of the gateway"


def _enters(file: RolloutFile, agent: str) -> bool:
    before = file.before.agents.get(agent) if file.before else None
    now = file.rollout.agents[agent]
    return before is None or before.candidate != now.candidate or before.weight_percent == 0


RULES = (soak_is_of_what_would_run,)
