"""Lists: selectors, pages, the forms in which they are shown; on both kinds of cluster."""

from __future__ import annotations

import pytest

from tests.sandbox.kubernetes.client import Client
from tests.sandbox.kubernetes.objects import config_map


@pytest.fixture
def labelled(api: Client, config_maps: str) -> str:
    """Three config maps with labels."""
    for name, labels in (
        ("a", {"tier": "web", "size": "1"}),
        ("b", {"tier": "db", "size": "5"}),
        ("c", {"canary": "true"}),
    ):
        api.post(config_maps, config_map(name, labels=labels | {"ours": "yes"}))
    return config_maps


def _names(api: Client, path: str) -> list[str]:
    return [item["metadata"]["name"] for item in api.get(path).body["items"]]


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("tier%3Dweb", ["a"]),
        ("tier%3D%3Dweb", ["a"]),
        ("tier!%3Dweb,ours", ["b", "c"]),
        ("tier%20in%20(web,db)", ["a", "b"]),
        ("tier%20notin%20(web),ours", ["b", "c"]),
        ("tier", ["a", "b"]),
        ("!tier,ours", ["c"]),
        ("size%3E1", ["b"]),
        ("size%3C5,tier%3Dweb", ["a"]),
        ("tier%3Dweb,tier%3Ddb", []),
    ],
)
def test_label_selectors(api: Client, labelled: str, selector: str, names: list[str]) -> None:
    assert _names(api, f"{labelled}?labelSelector={selector}") == names


@pytest.mark.parametrize("selector", ["a%3D%3D%3Db%3D", "a%20in%20b", "%3Db", "a%20b"])
def test_a_selector_that_cannot_be_read(api: Client, config_maps: str, selector: str) -> None:
    answer = api.get(f"{config_maps}?labelSelector={selector}")
    assert (answer.status, answer.reason) == (400, "BadRequest")


def test_field_selectors(api: Client, namespace: str, labelled: str) -> None:
    assert _names(api, f"{labelled}?fieldSelector=metadata.name%3Db") == ["b"]
    everywhere = f"/api/v1/configmaps?labelSelector=ours&fieldSelector=metadata.namespace%3D{namespace}"
    assert _names(api, everywhere) == ["a", "b", "c"]
    assert "a" not in _names(api, f"{labelled}?fieldSelector=metadata.name!%3Da")
    answer = api.get(f"{labelled}?fieldSelector=data.x%3Db")
    assert (answer.status, answer.message) == (
        400,
        '"data.x" is not a known field selector: only "metadata.name", "metadata.namespace"',
    )


def test_a_list_has_a_version_and_items_without_their_kind(api: Client, labelled: str) -> None:
    body = api.get(labelled).body
    assert (body["kind"], body["apiVersion"]) == ("ConfigMapList", "v1")
    assert int(body["metadata"]["resourceVersion"]) > 0
    assert "kind" not in body["items"][0]
    assert "apiVersion" not in body["items"][0]


def test_a_list_of_a_namespace_that_is_not_there_is_empty(api: Client) -> None:
    answer = api.get("/api/v1/namespaces/nowhere/configmaps")
    assert (answer.status, answer.body["items"]) == (200, [])


def test_a_list_is_paged_through_as_it_was_at_its_first_page(api: Client, config_maps: str) -> None:
    for number in range(5):
        api.post(config_maps, config_map(f"p{number}", labels={"paged": "yes"}))
    path = f"{config_maps}?limit=2&labelSelector=paged"
    first = api.get(path).body
    api.post(config_maps, config_map("p9", labels={"paged": "yes"}))
    names = [item["metadata"]["name"] for item in first["items"]]
    page = first
    while token := page["metadata"].get("continue"):
        page = api.get(f"{path}&continue={token}").body
        assert page["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
        names += [item["metadata"]["name"] for item in page["items"]]
    assert names == ["p0", "p1", "p2", "p3", "p4"]


def test_a_page_says_how_many_remain(api: Client, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/secrets"
    before = len(api.get(path).body["items"])
    for name in "abc":
        api.post(path, {"metadata": {"name": name}})
    assert api.get(f"{path}?limit=1").body["metadata"]["remainingItemCount"] == before + 2


@pytest.mark.parametrize("query", ["limit=x", "limit=1&continue=zzz"])
def test_a_page_that_cannot_be_meant(api: Client, config_maps: str, query: str) -> None:
    assert api.get(f"{config_maps}?{query}").status == 400


def test_metadata_alone(api: Client, labelled: str) -> None:
    accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    body = api.get(labelled, Accept=accept).body
    assert (body["kind"], body["apiVersion"]) == ("PartialObjectMetadataList", "meta.k8s.io/v1")
    assert body["items"][0]["metadata"]["labels"]["ours"] == "yes"
    assert "data" not in body["items"][0]
    one = api.get(f"{labelled}/a", Accept="application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1").body
    assert (one["kind"], set(one)) == ("PartialObjectMetadata", {"kind", "apiVersion", "metadata"})


def test_a_table_for_people(api: Client, labelled: str) -> None:
    body = api.get(
        f"{labelled}?labelSelector=ours", Accept="application/json;as=Table;g=meta.k8s.io;v=v1,application/json"
    ).body
    assert (body["kind"], body["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    assert [column["name"] for column in body["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert [row["cells"][:2] for row in body["rows"]] == [["a", 0], ["b", 0], ["c", 0]]
    assert body["rows"][0]["object"]["metadata"]["name"] == "a"


def test_resource_versions_only_grow(api: Client, config_maps: str) -> None:
    versions = []
    for number in range(5):
        versions.append(int(api.get(config_maps).body["metadata"]["resourceVersion"]))
        api.post(config_maps, config_map(f"v{number}"))
    assert versions == sorted(versions)
    assert len(set(versions)) == 5
