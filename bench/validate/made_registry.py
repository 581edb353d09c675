"""Makes a registry of any size that breaks no rule, with models as full as those the first team has."""

from __future__ import annotations

import random
from pathlib import Path

_MODEL = """\
  {name}:
    provider: mistral
    id: ft:open-mistral-7b:5010731d:20251031:{job}
    base: open-mistral-7b
    price: {{input: 0.0008, output: 0.0008}}
    training: {{examples: 5000, cost: 1.20, jobs: [{{id: {job}-62ea-45e3-9ca2-{rest}, status: SUCCESS}}]}}
    benchmark: {{date: 2025-11-01, tests: 10, score: 8.05, baseline: 7.0}}

"""
_HEAD = """\
# yaml-language-server: $schema=schema/models.schema.json
version: 1
providers:
  mistral: {api: https://api.mistral.ai/v1, key: mistral-api-key, requests_per_second: 5}
  openai: {api: https://api.openai.com/v1, key: openai-api-key}
  anthropic: {api: https://api.anthropic.com/v1, key: anthropic-api-key}
models:
"""
_BASELINES = """\
  gpt-4o: {provider: openai, id: gpt-4o, price: {input: 0.0025, output: 0.01}}
  claude: {provider: anthropic, id: claude, price: {input: 0.003, output: 0.015}}
"""


def make_registry(folder: Path, *, agents: int, models: int, seed: int = 4) -> Path:
    """Write a registry of so many agents, and at least as many models, into `folder` and return its models.yaml."""
    chance = random.Random(seed)
    jobs = chance.sample(range(16**8), models)
    text = [_HEAD]
    for number, job in enumerate(jobs):
        text.append(_MODEL.format(name=f"model-{number}", job=f"{job:08x}", rest=f"{chance.getrandbits(48):012x}"))
    text += [_BASELINES, "agents:\n"]
    rollout = ["version: 1\nenabled: true\nagents:\n"]
    for number in range(agents):
        text.append(f"  agent-{number}:\n    summary: the work of agent {number}\n    baseline: [gpt-4o, claude]\n")
        rollout.append(f"  agent-{number}: {{candidate: model-{number}, weight: 10, since: 2025-11-06}}\n")
    (folder / "rollouts").mkdir(parents=True)
    (folder / "rollouts" / "dev.yaml").write_text("".join(rollout), encoding="utf-8")
    file = folder / "models.yaml"
    file.write_text("".join(text), encoding="utf-8")
    return file
