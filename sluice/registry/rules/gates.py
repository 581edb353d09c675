"""Rules about evidence: production takes only what was measured and vouched for.

They are asked of candidates that get users in production; at a weight of 0 a candidate waits, and waits for these.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from sluice.registry.evidence import Evidence, SignOff, SoakedModel, SoakEvidence
from sluice.registry.findings import did_you_mean, shown
from sluice.registry.model import AgentRollout, Model
from sluice.registry.places import Steps
from sluice.registry.policy import Role, SoakGate
from sluice.registry.rules.declared import Declared, RolloutFile
from sluice.registry.rules.rule import EVERYWHERE, GATE, WARNING, Broken, LooksAt, Severities, rule
from sluice.registry.typed import shown_duration

_SOON = timedelta(days=14)
_ELSEWHERE = timedelta(days=1)  # it is tomorrow already where somebody else merges


@rule(
    "SL050",
    "A candidate of production passed a soak",
    severities=GATE,
    wrong="# no file in evidence/ of kind soak names qa-20251031\nagents:\n  qa: {candidate: qa-20251031, weight: 10}",
    right="kind: soak\nsoak: {environment: staging, lasted: 24h, ..., models: {qa-20251031: {queries: 100, ...}}}",
)
def soak_was_passed(declared: Declared) -> Iterator[Broken]:
    """A candidate that gets users of production was soaked in staging, for as long and as well as gates.soak asks.

    The soak names the model with the provider's id it had then. It lasted long enough, asked each agent enough, kept
    quality and P95, and the rollback, the health checks and the alerts were seen to work. `sluice soak` writes it.
    """
    for file, agent, model in _serving(declared):
        soaks = list(_soaks(declared, model))
        faults = [soak_faults(soak, soaked, declared.registry.gates.soak) for _, soak, soaked in soaks]
        if [] in faults:
            continue
        if faults:
            short = ", ".join(faults[-1])
            problem = f"the soak of {shown(model.name)} fell short: {short}"
            name = soaks[-1][0].name
            path: Steps = ("soak", "models", model.name)
            yield _in_evidence(
                declared, file, agent, name, path, problem, "mend it and soak again", cause=f"{name}: {short}"
            )
        else:
            yield _at_candidate(file, agent, f"{shown(model.name)} was not soaked", "run `sluice soak staging` first")


@rule(
    "SL051",
    "A candidate of production is signed for",
    severities=GATE,
    wrong="# no file in evidence/ of kind sign-off, role security, names qa-20251031",
    right="kind: sign-off\nby: Ada Lovelace\nsign_off: {role: security, models: {qa-20251031: 'ft:...'}, ...}",
)
def sign_offs_are_there(declared: Declared) -> Iterator[Broken]:
    """Every role in gates.sign_offs, and in the agent's own safeguards.sign_offs, has signed for the candidate.

    A sign-off names the model with the provider's id: another id under the same name is another model, and nobody has
    signed for it.
    """
    for file, agent, model in _serving(declared):
        missing = [role for role in declared.roles_for(agent.agent) if not _signed(declared, model, role)]
        if missing:
            signs = " and ".join(missing) if len(missing) < 3 else f"{', '.join(missing[:-1])} and {missing[-1]}"
            yield _at_candidate(
                file, agent, f"{shown(model.name)} lacks sign-offs: {signs}", "add a file of kind sign-off to evidence/"
            )


@rule(
    "SL052",
    "A sign-off has not ended",
    severities=GATE,
    looks_at=LooksAt.DAY,
    wrong="sign_off: {role: cost, ends: 2025-10-31, ...}     # and it is November",
    right="sign_off: {role: cost, ends: 2026-02-05, ...}",
)
def sign_offs_hold(declared: Declared) -> Iterator[Broken]:
    """Of the sign-offs that a candidate of production needs, one of each role holds; two weeks before it warns."""
    if declared.today is None:
        return
    for file, agent, model in _serving(declared):
        for role in declared.roles_for(agent.agent):
            signed = _signed(declared, model, role)
            if not signed:
                continue
            name, last = max(((name, sign_off.ends) for name, sign_off in signed), key=lambda one: one[1])
            path: Steps = ("sign_off", "ends")
            if declared.registry.evidence[signed[-1][0]].date > last:
                continue  # it ended before it began, and is found by SL057
            if last < declared.today:
                problem = f"the {role} sign-off that a candidate of {file.environment} needs ended on {last}"
                yield _in_evidence(declared, file, agent, name, path, problem, "have it renewed", cause=name)
            elif last - declared.today < _SOON:
                problem = f"the {role} sign-off that a candidate of {file.environment} needs ends on {last}"
                yield _in_evidence(
                    declared, file, agent, name, path, problem, "have it renewed", cause=name, warning=True
                )


@rule(
    "SL053",
    "The conditions of a sign-off are met",
    severities=GATE,
    wrong="conditions: [{text: personal data scrubbed, met: false}]",
    right="conditions: [{text: personal data scrubbed, met: true}]",
)
def conditions_are_met(declared: Declared) -> Iterator[Broken]:
    """A sign-off that a candidate of production needs has no condition that is not met."""
    for file, agent, model in _serving(declared):
        for role in declared.roles_for(agent.agent):
            signed = _signed(declared, model, role)
            open_ones = [
                [(index, one) for index, one in enumerate(sign_off.conditions) if not one.met] for _, sign_off in signed
            ]
            if open_ones and all(open_ones):
                name, (index, first) = signed[-1][0], open_ones[-1][0]
                problem = f"the {role} sign-off that a candidate needs has a condition that is not met: {first.text}"
                path: Steps = ("sign_off", "conditions", index, "met")
                yield _in_evidence(
                    declared, file, agent, name, path, problem, "meet it, and write met: true", cause=name
                )


@rule(
    "SL054",
    "Training data holds no personal data",
    severities=GATE,
    wrong="data_audit: {email_addresses: 2723, phone_numbers: 145}",
    right="data_audit: {email_addresses: 0, phone_numbers: 0}",
)
def training_data_is_scrubbed(declared: Declared) -> Iterator[Broken]:
    """A candidate of production was trained on data that its audit found free of personal data.

    A model can repeat what it was trained on to anybody who asks. Scrub the data, train again, and audit that.
    """
    for file, agent, model in _serving(declared):
        if model.training is None:
            continue
        evidence = declared.registry.evidence.get(model.training.audit or "")
        audit = evidence.data_audit if evidence else None
        if model.training.audit is None:
            problem = f"the training data of {shown(model.name)} was not audited"
            yield _at_candidate(file, agent, problem, f"name the audit in models.{model.name}.training.audit")
        elif evidence and audit is None:
            yield _at_candidate(
                file, agent, f"evidence/{evidence.name}.yaml is no data audit", "name one of kind data-audit"
            )
        elif audit and audit.email_addresses + audit.phone_numbers > 0:
            found = f"{audit.email_addresses} e-mail addresses and {audit.phone_numbers} phone numbers"
            problem = f"a candidate of {file.environment} was trained on data with {found}"
            field = "email_addresses" if audit.email_addresses else "phone_numbers"
            name, remedy = model.training.audit, "scrub the data and train again"
            yield _in_evidence(declared, file, agent, name, ("data_audit", field), problem, remedy, cause=name)


@rule(
    "SL055",
    "Evidence is about what it names",
    severities=Severities(WARNING, WARNING, WARNING),
    wrong="soak: {..., models: {qa-2025103: {...}}}     # models.yaml has qa-20251031",
    right="soak: {..., models: {qa-20251031: {...}}}",
)
def evidence_is_about_known_models(declared: Declared) -> Iterator[Broken]:
    """The models that a piece of evidence names are in models.yaml, under the id that the evidence was made for.

    Evidence for another id counts for nothing. Keep it for the record where a model was retired; mend it where a name
    was misspelt.
    """
    for evidence in declared.registry.evidence.values():
        document = declared.evidence.get(evidence.name)
        if document is None or declared.names is None:
            continue
        for name, identity in evidence.ids().items():
            path = (_field_of(evidence), "models", name)
            model = declared.registry.models.get(name)
            if name not in declared.names.models:
                remedy = did_you_mean(name, declared.names.models, of="models")
                yield Broken(document, path, f"no model is named {shown(name)}", remedy, at_key=True)
            elif model and model.id != identity:
                problem = f"is for another id of {shown(name)} than models.yaml has"
                yield Broken(document, path, problem, "measure or sign anew", at_key=True)


@rule(
    "SL056",
    "A benchmark says the same in both places",
    severities=EVERYWHERE,
    wrong="# evidence has score: 7.9\nbenchmark: {date: 2025-11-01, tests: 10, score: 8.9, baseline: 7.0}",
    right="benchmark: {date: 2025-11-01, tests: 10, score: 7.9, baseline: 7.0}",
)
def benchmark_is_what_was_measured(declared: Declared) -> Iterator[Broken]:
    """Where evidence of the same day has a model's benchmark, models.yaml says the same score, tests and baseline."""
    if declared.models is None:
        return
    for evidence in declared.registry.evidence.values():
        for name, measured in evidence.benchmark.models.items() if evidence.benchmark else ():
            model = declared.registry.models.get(name)
            if not model or not model.benchmark or model.id != measured.id or model.benchmark.date != evidence.date:
                continue
            for field in ("score", "tests", "baseline"):
                said, found = getattr(model.benchmark, field), getattr(measured, field)
                if said != found:
                    at: Steps = ("models", name, "benchmark", field)
                    problem = f"{said:g} is not what was measured"
                    yield Broken(declared.models, at, problem, f"evidence/{evidence.name}.yaml has {found:g}")


