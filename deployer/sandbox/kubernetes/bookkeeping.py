"""What the server keeps in every object: its identity, its generation, and who owns which field."""

from __future__ import annotations

from deployer.sandbox.kubernetes.admission import new_uid
from deployer.sandbox.kubernetes.objects import Json, Object, clone, metadata, same
from deployer.sandbox.kubernetes.ownership import Owners, write_owners
from deployer.sandbox.kubernetes.resources import Resource
from deployer.sandbox.kubernetes.target import Target

_SERVER_SET = ("uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink")


def created_metadata(target: Target, meta: Object, now: str) -> Object:
    kept = {key: value for key, value in meta.items() if key not in (*_SERVER_SET, "resourceVersion", "managedFields")}
    place = {"namespace": target.namespace} if target.resource.namespaced else {}
    named = {"name": target.name} if target.name else {}
    return {**kept, **named, **place, "uid": new_uid(), "creationTimestamp": now}


def carried(target: Target, old: Object, obj: Object) -> Object:
    """The new object with everything that this write may not change taken from the old one."""
    if target.subresource == "status":
        return {**old, "metadata": dict(metadata(old)), "status": obj.get("status", {})}
    kept = {key: metadata(old)[key] for key in (*_SERVER_SET, "resourceVersion", "namespace") if key in metadata(old)}
    given = {key: value for key, value in metadata(obj).items() if key not in _SERVER_SET}
    new = {"kind": target.resource.kind, "apiVersion": target.resource.api_version, **obj}
    new["metadata"] = {"name": target.name, **given, **kept}
    if "status" in target.resource.subresources:
        new.pop("status", None)
        if "status" in old:
            new["status"] = clone(old["status"])
    return new


def counts(resource: Resource, old: Object, new: Object) -> bool:
    """Whether a change is one of what is wanted, which a generation counts."""
    left_out = {"metadata", "kind", "apiVersion"} | ({"status"} & resource.subresources)
    if resource.kind == "Deployment" and metadata(old).get("annotations") != metadata(new).get("annotations"):
        return True
    before, after = ({key: value for key, value in obj.items() if key not in left_out} for obj in (old, new))
    return not same(before, after)


def unmanaged(obj: Object) -> Object:
    if "metadata" not in obj:
        return obj
    return obj | {"metadata": {key: value for key, value in metadata(obj).items() if key != "managedFields"}}


def with_owners(old: Object, sent: Json) -> Object:
    """Clients may rewrite managedFields, for instance to hand fields over from one manager to another."""
    if sent is None or sent == metadata(old).get("managedFields"):
        return old
    return old | {"metadata": metadata(old) | {"managedFields": sent}}


def record(obj: Object, owners: Owners) -> None:
    entries = write_owners(owners)
    metadata(obj).pop("managedFields", None)
    if entries:
        metadata(obj)["managedFields"] = entries
