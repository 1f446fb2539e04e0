"""Requests answered: which verb a method means on a URL, what its query and body say, and who carries it out.

It knows nothing of sockets: a request comes in as a value and an answer goes out as one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from deployer.sandbox.kubernetes import discovery, reads, scale
from deployer.sandbox.kubernetes.bodies import read_json, read_yaml
from deployer.sandbox.kubernetes.deletion import Deleter, read_conditions
from deployer.sandbox.kubernetes.errors import (
    ApiError,
    bad_request,
    method_not_allowed,
    unsupported_media_type,
)
from deployer.sandbox.kubernetes.objects import Clock, Json, Object, name_of, wall_clock
from deployer.sandbox.kubernetes.openapi import openapi
from deployer.sandbox.kubernetes.options import read_options
from deployer.sandbox.kubernetes.patches import APPLY, JSON, MERGE, STRATEGIC, json_patch, merge_patch, strategic_merge
from deployer.sandbox.kubernetes.representation import requested, shower
from deployer.sandbox.kubernetes.resources import Registry
from deployer.sandbox.kubernetes.routes import Location, is_resource, locate, target_of
from deployer.sandbox.kubernetes.store import Store
from deployer.sandbox.kubernetes.target import Target
from deployer.sandbox.kubernetes.versions import shown_in
from deployer.sandbox.kubernetes.watch import Watch, is_watch, watch
from deployer.sandbox.kubernetes.writes import Writer, Written

_BODIES = ("application/json", "application/yaml")


@dataclass(frozen=True, slots=True)
class Request:
    """One request, authenticated. Header names are in lower case."""

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip()


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: a body, or lines that are sent as they come."""

    code: int
    body: Object | str = ""
    lines: Iterator[Object] | None = None


