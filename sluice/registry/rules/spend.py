"""Rules about money and about what providers allow: forecasts stay below the caps."""

from __future__ import annotations

from collections.abc import Iterator

from sluice.registry.findings import shown
from sluice.registry.forecast import forecast
from sluice.registry.model import Model, Provider
from sluice.registry.rules.declared import Declared
from sluice.registry.rules.rule import (
    ERROR,
    GATE,
    WARNING,
    WARNING_EVERYWHERE,
    Broken,
    Severities,
    rule,
)


@rule(
    "SL070",
    "The forecast stays under the cap",
    severities=Severities(None, WARNING, ERROR),
    wrong="# 50,000 requests a month at 0.0024 dollars: 120\nbudgets: {month: {budget: 50, cap: 100}}",
    right="# 15,000 requests a month at 0.0024 dollars: 36\nbudgets: {month: {budget: 50, cap: 100}}",
)
def forecast_is_under_the_cap(declared: Declared) -> Iterator[Broken]:
    """What the fine-tuned models will cost a month stays under budgets.month.cap, and better under the budget.

    The forecast takes each agent's `traffic`, the environment's weights and the models' prices. Above the budget it
    warns. What the baselines cost is not counted: it was paid before there was a candidate.
    """
    month = declared.registry.budgets.month
    for file in declared.rollouts:
        spend = sum(one.fine_tuned_dollars for one in forecast(declared.registry, file.rollout))
        limit, name = (month.cap_dollars, "cap") if spend > month.cap_dollars else (month.budget_dollars, "budget")
        if spend > limit:
            yield Broken(
                file.document,
                ("agents",),
                f"its fine-tuned models will cost ${spend:,.2f} a month",
                f"the {name} is ${limit:g}; lower weights, or expect less traffic",
                file.environment,
                at_key=True,
                severity=WARNING if name == "budget" else None,
            )


@rule(
    "SL071",
    "A request to the candidate is as cheap as it was meant to be",
    severities=WARNING_EVERYWHERE,
    wrong="models:\n  qa-20251031: {..., price: {input: 0.008, output: 0.008}}     # ten times the usual",
    right="models:\n  qa-20251031: {..., price: {input: 0.0008, output: 0.0008}}",
)
def requests_are_cheap_enough(declared: Declared) -> Iterator[Broken]:
    """By expected tokens and price, a request to the candidate costs less than limits.request_cost.goal.

    And it is cheaper than one to the first baseline by limits.request_cost.saving percent. A price that is a decimal
    point off is found here.
    """
    for file in declared.rollouts:
        for one in forecast(declared.registry, file.rollout):
            limits = declared.registry.agents[one.agent].policy.limits.request_cost
            if one.candidate_request_dollars is None:
                continue
            saving = (
                100 * (1 - one.candidate_request_dollars / one.baseline_request_dollars)
                if one.baseline_request_dollars
                else 100
            )
            path = ("agents", one.agent, "candidate")
            model = file.rollout.agents[one.agent].candidate
            problem = f"a request to {shown(model)} will cost ${one.candidate_request_dollars:.4f}"
            remedy = f"the goal is less than ${limits.goal_dollars:g}"
            if one.candidate_request_dollars < limits.goal_dollars:
                if saving >= limits.saving_percent:
                    continue
                problem += f", {saving:.0f} % less than to its baseline"
                remedy = f"the goal is {limits.saving_percent:g} %"
            price = declared.registry.models[model or ""].price
            yield Broken(file.document, path, problem, remedy, file.environment, cause=f"{price} {remedy}")