@rule(
    "SL057",
    "A sign-off ends after it was given",
    wrong="date: 2025-11-05\nsign_off: {..., ends: 2025-02-05}",
    right="date: 2025-11-05\nsign_off: {..., ends: 2026-02-05}",
)
def sign_off_ends_after_it_began(declared: Declared) -> Iterator[Broken]:
    """The last day of a sign-off is not before the day it was given."""
    for evidence in declared.registry.evidence.values():
        document = declared.evidence.get(evidence.name)
        if document and evidence.sign_off and evidence.sign_off.ends < evidence.date:
            problem = f"{evidence.sign_off.ends} is before {evidence.date}, the day it was given"
            yield Broken(document, ("sign_off", "ends"), problem, "write the last day on which it holds")


@rule(
    "SL058",
    "Nothing was measured in the future",
    severities=EVERYWHERE,
    looks_at=LooksAt.DAY,
    wrong="benchmark: {date: 2052-11-01, ...}",
    right="benchmark: {date: 2025-11-01, ...}",
)
def nothing_is_from_the_future(declared: Declared) -> Iterator[Broken]:
    """The day of a benchmark, of evidence and of a weight is not later than tomorrow, wherever today is.

    A year that is one digit off would make evidence that never grows old, or a hold time that never ends.
    """
    if declared.today is None:
        return
    remedy = f"today is {declared.today}"
    if declared.models is not None:
        for model in declared.registry.models.values():
            if model.benchmark and model.benchmark.date - declared.today > _ELSEWHERE:
                path: Steps = ("models", model.name, "benchmark", "date")
                yield Broken(declared.models, path, f"{model.benchmark.date} is in the future", remedy)
    for evidence in declared.registry.evidence.values():
        document = declared.evidence.get(evidence.name)
        if document and evidence.date - declared.today > _ELSEWHERE:
            yield Broken(document, ("date",), f"{evidence.date} is in the future", remedy)
    for file in declared.rollouts:
        for agent in file.candidates():
            if agent.since and agent.since - declared.today > _ELSEWHERE:
                path = ("agents", agent.agent, "since")
                yield Broken(file.document, path, f"{agent.since} is in the future", remedy, file.environment)


