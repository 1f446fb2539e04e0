"""The documents that say what is served."""

from __future__ import annotations

import pytest

from tests.sandbox.kubernetes.client import Client

_COMMON = [
    ("v1", "configmaps", "ConfigMap", True, ["cm"]),
    ("v1", "namespaces", "Namespace", False, ["ns"]),
    ("v1", "secrets", "Secret", True, None),
    ("v1", "services", "Service", True, ["svc"]),
    ("v1", "persistentvolumes", "PersistentVolume", False, ["pv"]),
    ("apps/v1", "deployments", "Deployment", True, ["deploy"]),
    ("apps/v1", "statefulsets", "StatefulSet", True, ["sts"]),
    ("batch/v1", "jobs", "Job", True, None),
    ("networking.k8s.io/v1", "ingresses", "Ingress", True, ["ing"]),
    ("networking.k8s.io/v1", "networkpolicies", "NetworkPolicy", True, ["netpol"]),
    ("rbac.authorization.k8s.io/v1", "clusterroles", "ClusterRole", False, None),
    ("storage.k8s.io/v1", "storageclasses", "StorageClass", False, ["sc"]),
    ("apiextensions.k8s.io/v1", "customresourcedefinitions", "CustomResourceDefinition", False, ["crd", "crds"]),
    (
        "admissionregistration.k8s.io/v1",
        "validatingwebhookconfigurations",
        "ValidatingWebhookConfiguration",
        False,
        None,
    ),
]


@pytest.mark.parametrize(("version", "name", "kind", "namespaced", "short"), _COMMON)
def test_resources(
    api: Client, *, version: str, name: str, kind: str, namespaced: bool, short: list[str] | None
) -> None:  # fmt: skip
    root = "apis" if "/" in version else "api"
    body = api.get(f"/{root}/{version}").body
    assert (body["kind"], body["groupVersion"]) == ("APIResourceList", version)
    entry = next(entry for entry in body["resources"] if entry["name"] == name)
    assert (entry["kind"], entry["namespaced"], entry.get("shortNames")) == (kind, namespaced, short)
    assert {"create", "delete", "get", "list", "patch", "update", "watch"} <= set(entry["verbs"])


def test_groups(api: Client) -> None:
    groups = {entry["name"]: entry for entry in api.get("/apis").body["groups"]}
    assert {"apps", "batch", "networking.k8s.io", "policy", "rbac.authorization.k8s.io"} <= groups.keys()
    assert groups["apps"]["preferredVersion"] == {"groupVersion": "apps/v1", "version": "v1"}
    assert api.get("/apis/apps").body["versions"] == groups["apps"]["versions"]
    assert api.get("/api").body["versions"] == ["v1"]


def test_subresources(api: Client) -> None:
    names = [entry["name"] for entry in api.get("/apis/apps/v1").body["resources"]]
    assert {"deployments/status", "deployments/scale"} <= set(names)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/livez"])
def test_it_is_healthy(api: Client, path: str) -> None:
    assert (api.get(path).status, api.get(path).text) == (200, "ok")


def test_what_is_not_there(api: Client) -> None:
    assert api.get("/apis/nothing.example").status == 404
    assert api.get("/apis/apps/v9").status == 404
    assert api.get("/nothing").status == 404


def test_it_says_that_it_is_a_sandbox(sandbox: Client) -> None:
    answer = sandbox.get("/version")
    assert answer.body["gitVersion"].endswith("-sandbox")
    assert "sandbox" in answer.headers["Server"]
