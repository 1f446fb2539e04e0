"""Drift of custom resources, which are served in several versions and whose lists are what their definition says."""

from __future__ import annotations

import copy
import secrets
from collections.abc import Callable
from typing import Any

import pytest

from deployer.cluster.connection import Connection
from deployer.model import Action, DriftRule
from tests.cluster.bring import bring, drifted
from tests.cluster.objects import definition, manifest, thing
from tests.cluster.test_compare_custom import SPEC


class Gadget:
    """A definition with two versions, an object in the first, and its path in either."""

    def __init__(self, connection: Connection, namespace: str) -> None:
        self._connection = connection
        self.group = f"g{secrets.token_hex(3)}.example.com"
        made: Any = copy.deepcopy(definition("gadgets", "Gadget", self.group).content)
        (first,) = made["spec"]["versions"]
        first["schema"]["openAPIV3Schema"]["properties"]["spec"] = SPEC
        made["spec"]["versions"].append({**first, "name": "v2", "storage": False})
        self.definition = manifest(made)
        spec: Any = {
            "cpu": "1000m", "note": None, "tags": ["b", "a"], "steps": ["x", "y"], "options": {"x": "y"},
            "routes": [{"host": "b", "weight": 1}, {"host": "a"}], "free": {"empty": {}, "none": []},
        }  # fmt: skip
        self.wanted = (self.definition, thing(f"{self.group}/v1", "Gadget", "subject", spec=spec))
        self._path = f"/apis/{self.group}/{{}}/namespaces/{namespace}/gadgets/subject"

    def live(self) -> dict[str, Any]:
        body = self._connection.request("GET", self._path.format("v1")).body
        assert isinstance(body, dict)
        return body

    def write(self, patch: dict[str, Any], *, version: str, by: str) -> None:
        response = self._connection.request(
            "PATCH", self._path.format(version), query={"fieldManager": by}, body=patch,
            content_type="application/merge-patch+json",
        )  # fmt: skip
        assert response.status == 200, response.body


@pytest.fixture
def gadget(connection: Connection, namespace: str, clean: Callable[[str], None]) -> Gadget:
    if connection.version().startswith("v1.20."):
        pytest.skip("builds of 1.20 with a newer Go than its own end themselves when a custom resource is stored")
    made = Gadget(connection, namespace)
    clean(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gadgets.{made.group}")
    results = bring(connection, made.wanted, namespace=namespace)
    assert {result.action for result in results} == {Action.CREATED}, results
    return made


def test_defaults_and_what_others_write_in_another_version_are_none(
    connection: Connection, namespace: str, gadget: Gadget
) -> None:
    gadget.write({"spec": {"options": {"theirs": "1"}, "tags": ["a", "b"]}}, version="v2", by="controller")
    routes = [{"host": "theirs"}, {"host": "a"}, {"host": "b", "weight": 1}]
    gadget.write({"spec": {"routes": routes}}, version="v2", by="controller")

    assert drifted(connection, gadget.wanted, namespace=namespace) == ()


def test_what_is_changed_in_another_version_is_told_and_put_back(
    connection: Connection, namespace: str, gadget: Gadget
) -> None:
    gadget.write({"spec": {"cpu": "1", "steps": ["y", "x"]}}, version="v2", by="kubectl-edit")
    routes = [*gadget.live()["spec"]["routes"], {"host": "stray"}]
    gadget.write({"spec": {"routes": routes}}, version="v2", by="kubectl-patch")

    (found,) = drifted(connection, gadget.wanted, namespace=namespace)

    assert {field.path: field.author.manager for field in found.fields if field.author} == {
        "spec.cpu": "kubectl-edit",
        "spec.steps[0]": "kubectl-edit",
        "spec.steps[1]": "kubectl-edit",
        "spec.routes[2]": "kubectl-patch",
    }
    bring(connection, gadget.wanted, namespace=namespace, hold=True)
    assert [route["host"] for route in gadget.live()["spec"]["routes"]] == ["b", "a"]
    assert drifted(connection, gadget.wanted, namespace=namespace) == ()


@pytest.mark.parametrize(
    ("pointer", "ignored"),
    [
        ("/spec/options/a~1b~0c", True),
        ("/spec/options/a~1b~0c/0", False),
        ("/spec/options/a~01b~0c", False),
        ("/spec/options/a~1b~00c", False),
        ("/spec/options/*", True),
    ],
)
def test_signs_that_a_pointer_escapes_are_part_of_a_key(
    connection: Connection, namespace: str, gadget: Gadget, *, pointer: str, ignored: bool
) -> None:
    spec = {**dict(gadget.wanted[1].content["spec"]), "options": {"x": "y", "a/b~c": "git"}}  # type: ignore[arg-type]
    wanted = (gadget.definition, thing(f"{gadget.group}/v1", "Gadget", "subject", spec=spec))
    rule = DriftRule(kind=f"Gadget.{gadget.group}", path=pointer)
    bring(connection, wanted, namespace=namespace, ignore=(rule,))
    gadget.write({"spec": {"options": {"a/b~c": "theirs"}}}, version="v1", by="kubectl-edit")

    found = drifted(connection, wanted, namespace=namespace, ignore=(rule,))
    bring(connection, wanted, namespace=namespace, ignore=(rule,))

    assert len(found) == (0 if ignored else 1)
    assert gadget.live()["spec"]["options"]["a/b~c"] == ("theirs" if ignored else "git")
