"""What clients send, held against the URL they send it to and against what is stored.

Everything here refuses or lets pass; nothing is filled in.
"""

from __future__ import annotations

from deployer.sandbox.kubernetes import refusals
from deployer.sandbox.kubernetes.decode import decode
from deployer.sandbox.kubernetes.errors import MODIFIED, bad_request, conflict, internal
from deployer.sandbox.kubernetes.objects import Json, Object, clone, metadata
from deployer.sandbox.kubernetes.resources import Resource
from deployer.sandbox.kubernetes.target import Target
from deployer.sandbox.kubernetes.typed import item_problems


def same_kind(resource: Resource, body: Object) -> None:
    """A body may leave kind and version out, since the URL has them; it may not say something else."""
    kind, version = body.get("kind") or resource.kind, body.get("apiVersion") or resource.api_version
    if kind != resource.kind:
        said = version if "/" in str(version) else f"core/{version}"
        group = said.rpartition("/")[0]
        raise bad_request(
            f'{kind} in version "{resource.version}" cannot be handled as a {resource.kind}: '
            f"no kind {kind!r} of group {group!r} is served here"
        )
    if version != resource.api_version:
        raise bad_request(
            f"the API version in the data ({version}) does not match the expected API version ({resource.api_version})"
        )


def same_name(target: Target, meta: Object) -> None:
    if meta.get("name", target.name) != target.name:
        shown = meta.get("name") or ""
        raise bad_request(f"the name of the object ({shown}) does not match the name on the URL ({target.name})")


def same_namespace(target: Target, meta: Object) -> None:
    if (meta.get("namespace") or target.namespace) != target.namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")


def same_version(resource: Resource, old: Object, new: Object) -> None:
    """Optimistic locking: who names a version or a uid means the object as it was then."""
    name = str(metadata(old).get("name"))
    before, after = metadata(old), metadata(new)
    if after.get("resourceVersion") not in (None, "", before.get("resourceVersion")):
        raise conflict(resource.names, name, MODIFIED)
    if after.get("uid") not in (None, "", before.get("uid")):
        why = f"Precondition failed: UID in precondition: {after.get('uid')}, UID in object meta: {before.get('uid')}"
        raise conflict(resource.names, name, why)


def configuration(target: Target, config: Object) -> Object:
    """An applied configuration that fits the URL and the schema."""
    resource, meta = target.resource, metadata(config)
    if config.get("apiVersion") != resource.api_version:
        said, expected = config.get("apiVersion") or "", resource.api_version
        raise bad_request(
            f"Incorrect version specified in apply patch. Specified patch version: {said}, expected: {expected}"
        )
    if config.get("kind") != resource.kind:
        raise internal(f"invalid object type: /, Kind={config.get('kind') or ''}")
    if meta.get("managedFields") is not None:
        raise bad_request("metadata.managedFields must be nil")
    same_name(target, meta)
    if (meta.get("namespace") or target.namespace) != target.namespace:
        theirs, ours = meta.get("namespace"), target.namespace
        raise bad_request(
            f"the namespace of the object ({theirs}) does not match the namespace on the request ({ours})"
        )
    decoded = decode(config, resource.schema, by_key=True)
    problems = refusals.apply_problems(decoded) + item_problems(decoded.value, resource.schema)
    if problems:
        raise refusals.unappliable(resource, target.namespace, config, problems=problems)
    found: Object = _without_nulls(config, decoded.value)
    return found


def _without_nulls(config: Json, decoded: Json) -> Json:
    """The configuration as it was sent, without nulls: what is empty is still owned by whoever applies it."""
    if isinstance(config, dict):
        read = decoded if isinstance(decoded, dict) else {}
        return {
            key: read[key] if value is None else _without_nulls(value, read.get(key))
            for key, value in config.items()
            if value is not None or key in read
        }
    return clone(config)


def same_object(target: Target, old: Object, config: Object) -> None:
    """An applied configuration may name the uid and the version of the object that it is for."""
    uid = metadata(config).get("uid")
    if not old and uid:
        why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
        raise conflict(target.resource.names, target.name, why)
    if old:
        same_version(target.resource, old, config)
