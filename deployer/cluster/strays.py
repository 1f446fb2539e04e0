"""Items that somebody added by hand to a list whose other items are git's, such as an environment variable. Pure.

Applying does not remove them, since another manager is on record for them. They are told from what injectors and
controllers add by that record alone (docs/decisions/0011-drift.md):

- What an admission webhook injects is on nobody's record, and so is no stray.
- In an item that git names (our container's variables, ports and mounts), an item of any other manager is one.
- Beside the items that git names (a container, a volume, a port of a Service), only what kubectl is on record for is
  one; the rest, such as a sidecar, is its controller's.

And fields that exclude what git names in the same map, such as a volume's other source (`siblings`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from deployer.cluster import record
from deployer.cluster.aside import Aside
from deployer.cluster.identity import Content, metadata, version
from deployer.cluster.record import Entry, Place
from deployer.model import FIELD_MANAGER, JSON

_BY_HAND = "kubectl"
"""What the field managers of all of kubectl's commands begin with: kubectl, kubectl-edit, kubectl-set, …"""
_OURSELVES = FIELD_MANAGER
"""What we wrote other than by applying, and did not get to take off the record."""
_DEEP = 2
"""Fields right below the manifest's own, such as spec.replicas, exclude no others, and may be an autoscaler's."""
_NOT_GITS = ("f:metadata", "f:status")
"""Finalizers and owner references are for controllers to add."""

_NOT_IN_GIT = "-"
"""As in RFC 6901: an item that a rule cannot name by its number, for rules count git's items."""
_NOT_EXCHANGED = ("apiVersion", "kind", "metadata", "status")


@dataclass(frozen=True, slots=True)
class Stray:
    """One item, or one field."""

    place: Place
    """In the live object."""
    path: tuple[str, ...]
    """The steps of a JSON pointer into the manifest; the last one of an item is `-`, which is none of git's."""
    manager: str
    """Who is on record for it."""

    def __str__(self) -> str:
        return f"{_pointer(self.place)} of {self.manager}"


def strays(live: Mapping[str, JSON], wanted: Mapping[str, JSON], left: Aside) -> tuple[Stray, ...]:
    """The strays of an object.

    Args:
        live: the whole object.
        wanted: as git wants it.
        left: what of it is left alone.
    """
    return tuple(stray for stray in _found(live, wanted, left) if isinstance(stray.place[-1], int))


def siblings(live: Mapping[str, JSON], wanted: Mapping[str, JSON], left: Aside) -> tuple[Stray, ...]:
    """Fields set by hand in maps that are not as git wants them, beside those that git names, which may exclude them.

    The arguments are those of `strays`. Which fields exclude each other only the API server knows: it is to be asked
    first whether it takes what git names as it is.
    """
    return tuple(stray for stray in _found(live, wanted, left) if isinstance(stray.place[-1], str))


def _found(live: Mapping[str, JSON], wanted: Mapping[str, JSON], left: Aside) -> tuple[Stray, ...]:
    found: dict[Place, Stray] = {}
    for entry in record.entries(live):
        if not entry.is_ours:
            fields = {element: node for element, node in entry.fields.items() if element not in _NOT_GITS}
            walk = _Walk(entry, dict(live), dict(wanted))
            found |= {
                stray.place: stray for stray in walk.strays(fields) if not left.covers(stray.path, entry.manager)
            }  # fmt: skip
    return tuple(found.values())


def without(content: Mapping[str, JSON], gone: Sequence[Stray]) -> dict[str, JSON]:
    """The object without them."""
    return {key: _without(value, [s.place[1:] for s in gone if s.place[0] == key]) for key, value in content.items()}


def removal(of_version: str, gone: Sequence[Stray]) -> list[JSON]:
    """A JSON patch that takes them out of this very version of the object, and is refused by any other.

    https://www.rfc-editor.org/rfc/rfc6902
    """
    backwards = sorted((stray.place for stray in gone), key=_counted, reverse=True)
    operations: list[JSON] = [{"op": "test", "path": "/metadata/resourceVersion", "value": of_version}]
    operations += [{"op": "remove", "path": _pointer(place)} for place in backwards]
    return operations


def exchange(of_version: str, live: Mapping[str, JSON], after: Mapping[str, JSON]) -> list[JSON]:
    """A JSON patch that makes this very version of an object another one, all at once; not its metadata and status."""
    operations: list[JSON] = [{"op": "test", "path": "/metadata/resourceVersion", "value": of_version}]
    changed = (key for key, value in after.items() if key not in _NOT_EXCHANGED and live.get(key) != value)
    return [*operations, *({"op": "add", "path": _pointer((key,)), "value": after[key]} for key in changed)]


