"""The report as an environment renders it: a CronJob without rights, and nothing where nobody wants one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from sluice.registry import load_environment
from sluice.registry.report_settings import Mail, PostSecret, ReportSettings
from sluice.render import KubernetesObject, render
from sluice.render.report import CONFIGURATION, DATA_KEY
from sluice.rollout.report.configuration import PostTo, read_configuration

PROJECT = Path(__file__).resolve().parents[2]
DECLARED = load_environment(PROJECT, "production")


def rendered(wanted: ReportSettings | None) -> dict[str, KubernetesObject]:
    settings = replace(DECLARED.settings, report=wanted)
    of = render(DECLARED.registry, DECLARED.rollout, settings)
    named = {item.kind: item for item in of.report}
    policy = [one for one in of.network if one.name == "sluice-report"]
    return named | {one.kind: one for one in policy}


def pod() -> dict[str, Any]:
    made: dict[str, Any] = rendered(ReportSettings(post="http://reports.tools.svc:8080/x"))["CronJob"].body
    spec: dict[str, Any] = made["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return spec


def test_without_the_setting_there_is_nothing_of_it() -> None:
    assert rendered(None) == {}


def test_it_has_no_token_and_an_account_without_rights() -> None:
    of = render(DECLARED.registry, DECLARED.rollout, DECLARED.settings)

    assert pod()["automountServiceAccountToken"] is False
    assert [volume["name"] for volume in pod()["volumes"]] == ["config"]
    assert not [one for one in of.access if "sluice-report" in str(one.body)]


def test_it_runs_the_guards_image_and_the_reports_program() -> None:
    (container,) = pod()["containers"]

    assert DECLARED.settings.guard is not None
    assert container["image"] == DECLARED.settings.guard.image
    assert container["command"] == ["python3", "-m", "sluice.rollout.report"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True


def test_it_may_reach_prometheus_and_whoever_takes_it_and_nobody_else() -> None:
    wanted = ReportSettings(
        mail=Mail("smtp://relay.mail.svc:25", "a@example.com", ("b@example.com",)), post="https://reports.example.com/x"
    )
    policy = rendered(wanted)["NetworkPolicy"].body["spec"]

    assert policy["ingress"] == []
    assert [[port["port"] for port in rule["ports"]] for rule in policy["egress"]] == [[53, 53], [9090], [25], [443]]


def test_its_program_reads_what_is_rendered(tmp_path: Path) -> None:
    mail = Mail("smtp://relay.mail.svc:25", "a@example.com", ("b@example.com",))
    made = rendered(ReportSettings(days=3, mail=mail))["ConfigMap"]
    file = tmp_path / DATA_KEY
    file.write_text(made.body["data"][DATA_KEY])

    found = read_configuration(file)

    assert made.name == CONFIGURATION
    assert (found.environment, found.days, found.post) == ("production", 3, None)
    assert found.mail is not None
    assert (found.mail.server, found.mail.to) == (mail.server, mail.to)
    assert found.rollout.agents == DECLARED.rollout.agents
    assert found.registry.report == DECLARED.registry.report
    assert {name: agent.policy for name, agent in found.registry.agents.items()} == {
        name: agent.policy for name, agent in DECLARED.registry.agents.items()
    }


def test_an_address_that_is_a_secret_is_a_file_of_its_pod_and_in_no_object(tmp_path: Path) -> None:
    wanted = ReportSettings(post="https://hooks.example.com", post_secret=PostSecret("report-webhook", "address"))
    made = rendered(wanted)
    pod = made["CronJob"].body["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (volume,) = [one["secret"] for one in pod["volumes"] if "secret" in one]
    mounts = {one["name"]: one["mountPath"] for one in pod["containers"][0]["volumeMounts"]}
    file = tmp_path / DATA_KEY
    file.write_text(made["ConfigMap"].body["data"][DATA_KEY])

    told = read_configuration(file).post

    assert volume["secretName"] == "report-webhook"
    assert volume["optional"] is True
    (item,) = volume["items"]
    assert item["key"] == "address"
    assert told == PostTo("https://hooks.example.com", Path(mounts["post"], item["path"]))
