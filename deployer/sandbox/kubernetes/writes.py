"""Creating, updating, patching and applying: from what a client sent to what is stored.

Every write goes the same way: read it as its kind, keep what clients may not set, fill in defaults, check, count the
generation, record who owns what, store. A write that changes nothing is not stored. Deleting is in `deletion`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from deployer.sandbox.kubernetes import refusals
from deployer.sandbox.kubernetes.admission import admit, generated_name, require_namespace
from deployer.sandbox.kubernetes.apply import Applier, apply
from deployer.sandbox.kubernetes.bookkeeping import carried, counts, created_metadata, record, unmanaged, with_owners
from deployer.sandbox.kubernetes.decode import Decoded, decode
from deployer.sandbox.kubernetes.defaults import fill_in
from deployer.sandbox.kubernetes.errors import already_exists, bad_request, internal, invalid, invalid_value, not_found
from deployer.sandbox.kubernetes.immutability import change_causes
from deployer.sandbox.kubernetes.incoming import (
    configuration,
    same_kind,
    same_name,
    same_namespace,
    same_object,
    same_version,
)
from deployer.sandbox.kubernetes.names import metadata_update_causes
from deployer.sandbox.kubernetes.objects import Clock, Json, Object, metadata, same, timestamp
from deployer.sandbox.kubernetes.options import Options
from deployer.sandbox.kubernetes.ownership import (
    APPLY,
    UPDATE,
    Change,
    Owners,
    after_update,
    manager,
    read_owners,
    settle,
)
from deployer.sandbox.kubernetes.resources import Resource
from deployer.sandbox.kubernetes.store import Store
from deployer.sandbox.kubernetes.target import Target
from deployer.sandbox.kubernetes.validation import causes as validation_causes
from deployer.sandbox.kubernetes.versions import shown_in


@dataclass(frozen=True, slots=True)
class Written:
    """The object as it is now, and whether it is new."""

    obj: Object
    created: bool = False


class Writer:
    """All writes to one cluster. Each holds the store's lock from reading to storing."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def create(self, target: Target, body: Object, options: Options) -> Written:
        """POST. Raises ApiError when it is refused."""
        resource = target.resource
        same_kind(resource, body)
        obj = self._decoded(resource, body, options)
        meta = metadata(obj)
        same_namespace(target, meta)
        if meta.get("resourceVersion"):
            raise internal("resourceVersion should not be set on objects to be created")
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = generated_name(str(meta["generateName"]))
        with self._store.lock:
            named = Target(resource, target.namespace, str(meta.get("name") or ""))
            return self._create(named, obj, self._updating(named, options), options)

    def update(self, target: Target, body: Object, options: Options) -> Written:
        """PUT. Raises ApiError when it is refused."""
        same_kind(target.resource, body)
        same_name(target, metadata(body))
        same_namespace(target, metadata(body))
        if target.resource.custom and not metadata(body).get("resourceVersion"):
            cause = invalid_value("metadata.resourceVersion", 0, "must be specified for an update")
            raise invalid(target.resource.names, target.name, [cause])
        obj = self._decoded(target.resource, body, options)
        with self._store.lock:
            return self._update(target, self._existing(target), obj, self._updating(target, options), options)

    def patch(self, target: Target, change: Callable[[Object], Json], options: Options, *, patch: Json) -> Written:
        """PATCH other than apply. `change` makes the new object out of the old; `patch` is named in refusals."""
        with self._store.lock:
            old = shown_in(target.resource, self._existing(target))
            changed = change(old)
            if not isinstance(changed, dict):
                raise bad_request("the patch does not lead to an object")
            decoded = decode(changed, target.resource.schema)
            if decoded.mismatches and not target.resource.custom:
                raise refusals.unpatchable(target.resource, decoded, patch)
            obj = self._accepted(target.resource, decoded, options, changed)
            same_name(target, metadata(obj))
            return self._update(target, old, obj, self._updating(target, options), options)

    def apply(self, target: Target, config: Object, options: Options) -> Written:
        """Server-side apply. Raises ApiError when it is refused."""
        resource = target.resource
        config = configuration(target, config)
        who = manager(options.manager, APPLY, api_version=resource.api_version, subresource=target.subresource)
        applier = Applier(who, resource.api_version, options.force)
        with self._store.lock:
            stored = self._store.get(target.key)
            old = shown_in(resource, stored) if stored is not None else {}
            same_object(target, old, config)
            change = Change(unmanaged(old), unmanaged(config), resource.schema, target.ignored)
            merged, owners = apply(read_owners(old), applier, change)
            obj = self._accepted(resource, decode(merged, resource.schema), options, merged)

            def keep(_old: Object, _new: Object) -> Owners:
                return owners

            if stored is None:
                if target.subresource:
                    raise not_found(resource.names, target.name)
                return self._create(target, obj, keep, options)
            return self._update(target, old, obj, keep, options)

    def _create(self, target: Target, obj: Object, owners: OwnersAfter, options: Options) -> Written:
        resource = target.resource
        now = timestamp(self._clock())
        obj = {"kind": resource.kind, "apiVersion": resource.api_version, **obj}
        meta = obj["metadata"] = created_metadata(target, metadata(obj), now)
        if "status" in resource.subresources:
            obj.pop("status", None)
        if resource.counts_generations:
            meta["generation"] = 1
        require_namespace(self._store, resource, target.namespace, name=str(meta.get("name", "")))
        fill_in(resource, obj)
        owned = settle(owners({}, obj), {}, now=now)
        admit(self._store, resource, obj, old=None)
        self._check(resource, obj, None)
        if self._store.get(target.key) is not None:
            raise already_exists(resource.names, target.name)
        record(obj, owned)
        return Written(obj if options.dry_run else self._store.put(target.key, obj), created=True)

    def _update(
        self, target: Target, old: Object, obj: Object, owners: OwnersAfter, options: Options
    ) -> Written:  # fmt: skip
        resource = target.resource
        same_version(resource, old, obj)
        sent = metadata(obj).get("managedFields")
        new = carried(target, old, obj)
        if not target.subresource:
            fill_in(resource, new)
        before = read_owners(old)
        owned = settle(owners(with_owners(old, sent), new), before, now=timestamp(self._clock()))
        if not target.subresource:
            admit(self._store, resource, new, old=old)
        self._check(resource, new, old)
        if resource.counts_generations and counts(resource, old, new):
            metadata(new)["generation"] = int(metadata(old).get("generation", 0)) + 1
        record(new, owned)
        if same(old, new):
            return Written(old)
        if options.dry_run:
            return Written(new)
        stored = self._store.put(target.key, new)
        if metadata(stored).get("deletionTimestamp") and not metadata(stored).get("finalizers"):
            self._store.delete(target.key)
        return Written(stored)

    def _updating(self, target: Target, options: Options) -> OwnersAfter:
        """Ownership after a write that is not an apply."""
        version = target.resource.api_version
        who = manager(options.manager, UPDATE, api_version=version, subresource=target.subresource)

        def after(old: Object, new: Object) -> Owners:
            change = Change(unmanaged(old), unmanaged(new), target.resource.schema, target.ignored)
            return after_update(read_owners(old), who, change, api_version=version)

        return after

    def _existing(self, target: Target) -> Object:
        found = self._store.get(target.key)
        if found is None:
            raise not_found(target.resource.names, target.name)
        return found

    def _decoded(self, resource: Resource, body: Object, options: Options) -> Object:
        decoded = decode(body, resource.schema)
        if decoded.mismatches and not resource.custom:
            raise refusals.undecodable(resource, decoded)
        return self._accepted(resource, decoded, options, body)

    def _accepted(self, resource: Resource, decoded: Decoded, options: Options, body: Object) -> Object:
        if decoded.unknown and options.strict:
            raise refusals.unknown_fields(decoded)
        if decoded.mismatches and resource.custom:
            raise refusals.invalid_custom(resource, str(metadata(body).get("name", "")), decoded)
        if decoded.mismatches:
            raise refusals.unconvertible(resource, decoded)
        found: Object = decoded.value
        return found

    def _check(self, resource: Resource, new: Object, old: Object | None) -> None:
        causes = validation_causes(resource, new)
        if old is not None:
            causes = metadata_update_causes(old, new) + causes + change_causes(resource, old, new)
        if causes:
            raise invalid(resource.names, str(metadata(new).get("name") or ""), causes)


OwnersAfter = Callable[[Object, Object], Owners]
"""From the old and the new object to the owners of the new one."""
