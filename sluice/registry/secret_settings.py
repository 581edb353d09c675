"""Where an environment's keys come from: Pulumi's encrypted configuration, or a store that others run.

Of a store only its name and the names of its entries are known here, as they are to whoever reads git. The External
Secrets Operator reads the values and writes the Secrets that the gateway mounts; Pulumi never sees them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ExternalSecrets:
    """The store that holds the keys, and under which names.

    With `entry`, each key is a property of that one entry; without it, an entry of its own, called `prefix` and the
    key's name. `callers` is the entry whose properties are teams, each with the digests of its keys. `refresh` is how
    often the store is asked, as Go writes a time.
    """

    store: str
    cluster_store: bool = False
    """Whether the store is a ClusterSecretStore, which belongs to no namespace."""
    entry: str | None = None
    prefix: str = ""
    callers: str | None = None
    redis_password: bool = False
    refresh: str = "1m"

    @property
    def store_kind(self) -> str:
        """The kind of the store's object."""
        return "ClusterSecretStore" if self.cluster_store else "SecretStore"

    def place_of(self, name: str) -> dict[str, str]:
        """Return where a key is in the store, in External Secrets' own words."""
        return {"key": f"{self.prefix}{name}"} if self.entry is None else {"key": self.entry, "property": name}


def external_secrets_of(body: Mapping[str, Any] | None) -> ExternalSecrets | None:
    """Build `sluice:secrets`; None where Pulumi holds the keys, as it does where nothing is said."""
    if body is None or body["from"] == "pulumi":
        return None
    default = ExternalSecrets(body["store"]["name"])
    return ExternalSecrets(
        store=body["store"]["name"],
        cluster_store=body["store"].get("kind", "SecretStore") == "ClusterSecretStore",
        entry=body.get("entry"),
        prefix=body.get("prefix", default.prefix),
        callers=body.get("callers"),
        redis_password=bool(body.get("redis_password", default.redis_password)),
        refresh=body.get("refresh", default.refresh),
    )
