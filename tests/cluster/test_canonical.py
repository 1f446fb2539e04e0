"""What is rewritten in a manifest before it is compared, and what is not; that servers do the same is tested there."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from deployer.cluster.canonical import FILLED, Default, canonical, tells_empty_apart
from tests.cluster.catalogue import OBJECTS


def pod(**container: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {}, "spec": {"containers": [container]}}


def rewritten(**container: Any) -> Any:
    written: Any = canonical(pod(**container))
    return written["spec"]["containers"][0]


def test_a_quantity_is_rewritten_and_the_same_text_elsewhere_is_not() -> None:
    kept = rewritten(resources={"limits": {"cpu": "1000m"}}, env=[{"name": "1000m", "value": "1000m"}], image="1000m")

    assert kept == {
        "resources": {"limits": {"cpu": "1"}}, "env": [{"name": "1000m", "value": "1000m"}], "image": "1000m",
    }  # fmt: skip


@pytest.mark.parametrize("api_version", ["example.com/v1", "apps.example.com/v1", "apps/v1/x"])
def test_nothing_is_known_of_custom_resources(api_version: str) -> None:
    content = copy.deepcopy(OBJECTS["deployment"]) | {"apiVersion": api_version}

    assert canonical(content) is content
    assert tells_empty_apart(api_version)


def test_the_zero_of_another_type_stays_because_it_would_be_refused() -> None:
    assert rewritten(tty=False, stdin=0, workingDir=False) == {"tty": None, "stdin": 0, "workingDir": False}


def test_an_empty_map_is_left_out_and_an_empty_structure_filled() -> None:
    assert rewritten(resources={}) == {"resources": FILLED}
    assert rewritten(resources={"limits": {}, "requests": {"cpu": "1"}}) == {
        "resources": {"limits": None, "requests": {"cpu": "1"}}
    }


def test_a_default_stands_only_where_nothing_is_written() -> None:
    policy: dict[str, Any] = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {}}
    written: Any = canonical({**policy, "spec": {"ingress": [{"ports": [{"port": 1}, {"protocol": "UDP"}]}]}})

    assert written["spec"]["ingress"][0]["ports"] == [{"port": 1, "protocol": Default("TCP")}, {"protocol": "UDP"}]


@pytest.mark.parametrize(
    ("given", "kept"), [("aGk=\n", "aGk="), ("a\r\nGl=", "aGk="), ("!", "!"), ("aGk", "aGk"), (1, 1)]
)
def test_base64_is_written_in_one_way(given: Any, kept: Any) -> None:
    written: Any = canonical({"apiVersion": "v1", "kind": "Secret", "metadata": {}, "data": {"a": given}})

    assert written["data"]["a"] == kept


@pytest.mark.parametrize("broken", [{}, {"kind": []}, {"apiVersion": "apps/v1", "kind": "Deployment", "spec": ["x"]}])
def test_what_is_no_object_stays_as_it_is(broken: Any) -> None:
    assert canonical(broken) == broken


@pytest.mark.parametrize("name", OBJECTS)
def test_the_manifest_itself_stays_as_it_was(name: str) -> None:
    before = copy.deepcopy(OBJECTS[name])

    canonical(OBJECTS[name])

    assert OBJECTS[name] == before
