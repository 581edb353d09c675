"""Sends every agent of an environment to its baseline and back, and looks whether health checks and alerts work.

It is the last part of a soak: the way back must be known to work before anybody needs it. Whatever happens meanwhile,
the override is lifted again; one that a killed soak left is lifted by the next.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sluice.deploy.cluster_access import ClusterAccess
from sluice.deploy.pods import gateway_pods, is_ready
from sluice.deploy.served import wait_until_served
from sluice.deploy.soak import Asks, CannotSoak, SoakTime
from sluice.errors import SluiceError
from sluice.override import ALL, UNKNOWN, Override, moment
from sluice.registry import Environment
from sluice.registry.soak_contents import image_digest
from sluice.rollout.effect import Clock, wait_until_reached
from sluice.rollout.guard.prometheus import Prometheus
from sluice.rollout.override_map import lift, lower, read_override_map
from sluice.rollout.soak import BY, Exercised

_MANAGER = "sluice-soak"
_REACHED_WITHIN_SECONDS = 30.0
_ALERT_WITHIN_SECONDS = 180.0
_LOOK_EVERY_SECONDS = 5.0
_ALERT = 'max(ALERTS{alertname="SluiceOverrideActive",alertstate="firing"})'
"""Not narrowed down to the environment: the alert is by agent, and has no other label of the pods."""


@dataclass(slots=True)
class Exercise:
    """One exercise. `prometheus` is None where there is none: then no alert is seen."""

    access: ClusterAccess
    declared: Environment
    agents: tuple[str, ...]
    ask: Asks
    prometheus: Prometheus | None = None
    clock: Clock = field(default_factory=Clock)
    time: SoakTime = field(default_factory=SoakTime)
    say: Callable[[str], None] = lambda _: None
    _said: list[str] = field(default_factory=list)

    def tidy(self) -> None:
        """Lift what a killed soak left. Raises CannotSoak where somebody else's override holds."""
        namespace = self.declared.settings.namespace
        agents = self.declared.rollout.agents
        for key, entry in read_override_map(self.access, namespace).overrides.entries.items():
            named = agents[key].candidate if key in agents else UNKNOWN
            others = [one for one in entry.each if one.by != BY]
            holds = next((one for one in others if one.holds(named)), None)
            if holds is not None:
                raise CannotSoak(
                    f"override: {key} is held at {holds.weight_percent} % by {holds.by or 'somebody'}: resume it first"
                )
            if not others:
                self._lift(key, entry)

    def run(self) -> Exercised:
        """Go there and back. Raises what the cluster's access does; the override is lifted all the same.

        Somebody else's that came meanwhile is left, and `ChangedMeanwhile` raised.
        """
        namespace = self.declared.settings.namespace
        health, is_quiet = self._is_healthy(), self._is_quiet()
        entry = Override(0, by=BY, reason="a soak sends everybody to the baseline and back", at=moment())
        began = self.clock.now()
        try:
            lower(self.access, namespace, ALL, entry, manager=_MANAGER)
            pods = wait_until_reached(
                self.access, namespace, None, 0, began=began, patience_seconds=_REACHED_WITHIN_SECONDS, clock=self.clock
            )
            heard = [pod.seconds for pod in pods if pod.seconds is not None]
            there = bool(pods) and len(heard) == len(pods) and self._answers_come_from("baseline")
            self._note(f"{len(heard)} of {len(pods)} pods served the baseline after {max(heard, default=0):.1f} s")
            fired = is_quiet and self._alert_is(True)
        finally:
            self._lift(ALL, entry)
        served = wait_until_served(self.access, self.declared, patience_seconds=_REACHED_WITHIN_SECONDS)
        back = served and self._answers_come_from("candidate")
        self._note("candidates are served again" if back else "candidates are not served again")
        ended = fired and self._alert_is(False)
        return Exercised(there and back, health, ended, tuple(self._said))

    def _lift(self, key: str, entry: Override) -> None:
        namespace = self.declared.settings.namespace
        lift(self.access, namespace, key, entry, by=BY, reason="the exercise is over", at=moment(), manager=_MANAGER)

    def _answers_come_from(self, arm: str) -> bool:
        """Ask every agent; where not everybody is on the candidate, nobody is asked for one."""
        rollout = self.declared.rollout
        for agent in self.agents:
            if arm == "candidate" and rollout.wanted_weight_percent(agent) < 100:
                continue
            try:
                reply = self.ask(agent, "Are you there?", "soak-exercise")
            except SluiceError as error:
                self._note(f"{agent}: {error}")
                return False
            if reply.arm != arm:
                self._note(f"{agent}: the {reply.arm} answered, and not the {arm}")
                return False
        return True

    def _is_healthy(self) -> bool:
        """Whether every gateway pod is ready, and says that it is well."""
        path = f"/api/v1/namespaces/{self.declared.settings.namespace}"
        pods = gateway_pods(self.access, self.declared.settings.namespace)
        ready = [pod for pod in pods if is_ready(pod)]
        answers = [
            self.access.ask("GET", f"{path}/services/gateway:http/proxy/{name}").status
            for name in ("healthz", "readyz")
        ]
        self._note(
            f"{len(ready)} of {len(pods)} pods are ready, /healthz and /readyz answer {answers[0]} and {answers[1]}"
        )
        return bool(pods) and len(ready) == len(pods) and answers == [200, 200]

    def _is_quiet(self) -> bool:
        """Whether the alert about an override can be seen to begin: not where it fires for something else."""
        if self.prometheus is None:
            self._note("no Prometheus was asked, so no alert was seen")
            return False
        try:
            is_quiet = not self.prometheus.now(_ALERT, self.time.now())
        except SluiceError as error:
            self._note(str(error))
            return False
        if not is_quiet:
            self._note(
                "SluiceOverrideActive fires already, for another environment perhaps: no alert was seen to begin"
            )
        return is_quiet

    def _alert_is(self, firing: bool) -> bool:
        """Wait until the alert about an override fires, or ends."""
        if self.prometheus is None:
            return False
        until = self.clock.now() + _ALERT_WITHIN_SECONDS
        while self.clock.now() < until:
            try:
                found = self.prometheus.now(_ALERT, self.time.now())
            except SluiceError as error:
                self._note(str(error))
                return False
            if bool(found) is firing:
                self._note(f"SluiceOverrideActive {'fires' if firing else 'has ended'}")
                return True
            self.clock.sleep(_LOOK_EVERY_SECONDS)
        self._note(f"SluiceOverrideActive did not {'fire' if firing else 'end'} within {_ALERT_WITHIN_SECONDS:.0f} s")
        return False

    def _note(self, text: str) -> None:
        self._said.append(text)
        self.say(text)


def gateway_digest(access: ClusterAccess, namespace: str) -> str:
    """Return the digest of the image that the gateway's pods run. Raises CannotSoak where they do not agree on one."""
    found = set()
    for pod in gateway_pods(access, namespace):
        named = [container["image"] for container in pod["spec"]["containers"] if container["name"] == "gateway"]
        ran = [one.get("imageID", "") for one in pod["status"].get("containerStatuses", ()) if one["name"] == "gateway"]
        found.add(next((digest for image in (*named, *ran) if (digest := image_digest(image))), None))
    if len(found) != 1 or None in found:
        raise CannotSoak(
            f"namespace {namespace}: its gateway pods do not run one image with a digest; wait for the update"
        )
    return str(found.pop())
