"""Redis and Prometheus in the settings: one of each, an environment's own or another's."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.registry import (
    EmbeddedCache,
    EmbeddedPrometheus,
    InvalidRegistry,
    load_settings,
)
from tests.registry.settings_example import DIGEST, REGISTRY, RIGHT


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (
            f"{{url: redis://a, embedded: {{image: 'a/b@{DIGEST}'}}}}",
            (
                "14:34: config.sluice:cache.embedded: cannot stand here; take it out: an environment has one Redis, "
                "embedded or by its url"
            ),
        ),
        ("{}", "14:3: config.sluice:cache: embedded is missing; add it"),
        (
            "{url: redis://user:made@redis.example.com}",
            "14:23: config.sluice:cache.url: text of 35 characters cannot be used here",
        ),
    ],
)
def test_an_environment_has_one_redis_and_no_password_in_its_address(wrong: str, expected: str, project: Path) -> None:
    Path("Pulumi.dev.yaml").write_text(RIGHT.replace('{url: "rediss://redis.example.com:6380/1"}', wrong))

    with pytest.raises(InvalidRegistry, match="refused") as refused:
        load_settings(project, "dev", REGISTRY)

    assert any(str(finding).startswith(f"Pulumi.dev.yaml:{expected}") for finding in refused.value.findings)
    assert "made@" not in str(refused.value)


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (
            f"{{url: 'http://a', embedded: {{image: 'a/b@{DIGEST}'}}}}",
            "19:40: config.sluice:prometheus.embedded: cannot stand here; take it out: an environment has one Prom",
        ),
        (
            f"{{embedded: {{image: 'a/b@{DIGEST}'}}, match: 'a=\"b\"'}}",
            "19:121: config.sluice:prometheus.match: cannot stand here; take it out: an embedded Prometheus knows",
        ),
        ("{}", "19:3: config.sluice:prometheus: embedded is missing; add it"),
        (
            "{url: prometheus.example.com}",
            '19:28: config.sluice:prometheus.url: "prometheus.example.com" cannot be used here; the address of one',
        ),
    ],
)
def test_an_environment_has_one_prometheus(wrong: str, expected: str, project: Path) -> None:
    Path("Pulumi.dev.yaml").write_text(RIGHT.replace('{url: "http://prometheus.example.com:9090/"}', wrong))

    with pytest.raises(InvalidRegistry, match="refused") as refused:
        load_settings(project, "dev", REGISTRY)

    found = [str(finding) for finding in refused.value.findings]
    assert any(finding.startswith(f"Pulumi.dev.yaml:{expected}") for finding in found), found


def test_an_embedded_prometheus_keeps_a_day_and_knows_its_namespace(project: Path) -> None:
    own = RIGHT.replace('{url: "http://prometheus.example.com:9090/"}', f'{{embedded: {{image: "a/b@{DIGEST}"}}}}')
    Path("Pulumi.dev.yaml").write_text(own)

    settings = load_settings(project, "dev", REGISTRY)

    assert settings.prometheus == EmbeddedPrometheus(f"a/b@{DIGEST}", "sluice-dev", "256Mi", "1d")
    assert (settings.prometheus.url, settings.prometheus.match) == ("http://prometheus:9090", 'namespace="sluice-dev"')
    assert settings.images["prometheus"] == f"a/b@{DIGEST}"
    assert settings.with_images(prometheus="a/b:built").images["prometheus"] == "a/b:built"


def test_an_embedded_cache_stores_64_mi_unless_it_is_told_otherwise(project: Path) -> None:
    own = RIGHT.replace('{url: "rediss://redis.example.com:6380/1"}', f'{{embedded: {{image: "a/b@{DIGEST}"}}}}')
    Path("Pulumi.dev.yaml").write_text(own)

    settings = load_settings(project, "dev", REGISTRY)

    assert settings.cache == EmbeddedCache(f"a/b@{DIGEST}", "64Mi")
    assert settings.with_images(cache="a/b:built").cache == EmbeddedCache("a/b:built", "64Mi")
