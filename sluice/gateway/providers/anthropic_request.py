"""Says OpenAI's request in the words of Anthropic's Messages API.

What has no counterpart there and changes nothing essential (penalties, a seed) is left out; what would change the
answer's shape (several choices, log probabilities, sound) is refused, so that nobody gets something else than asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from sluice.gateway.refusals import RequestUntranslatable

_USUAL_MOST_TOKENS = 4096
"""OpenAI's clients need not name a limit, Anthropic's must."""
_TOOL_CHOICES = {"auto": "auto", "required": "any", "none": "none"}


def translated(document: Mapping[str, Any], model_id: str, provider: str) -> dict[str, Any]:
    """Return the body for POST /messages. Raises RequestUntranslatable."""
    return _Translation(provider).body(document, model_id)


class _Translation:
    def __init__(self, provider: str) -> None:
        self._provider = provider

    def body(self, document: Mapping[str, Any], model_id: str) -> dict[str, Any]:
        for name, usual in (("n", 1), ("logprobs", False), ("audio", None)):
            if document.get(name) not in (None, usual):
                raise self._refusal(name)
        system, messages = self._messages(document["messages"])
        most = document.get("max_completion_tokens") or document.get("max_tokens") or _USUAL_MOST_TOKENS
        body: dict[str, Any] = {"model": model_id, "max_tokens": most, "messages": messages}
        system += self._form(document.get("response_format"))
        if system:
            body["system"] = "\n\n".join(system)
        if isinstance(document.get("temperature"), int | float):
            body["temperature"] = min(1, document["temperature"])  # OpenAI's goes to 2
        if document.get("top_p") is not None:
            body["top_p"] = document["top_p"]
        stop = document.get("stop")
        if stop:
            body["stop_sequences"] = [stop] if isinstance(stop, str) else stop
        if document.get("stream") is True:
            body["stream"] = True
        return body | self._tools(document)

    def _messages(self, given: Iterable[Any]) -> tuple[list[str], list[dict[str, Any]]]:
        system: list[str] = []
        messages: list[dict[str, Any]] = []
        for message in given:
            if not isinstance(message, dict):
                raise self._refusal("messages")
            role, content = message.get("role"), message.get("content")
            if role in ("system", "developer"):
                system += [block["text"] for block in self._blocks(content) if block["type"] == "text"]
                continue
            if role == "tool":
                name, blocks = "user", [self._result(message)]
            elif role in ("user", "assistant"):
                name, blocks = (
                    role,
                    self._blocks(content) + [self._use(call) for call in message.get("tool_calls") or ()],
                )
            else:
                raise self._refusal("messages.role")
            if messages and messages[-1]["role"] == name:
                messages[-1]["content"] += blocks  # the results of one turn's tools belong into one message
            elif blocks:
                messages.append({"role": name, "content": blocks})
        return system, messages

    def _blocks(self, content: object) -> list[dict[str, Any]]:
        if content is None or content == "":
            return []
        if isinstance(content, str):
            return [{"type": "text", "text": content}]
        if not isinstance(content, list):
            raise self._refusal("messages.content")
        return [block for part in content if (block := self._block(part)) is not None]

    def _block(self, part: object) -> dict[str, Any] | None:
        kind = part.get("type") if isinstance(part, dict) else None
        if isinstance(part, dict) and kind in ("text", "refusal"):
            text = part.get(kind)
            return {"type": "text", "text": text} if text else None
        image = part.get("image_url") if isinstance(part, dict) and kind == "image_url" else None
        address = image.get("url") if isinstance(image, dict) else image
        if not isinstance(address, str):
            raise self._refusal(f"messages.content of type {str(kind)[:40]!r}")
        head, comma, data = address.partition(",")
        if address.startswith("data:"):
            if not comma or not head.endswith(";base64"):
                raise self._refusal("messages.content.image_url")
            source = {"type": "base64", "media_type": head[5:-7], "data": data}
        else:
            source = {"type": "url", "url": address}
        return {"type": "image", "source": source}

    def _use(self, call: Any) -> dict[str, Any]:
        try:
            function = call["function"]
            given = orjson.loads(function["arguments"] or "{}")
            return {"type": "tool_use", "id": call["id"], "name": function["name"], "input": given}
        except (KeyError, TypeError, orjson.JSONDecodeError) as error:
            raise self._refusal("messages.tool_calls") from error

    def _result(self, message: Mapping[str, Any]) -> dict[str, Any]:
        blocks = self._blocks(message.get("content"))
        return {"type": "tool_result", "tool_use_id": message.get("tool_call_id"), "content": blocks}

    def _tools(self, document: Mapping[str, Any]) -> dict[str, Any]:
        tools = document.get("tools")
        if not tools:
            return {}
        try:
            body: dict[str, Any] = {"tools": [self._tool(tool["function"]) for tool in tools]}
            choice = document.get("tool_choice") or "auto"
            if isinstance(choice, dict):
                named = {"type": "tool", "name": choice["function"]["name"]}
            else:
                named = {"type": _TOOL_CHOICES[choice]}
        except (KeyError, TypeError) as error:
            raise self._refusal("tools") from error
        if document.get("parallel_tool_calls") is False and named["type"] != "none":
            named["disable_parallel_tool_use"] = True
        return {**body, "tool_choice": named}

    @staticmethod
    def _tool(function: Mapping[str, Any]) -> dict[str, Any]:
        schema = function.get("parameters") or {"type": "object", "properties": {}}
        described = {"description": function["description"]} if function.get("description") else {}
        return {"name": function["name"], **described, "input_schema": schema}

    def _form(self, form: object) -> list[str]:
        """Ask in words for what the API has no field for."""
        kind = form.get("type") if isinstance(form, dict) else None
        if kind in (None, "text"):
            return []
        words = "Answer with one JSON object and nothing else: no introduction, no code fence."
        named = form.get("json_schema") if isinstance(form, dict) else None
        if isinstance(named, dict) and named.get("schema"):
            words += f" It must match this JSON schema: {orjson.dumps(named['schema']).decode()}"
        return [words]

    def _refusal(self, field: str) -> RequestUntranslatable:
        return RequestUntranslatable(self._provider, field)
