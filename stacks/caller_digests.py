"""The digests of callers' keys of an environment, from Pulumi's encrypted configuration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pulumi


def caller_digests(teams: Iterable[str]) -> pulumi.Output[Mapping[str, str]]:
    """Return, by team, what its file in the pod holds, as a Pulumi secret."""
    wanted = tuple(teams)
    if not wanted:
        return pulumi.Output.secret({})
    configured = pulumi.Config("sluice").require_secret_object("callers")
    return configured.apply(lambda digests: {team: f"{digests[team]}\n" for team in wanted})
