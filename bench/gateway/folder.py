"""What the gateway and LiteLLM read: the project's own registry as it renders, and the nearest that LiteLLM has to it.

Everything that holds in production is on: the limits with their counting in Redis, the cache, scores of a share, logs.
Only the numbers of the limits are raised, because a benchmark is to be answered and not to be told to come back.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.measured import PROJECT
from sluice.registry import load_environment
from sluice.render import render

MASTER_KEY = "sk-made-for-the-benchmark-0123456789abcdef"
AGENT = "qa"
_PLENTY = 100_000


def write_gateway_folder(folder: Path, stub: str) -> None:
    """Write what a pod has below /etc/sluice, its providers at the address `stub`."""
    declared = load_environment(PROJECT, "dev")
    rendered = render(declared.registry, declared.rollout, declared.settings)
    data: dict[str, str] = {}
    for item in rendered.objects():
        if item.kind == "ConfigMap":
            data |= item.body.get("data", {})
    document = json.loads(data["gateway.json"])
    for name, provider in document["providers"].items():
        provider |= {"api": f"{stub}/{name}/v1", "requests_per_second": _PLENTY}
        _write(folder / "keys" / provider["key"], "made-for-the-benchmark\n")
    for agent in document["agents"].values():
        agent["rate"] = {"requests_per_second": _PLENTY, "burst": _PLENTY}
    for model in document["models"].values():
        model["requests_per_second"] = _PLENTY
    document["budgets"] = {}
    _write(folder / "config" / "gateway.json", json.dumps(document))
    _write(folder / "flags" / "flags.json", data["flags.json"])


def write_litellm_settings(file: Path, stub: str, redis_port: int) -> None:
    """Write LiteLLM's configuration: a key, a fall-back, limits and a cache in the same Redis, Prometheus."""

    def model(name: str, provider: str, id_: str) -> dict[str, Any]:
        where = {"api_base": f"{stub}/{provider}/v1", "api_key": "made-for-the-benchmark", "rpm": _PLENTY * 60}
        return {"model_name": name, "litellm_params": {"model": f"openai/{id_}", **where}}

    redis = {"host": "127.0.0.1", "port": redis_port}
    settings = {
        "model_list": [model(AGENT, "mistral", "ft:open-mistral-7b"), model("gpt-4o", "openai", "gpt-4o")],
        "litellm_settings": {
            "cache": True,
            "cache_params": {"type": "redis", **redis, "ttl": 3600},
            "callbacks": ["prometheus"],
            "fallbacks": [{AGENT: ["gpt-4o"]}],
            "json_logs": True,
        },
        "router_settings": {"redis_host": "127.0.0.1", "redis_port": redis_port, "enable_pre_call_checks": True},
        "general_settings": {"master_key": MASTER_KEY},
    }
    _write(file, json.dumps(settings))  # JSON is YAML


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
