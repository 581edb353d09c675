"""Rules about who may do what and who gets in: access, Services, the namespace, names that all environments share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sluice.policy.rule import Body, EnvironmentRule, ObjectRule

ANSWERS_LABEL = "sluice/answers"
"""On an environment's namespace: `made` where a stub provider stands for the real ones, else `real`."""

_LEVEL = "pod-security.kubernetes.io/enforce"
_INSTANCE = "app.kubernetes.io/instance"


def namespace_of(objects: Sequence[Body]) -> Body | None:
    """Return the environment's namespace."""
    return next((item for item in objects if item.get("kind") == "Namespace"), None)


def label(item: Body | None, name: str) -> str | None:
    """Return a label of an object."""
    found: str | None = ((item or {}).get("metadata", {}).get("labels") or {}).get(name)
    return found


def _wildcard(item: Body) -> Iterator[str]:
    if item.get("kind") in {"Role", "ClusterRole"}:
        for rule in item.get("rules") or ():
            for field in ("apiGroups", "resources", "verbs"):
                if "*" in rule.get(field, ()):
                    yield f"allows any of the {field}"
    if item.get("kind") in {"RoleBinding", "ClusterRoleBinding"}:
        role = item.get("roleRef", {}).get("name")
        if role in {"cluster-admin", "admin"}:
            yield f"gives away the role {role}"


def _load_balancer(item: Body) -> Iterator[str]:
    spec = item.get("spec") or {}
    if item.get("kind") == "Service" and (spec.get("type") == "LoadBalancer" or spec.get("externalIPs")):
        yield "opens the Service to the outside"


def _namespace(item: Body) -> Iterator[str]:
    if item.get("kind") == "Namespace":
        if label(item, _LEVEL) != "restricted":
            yield f"label {_LEVEL} is not restricted"
        if not label(item, _INSTANCE):
            yield f"label {_INSTANCE} does not name the environment"


def _node_port(objects: Sequence[Body]) -> Iterator[tuple[Body, str]]:
    if label(namespace_of(objects), ANSWERS_LABEL) != "made":
        for item in objects:
            if item.get("kind") == "Service" and (item.get("spec") or {}).get("type") == "NodePort":
                yield item, "opens a port of every node"


def _name(objects: Sequence[Body]) -> Iterator[tuple[Body, str]]:
    namespace = namespace_of(objects)
    if namespace is None:
        return
    name = namespace["metadata"]["name"]
    for item in objects:
        metadata = item.get("metadata", {})
        if not metadata.get("namespace") and name not in metadata.get("name", ""):
            yield item, f"lies in no namespace, and its name does not hold {name}"


OBJECT_BOUNDARIES = (
    ObjectRule(
        "no-wildcard-access",
        "No role allows everything of a kind, and no binding gives away an administrator's role.",
        _wildcard,
        "(object.kind != 'Role' || !has(dyn(object).rules) || dyn(object).rules.all(rule, "
        "!('*' in rule.verbs) && !(has(rule.apiGroups) && '*' in rule.apiGroups) "
        "&& !(has(rule.resources) && '*' in rule.resources))) "
        "&& (object.kind != 'RoleBinding' || !(dyn(object).roleRef.name in ['cluster-admin', 'admin']))",
    ),
    ObjectRule(
        "no-load-balancer",
        "No Service opens itself to the outside: what is to be reached from there goes through an Ingress or a route.",
        _load_balancer,
        "object.kind != 'Service' || (dyn(object).spec.type != 'LoadBalancer' && !(has(dyn(object).spec.externalIPs) "
        "&& size(dyn(object).spec.externalIPs) > 0))",
    ),
    ObjectRule(
        "namespace-restricted",
        "The namespace enforces Pod Security's restricted and names its environment.",
        _namespace,
        "object.kind != 'Namespace' || (has(object.metadata.labels) "
        f"&& '{_LEVEL}' in object.metadata.labels && object.metadata.labels['{_LEVEL}'] == 'restricted' "
        f"&& '{_INSTANCE}' in object.metadata.labels)",
    ),
)

ENVIRONMENT_BOUNDARIES = (
    EnvironmentRule(
        "node-port-for-made-answers",
        "Only an environment whose answers are made opens a port of the nodes.",
        _node_port,
        "object.kind != 'Service' || dyn(object).spec.type != 'NodePort' || (has(namespaceObject.metadata.labels) "
        f"&& '{ANSWERS_LABEL}' in namespaceObject.metadata.labels "
        f"&& namespaceObject.metadata.labels['{ANSWERS_LABEL}'] == 'made')",
    ),
    EnvironmentRule(
        "named-by-environment",
        "What lies in no namespace has its environment's in its name, so that two environments never meet.",
        _name,
    ),
)
