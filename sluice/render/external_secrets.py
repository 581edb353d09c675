"""The objects by which the External Secrets Operator writes the Secrets that the gateway mounts.

They stand in place of the Secrets that Pulumi makes where an environment's keys come from a store
(`sluice:secrets`). An ExternalSecret names the store and the places in it and holds no value, so it is rendered and
reviewed like everything else. By https://external-secrets.io/latest/api/externalsecret/.
"""

from __future__ import annotations

from typing import Any

from sluice.registry import ExternalSecrets, Settings
from sluice.render.kubernetes_object import KubernetesObject, SecretReference, kubernetes_object, labels

KIND = "ExternalSecret"
API_VERSION = "external-secrets.io/v1"


def external_secrets(
    settings: Settings, provider_keys: SecretReference, callers_secret: str
) -> tuple[KubernetesObject, ...]:
    """Render an object for the providers' keys and one for those of callers, where the settings name their entry."""
    wanted = settings.secrets
    if wanted is None:
        return ()
    keys = {"data": [{"secretKey": name, "remoteRef": wanted.place_of(name)} for name in provider_keys.keys]}
    objects = [_external_secret(settings, wanted, provider_keys.name, keys)]
    if wanted.callers is not None:
        # All properties of one entry: a team is added in the store alone.
        teams = {"dataFrom": [{"extract": {"key": wanted.callers}}]}
        objects.append(_external_secret(settings, wanted, callers_secret, teams))
    return tuple(objects)


def _external_secret(
    settings: Settings, wanted: ExternalSecrets, name: str, content: dict[str, Any]
) -> KubernetesObject:
    ours = labels(name, component="gateway")
    return kubernetes_object(
        API_VERSION,
        KIND,
        name,
        namespace=settings.namespace,
        labels=ours,
        spec={
            "refreshPolicy": "Periodic",
            "refreshInterval": wanted.refresh,
            "secretStoreRef": {"kind": wanted.store_kind, "name": wanted.store},
            "target": {
                "name": name,
                # A store that lost an entry, or an operator that is gone with its definitions, must not take the Secret
                # from a gateway that serves.
                "creationPolicy": "Orphan",
                "deletionPolicy": "Retain",
                "template": {"metadata": {"labels": ours}},
            },
            **content,
        },
    )
