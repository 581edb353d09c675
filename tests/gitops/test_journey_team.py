"""The team of the journey, as far as it needs no cluster: its registry is in order, and production waits for papers."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from sluice.deploy.cluster_access import ClusterAccess
from tests.live.journey_team import ALLOWED, ALLOWED_LATER, ENVIRONMENTS, Team, with_new_model

pytestmark = pytest.mark.slow


def test_its_requests_hold_every_rule_and_the_page_quotes_what_was_said(tmp_path: Path) -> None:
    team = Team(tmp_path, cast("ClusterAccess", None))
    team.narration.tell("## A new model")
    with_new_model(team.ada)
    for environment in ENVIRONMENTS:
        team.ada.sluice("render", environment, shown=("^manifests/",))
    team.ada.proposes("model/new", "Try it")
    team.ada.sluice("ci", "check", "--against", "origin/main", shown=("order",))
    team.grace.merges("model/new")
    team.ada.is_up_to_date()
    limit = "requests_per_second: "
    team.ada.edit("registry/models.yaml", f"{limit}{ALLOWED}\n", f"{limit}{ALLOWED_LATER}\n")

    said = team.ada.sluice("plan", "production", shown=("^production", "mistral"))

    changed = f"  providers.mistral.requests_per_second: {ALLOWED} becomes {ALLOWED_LATER}"
    assert changed in said
    page = team.narration.page()
    assert page.startswith("## A new model\n\n```\nada$ sluice render dev\n...\nmanifests/dev: ")
    assert page.endswith(f"ada$ sluice plan production\nproduction, against HEAD:\n{changed}\n...\n```\n")
    assert "grace$ git merge --no-ff origin/model/new\n" in page
    assert str(tmp_path) not in page + team.narration.record()
