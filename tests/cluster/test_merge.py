"""What applying would make of an object, as near as can be told without asking; held against the API server."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from deployer.cluster.connection import Connection
from deployer.cluster.fields import changed
from deployer.cluster.merge import in_order, overlaid
from tests.cluster.bring import bring
from tests.cluster.catalogue import OBJECTS, PATHS
from tests.cluster.hands import Hands
from tests.cluster.objects import deployment, manifest


@pytest.mark.parametrize("name", OBJECTS)
def test_an_object_as_it_was_applied_stays_the_same(connection: Connection, namespace: str, name: str) -> None:
    wanted = copy.deepcopy(OBJECTS[name])
    bring(connection, [manifest(wanted)], namespace=namespace)
    live = connection.request("GET", PATHS[wanted["kind"]].format(namespace)).body
    assert isinstance(live, dict)
    wanted.pop("stringData", None)

    assert changed(live, overlaid(live, wanted, empties=False)) == ()


def test_what_git_names_is_put_over_what_is_there_item_by_item(connection: Connection, namespace: str) -> None:
    subject, others = deployment("web"), Hands(connection, namespace)
    bring(connection, [subject], namespace=namespace)
    sidecar = {"op": "add", "path": "/spec/template/spec/containers/0", "value": {"name": "side", "image": "s"}}
    image = {"op": "replace", "path": "/spec/template/spec/containers/1/image", "value": "shop:2"}
    others.edit(subject, sidecar, image, {"op": "replace", "path": "/spec/replicas", "value": 4})
    live = others.live(subject)

    found = changed(live, overlaid(live, subject.content, empties=False))

    assert [(each.path, each.old, each.new) for each in found] == [
        ("spec.replicas", 4, 0),
        ('spec.template.spec.containers[name="main"].image', "shop:2", "shop:1"),
    ]


def test_an_item_that_is_gone_is_added_and_an_atomic_list_is_replaced() -> None:
    fields: Any = {"f:env": {'k:{"name":"A"}': {".": {}}}, "f:args": {}}
    live: Any = {
        "metadata": {"managedFields": [{"manager": "x", "operation": "Update", "fieldsV1": fields}]},
        "env": [{"name": "A", "value": "1"}],
        "args": ["a", "b"],
        "kept": 1,
    }

    after = overlaid(live, {"env": [{"name": "B", "value": "2"}], "args": ["c"], "new": {"x": 1}}, empties=False)

    assert after["env"] == [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    assert (after["args"], after["kept"], after["new"]) == (["c"], 1, {"x": 1})


@pytest.mark.parametrize("empties", [True, False])
def test_an_empty_map_where_there_is_nothing_is_a_difference_only_if_asked(empties: bool) -> None:
    after = overlaid({"hostPath": {}}, {"emptyDir": {}, "items": []}, empties=empties)
    assert after == {"hostPath": {}, **({"emptyDir": {}} if empties else {})}


def test_keyed_lists_and_sets_get_the_order_that_is_live_and_atomic_ones_keep_theirs() -> None:
    fields: Any = {"f:env": {'k:{"name":"A"}': {"f:args": {}}}, "f:names": {'v:"a"': {}}, "f:args": {}}
    known: Any = {"metadata": {"managedFields": [{"manager": "x", "operation": "Update", "fieldsV1": fields}]}}
    live: Any = {"env": [{"name": "B"}, {"name": "A"}], "names": ["b", "a"], "args": [1, 2]}
    after: Any = {"env": [{"name": "N"}, {"name": "A"}, {"name": "B"}], "names": ["a", "b"], "args": [2, 1]}

    assert in_order(after, live, known) == {
        "env": [{"name": "B"}, {"name": "A"}, {"name": "N"}], "names": ["b", "a"], "args": [2, 1],
    }  # fmt: skip
