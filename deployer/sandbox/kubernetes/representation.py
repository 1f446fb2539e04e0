"""The form in which a client wants its answer: the objects, their metadata alone, or a table for people.

https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-tables
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from deployer.sandbox.kubernetes.columns import Column, columns_of
from deployer.sandbox.kubernetes.objects import Object, metadata
from deployer.sandbox.kubernetes.resources import Resource

_META = "meta.k8s.io/v1"


def requested(accept: str) -> str:
    """`Table`, `PartialObjectMetadata`, `PartialObjectMetadataList`, or empty for the objects themselves."""
    first = accept.partition(",")[0]
    for parameter in first.split(";")[1:]:
        name, _, value = parameter.strip().partition("=")
        if name == "as":
            return value
    return ""


def shower(resource: Resource, form: str, *, include: str, now: datetime) -> Callable[[Object], Object]:
    """What turns an object or a list into the form that was asked for.

    Args:
        resource: what the objects are.
        form: as `requested` gives it.
        include: `includeObject` of the query: `Metadata` (the default), `Object` or `None`.
        now: for ages.
    """
    if form == "Table":
        return lambda obj: _table(resource, obj, include, now)
    if form.startswith("PartialObjectMetadata"):
        return _partial
    return lambda obj: obj


def _partial(obj: Object) -> Object:
    if "items" not in obj:
        return {"kind": "PartialObjectMetadata", "apiVersion": _META, "metadata": metadata(obj)}
    items = [_partial(item) for item in obj["items"]]
    return {"kind": "PartialObjectMetadataList", "apiVersion": _META, "metadata": metadata(obj), "items": items}


def _table(resource: Resource, obj: Object, include: str, now: datetime) -> Object:
    columns = columns_of(resource)
    items = obj.get("items", [obj])
    return {
        "kind": "Table", "apiVersion": _META,
        "metadata": metadata(obj) if "items" in obj else {"resourceVersion": metadata(obj).get("resourceVersion", "")},
        "columnDefinitions": [_definition(column) for column in columns],
        "rows": [_row(columns, item, include, now) for item in items],
    }  # fmt: skip


def _definition(column: Column) -> Object:
    form = "name" if column.name == "Name" else ""
    return {"name": column.name, "type": column.type, "format": form, "description": "", "priority": column.priority}


def _row(columns: tuple[Column, ...], obj: Object, include: str, now: datetime) -> Object:
    row: Object = {"cells": [column.cell(obj, now) for column in columns]}
    if include == "Object":
        row["object"] = obj
    elif include != "None":
        row["object"] = _partial(obj)
    return row
