"""Writes docs/policy.md from the rules."""

from __future__ import annotations

from sluice.policy.rule import ObjectRule
from sluice.policy.rules import RULES


def page() -> str:
    """Return the page, a row for each rule."""
    rows = [
        f"| `{rule.id}` | {rule.sentence} | {'object' if isinstance(rule, ObjectRule) else 'environment'} "
        f"| {'no' if rule.cel is None else 'yes'} |"
        for rule in RULES
    ]
    return _PAGE.format(rows="\n".join(rows))


_PAGE = """\
# Policy

What must hold for every object of an environment, whoever applies it. The rules are pure checks (`sluice/policy`), and
three ask them:

- the tests, of all that is rendered;
- the Pulumi policy pack in `policy/`, of what Pulumi is about to make. A violation stops it;
- a ValidatingAdmissionPolicy of each environment, in its namespace, of whatever comes to the API server. It says those
  rules that CEL can say, and takes Kubernetes 1.30 or newer.

| rule | what it says | looks at | asked in the cluster |
|---|---|---|---|
{rows}

`two-serve-production` is asked in the cluster of autoscalers alone: a Deployment that leaves its replicas to one is
made with a single replica, and an admission policy sees no other object beside it.

## With Pulumi

The pack has an environment of its own, because its protobuf is older than the gateway's:

```
python3 -m venv policy/.venv
policy/.venv/bin/pip install --require-hashes -r requirements/policy.lock
pulumi preview --stack production --policy-pack policy
```

Pulumi's own releases run it as it stands. The language host that `make up` builds where there is none is older than its
CLI and cannot: there the same pack runs by a program of another name, as `make policy` shows.

`make policy` asks the pack of staging and production from a clone, by `pulumi preview` with made keys, no state and no
cluster: for CI, before anything is merged. `make judges` runs it too, and shows that a broken rule stops it.

## When a rule is in the way

The API server names the rule: `denied request: image-by-digest: ...`. What is being deleted is let go whatever it is,
and so are `kubectl debug` and the scaling down of an old ReplicaSet. To stop asking for an hour, delete the binding;
the next `pulumi up` puts it back:

```
kubectl delete validatingadmissionpolicybinding sluice-production
```
"""