@rule(
    "SL059",
    "A freeze ends after it begins",
    severities=EVERYWHERE,
    wrong="gates: {freezes: [{from: 2025-12-20, to: 2025-01-02, reason: the holidays}]}",
    right="gates: {freezes: [{from: 2025-12-20, to: 2026-01-02, reason: the holidays}]}",
)
def freeze_ends_after_it_begins(declared: Declared) -> Iterator[Broken]:
    """The last day of a freeze is not before its first. One that is the wrong way round freezes nothing."""
    if declared.models is None:
        return
    for index, freeze in enumerate(declared.registry.gates.freezes):
        if freeze.last < freeze.first:
            path: Steps = ("gates", "freezes", index, "to")
            yield Broken(declared.models, path, f"{freeze.last} is before {freeze.first}", "write its last day")


def _serving(declared: Declared) -> Iterator[tuple[RolloutFile, AgentRollout, Model]]:
    for file in declared.rollouts:
        for agent in file.serving():
            model = declared.model_of(agent)
            if model is not None:
                yield file, agent, model


def _at_candidate(
    file: RolloutFile,
    agent: AgentRollout,
    problem: str,
    remedy: str,
) -> Broken:
    return Broken(file.document, ("agents", agent.agent, "candidate"), problem, remedy, file.environment)


