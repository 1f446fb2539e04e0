"""Watches, on both kinds of cluster."""

from __future__ import annotations

import threading

import pytest

from deployer.sandbox.kubernetes.resources import built_in_resources
from deployer.sandbox.kubernetes.store import Key, Store
from deployer.sandbox.kubernetes.target import Target
from deployer.sandbox.kubernetes.watch import Watch, watch
from tests.sandbox.kubernetes.client import Client
from tests.sandbox.kubernetes.objects import config_map


def _seen(event: dict) -> tuple[str, str]:
    return event["type"], event["object"]["metadata"]["name"]


def test_a_watch_tells_what_happened_since(api: Client, config_maps: str) -> None:
    version = api.get(config_maps).body["metadata"]["resourceVersion"]
    api.post(config_maps, config_map("w"))
    api.patch(f"{config_maps}/w", {"data": {"a": "b"}})
    api.delete(f"{config_maps}/w")
    path = f"{config_maps}?watch=1&resourceVersion={version}&timeoutSeconds=1&fieldSelector=metadata.name%3Dw"
    events = list(api.watch(path))
    assert [_seen(event) for event in events] == [("ADDED", "w"), ("MODIFIED", "w"), ("DELETED", "w")]
    assert events[1]["object"]["data"] == {"a": "b"}
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
    assert versions == sorted(set(versions))


def test_a_watch_without_a_version_begins_with_what_is_there(api: Client, config_maps: str) -> None:
    api.post(config_maps, config_map("w", labels={"watched": "yes"}))
    events = list(api.watch(f"{config_maps}?watch=true&timeoutSeconds=1&labelSelector=watched"))
    assert [_seen(event) for event in events] == [("ADDED", "w")]


def test_an_object_that_no_longer_matches_is_deleted_for_its_watch(api: Client, config_maps: str) -> None:
    version = api.get(config_maps).body["metadata"]["resourceVersion"]
    api.post(config_maps, config_map("w"))
    api.patch(f"{config_maps}/w", {"metadata": {"labels": {"watched": "yes"}}})
    api.patch(f"{config_maps}/w", {"metadata": {"labels": {"watched": "no"}}})
    path = f"{config_maps}?watch=1&resourceVersion={version}&timeoutSeconds=1&labelSelector=watched%3Dyes"
    assert [_seen(event) for event in api.watch(path)] == [("ADDED", "w"), ("DELETED", "w")]


def test_a_watch_hears_of_a_write_at_once(api: Client, config_maps: str) -> None:
    version = api.get(config_maps).body["metadata"]["resourceVersion"]
    writing = threading.Timer(0.2, lambda: api.post(config_maps, config_map("w")))
    writing.start()
    path = f"{config_maps}?watch=1&resourceVersion={version}&timeoutSeconds=10&fieldSelector=metadata.name%3Dw"
    watching = api.watch(path)
    assert _seen(next(watching)) == ("ADDED", "w")
    watching.close()
    writing.join()


def test_a_get_of_one_object_is_no_watch(api: Client, config_maps: str) -> None:
    api.post(config_maps, config_map("w"))
    assert api.get(f"{config_maps}/w?watch=1&timeoutSeconds=1").body["kind"] == "ConfigMap"


@pytest.mark.parametrize("query", ["timeoutSeconds=x", "labelSelector=%3D", "resourceVersion=x&timeoutSeconds=1"])
def test_a_watch_that_cannot_be_meant(sandbox: Client, query: str) -> None:
    assert sandbox.get(f"/api/v1/configmaps?watch=1&{query}").status == 400


def test_a_version_that_is_no_longer_kept_ends_the_watch() -> None:
    """Clients then list again."""
    store = Store(history=3)
    for number in range(5):
        store.put(Key("", "configmaps", "default", f"c{number}"), config_map(f"c{number}"))
    resource = next(r for r in built_in_resources() if r.plural == "configmaps")
    asked = Watch(Target(resource, "default"), {"resourceVersion": "1", "timeoutSeconds": "1"}, lambda obj: obj)
    events = list(watch(store, asked, ended=lambda: False))
    assert [(event["type"], event["object"]["code"]) for event in events] == [("ERROR", 410)]


def test_a_watch_can_begin_like_a_list(sandbox: Client) -> None:
    """What clients of newer versions ask for; the real API server at hand may be older."""
    config_maps = f"/api/v1/namespaces/{sandbox.make_namespace()}/configmaps"
    sandbox.post(config_maps, config_map("w"))
    query = "watch=1&timeoutSeconds=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    events = list(sandbox.watch(f"{config_maps}?{query}"))
    assert [event["type"] for event in events[:2]] == ["ADDED", "BOOKMARK"]
    assert events[1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
