"""An environment that has all that is optional: what production is, with every switch on.

The environments of this checkout leave some of it out; the judges, the rules and the components see it all the same.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sluice.registry import Autoscaling, Grafana, Ingress, LiteLLM, Route, Settings, Traces, load_environment
from sluice.render import Rendered, render

PROJECT = Path(__file__).parent.parent


def everything() -> Rendered:
    """Render production with every switch on."""
    declared = load_environment(PROJECT, "production")
    return render(declared.registry, declared.rollout, switched_on(declared.settings))


def switched_on(settings: Settings) -> Settings:
    """Return settings with all that is optional."""
    return replace(
        settings,
        gateway=replace(
            settings.gateway,
            autoscaling=Autoscaling(10, requests_in_flight=40),
            priority_class="business-critical",
            traces=Traces("http://otel-collector.observability.svc:4318"),
        ),
        ingress=Ingress("llm.example.com", "gateway-tls", "nginx", "ingress-nginx"),
        route=Route("llm.example.com", "shared", "gateways", "https"),
        teams=("web",),
        monitoring=replace(settings.monitoring, grafana=Grafana.OPERATOR),
        litellm=LiteLLM("registry.example.com/sluice/litellm@sha256:" + "0" * 64, {"anthropic": "anthropic"}, 2),
    )
