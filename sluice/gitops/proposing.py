"""From a change set to a request that people review: made, kept current, superseded, withdrawn, merged.

The same change made again is the same request. Whatever is asked of the branch that requests go into is decided on
the commit that it has at that moment, and decided anew where others were faster.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sluice.errors import AnswerIsNo
from sluice.gitops.branches import Branch, EditedByHand, Others, Published
from sluice.gitops.change_set import ChangeSet, prefix_of
from sluice.gitops.forge.forge import Forge, Request, State

CHECK = "sluice/gates"
"""The check of a commit that says whether the gates let it pass."""

Draft = Callable[[str], ChangeSet]
"""Makes the change set on top of a commit, and raises where it may not be made."""

_TRIES = 5
_WAIT_SECONDS = 5.0


class NotMerged(AnswerIsNo):
    """A request was made and could not be merged."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where}: not merged: {why}; the request stays open")


@dataclass(frozen=True, slots=True)
class Proposal:
    """What was proposed, where it lies, and what became of the ones before it."""

    base: str
    change: ChangeSet
    published: Published
    request: Request | None
    superseded: tuple[str, ...]
    left_alone: tuple[EditedByHand, ...]
    merged: str | None = None


def propose(others: Others, forge: Forge | None, draft: Draft, *, exactly: bool = False) -> Proposal:
    """Make the request of a draft, or bring the one that is there up to it, and close those that it replaces.

    With `exactly` it stands on the base as it is now, whatever was approved of it on another. Raises EditedByHand,
    PushRefused, ForgeFailed and what the draft raises.
    """
    base = others.fetch_base()
    change = draft(base)
    published = others.publish(change, base, exactly=exactly)
    request = _request_of(others, forge, change, published) if forge else None
    superseded, left_alone = _supersede(others, forge, change, request)
    return Proposal(base, change, published, request, superseded, left_alone)


def merge(
    others: Others, forge: Forge | None, draft: Draft, *, sleep: Callable[[float], None] = time.sleep
) -> Proposal:
    """Propose a draft and merge it: what is merged stands on the base as it is at that moment, and was judged so.

    A merge that is refused because others were faster is drafted and tried again. Raises NotMerged, and what
    `propose` raises.
    """
    where = why = ""
    for attempt in range(_TRIES):
        if attempt:
            sleep(_WAIT_SECONDS * attempt)
        proposal = propose(others, forge, draft, exactly=True)
        commit, branch = proposal.published.commit, proposal.published.branch
        if forge is None or proposal.request is None:
            if others.forward_base(commit, proposal.base):
                others.take_away(Branch(branch, commit, proposal.change.agents))
                return dataclasses.replace(proposal, merged=commit)
            where, why = branch, f"{others.base} is not what it was, again and again, or may not be pushed to"
            continue
        done = forge.merge(proposal.request)
        if done.commit is not None:
            others.take_away(Branch(branch, commit, proposal.change.agents))
            return dataclasses.replace(proposal, merged=done.commit)
        where, why = proposal.request.url, done.refused_because
        if not done.may_help_to_ask_again:
            break
    raise NotMerged(where, why)


def withdraw(
    others: Others, forge: Forge | None, environment: str, agent: str, why: str
) -> tuple[tuple[str, ...], tuple[EditedByHand, ...]]:
    """Take back the requests of an agent that the gates no longer let pass; return those, and those left alone.

    What was judged does not stay standing: the commit's check fails, whoever owns the branch by now.
    """
    found = [one for one in others.branches(prefix_of(environment)) if agent in one.agents]
    requests = _open_requests(others, forge, prefix_of(environment))
    if forge is not None:
        for branch in (one for one in found if not one.is_merged):
            forge.state(branch.commit, CHECK, State.FAILURE, why)
    return _close(others, forge, found, requests, f"Withdrawn: the gates no longer let {agent} pass. {why}")


def _request_of(others: Others, forge: Forge, change: ChangeSet, published: Published) -> Request:
    there = _open_requests(others, forge, change.prefix).get(published.branch)
    request = there or forge.open(published.branch, others.base, change.title, change.body)
    if (request.title, request.body) != (change.title, change.body):
        forge.describe(request, change.title, change.body)
    forge.state(published.commit, CHECK, State.SUCCESS, f"judged: {change.title}")
    return dataclasses.replace(request, commit=published.commit)


def _supersede(
    others: Others, forge: Forge | None, change: ChangeSet, request: Request | None
) -> tuple[tuple[str, ...], tuple[EditedByHand, ...]]:
    older = [
        one
        for prefix in dict.fromkeys((change.prefix, prefix_of(change.environment)))
        for one in others.branches(prefix)
        if one.name != change.branch and set(one.agents) & set(change.agents)
    ]
    by = request.url if request else change.branch
    requests = {} if not older else _open_requests(others, forge, change.prefix)
    if older and change.returns:
        requests |= _open_requests(others, forge, prefix_of(change.environment))
    return _close(others, forge, older, requests, f"Superseded by {by}.")


def _close(
    others: Others, forge: Forge | None, branches: Iterable[Branch], requests: dict[str, Request], why: str
) -> tuple[tuple[str, ...], tuple[EditedByHand, ...]]:
    closed, left_alone = [], []
    for branch in branches:
        if branch.edited is not None:
            left_alone.append(branch.edited)
            continue
        if branch.is_merged:
            others.take_away(branch)
            continue
        if forge is not None and branch.name in requests:
            forge.close(requests[branch.name], why)
        if others.take_away(branch):
            closed.append(branch.name)
    return tuple(closed), tuple(left_alone)


def _open_requests(others: Others, forge: Forge | None, prefix: str) -> dict[str, Request]:
    if forge is None:
        return {}
    return {one.branch: one for one in forge.open_requests(others.base, prefix)}