def _in_evidence(
    declared: Declared,
    file: RolloutFile,
    agent: AgentRollout,
    name: str,
    path: Steps,
    problem: str,
    remedy: str,
    *,
    cause: str,
    warning: bool = False,
) -> Broken:
    """Point at the evidence that is short of what a rollout needs: there is the place to mend.

    Where the registry was loaded before, its files are not at hand, and the candidate is pointed at.
    """
    severity = WARNING if warning else None
    document = declared.evidence.get(name)
    if document is None:
        document, path = file.document, ("agents", agent.agent, "candidate")
    return Broken(document, path, problem, remedy, file.environment, severity=severity, cause=cause)


def _soaks(declared: Declared, model: Model) -> Iterator[tuple[Evidence, SoakEvidence, SoakedModel]]:
    for evidence in sorted(declared.registry.evidence.values(), key=lambda evidence: evidence.date):
        soaked = evidence.soak.models.get(model.name) if evidence.soak else None
        if evidence.soak and soaked and soaked.id == model.id and evidence.soak.environment == "staging":
            yield evidence, evidence.soak, soaked


def soak_faults(soak: SoakEvidence, soaked: SoakedModel, gate: SoakGate) -> list[str]:
    """Say in what a soak fell short of the gate, in the gate's own words."""
    checks = (
        (soak.lasted >= gate.lasts, f"it lasted {shown_duration(soak.lasted)} of {shown_duration(gate.lasts)}"),
        (soaked.queries >= gate.queries, f"{soaked.queries} of {gate.queries} queries"),
        (soaked.quality >= gate.quality, f"quality {soaked.quality:g} of {gate.quality:g}"),
        (soaked.p95 < gate.p95, f"P95 {shown_duration(soaked.p95)} with less than {shown_duration(gate.p95)} wanted"),
        (soak.rollback_exercised, "no rollback was exercised"),
        (soak.health_checks_seen, "health checks were not seen working"),
        (soak.alerts_seen, "alerts were not seen working"),
    )
    return [fault for passed, fault in checks if not passed]


def _signed(declared: Declared, model: Model, role: Role) -> list[tuple[str, SignOff]]:
    return [
        (evidence.name, evidence.sign_off)
        for evidence in sorted(declared.registry.evidence.values(), key=lambda evidence: evidence.date)
        if evidence.sign_off and evidence.sign_off.role is role and evidence.sign_off.models.get(model.name) == model.id
    ]


def _field_of(evidence: Evidence) -> str:
    return str(evidence.kind).replace("-", "_")


RULES = (
    soak_was_passed,
    sign_offs_are_there,
    sign_offs_hold,
    conditions_are_met,
    training_data_is_scrubbed,
    evidence_is_about_known_models,
    benchmark_is_what_was_measured,
    sign_off_ends_after_it_began,
    nothing_is_from_the_future,
    freeze_ends_after_it_begins,
)