def disowning(live: Content) -> list[JSON]:
    """A JSON patch that takes off the record what we wrote other than by applying; nothing if there is no such thing.

    https://kubernetes.io/docs/reference/using-api/server-side-apply/#transferring-ownership
    """
    listed = metadata(live).get("managedFields")
    kept: list[JSON] = [entry for entry in listed if not _is_aside(entry)] if isinstance(listed, list) else []
    if not isinstance(listed, list) or len(kept) == len(listed):
        return []
    return [
        {"op": "test", "path": "/metadata/resourceVersion", "value": version(live)},
        {"op": "replace", "path": "/metadata/managedFields", "value": kept},
    ]


def _is_aside(entry: JSON) -> bool:
    return (
        isinstance(entry, dict)
        and (entry.get("manager"), entry.get("operation")) == (_OURSELVES, "Update")
        and not entry.get("subresource")
    )


@dataclass(frozen=True, slots=True)
class _Walk:
    """Through an entry of the record, beside the value that is there and the value that git wants."""

    entry: Entry
    live: JSON
    wanted: JSON
    place: Place = ()
    path: tuple[str, ...] = ()
    is_inside: bool = False
    """In an item that git names."""

    def strays(self, fields: record.Fields) -> Iterator[Stray]:
        if isinstance(self.live, dict) and isinstance(self.wanted, dict):
            for element, node in fields.items():
                name = element[2:]
                if not element.startswith("f:") or not isinstance(node, dict) or name not in self.live:
                    continue
                if name not in self.wanted:
                    if self._excludes(self.live[name]):
                        yield Stray((*self.place, name), (*self.path, name), self.entry.manager)
                elif node:
                    inner = self._into(name, self.live[name], self.wanted.get(name), step=name)
                    yield from inner.strays(node)
        elif isinstance(self.live, list) and isinstance(self.wanted, list) and self.wanted:
            yield from self._items(self.live, self.wanted, fields)

    def _excludes(self, field: JSON) -> bool:
        """Whether a field here that git does not name may be in the way of one that it names.

        A map may also be in the way of what is in a map beside it, as limits are in the way of larger requests.
        """
        if len(self.place) < _DEEP or not self._is_by_hand or not isinstance(self.live, dict):
            return False
        named = self.wanted if isinstance(self.wanted, dict) else {}
        return _differs(self.live, named) or (
            isinstance(field, dict) and any(_differs(self.live.get(key), value) for key, value in named.items())
        )

    @property
    def _is_by_hand(self) -> bool:
        return self.entry.manager.startswith(_BY_HAND) or self.entry.manager == _OURSELVES

    def _items(self, live: list[JSON], wanted: list[JSON], fields: record.Fields) -> Iterator[Stray]:
        names = record.key_names(fields)
        if names is None:
            return
        there, asked = record.places(live, names), record.places(wanted, names)
        for element, node in fields.items():
            key = record.key_of_element(element)
            place, in_git = there.get(key, -1), asked.get(key, -1)
            if place < 0 or not isinstance(node, dict):
                continue
            if key not in asked and self._is_added(node):
                yield Stray((*self.place, place), (*self.path, _NOT_IN_GIT), self.entry.manager)
            elif in_git >= 0:
                inner = self._into(place, live[place], wanted[in_git], step=str(in_git), is_inside=True)
                yield from inner.strays(node)

    def _is_added(self, node: Mapping[str, JSON]) -> bool:
        """Whether the manager added the item itself, rather than something in it."""
        return (not node or "." in node) and (self.is_inside or self._is_by_hand)

    def _into(self, key: str | int, live: JSON, wanted: JSON, *, step: str, is_inside: bool | None = None) -> _Walk:
        inside = self.is_inside if is_inside is None else is_inside
        return _Walk(self.entry, live, wanted, (*self.place, key), (*self.path, step), inside)


def _differs(live: JSON, wanted: JSON) -> bool:
    """Whether a map lacks something that git names in it, or has another value for it; what has parts is no value."""
    if not isinstance(wanted, dict):
        return False
    there = live if isinstance(live, dict) else {}
    return any(
        key not in there or (not isinstance(value, dict | list) and there[key] != value)
        for key, value in wanted.items()
    )


def _without(value: JSON, gone: Sequence[Place]) -> JSON:
    if not gone:
        return value
    if isinstance(value, dict):
        kept = {key: item for key, item in value.items() if (key,) not in gone}
        return {key: _without(item, [rest[1:] for rest in gone if rest[0] == key]) for key, item in kept.items()}
    if isinstance(value, list):
        places = [place for place in range(len(value)) if (place,) not in gone]
        return [_without(value[place], [rest[1:] for rest in gone if rest[0] == place]) for place in places]
    return value


def _counted(place: Place) -> tuple[tuple[int, str], ...]:
    """Orders places so that, backwards, removing one moves none of those that follow."""
    return tuple((step, "") if isinstance(step, int) else (0, step) for step in place)


def _pointer(place: Place) -> str:
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in place)