class Api:
    """The API of one cluster."""

    def __init__(self, store: Store, registry: Registry, *, clock: Clock = wall_clock) -> None:
        self.store = store
        self.registry = registry
        self.writer = Writer(store, clock)
        self.deleter = Deleter(store, clock)
        self._clock = clock
        self.ended = False
        """Set when the server stops, so that watches end."""

    def answer(self, request: Request) -> Answer:
        """Carry a request out. Refusals are answers, too."""
        try:
            location = locate(request.url)
            if not is_resource(location):
                return self._document(request, location)
            if not discovery.serves(self.registry, location.segments):
                return Answer(404, "404 page not found")
            return self._verb(request, location, target_of(location, self.registry))
        except ApiError as error:
            return Answer(error.code, error.status())

    def _document(self, request: Request, location: Location) -> Answer:
        if request.method != "GET":
            raise method_not_allowed()
        match location.segments:
            case ("healthz" | "readyz" | "livez", *_):
                return Answer(200, "ok")
            case ("version",):
                return Answer(200, discovery.version())
            case ("api",):
                return Answer(200, discovery.core_versions(request.headers.get("host", "")))
        found = self._listing(location.segments)
        return Answer(404, "404 page not found") if found is None else Answer(200, found)

    def _listing(self, segments: tuple[str, ...]) -> Object | None:
        match segments:
            case ("apis",):
                return discovery.groups(self.registry)
            case ("api", version):
                return discovery.resources(self.registry, "", version)
            case ("apis", group):
                return discovery.group(self.registry, group)
            case ("apis", group, version):
                return discovery.resources(self.registry, group, version)
            case ("openapi", "v3", *path):
                return openapi(self.registry, tuple(path))
        return None

    def _verb(self, request: Request, location: Location, target: Target) -> Answer:
        verbs = {
            "GET": self._get if target.name else self._list,
            "DELETE": self._delete if target.name else self._delete_all,
            "POST": None if target.name else self._create,
            "PUT": self._update if target.name else None,
            "PATCH": self._patch if target.name else None,
        }
        verb = verbs.get(request.method)
        if verb is None or (target.subresource and request.method in ("POST", "DELETE")):
            raise method_not_allowed()
        return verb(request, location.query, target)

    def _get(self, request: Request, query: dict[str, str], target: Target) -> Answer:
        found = reads.get(self.store, target)
        if target.subresource == "scale":
            return Answer(200, scale.shown(target.resource, found))
        return Answer(200, self._shower(request, query, target)(found))

    def _list(self, request: Request, query: dict[str, str], target: Target) -> Answer:
        show = self._shower(request, query, target)
        if is_watch(query):
            asked = Watch(target, query, show)
            return Answer(200, lines=watch(self.store, asked, ended=lambda: self.ended))
        return Answer(200, show(reads.list_objects(self.store, target, query)))

    def _shower(self, request: Request, query: dict[str, str], target: Target) -> Callable[[Object], Object]:
        form = requested(request.headers.get("accept", ""))
        return shower(target.resource, form, include=query.get("includeObject", "Metadata"), now=self._clock())

    def _create(self, request: Request, query: dict[str, str], target: Target) -> Answer:
        body = _read_object(request, target)
        return _written(self.writer.create(target, body, read_options(request.headers, query, "CreateOptions")))

    def _update(self, request: Request, query: dict[str, str], target: Target) -> Answer:
        options = read_options(request.headers, query, "UpdateOptions")
        body = _read_object(request, target)
        if target.subresource != "scale":
            return _written(self.writer.update(target, body, options))
        change = scale.change_to(target.resource, lambda _old: body)
        return Answer(200, scale.shown(target.resource, self.writer.patch(target, change, options, patch=body).obj))

    def _patch(self, request: Request, query: dict[str, str], target: Target) -> Answer:
        kind = request.media_type
        if kind == APPLY:
            return self._apply(request, query, target)
        if kind not in (MERGE, JSON, STRATEGIC) or (kind == STRATEGIC and target.resource.custom):
            raise unsupported_media_type((JSON, MERGE, STRATEGIC, APPLY))
        options = read_options(request.headers, query, "PatchOptions")
        patch = _read_json(request, target)
        change = _change(kind, patch, target)
        if target.subresource != "scale":
            return _written(self.writer.patch(target, change, options, patch=patch))
        scaled = self.writer.patch(target, scale.change_to(target.resource, change), options, patch=patch)
        return Answer(200, scale.shown(target.resource, scaled.obj))

    def _apply(self, request: Request, query: dict[str, str], target: Target) -> Answer:
        options = read_options(request.headers, query, "PatchOptions", applies=True)
        config = read_yaml(request.body)
        if not isinstance(config, dict):
            raise bad_request("error decoding YAML: error unmarshaling JSON: json: cannot unmarshal into an object")
        return _written(self.writer.apply(target, config, options))

    def _delete(self, request: Request, query: dict[str, str], target: Target) -> Answer:
        conditions = read_conditions(_read_optional(request, target), query)
        return Answer(200, self.deleter.delete(target, conditions))

    def _delete_all(self, request: Request, query: dict[str, str], target: Target) -> Answer:
        conditions = read_conditions(_read_optional(request, target), query)
        resource = target.resource
        if resource.kind == "Namespace":
            raise method_not_allowed()
        with self.store.lock:
            found = reads.select(self.store, target, query)
            for obj in found:
                namespace = str(obj["metadata"].get("namespace", ""))
                self.deleter.delete(Target(resource, namespace, name_of(obj)), conditions)
            meta = {"resourceVersion": str(self.store.version)}
        items = [shown_in(resource, obj) for obj in found]
        return Answer(
            200, {"kind": resource.kind_of_list, "apiVersion": resource.api_version, "metadata": meta, "items": items}
        )


def _written(result: Written) -> Answer:
    return Answer(201 if result.created else 200, result.obj)


def _change(kind: str, patch: Json, target: Target) -> Callable[[Object], Json]:
    if kind == JSON:
        return lambda old: json_patch(old, patch)
    if not isinstance(patch, dict):
        raise bad_request("error decoding patch: json: cannot unmarshal array into an object")
    if kind == MERGE:
        return lambda old: merge_patch(old, patch)
    return lambda old: strategic_merge(old, patch, target.resource.schema)


def _read_object(request: Request, target: Target) -> Object:
    if request.media_type not in _BODIES:
        raise unsupported_media_type(_BODIES)
    body = read_yaml(request.body) if request.media_type == "application/yaml" else _read_json(request, target)
    if not isinstance(body, dict):
        raise bad_request(f"the object provided is unrecognized (must be of type {target.resource.kind})")
    return body


def _read_optional(request: Request, target: Target) -> Object:
    body = _read_json(request, target) if request.body.strip() else {}
    return body if isinstance(body, dict) else {}


def _read_json(request: Request, target: Target) -> Json:
    try:
        return read_json(request.body)
    except (ValueError, RecursionError) as error:
        kind = target.resource.kind
        raise bad_request(
            f"the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; "
            f"json parse error: {error}"
        ) from error
