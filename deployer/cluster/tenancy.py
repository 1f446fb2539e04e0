"""What an environment may hold: objects beyond its `allow` are refused by name before anything is written. Pure.

It is about the objects that we write and delete ourselves. What these bring about in the cluster, RBAC has to bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from deployer.model import Allow, ObjectRef, Permanent, Stage

BUILT_IN = frozenset({
    "", "admissionregistration.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io", "apps",
    "authentication.k8s.io", "authorization.k8s.io", "autoscaling", "batch", "certificates.k8s.io",
    "coordination.k8s.io", "discovery.k8s.io", "events.k8s.io", "extensions", "flowcontrol.apiserver.k8s.io",
    "internal.apiserver.k8s.io", "networking.k8s.io", "node.k8s.io", "policy", "rbac.authorization.k8s.io",
    "resource.k8s.io", "scheduling.k8s.io", "storage.k8s.io", "storagemigration.k8s.io",
})  # fmt: skip
"""The groups that the API server itself serves. Not all of `*.k8s.io`: anyone may define a kind in those.

https://kubernetes.io/docs/reference/generated/kubernetes-api/v1.36/
"""

_NAMED = 100


def refuse_beyond(refs: Iterable[ObjectRef], *, unknown: Mapping[ObjectRef, str], allow: Allow | None) -> None:
    """Make sure that an environment gets nothing beyond what its settings allow.

    Args:
        refs: the objects as they are called in the cluster: without a namespace only if their kind has none.
        unknown: objects of kinds that the cluster does not know, and what is known about that. As nobody can say
            whether they have a namespace, they pass only where that makes no difference.
        allow: what is allowed; None: anything.

    Raises:
        Permanent: names every object that is not.
    """
    if allow is None:
        return
    refused = [f"{ref}: {why}" for ref in refs if (why := beyond(ref, allow))]
    refused += [f"{ref}: {why}" for ref, known in unknown.items() if (why := _unknown_beyond(ref, known, allow))]
    if refused:
        named = "; ".join(refused[:_NAMED]) + (f"; and {len(refused) - _NAMED} more" if len(refused) > _NAMED else "")
        message = (
            f"{named}. Nothing was changed. Take them out of the overlay, or widen the environment's allow, which is: "
            f"{_written(allow)}"
        )
        raise Permanent(message, stage=Stage.APPLY)


def beyond(ref: ObjectRef, allow: Allow) -> str:
    """What of an object is not allowed, or nothing. `ref` has no namespace only if its kind has none."""
    home = _home(ref)
    wrong = [
        "" if ref.namespace or allow.cluster_scoped else "cluster-scoped objects are not allowed",
        "" if home is None or _may(home, allow.namespaces) else f"namespace {home} is not allowed",
        _kind_beyond(ref, allow),
    ]
    return ", ".join(filter(None, wrong))


def kept(ref: ObjectRef, allow: Allow | None) -> str:
    """Why an object that left git stays because `allow` does not reach it (any more), or nothing."""
    why = beyond(ref, allow) if allow is not None else ""
    return f"left git; kept because {why}: delete it by hand, or widen the environment's allow" if why else ""


def is_kind(ref: ObjectRef, name: str) -> bool:
    """Whether an object is of the kind that the settings call `name`: alone it means Kubernetes' own."""
    group = ref.api_version.rpartition("/")[0]
    return name == (f"{ref.kind}.{group}" if group else ref.kind) or (name == ref.kind and group in BUILT_IN)


def _unknown_beyond(ref: ObjectRef, known: str, allow: Allow) -> str:
    wrong = _kind_beyond(ref, allow)
    if ref.namespace and not _may(ref.namespace, allow.namespaces):
        wrong = ", ".join(filter(None, (f"namespace {ref.namespace} is not allowed", wrong)))
    return wrong or ("" if allow.cluster_scoped and allow.namespaces is None else known)


def _home(ref: ObjectRef) -> str | None:
    """The namespace that an object rules in. A Namespace is its own: its labels say what may run in it."""
    return ref.name if (ref.api_version, ref.kind) == ("v1", "Namespace") else ref.namespace


def _may(namespace: str, allowed: tuple[str, ...] | None) -> bool:
    return allowed is None or namespace in allowed


def _kind_beyond(ref: ObjectRef, allow: Allow) -> str:
    group = ref.api_version.rpartition("/")[0]
    if allow.kinds is None or any(is_kind(ref, name) for name in allow.kinds):
        return ""
    full = f"{ref.kind}.{group}" if group else ref.kind
    own = f" ({ref.kind} alone means Kubernetes' own)" if ref.kind in allow.kinds else ""
    return f"kind {full} is not allowed{own}"


def _written(allow: Allow) -> str:
    namespaces = "any namespace" if allow.namespaces is None else f"namespaces {', '.join(allow.namespaces)}"
    kinds = "any kind" if allow.kinds is None else f"kinds {', '.join(allow.kinds)}"
    return f"{namespaces}; {kinds}; {'' if allow.cluster_scoped else 'not '}cluster-scoped"
