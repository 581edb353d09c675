"""A Pulumi engine that makes nothing and writes down what it was asked to make."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]
from pulumi.runtime import mocks, settings

OWNER = {"pulumi.com/patchFieldManager": "sluice", "pulumi.com/patchForce": "true"}
"""What each object is annotated with, beside what was rendered."""

_SIGNATURE = "4dabf18193072939515e22adb298388d"
_OF_A_SECRET = "1b47061264138c4ac30d75fd1eb44270"


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that the engine encrypts."""

    value: Any


@dataclass(frozen=True, slots=True)
class Made:
    """One resource as the engine was asked for it; a secret among the inputs is a `Secret`."""

    type: str
    name: str
    inputs: dict[str, Any]
    parent: str
    """The parent's type and name."""
    provider: str
    timeouts: dict[str, str]
    request: dict[str, Any]
    """The whole of what the engine was asked, in the names of its protocol."""

    def waits_for(self, field_name: str) -> list[str]:
        """The names of the resources that must be there before this field of the resource is known."""
        urns: list[str] = self.request["propertyDependencies"][field_name].get("urns", [])
        return [urn.split("::")[-1] for urn in urns]


@dataclass
class Recording(mocks.Mocks):
    """Everything that was made, by name, and what the components and the stack say of themselves.

    In which order the engine hears of resources that do not wait for each other is chance.
    """

    made: list[Made] = field(default_factory=list)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By the component's name."""
    exports: dict[str, Any] = field(default_factory=dict)
    """The stack's own."""

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        """Make a resource: its outputs are its inputs."""
        return f"{args.name}-id", args.inputs

    def call(self, args: mocks.MockCallArgs) -> Any:
        """Answer a provider's function, of which none may be called."""
        raise AssertionError(f"{args.token} was called")

    def kubernetes(self) -> list[Made]:
        """The resources that are objects of the cluster."""
        return [one for one in self.made if one.type.startswith("kubernetes:")]

    def of_kind(self, kind: str) -> list[Made]:
        """The objects of the cluster of one kind."""
        return [one for one in self.kubernetes() if one.inputs["kind"] == kind]

    def components(self) -> list[Made]:
        """Our own resources."""
        return [one for one in self.made if one.type.startswith("sluice:")]


class _Monitor(mocks.MockMonitor):
    def __init__(self, recording: Recording) -> None:
        super().__init__(recording)
        self._recording = recording

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - so named by the engine's protocol
        if request.type != "pulumi:pulumi:Stack":
            asked = MessageToDict(request)
            self._recording.made.append(
                Made(
                    type=request.type,
                    name=request.name,
                    inputs=_plain(asked.get("object", {})),
                    parent="::".join(request.parent.split("$")[-1].split("::")[-2:]),
                    provider=request.provider,
                    timeouts={name: value for name, value in asked.get("customTimeouts", {}).items() if value},
                    request=asked,
                )
            )
        return super().RegisterResource(request)  # type: ignore[no-untyped-call]

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 - so named by the engine's protocol
        *_, kind, name = request.urn.split("::")
        if kind != "pulumi:pulumi:Stack":
            self._recording.outputs[name] = _plain(MessageToDict(request).get("outputs", {}))
        return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call]


def record(program: Callable[[], object], *, stack: str = "dev", config: Mapping[str, str] | None = None) -> Recording:
    """Run a program of the stack; every value of `config` is a secret. What the program raises is raised here."""
    recording = Recording()
    values = dict(config or {})
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        settings.set_root_resource(None)  # type: ignore[arg-type]
        pulumi.runtime.set_all_config(values, list(values))
        pulumi.runtime.set_mocks(recording, project="sluice", stack=stack, preview=False, monitor=_Monitor(recording))
        # Without this decorator the program's failures would pass in silence.
        pulumi.runtime.test(lambda: _run(program, recording))()  # type: ignore[no-untyped-call]
    finally:
        _end(loop)
        asyncio.set_event_loop(None)
    recording.made.sort(key=lambda one: one.name)
    return recording


def _end(loop: asyncio.AbstractEventLoop) -> None:
    # The first failure was raised; the resources that waited for what failed need no word of their own.
    loop.set_exception_handler(lambda *_: None)
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    loop.close()


def _run(program: Callable[[], object], recording: Recording) -> pulumi.Output[Any]:
    program()
    root = settings.get_root_resource()
    assert root is not None
    exported: dict[str, Any] = getattr(root, "outputs", {})
    return pulumi.Output.all(**exported).apply(recording.exports.update)


def _plain(value: Any) -> Any:
    match value:
        case dict() if value.get(_SIGNATURE) == _OF_A_SECRET:
            return Secret(_plain(value["value"]))
        case dict():
            return {name: _plain(item) for name, item in value.items()}
        case list():
            return [_plain(item) for item in value]
        case _:
            return value
