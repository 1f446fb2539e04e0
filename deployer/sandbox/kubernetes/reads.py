"""Getting and listing: what a query selects, in pages, as the client wants to see it.

https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks
"""

from __future__ import annotations

import base64
import binascii
import json

from deployer.sandbox.kubernetes.errors import bad_request, not_found
from deployer.sandbox.kubernetes.objects import Object
from deployer.sandbox.kubernetes.resources import Resource
from deployer.sandbox.kubernetes.selectors import Selector, field_selector, label_selector
from deployer.sandbox.kubernetes.store import Store
from deployer.sandbox.kubernetes.target import Target
from deployer.sandbox.kubernetes.versions import shown_in

Query = dict[str, str]


def selector_of(target: Target, query: Query) -> Selector:
    """Both selectors of a query in one. Raises ApiError 400 when one cannot be read."""
    fields = query.get("fieldSelector", "")
    return label_selector(query.get("labelSelector", "")) & field_selector(
        fields, group=target.resource.group, plural=target.resource.plural
    )


def get(store: Store, target: Target) -> Object:
    """One object. Raises ApiError 404."""
    found = store.get(target.key)
    if found is None:
        raise not_found(target.resource.names, target.name)
    return shown_in(target.resource, found)


def select(store: Store, target: Target, query: Query) -> list[Object]:
    """Every object that the query selects, as it is stored."""
    selector = selector_of(target, query)
    found = store.select(target.resource.group, target.resource.plural, target.namespace)
    return [obj for obj in found if selector.matches(obj)] if selector else found


def list_objects(store: Store, target: Target, query: Query) -> Object:
    """A list, or the page of it that the query asks for. Raises ApiError 400 or 410."""
    limit = number(query.get("limit", "0"))
    with store.lock:
        if query.get("continue"):
            page_number, version = _read_token(query["continue"])
            found = store.page(page_number)
        else:
            found, version = select(store, target, query), store.version
        meta: Object = {"resourceVersion": str(version)}
        page, rest = (found[:limit], found[limit:]) if limit else (found, [])
        if rest:
            meta["continue"] = _token(store.keep_page(rest), version)
            if not (query.get("labelSelector") or query.get("fieldSelector")):
                meta["remainingItemCount"] = len(rest)
    resource = target.resource
    items = [_item(resource, shown_in(resource, obj)) for obj in page]
    return {"kind": resource.kind_of_list, "apiVersion": resource.api_version, "metadata": meta, "items": items}


def _item(resource: Resource, obj: Object) -> Object:
    """Items of built-in lists do not repeat their kind; custom resources do."""
    return obj if resource.custom else {key: value for key, value in obj.items() if key not in ("kind", "apiVersion")}


def number(text: str) -> int:
    """A number in a query; what is below zero means zero. Raises ApiError 400 when it is none."""
    try:
        return max(0, int(text))
    except ValueError as error:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from error


def _token(page: int, version: int) -> str:
    return base64.urlsafe_b64encode(json.dumps({"v": "sandbox/v1", "rv": version, "page": page}).encode()).decode()


def _read_token(text: str) -> tuple[int, int]:
    try:
        token = json.loads(base64.urlsafe_b64decode(text))
        return int(token["page"]), int(token["rv"])
    except (binascii.Error, ValueError, KeyError, TypeError) as error:
        raise bad_request("invalid continue token: continue key is not valid") from error
