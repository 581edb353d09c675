"""What a provider speaks, one file a dialect: how it is asked, and how its answers become OpenAI's."""

from __future__ import annotations

from types import MappingProxyType

from sluice.gateway.providers.anthropic import Anthropic
from sluice.gateway.providers.dialect import Dialect, StreamReader
from sluice.gateway.providers.openai import OpenAI

DIALECTS: MappingProxyType[str, Dialect] = MappingProxyType({"openai": OpenAI(), "anthropic": Anthropic()})

__all__ = ["DIALECTS", "Dialect", "StreamReader"]
