"""Deleting: at once, or once the finalizers are gone.

https://kubernetes.io/docs/concepts/architecture/garbage-collection/ and .../overview/working-with-objects/finalizers/
"""

from __future__ import annotations

from dataclasses import dataclass

from deployer.sandbox.kubernetes.crds import CLEANUP
from deployer.sandbox.kubernetes.errors import conflict, forbidden, not_found
from deployer.sandbox.kubernetes.objects import Clock, Object, metadata, section, timestamp
from deployer.sandbox.kubernetes.resources import Resource
from deployer.sandbox.kubernetes.store import Store
from deployer.sandbox.kubernetes.target import Target
from deployer.sandbox.kubernetes.versions import shown_in

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
_FINALIZERS = {"Foreground": FOREGROUND, "Orphan": ORPHAN}
_ANSWERS_WITH_OBJECT = frozenset(
    (*("pods", "services", "serviceaccounts", "persistentvolumes", "persistentvolumeclaims", "podtemplates"),
     *("resourcequotas", "namespaces"))
)  # fmt: skip
_KEPT = frozenset(("default", "kube-system", "kube-public", "kube-node-lease"))


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a deletion says about itself."""

    propagation: str = ""
    uid: str = ""
    resource_version: str = ""
    dry_run: bool = False


def read_conditions(body: Object, query: dict[str, str]) -> Conditions:
    """`DeleteOptions` from the body, or else from the query."""
    wanted = section(body, "preconditions")
    return Conditions(
        propagation=str(body.get("propagationPolicy") or query.get("propagationPolicy") or ""),
        uid=str(wanted.get("uid") or ""),
        resource_version=str(wanted.get("resourceVersion") or ""),
        dry_run="All" in (body.get("dryRun") or query.get("dryRun") or ()),
    )


class Deleter:
    """All deletions in one cluster."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def delete(self, target: Target, conditions: Conditions) -> Object:
        """DELETE of one object. Returns the body of the answer; raises ApiError when it is refused."""
        resource = target.resource
        with self._store.lock:
            old = self._store.get(target.key)
            if old is None:
                raise not_found(resource.names, target.name)
            self._check(target, old, conditions)
            waiting = _finalizers(resource, old, conditions)
            marked = self._marked(resource, old, waiting)
            if not conditions.dry_run:
                self._carry_out(target, old, marked)
        if waiting or (resource.plural in _ANSWERS_WITH_OBJECT and not resource.group):
            gone_at_once = not waiting and resource.kind not in ("Namespace", "Pod")
            return shown_in(resource, old if gone_at_once else marked)
        details = resource.names.details(target.name) | {"uid": metadata(old).get("uid")}
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}

    def _carry_out(self, target: Target, old: Object, marked: Object) -> None:
        keeps_namespace = target.resource.kind == "Namespace" and target.resource.group == ""
        if not (metadata(marked).get("finalizers") or keeps_namespace):
            self._store.delete(target.key)
        elif marked != old:
            self._store.put(target.key, marked)

    def _check(self, target: Target, old: Object, conditions: Conditions) -> None:
        names, meta = target.resource.names, metadata(old)
        if conditions.uid not in ("", meta.get("uid")):
            why = (
                f"the UID in the precondition ({conditions.uid}) does not match the UID in record ({meta.get('uid')}). "
                "The object might have been deleted and then recreated"
            )
            raise conflict(names, target.name, why, kind=names.kind)
        if conditions.resource_version not in ("", meta.get("resourceVersion")):
            why = (
                f"the ResourceVersion in the precondition ({conditions.resource_version}) does not match the "
                f"ResourceVersion in record ({meta.get('resourceVersion')}). The object might have been modified"
            )
            raise conflict(names, target.name, why, kind=names.kind)
        if target.resource.kind == "Namespace" and target.name in _KEPT:
            raise forbidden(names, target.name, "this namespace may not be deleted")

    def _marked(self, resource: Resource, old: Object, waiting: list[str]) -> Object:
        """The object as it is while it waits to be gone."""
        meta = dict(metadata(old))
        if "deletionTimestamp" not in meta:
            meta |= {"deletionTimestamp": timestamp(self._clock()), "deletionGracePeriodSeconds": 0}
            if "generation" in meta:
                meta["generation"] += 1
        if waiting:
            meta["finalizers"] = waiting
        marked = old | {"metadata": meta}
        if resource.kind == "Namespace":
            marked["status"] = section(old, "status") | {"phase": "Terminating"}
        return marked


def _finalizers(resource: Resource, old: Object, conditions: Conditions) -> list[str]:
    """The finalizers that a deleted object waits for, without repeats."""
    named = list(metadata(old).get("finalizers") or [])
    if conditions.propagation in _FINALIZERS and "deletionTimestamp" not in metadata(old):
        named.append(_FINALIZERS[conditions.propagation])
    if resource.kind == "CustomResourceDefinition":
        named.append(CLEANUP)
    return list(dict.fromkeys(named))
