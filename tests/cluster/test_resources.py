"""Paths in the API, and the names that have no place in one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from deployer.cluster.connection import connect
from deployer.cluster.resources import Resource, refuse_unsafe
from deployer.model import Manifest, ObjectRef, Permanent
from deployer.settings import ClusterSettings
from tests.cluster.bring import bring
from tests.cluster.conftest import kubeconfig_for
from tests.cluster.objects import config_map, definition, manifest
from tests.cluster.scripted import Reply, ScriptedServer

ESCAPES = [
    "a/b", "..", ".", "", "a/../../secrets/b", "%2e%2e", "a%2fb", "a?dryRun=All", "a#b", "a\\b", "a b", "a\nb",
    "a\x00b", "a\x7fb", "\u2028", "../" * 5,
]  # fmt: skip


@pytest.mark.parametrize(
    ("resource", "namespace", "name", "path"),
    [
        (Resource("v1", "configmaps", namespaced=True), "shop", "a", "/api/v1/namespaces/shop/configmaps/a"),
        (Resource("v1", "configmaps", namespaced=True), "shop", None, "/api/v1/namespaces/shop/configmaps"),
        (Resource("apps/v1", "jobs", namespaced=True), "s", "a.b-c", "/apis/apps/v1/namespaces/s/jobs/a.b-c"),
        (Resource("v1", "namespaces", namespaced=False), None, "shop", "/api/v1/namespaces/shop"),
        (Resource("x.y/v1", "roles", namespaced=False), None, "system:a@b", "/apis/x.y/v1/roles/system:a@b"),
        (Resource("v1", "things", namespaced=False), None, "blå", "/api/v1/things/bl%C3%A5"),
    ],
)  # fmt: skip
def test_path(resource: Resource, namespace: str | None, name: str | None, path: str) -> None:
    assert resource.path(namespace, name) == path


@pytest.mark.parametrize("escape", ESCAPES)
def test_a_name_or_namespace_that_would_escape_its_path_is_refused(escape: str) -> None:
    for ref in (ObjectRef("v1", "ConfigMap", "shop", escape), ObjectRef("v1", "ConfigMap", escape, "a")):
        with pytest.raises(Permanent, match="cannot be a name in Kubernetes") as raised:
            refuse_unsafe([ref])
        assert raised.value.message.isprintable()


@pytest.mark.parametrize(
    "api_version", ["", "/v1", "v1/", "a/b/c", "../v1", "a/..", "a..b/v1", "a/v1?x", "a/v1#", "A/v1\n"]
)
def test_what_is_no_api_version_is_refused(api_version: str) -> None:
    with pytest.raises(Permanent, match="is no apiVersion"):
        refuse_unsafe([ObjectRef(api_version, "ConfigMap", "shop", "a")])


def test_all_that_is_refused_is_named() -> None:
    with pytest.raises(Permanent, match=r"'a/b' .*'c\?d' "):
        refuse_unsafe([ObjectRef("v1", "ConfigMap", "n", name) for name in ("a/b", "fine", "c?d")])


@pytest.mark.parametrize(
    "bad",
    [
        config_map("../../../namespaces/kube-system"),
        config_map("a", namespace="b/configmaps/c?x="),
        definition("gadgets/../secrets", "Gadget", "example.com"),
        definition("gadgets", "Gadget", "../api"),
        manifest({**config_map("a").content, "apiVersion": "../../v1"}),
    ],
)
def test_nothing_is_sent_when_a_name_would_escape(bad: Manifest, to_kubeconfig: Callable[..., ClusterSettings]) -> None:
    with ScriptedServer(lambda _: Reply()) as server, connect(to_kubeconfig(kubeconfig_for(server.url))) as connection:
        with pytest.raises(Permanent):
            bring(connection, [config_map("fine"), bad], namespace="shop", force=True)

        assert server.requests == []
