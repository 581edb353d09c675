"""What Flux and Argo CD leave alone: what the running system writes, what git holds no copy of, what old pods need."""

from __future__ import annotations

import re

from sluice.local.folders import PROJECT
from sluice.registry import load_environment
from sluice.render import KubernetesObject, render
from sluice.render.following import KEPT, OTHERS_WRITE, OUTLIVES_ITS_SUCCESSOR
from tests.everything import everything
from tests.render.made_environment import REGISTRY, SETTINGS, rollout

WRITTEN_WHILE_RUNNING = {"ConfigMap/override", "ConfigMap/rollbacks", "Lease/sluice-guard"}


def noted_on(item: KubernetesObject) -> dict[str, str]:
    return dict(item.body["metadata"].get("annotations", {}))


def named(item: KubernetesObject) -> str:
    return f"{item.kind}/{item.name}"


def test_the_fields_that_others_write_are_theirs_whoever_follows_git() -> None:
    left_alone = {named(item) for item in everything().objects() if OTHERS_WRITE.items() <= noted_on(item).items()}

    assert left_alone == WRITTEN_WHILE_RUNNING


def test_everything_that_git_declares_without_content_is_left_alone() -> None:
    without = {
        named(item)
        for item in everything().objects()
        if item.kind in ("ConfigMap", "Lease") and not {"data", "spec"} & item.body.keys()
    }

    assert without == WRITTEN_WHILE_RUNNING


def test_what_is_recorded_in_the_cluster_alone_is_never_pruned() -> None:
    kept = {named(item) for item in everything().objects() if KEPT.items() <= noted_on(item).items()}

    assert {name for name in kept if not name.startswith("Namespace/")} == WRITTEN_WHILE_RUNNING
    assert len(kept) == len(WRITTEN_WHILE_RUNNING) + 1, "with any of them, their namespace"


def test_a_configuration_named_by_its_content_stays_for_the_pods_of_before() -> None:
    dev = load_environment(PROJECT, "dev")
    objects = (*everything().objects(), *render(dev.registry, dev.rollout, dev.settings).objects())
    hashed = [item for item in objects if re.search(r"-[0-9a-f]{8}(-\d+)?$", item.name)]

    assert {re.split(r"-[0-9a-f]{8}", item.name)[0] for item in hashed} == {
        "gateway-config",
        "guard-config",
        "litellm-config",
        "prometheus-config",
    }
    assert all(OUTLIVES_ITS_SUCCESSOR.items() <= noted_on(item).items() for item in hashed)


def test_the_flags_are_gits_alone() -> None:
    for item in render(REGISTRY, rollout(), SETTINGS).flags:
        assert not noted_on(item)
