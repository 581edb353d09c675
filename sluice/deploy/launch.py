"""The main job from nothing to answers: cluster, images, `pulumi up`, a question to every agent."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from sluice.deploy.ask import NoReply, Reply, ask
from sluice.deploy.by_hand import show_to_pulumi
from sluice.deploy.cluster_access import ClusterAccess, ClusterUnreachable
from sluice.deploy.diagnosis import reasons_pods_do_not_start
from sluice.deploy.engine import Engine, Update, require_passphrase
from sluice.deploy.errors import PodsDoNotStart, PulumiFailed, UnknownEnvironment
from sluice.deploy.follower import require_no_follower
from sluice.deploy.served import wait_until_served
from sluice.deploy.target import Target, deliver_images, start_local_cluster
from sluice.deploy.waiting import Waiting
from sluice.deploy.way_in import reasons_nobody_serves
from sluice.local.folders import PROJECT, cache_folder
from sluice.local.toolchain import ensure_pulumi
from sluice.override import ALL, UNKNOWN
from sluice.progress import Progress
from sluice.registry import (
    Arm,
    Environment,
    environments,
    image_variable,
    is_named,
    load_environment,
    load_namespace,
    require_keys,
)
from sluice.rollout.cluster import ClusterRefused
from sluice.rollout.override_map import NoOverrideMap, read_override_map

USERS = ("ada@example.com", "grace@example.com")

QUESTIONS = {
    "qa": "Write a unit test for a function that adds two numbers.",
    "content": "Write the first sentence of a post about our new release.",
    "legal": "Which clause limits our liability?",
    "support": "I cannot log in since this morning. What can I do?",
    "analyst": "Our churn rose from 2 to 3 percent. What should we look at?",
}
ANY_QUESTION = "What can you do for me?"

SERVED_WITHIN_SECONDS = 10.0
"""How long the gateway may take for new weights before it is asked all the same."""
_TRIES = 4
"""Fewer than the failures after which the gateway, by default, leaves a model alone for a minute."""
_PAUSE_SECONDS = 2.0
_NO_PROVIDER = (502, 503)
"""None could be reached; one that took its time (504) is not asked for four times as long."""


@dataclass(frozen=True, slots=True)
class Launch:
    """What is there now: where callers find it, what the update changed, and who answered."""

    url: str
    update: Update
    replies: tuple[Reply, ...]


def launch(environment: str, where: Target, registry: str | None, progress: Progress) -> Launch:
    """Make an environment what git says, in the cluster `where`, and ask every agent a question as two users.

    Images that the settings do not name yet are built, and pushed to `registry` where the cluster needs one. A mistake
    in the registry or the settings is raised before anything is started, `FollowedByAnother` before anything changes.
    """
    declared = declared_environment(environment)
    require_secrets(declared)
    if where.is_local:
        node_port = declared.settings.gateway.node_port
        start_local_cluster(progress, node_ports=() if node_port is None else (node_port,))
    access = where.connect()
    require_no_follower(access, environment, declared.settings.namespace)
    engine = prepare_engine(declared, where, access, registry, progress)
    show_to_pulumi(access, declared, progress.say)
    update = _update(engine, access, declared, where, progress)
    progress.say(f"  {update}")
    for line in update.named():
        progress.say(f"  {line}")
    for line in _overridden(access, declared):
        progress.say(f"  {line}")
    if not wait_until_served(access, declared, patience_seconds=SERVED_WITHIN_SECONDS):
        progress.say("  not every pod of the gateway serves these weights yet: answers may still be by the old ones")
    replies = ask_every_agent(access, declared)
    for line in _fallen_back(replies, declared):
        progress.say(f"  {line}")
    return Launch(str(update.outputs["url"]), update, replies)


def require_environment(environment: str) -> None:
    """Check that the project has an environment of that name. Raises `UnknownEnvironment`."""
    if environment not in environments(PROJECT):
        raise UnknownEnvironment(environment, environments(PROJECT))


def declared_environment(environment: str) -> Environment:
    """Load an environment of the project. Raises `UnknownEnvironment`, or `InvalidRegistry` with every mistake."""
    require_environment(environment)
    return load_environment(PROJECT, environment)


def require_secrets(declared: Environment) -> None:
    """Check that there is a passphrase, and an encrypted value for each provider's key, before anything is begun.

    Raises `MissingPassphrase` or `KeysNotSet`.
    """
    require_passphrase(declared.settings.environment)
    require_keys(declared.registry, declared.settings)


def tear_down(environment: str, where: Target, progress: Progress) -> Update:
    """Remove an environment from the cluster `where`, and its stack from Pulumi's state.

    Raises `UnknownEnvironment` where there are no settings of that name: Pulumi would make a stack to remove it; and
    `FollowedByAnother` where another would bring back from git what goes.
    """
    require_environment(environment)
    access = where.connect()
    require_no_follower(access, environment, load_namespace(PROJECT, environment))
    state = where.pulumi_state(access)
    tools = ensure_pulumi(cache_folder(), progress)
    return Engine(tools, PROJECT, environment, state, where.variables()).destroy(progress)


def engine_by_hand(environment: str, where: Target, progress: Progress) -> Engine:
    """Return Pulumi as a person runs it by hand: with the images that the local cluster has, and none elsewhere.

    The folder of its state is there: Pulumi makes none.
    """
    declared = declared_environment(environment)
    access = where.connect()
    where.pulumi_state(access).mkdir(parents=True, exist_ok=True)
    if where.is_local:
        return prepare_engine(declared, where, access, None, progress)
    tools = ensure_pulumi(cache_folder(), progress)
    return Engine(tools, PROJECT, environment, where.pulumi_state(access), where.variables())


def prepare_engine(
    declared: Environment, where: Target, access: ClusterAccess, registry: str | None, progress: Progress
) -> Engine:
    """Return Pulumi for an environment of a cluster that answers, with the images its settings do not name yet."""
    state = where.pulumi_state(access)
    variables = where.variables()
    missing = [part for part, image in declared.settings.images.items() if not is_named(image)]
    if missing:
        delivered = deliver_images(where, access, registry, progress, with_litellm="litellm" in missing)
        variables |= {variable: delivered[variable] for variable in map(image_variable, missing)}
    tools = ensure_pulumi(cache_folder(), progress)
    return Engine(tools, PROJECT, declared.settings.environment, state, variables)


def ask_every_agent(access: ClusterAccess, environment: Environment) -> tuple[Reply, ...]:
    """Ask each agent of the registry as each of `USERS`; the replies are in the registry's order.

    Raises what `ask` raises. The first is asked alone, and again for some seconds where no provider could be: the
    Service of one that was just replaced leads nowhere for a moment, of which nobody but who asks can know.
    """
    pairs = [(agent, user) for agent in environment.registry.agents for user in USERS]

    def question(pair: tuple[str, str]) -> Reply:
        agent, user = pair
        key = os.environ.get("SLUICE_API_KEY")
        return ask(access, environment, agent, QUESTIONS.get(agent, ANY_QUESTION), user, key)

    first = _patiently(lambda: question(pairs[0]))
    with ThreadPoolExecutor(max_workers=5) as several:
        return (first, *several.map(question, pairs[1:]))


def _overridden(access: ClusterAccess, declared: Environment) -> list[str]:
    """Return a line for each override, which no update lifts; none where they cannot be read.

    One for another candidate than is rolled out now is there yet, and holds nobody.
    """
    try:
        overrides = read_override_map(access, declared.settings.namespace).overrides
    except (ClusterUnreachable, ClusterRefused, NoOverrideMap):
        return []
    lines = []
    for key, entry in overrides.entries.items():
        stands = declared.rollout.agents.get(key)
        named = stands.candidate if stands else UNKNOWN
        for one in entry.each:
            allowed = f"{'every agent' if key == ALL else key} at most {one.weight_percent} %"
            if one.holds(named):
                lines.append(f"an override holds: {allowed}; `sluice resume` lifts it, an update does not")
            else:
                lines.append(f"an override, {allowed}, {one.why_ended(named)}")
    return lines


def _fallen_back(replies: Sequence[Reply], declared: Environment) -> list[str]:
    """Return a line for each who has the candidate and was answered by another model."""
    lines = []
    for reply in replies:
        rollout = declared.rollout.agents.get(reply.agent)
        candidate = rollout.candidate if rollout else None
        if reply.arm == Arm.CANDIDATE and candidate is not None and reply.model != candidate:
            provider = declared.registry.models[candidate].provider
            rate = declared.registry.providers[provider].requests_per_second
            allowed = f"; {provider} is asked {rate} times a second at most, which can be why" if rate else ""
            lines.append(f"{reply.model} answered {reply.user} in place of {candidate}, which gave no answer{allowed}")
    return lines


def _patiently(asked: Callable[[], Reply]) -> Reply:
    for _ in range(_TRIES - 1):
        try:
            return asked()
        except NoReply as no:
            if no.status not in _NO_PROVIDER:
                raise
        time.sleep(_PAUSE_SECONDS)
    return asked()


def _update(engine: Engine, access: ClusterAccess, declared: Environment, where: Target, progress: Progress) -> Update:
    namespace = declared.settings.namespace
    # The local cluster has one node, and will have no other.
    waiting = Waiting(access, namespace, has_one_node=where.is_local, say=progress.say)
    waiting.say_what_fails_already()
    try:
        return engine.up(progress, is_hopeless=waiting.is_in_vain)
    except PulumiFailed as failure:
        try:
            reasons = reasons_pods_do_not_start(access, namespace)
            unserved = [] if reasons else reasons_nobody_serves(access, namespace)
        except ClusterUnreachable:
            reasons, unserved = [], []  # what Pulumi says is all there is
        if reasons:
            raise PodsDoNotStart(failure.title, failure.errors, reasons) from None
        if unserved:
            raise PulumiFailed(failure.title, failure.errors, [*failure.errors, *unserved]) from None
        raise
