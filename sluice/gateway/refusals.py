"""Every way in which the gateway itself says no, one class each, in the shape of OpenAI's errors.

A refusal knows its HTTP status, its code and how it is counted; the message is for the developer who called. What a
provider answers, errors too, is not a refusal: it is passed through by `relay.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import orjson

from sluice.errors import SluiceError
from sluice.gateway.outcome import Outcome


class Refusal(SluiceError):
    """An answer that the gateway gives by itself."""

    status: ClassVar[int]
    type: ClassVar[str] = "invalid_request_error"
    code: ClassVar[str]
    outcome: ClassVar[Outcome] = Outcome.REJECTED
    closes_connection: ClassVar[bool] = False  # where the rest of a body would still be coming in

    param: str | None = None

    def headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """Return what the answer says beside its body."""
        return ()

    def body(self) -> bytes:
        """Return the JSON of it, as OpenAI's clients read it."""
        error = {"message": str(self), "type": self.type, "param": self.param, "code": self.code}
        return orjson.dumps({"error": error})


class BodyTooLarge(Refusal):
    """More bytes than a request may have; the rest is not read."""

    status = 413
    code = "request_too_large"
    closes_connection = True

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"The request is larger than {limit_bytes // 1024**2} MiB, the most that is accepted.")


class BodyTooSlow(Refusal):
    """A body that takes its time: connections held open so cost the gateway memory and the caller nothing."""

    status = 408
    code = "request_timeout"
    closes_connection = True

    def __init__(self, seconds: float) -> None:
        super().__init__(f"The request's body did not arrive within {seconds:g} seconds.")


class BodyEncoded(Refusal):
    """A compressed body: it cannot be read, and reading it would let a small request become a large one."""

    status = 415
    code = "unsupported_content_encoding"

    def __init__(self, encoding: str) -> None:
        super().__init__(f"The request's content-encoding is {encoding[:40]!r}; send the JSON as it is.")


class BodyNotJson(Refusal):
    """Not a JSON object."""

    status = 400
    code = "invalid_json"

    def __init__(self, reason: str) -> None:
        super().__init__(f"The request's body must be a JSON object: {reason}.")


class BodyTooDeep(Refusal):
    """Lists in lists in lists, or very many of them: nobody means that, and programs that read it suffer."""

    status = 400
    code = "nested_too_deeply"

    def __init__(self) -> None:
        super().__init__("The request's JSON is nested too deeply, or has too many lists and objects.")


class FieldInvalid(Refusal):
    """A field that every request needs is missing, or is of another kind."""

    status = 400
    code = "invalid_value"

    def __init__(self, field: str, wanted: str) -> None:
        super().__init__(f"The field {field!r} must be {wanted}.")
        self.param = field


class AgentUnknown(Refusal):
    """The `model` is no agent of the registry."""

    status = 404
    code = "model_not_found"
    param = "model"

    def __init__(self, asked: str, agents: Iterable[str]) -> None:
        shown = asked if len(asked) <= 64 else asked[:64] + "..."
        super().__init__(f"There is no agent {shown!r}; the agents are: {', '.join(sorted(agents))}.")


class RouteUnknown(Refusal):
    """A path that the gateway does not serve."""

    status = 404
    code = "unknown_url"

    def __init__(self, method: str, path: str) -> None:
        served = "POST /v1/chat/completions and GET /v1/models"
        super().__init__(f"There is no {method} {path[:80]} here; served are {served}.")


class MethodNotAllowed(Refusal):
    """A path that is served, asked by another method."""

    status = 405
    code = "method_not_allowed"

    def __init__(self, method: str, path: str) -> None:
        super().__init__(f"{path[:80]} does not answer {method}.")


class FlagsMissing(Refusal):
    """No flag of the agent has been readable so far: which model may answer is not known."""

    status = 503
    type = "server_error"
    code = "flags_not_loaded"
    outcome = Outcome.ERROR

    def __init__(self, agent: str) -> None:
        super().__init__(f"The flag of agent {agent!r} is not loaded yet; try again in a moment.")


class RequestUntranslatable(Refusal):
    """Something that a model's provider has no words for."""

    status = 400
    code = "unsupported_value"

    def __init__(self, provider: str, field: str) -> None:
        super().__init__(f"Provider {provider!r} cannot be asked for {field!r} in this way.")
        self.param = field


class KeyMissing(Refusal):
    """The provider's key is not mounted."""

    status = 503
    type = "server_error"
    code = "provider_key_missing"
    outcome = Outcome.ERROR

    def __init__(self, provider: str) -> None:
        super().__init__(f"The gateway has no key for provider {provider!r}.")


class ProviderRefusedKey(Refusal):
    """The provider answered 401 or 403: to the gateway's key, not to the caller's, so its words are not passed on."""

    status = 502
    type = "server_error"
    code = "provider_refused_key"
    outcome = Outcome.ERROR

    def __init__(self, provider: str, status: int) -> None:
        super().__init__(f"Provider {provider!r} refused the gateway's own key with status {status}.")


class ProviderUnreachable(Refusal):
    """No connection, or one that ended before the answer did."""

    status = 502
    type = "server_error"
    code = "provider_unreachable"
    outcome = Outcome.ERROR

    def __init__(self, provider: str, what: str) -> None:
        super().__init__(f"Provider {provider!r} could not be asked: {what}.")


class ProviderTooSlow(Refusal):
    """No connection, or not a byte, for as long as the gateway waits."""

    status = 504
    type = "server_error"
    code = "provider_timeout"
    outcome = Outcome.ERROR

    def __init__(self, provider: str, seconds: float) -> None:
        super().__init__(f"Provider {provider!r} was silent for {seconds:g} seconds.")


class ProviderAnswerUnusable(Refusal):
    """An answer that cannot be handed on: too large, or a redirect, which would take the key elsewhere."""

    status = 502
    type = "server_error"
    code = "provider_answer_unusable"
    outcome = Outcome.ERROR

    def __init__(self, provider: str, what: str) -> None:
        super().__init__(f"Provider {provider!r} gave an answer that cannot be used: {what}.")


class GatewayFault(Refusal):
    """A defect of the gateway; its log has the place."""

    status = 500
    type = "server_error"
    code = "internal_error"
    outcome = Outcome.ERROR

    def __init__(self) -> None:
        super().__init__("The gateway failed; this is a defect, and its log says where.")
