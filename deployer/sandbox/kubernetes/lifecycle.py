"""The controllers that every cluster has: namespaces, owners and dependents, custom resources.

https://kubernetes.io/docs/concepts/architecture/garbage-collection/
"""

from __future__ import annotations

from collections.abc import Iterable

from deployer.sandbox.kubernetes.admission import namespace_key
from deployer.sandbox.kubernetes.crds import CLEANUP, key_of
from deployer.sandbox.kubernetes.deletion import FOREGROUND, ORPHAN, Conditions, Deleter
from deployer.sandbox.kubernetes.objects import Object, each, metadata
from deployer.sandbox.kubernetes.resources import Registry
from deployer.sandbox.kubernetes.store import Event, Key, Store
from deployer.sandbox.kubernetes.target import Target


class Lifecycle:
    """Finishes what deletions begin."""

    def __init__(self, store: Store, registry: Registry, deleter: Deleter) -> None:
        self._store = store
        self._registry = registry
        self._deleter = deleter

    def namespaces(self, event: Event) -> None:
        """Empty a namespace that is being deleted, and take it away when nothing is left in it."""
        key = event.key
        name = key.name if (key.group, key.plural) == ("", "namespaces") else key.namespace
        with self._store.lock:
            found = self._store.get(namespace_key(name)) if name else None
            if found is None or "deletionTimestamp" not in metadata(found):
                return
            if event.after is not None and event.key.namespace:
                return
            self._delete(self._store.in_namespace(name))
            if not self._store.in_namespace(name) and not metadata(found).get("finalizers"):
                self._store.delete(namespace_key(name))

    def dependents(self, event: Event) -> None:
        """What is owned by objects that are gone goes too; what is to be orphaned loses its owner first."""
        uid = str(metadata(event.last).get("uid", ""))
        waiting = metadata(event.last).get("finalizers") or []
        with self._store.lock:
            owned = [key for key, _obj in self._store.dependents(uid)]
            if event.after is None:
                self._delete(key for key in owned if self._unowned(key))
                self._foreground_owners(event.last)
            elif ORPHAN in waiting and "deletionTimestamp" in metadata(event.after):
                for key in owned:
                    self._disown(key, uid)
                self._finish(event.key, ORPHAN)
            elif FOREGROUND in waiting and "deletionTimestamp" in metadata(event.after):
                self._delete(owned)
                if not any(self._store.dependents(uid)):
                    self._finish(event.key, FOREGROUND)

    def definitions(self, event: Event) -> None:
        """Take the objects of a definition that is being deleted away, then the definition."""
        with self._store.lock:
            for definition in self._store.select("apiextensions.k8s.io", "customresourcedefinitions"):
                if "deletionTimestamp" in metadata(definition) and self._concerns(event, definition):
                    group, plural = key_of(definition)
                    self._delete(self._key(group, plural, obj) for obj in self._store.select(group, plural))
                    if not self._store.select(group, plural):
                        own = Key("apiextensions.k8s.io", "customresourcedefinitions", "", f"{plural}.{group}")
                        self._finish(own, CLEANUP)

    def _concerns(self, event: Event, definition: Object) -> bool:
        about = (event.key.group, event.key.plural)
        return event.last is definition or (about == key_of(definition) and event.after is None)

    def _key(self, group: str, plural: str, obj: Object) -> Key:
        return Key(group, plural, str(metadata(obj).get("namespace", "")), str(metadata(obj)["name"]))

    def _delete(self, keys: Iterable[Key]) -> None:
        for key in list(keys):
            obj = self._store.get(key)
            resources = self._registry.versions_of(key.group, key.plural)
            if obj is not None and resources and "deletionTimestamp" not in metadata(obj):
                self._deleter.delete(Target(resources[0], key.namespace, key.name), Conditions())

    def _unowned(self, key: Key) -> bool:
        """Whether none of an object's owners is there any more."""
        owners = each(metadata(self._store.get(key) or {}), "ownerReferences")
        return not any(self._store.has_uid(str(owner.get("uid"))) for owner in owners)

    def _foreground_owners(self, gone: Object) -> None:
        for owner in each(metadata(gone), "ownerReferences"):
            uid = str(owner.get("uid"))
            key = self._store.find_uid(uid)
            if key is not None and not any(self._store.dependents(uid)):
                self._finish(key, FOREGROUND)

    def _disown(self, key: Key, uid: str) -> None:
        obj = self._store.get(key) or {}
        owners = [owner for owner in each(metadata(obj), "ownerReferences") if owner.get("uid") != uid]
        meta = {name: value for name, value in metadata(obj).items() if name != "ownerReferences"}
        self._store.put(key, obj | {"metadata": meta | ({"ownerReferences": owners} if owners else {})})

    def _finish(self, key: Key, finalizer: str) -> None:
        """Take one finalizer away and, if it was the last, the object."""
        obj = self._store.get(key)
        if obj is None:
            return
        rest = [name for name in metadata(obj).get("finalizers") or [] if name != finalizer]
        if rest == metadata(obj).get("finalizers"):
            return
        meta = {name: value for name, value in metadata(obj).items() if name != "finalizers"}
        self._store.put(key, obj | {"metadata": meta | ({"finalizers": rest} if rest else {})})
        if not rest:
            self._store.delete(key)
