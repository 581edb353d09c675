"""What is left of an automatic rollback for people: an Event, and the facts that a post-mortem begins with.

Both are made from the override's own entry, which is the one thing that decides, and under names made from it: a guard
that is killed between any two writes is finished by the next one, and nothing is noted twice. The facts come last and
so mean that all is done.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sluice.override import ALL, Override
from sluice.rollout.cluster import MERGE_PATCH, Cluster, json_object, refused

FACTS = "rollbacks"
"""The ConfigMap of the facts; made empty by whoever applies the environment, as the override is."""

COMPONENT = "sluice-guard"
_KEPT = 20
_LONG_CHARACTERS = 2_000
_MOST_PACKED_CHARACTERS = 20_000
_MOST_MESSAGE_CHARACTERS = 1000


@dataclass(frozen=True, slots=True)
class Facts:
    """One rollback: whose, the entry of the override by itself, what git wanted of every agent, and the judgement.

    `record` is the judgement with all that it rests on, empty where it could not be had again.
    """

    environment: str
    key: str
    entry: Override
    weights_percent: Mapping[str, int]
    record: str

    @property
    def text(self) -> str:
        """The facts as they are kept."""
        weights = {agent: weight for agent, weight in self.weights_percent.items() if self.key in (ALL, agent)}
        own = [] if self.key == ALL else [self.key]
        candidate = {"candidate": self.entry.candidate} if self.entry.candidate else {}
        return json.dumps(
            {
                "environment": self.environment,
                "key": self.key,
                "by": self.entry.by,
                "at": self.entry.at,
                "reason": self.entry.reason,
                "evidence": self.entry.evidence,
                **candidate,
                "weights_percent": weights,
                # The gateway keeps them for 30 days, and through a rollback.
                "failed_queries": [f"sluice failures {self.environment} {agent}" for agent in weights or own],
                **_packed(self.record),
            }
        )


def facts_key(key: str, entry: Override) -> str:
    """Return what tells one rollback from every other: whose it is and when, and a hash of all it says by itself."""
    digest = hashlib.sha256(f"{key}\n{entry.each[0].text}".encode()).hexdigest()[:12]
    return f"{''.join(part for part in entry.at[:19] if part.isalnum())}.{key}.{digest}"


def noted(cluster: Cluster, namespace: str) -> frozenset[str]:
    """Return the rollbacks whose facts are written, by `facts_key`. Raises a SluiceError."""
    return frozenset(_data(cluster, namespace))


def note_event(cluster: Cluster, namespace: str, key: str, entry: Override) -> None:
    """Leave the Event of a rollback, where it is not there. Raises a SluiceError."""
    whose = "Every agent" if key == ALL else key
    alone = f"It holds {entry.candidate} alone, by the registry's rule. " if entry.candidate else ""
    message = f"{whose} went back to the baseline: {entry.reason}. {alone}{entry.evidence}"
    name = f"sluice-rollback.{facts_key(key, entry).rpartition('.')[2]}"
    _make_event(cluster, namespace, name, "Warning", "RolledBack", message)


def note_ended(cluster: Cluster, namespace: str, key: str, entry: Override, named: str | None) -> None:
    """Leave the Event of an override that another candidate ended, where it is not there. Raises a SluiceError."""
    by = f", set by {entry.by}" if entry.by else ""
    message = f"{key}: an override{by} at {entry.at or 'a time not said'} {entry.why_ended(named)}"
    digest = hashlib.sha256(f"{facts_key(key, entry)}\n{named}".encode()).hexdigest()[:12]
    _make_event(cluster, namespace, f"sluice-override-ended.{digest}", "Normal", "OverrideEnded", message)


def _make_event(cluster: Cluster, namespace: str, name: str, kind: str, reason: str, message: str) -> None:
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    event = {
        "metadata": {"name": name, "namespace": namespace},
        "involvedObject": {"apiVersion": "v1", "kind": "ConfigMap", "name": "override", "namespace": namespace},
        "type": kind,
        "reason": reason,
        "message": message[:_MOST_MESSAGE_CHARACTERS],
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
    answer = cluster.ask("POST", f"/api/v1/namespaces/{namespace}/events", event)
    if answer.status not in (200, 201, 409):
        raise refused(f"the Event {reason} cannot be made", answer)


def write_facts(cluster: Cluster, namespace: str, facts: Facts, keep: Collection[str]) -> None:
    """Write the facts of a rollback; of earlier ones the oldest go that are not in `keep`. Raises a SluiceError."""
    there = _data(cluster, namespace)
    own = facts_key(facts.key, facts.entry)
    if own in there:
        return
    surplus = max(0, len(there) + 1 - _KEPT)
    gone = [name for name in sorted(there) if name not in keep][:surplus]
    data: dict[str, str | None] = {**dict.fromkeys(gone), own: facts.text}
    answer = cluster.ask(
        "PATCH", _path(namespace), {"data": data}, content_type=MERGE_PATCH, query={"fieldManager": COMPONENT}
    )
    if answer.status != 200:
        raise refused("the facts of a rollback cannot be written", answer)


def judgement_of(facts: Mapping[str, object]) -> str:
    """Return the record of the judgement in facts that were read back; empty where there is none."""
    packed = facts.get("judgement_gzip")
    if isinstance(packed, str):
        return gzip.decompress(base64.b64decode(packed)).decode()
    return str(facts.get("judgement", ""))


def _packed(record: str) -> dict[str, str]:
    """Return the field of a record: a short one as it is, a long one compressed, none beyond all reason."""
    if len(record) <= _LONG_CHARACTERS:
        return {"judgement": record}
    packed = base64.b64encode(gzip.compress(record.encode(), mtime=0)).decode()
    return {"judgement_gzip": packed} if len(packed) <= _MOST_PACKED_CHARACTERS else {"judgement": ""}


def _data(cluster: Cluster, namespace: str) -> dict[str, str]:
    found = json_object(cluster, _path(namespace), f"ConfigMap {FACTS} cannot be read")
    return dict(found.get("data") or {})


def _path(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps/{FACTS}"
