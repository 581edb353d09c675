"""One object of the cluster as a resource of Pulumi's, of whatever kind it is.

pulumi_kubernetes has a class for each kind. They are left aside: to import the few that we have costs every run of
Pulumi a second, and what they check of an object is checked where it is rendered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi


class ClusterObject(pulumi.CustomResource):
    """An object by its `body`, in the names of the API; `metadata` is the one that it has in the cluster."""

    metadata: pulumi.Output[Mapping[str, Any]]

    def __init__(self, name: str, body: Mapping[str, Any], opts: pulumi.ResourceOptions) -> None:
        super().__init__(_type(body["apiVersion"], body["kind"]), name, dict(body), opts)


class ClusterSecret(ClusterObject):
    """A Secret whose content is encrypted in Pulumi's state, and told to nobody."""

    def __init__(
        self,
        name: str,
        metadata: Mapping[str, Any],
        content: Mapping[str, pulumi.Input[Mapping[str, pulumi.Input[str]]]],
        opts: pulumi.ResourceOptions,
    ) -> None:
        told = {field: pulumi.Output.secret(value) for field, value in content.items()}
        hidden = pulumi.ResourceOptions(additional_secret_outputs=["data", "stringData"])
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, **told}
        super().__init__(name, body, pulumi.ResourceOptions.merge(opts, hidden))


def _type(api_version: str, kind: str) -> str:
    """Return the name of a kind in the schema of Pulumi's provider, by which the state knows its objects."""
    return f"kubernetes:{api_version if '/' in api_version else f'core/{api_version}'}:{kind}"
