"""The cheap comparison on custom resources, whose lists are what their definition says."""

from __future__ import annotations

import copy
import secrets
import time
from collections.abc import Callable
from typing import Any

import pytest

from deployer.cluster.connection import Connection
from tests.cluster.objects import definition
from tests.cluster.test_compare import Subject, check_every_change

TEXT = {"type": "string"}
ROUTE = {"type": "object", "required": ["host"], "properties": {"host": TEXT, "weight": {"type": "integer"}}}
SPEC = {
    "type": "object",
    "properties": {
        "cpu": TEXT,
        "size": {"type": "integer", "default": 3},
        "note": {"type": "string", "nullable": True},
        "routes": {
            "type": "array", "items": ROUTE,
            "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["host"],
        },
        "tags": {"type": "array", "items": TEXT, "x-kubernetes-list-type": "set"},
        "steps": {"type": "array", "items": TEXT},
        "selector": {"type": "object", "additionalProperties": TEXT, "x-kubernetes-map-type": "atomic"},
        "options": {"type": "object", "additionalProperties": TEXT},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
}  # fmt: skip


@pytest.fixture
def gadget(connection: Connection, namespace: str, clean: Callable[[str], None]) -> Subject:
    if connection.version().startswith("v1.20."):
        pytest.skip("builds of 1.20 with a newer Go than its own end themselves when a custom resource is stored")
    group = f"g{secrets.token_hex(3)}.example.com"
    content: Any = copy.deepcopy(definition("gadgets", "Gadget", group).content)
    content["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"] = SPEC
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gadgets.{group}"
    clean(path)
    assert Subject(connection, path, content).apply().status == 201
    desired = {
        "apiVersion": f"{group}/v1",
        "kind": "Gadget",
        "metadata": {"name": "subject", "annotations": {}, "creationTimestamp": None},
        "spec": {
            "cpu": "1000m", "note": None, "tags": ["b", "a"], "steps": ["x", "y"], "selector": {"a": "b"},
            "routes": [{"host": "b", "weight": 1}, {"host": "a"}], "options": {"x": "y"},
            "free": {"list": [{"name": "a"}], "empty": {}, "none": []},
        },
    }  # fmt: skip
    made = Subject(connection, f"/apis/{group}/v1/namespaces/{namespace}/gadgets/subject", desired)
    deadline = time.monotonic() + 10
    while (response := made.apply()).status == 404 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert response.status == 201, response.body
    return made


def test_a_custom_resource_holds_and_every_single_change_to_it_is_seen(gadget: Subject) -> None:
    assert gadget.holds()
    assert not gadget.would_change()
    check_every_change(gadget)


def test_a_text_that_looks_like_a_quantity_is_only_the_same_text(gadget: Subject) -> None:
    desired = copy.deepcopy(gadget.desired)
    desired["spec"]["cpu"] = "1"

    assert not gadget.holds(desired)
    assert gadget.would_change(desired)