@rule(
    "SL072",
    "Training stays within its budget",
    wrong="budgets: {training: {budget: 30, spent: 34}}",
    right="budgets: {training: {budget: 30, spent: 10}}",
)
def training_is_within_its_budget(declared: Declared) -> Iterator[Broken]:
    """What was spent on training is below budgets.training.budget, and no less than the models' own costs together.

    From the last of `warn_at` on it warns: 83 % of 30 dollars is 24.90.
    """
    if declared.models is None or declared.models.get("budgets", "training") is None:
        return
    training = declared.registry.budgets.training
    costs = sum(model.training.cost_dollars for model in declared.registry.models.values() if model.training)
    spent = max(training.spent_dollars, round(costs, 2))
    path = ("budgets", "training", "spent")
    last = max(training.warn_at_percent, default=100.0)
    if spent > training.budget_dollars:
        problem = f"${spent:,.2f} of ${training.budget_dollars:g} is spent"
        yield Broken(declared.models, path, problem, "have the budget raised before the next training")
    elif training.spent_dollars < costs - 0.005:
        problem = f"${training.spent_dollars:g} is less than the ${costs:,.2f} that the models' training cost"
        yield Broken(declared.models, path, problem, "count every attempt, failed ones too")
    elif spent >= training.budget_dollars * last / 100:
        problem = f"${spent:,.2f} of ${training.budget_dollars:g} is spent, more than {last:g} %"
        yield Broken(declared.models, path, problem, "plan what is left", severity=WARNING)


@rule(
    "SL073",
    "Agents do not ask a provider for more than it allows",
    severities=WARNING_EVERYWHERE,
    wrong="# five agents at 2 requests a second, and mistral allows 5\ndefaults: {rate: {requests_per_second: 2}}",
    right="defaults: {rate: {requests_per_second: 1}}",
)
def rates_fit_the_provider(declared: Declared) -> Iterator[Broken]:
    """The rates of all agents whose candidate is a provider's sum up to no more than its requests_per_second.

    The same holds for a model that has a limit of its own, which is no higher than its provider's. Counted as if every
    candidate stood at 100 %: the way there is short, and a refused request is an error to a user.
    """
    registry = declared.registry
    yield from _models_above_their_provider(declared)
    for file in declared.rollouts:
        wanted: dict[Provider | Model, float] = {}
        for agent in file.candidates():
            model = declared.model_of(agent)
            rate = registry.agents[agent.agent].policy.rate
            for asked in (model, registry.providers.get(model.provider)) if model and rate else ():
                if asked and rate:
                    wanted[asked] = wanted.get(asked, 0) + rate.requests_per_second
        for asked, requests in wanted.items():
            allowed = asked.requests_per_second
            if allowed is not None and requests > allowed + 1e-9:
                yield Broken(
                    file.document,
                    ("agents",),
                    f"its candidates take {requests:g} requests a second from {asked.name}",
                    f"{asked.name} allows {allowed}; lower defaults.rate or an agent's own",
                    file.environment,
                    at_key=True,
                )


def _models_above_their_provider(declared: Declared) -> Iterator[Broken]:
    for model in declared.registry.models.values():
        provider = declared.registry.providers.get(model.provider)
        own, most = model.requests_per_second, provider.requests_per_second if provider else None
        if declared.models and own is not None and most is not None and own > most:
            path = ("models", model.name, "requests_per_second")
            problem = f"{own} is above what {model.provider} allows"
            yield Broken(declared.models, path, problem, f"the provider's own limit is {most}")


@rule(
    "SL074",
    "Production does not depend on a trial",
    severities=GATE,
    wrong="providers:\n  mistral: {..., tier: {name: free, production: false}}",
    right="providers:\n  mistral: {..., tier: {name: paid, production: true, cost_per_month: 16}}",
)
def tier_is_fit_for_production(declared: Declared) -> Iterator[Broken]:
    """A candidate that gets users of production is served by an account whose tier is fit for that.

    A free tier can be cut off, throttled or changed without notice.
    """
    for file in declared.rollouts:
        for agent in file.serving():
            model = declared.model_of(agent)
            provider = declared.registry.providers.get(model.provider) if model else None
            if model and provider and provider.tier and not provider.tier.production:
                yield Broken(
                    file.document,
                    ("agents", agent.agent, "candidate"),
                    f"{shown(model.name)} is served by {provider.name}'s tier {shown(provider.tier.name)}",
                    f"pay for one, and write it in providers.{provider.name}.tier",
                    file.environment,
                    cause=provider.name,
                )


RULES = (
    forecast_is_under_the_cap,
    requests_are_cheap_enough,
    training_is_within_its_budget,
    rates_fit_the_provider,
    tier_is_fit_for_production,
)
