"""Every rule passes what keeps it, names what breaks it, and passes what is rendered."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sluice.policy import OBJECT_RULES, RULES, violations
from sluice.registry import environments, load_environment
from sluice.render import render
from tests.everything import everything
from tests.policy.examples import BROKEN, KEPT, LABELS, Broken, deployment, made, service

PROJECT = Path(__file__).parent.parent.parent


def namespace(environment: str, answers: str = "real") -> dict[str, Any]:
    labels = {
        "app.kubernetes.io/instance": environment,
        "pod-security.kubernetes.io/enforce": "restricted",
        "sluice/answers": answers,
    }
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "sluice-made", "labels": labels}}


def within(*bodies: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**body, "metadata": {**body["metadata"], "namespace": "sluice-made"}} for body in bodies]


def broken(*objects: dict[str, Any]) -> list[str]:
    return [found.rule for found in violations(objects)]


@pytest.mark.parametrize("environment", environments(PROJECT))
def test_what_is_rendered_breaks_no_rule(environment: str) -> None:
    declared = load_environment(PROJECT, environment)
    rendered = render(declared.registry, declared.rollout, declared.settings)

    assert list(map(str, violations([item.body for item in rendered.objects()]))) == []


def test_an_environment_with_all_that_is_optional_breaks_no_rule() -> None:
    assert list(map(str, violations([item.body for item in everything().objects()]))) == []


def test_objects_that_keep_every_rule_are_passed() -> None:
    assert violations([namespace("staging"), *within(*KEPT)]) == []


@pytest.mark.parametrize("example", BROKEN, ids=lambda example: f"{example.rule}: {example.title}")
def test_an_object_that_breaks_a_rule_is_named(example: Broken) -> None:
    assert set(broken(namespace("staging"), *within(example.body))) == {example.rule}


def test_every_rule_about_one_object_is_broken_by_an_example() -> None:
    assert {rule.id for rule in OBJECT_RULES} == {example.rule for example in BROKEN} | {"namespace-restricted"}


def test_every_rule_has_a_name_of_its_own_and_a_sentence() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert all(rule.sentence.endswith(".") for rule in RULES)


def test_an_image_that_kind_was_given_goes_by_a_tag_of_its_digest() -> None:
    given = deployment()
    given["spec"]["template"]["spec"]["containers"][0]["image"] = "sluice.local/gateway:0123456789abcdef"

    assert violations([namespace("dev", "made"), *within(given)]) == []


@pytest.mark.parametrize("missing", ["pod-security.kubernetes.io/enforce", "app.kubernetes.io/instance"])
def test_a_namespace_without_its_labels_is_named(missing: str) -> None:
    without = namespace("staging")
    del without["metadata"]["labels"][missing]

    (found,) = violations([without])

    assert str(found).startswith(f"Namespace/sluice-made: label {missing} ")
    assert found.rule == "namespace-restricted"


@pytest.mark.parametrize(("answers", "rules"), [("made", []), ("real", ["node-port-for-made-answers"])])
def test_a_port_of_the_nodes_is_for_made_answers_alone(answers: str, rules: list[str]) -> None:
    assert broken(namespace("staging", answers), *within(service(type="NodePort"))) == rules


def test_what_lies_in_no_namespace_is_named_after_its_environment() -> None:
    policy = made("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy")

    assert broken(namespace("staging"), policy) == ["named-by-environment"]
    policy["metadata"]["name"] = "sluice-made"
    assert broken(namespace("staging"), policy) == []


def serving(**spec: Any) -> list[dict[str, Any]]:
    gateway = deployment()
    gateway["spec"].update(spec)
    return within(gateway, service())


def autoscaler(least: int) -> dict[str, Any]:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "made"}
    return made("autoscaling/v2", "HorizontalPodAutoscaler", spec={"scaleTargetRef": target, "minReplicas": least})


BUDGET = made("policy/v1", "PodDisruptionBudget", spec={"maxUnavailable": 1, "selector": {"matchLabels": LABELS}})
OF_OTHERS = {**BUDGET, "spec": {"selector": {"matchLabels": {"app.kubernetes.io/name": "another"}}}}


@pytest.mark.parametrize(
    ("environment", "replicas", "further", "rules"),
    [
        ("production", 2, [BUDGET], []),
        ("production", 1, [BUDGET], ["two-serve-production"]),
        ("eu-production", 1, [BUDGET], ["two-serve-production"]),
        ("nonproduction", 1, [], []),
        ("production", 1, [BUDGET, autoscaler(3)], []),
        ("production", 5, [BUDGET, autoscaler(1)], ["two-serve-production"]),
        ("production", 2, [], ["production-outlives-a-drain"]),
        ("production", 2, [OF_OTHERS], ["production-outlives-a-drain"]),
        ("staging", 1, [], []),
    ],
)
def test_what_serves_production_has_two_pods_and_a_budget(
    environment: str, replicas: int, further: list[dict[str, Any]], rules: list[str]
) -> None:
    assert broken(namespace(environment), *serving(replicas=replicas), *within(*further)) == rules


def test_what_no_service_leads_to_may_be_one_pod() -> None:
    (gateway, _) = serving(replicas=1)

    assert broken(namespace("production"), gateway) == []


def test_the_rules_run_where_nothing_of_ours_is_installed() -> None:
    asked = "import sys; sys.path.insert(0, sys.argv[1]); import sluice.policy; print(len(sluice.policy.RULES))"
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-c", asked, str(PROJECT)], capture_output=True, text=True, check=True
    )

    assert int(ran.stdout) == len(RULES)
