"""What the API server refuses is found in the files that it was made from."""

from __future__ import annotations

import pytest

from deployer.model import ObjectRef
from deployer.source.allowance import TooMuch, at_most
from deployer.source.origin import Origins

WEB = b"""\
kind: Service
metadata: {name: web}
---
kind: Deployment
metadata:
  name: web
  labels: {app: web}
spec:
  replicas: 3
  template:
    spec:
      containers:
      - name: web
        image: shop
        ports:
        - containerPort: 80
          hostPort: 80
      - {name: side, image: side}
"""
PATCH = b"kind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: -1\n"
OTHER = b"kind: Deployment\nmetadata: {name: web-admin}\nspec: {replicas: 1}\n"
TEXTS = {"base/web.yaml": WEB, "staging/patch.yaml": PATCH, "staging/other.yaml": OTHER}
DEPLOYMENT = ObjectRef("apps/v1", "Deployment", "shop", "staging-web")
IN_CONTAINER = ".spec.template.spec.containers"


@pytest.mark.parametrize(
    ("message", "place"),
    [
        ("spec.replicas: Invalid value: -1: must be greater than or equal to 0", "staging/patch.yaml:4"),
        ("spec.template.spec.containers[1].image: Required value", "base/web.yaml:18"),
        ("spec.template.spec.containers[0].ports[0].hostPort: Invalid value: 80", "base/web.yaml:17"),
        (
            f'failed to create typed patch object (…): {IN_CONTAINER}[name="side"].image: expected string',
            "base/web.yaml:18",
        ),
        (f'{IN_CONTAINER}[name="web"].ports[containerPort=80,protocol="TCP"].hostPort: no', "base/web.yaml:17"),
        (f'{IN_CONTAINER}[name="gone"].image: expected string', "base/web.yaml:12"),
        ("metadata.labels[app]: Invalid value", "base/web.yaml:7"),
        ('strict decoding error: unknown field "spec.template.spec.container"', "base/web.yaml:11"),
        ("refused (HTTP 422) at spec.template; the API server's own words are left out", "base/web.yaml:10"),
        ("refused (HTTP 422) at status, .spec.template.metadata (not base64); …", "base/web.yaml:10"),
        ("refused (HTTP 422) at spec.template.spec.containers, status; …", "base/web.yaml:12"),
        ('admission webhook "policy" denied the request: no', "staging/patch.yaml:2"),
        ("", "staging/patch.yaml:2"),
        ("spec" + ".x" * 2000 + "[" * 2000, "staging/patch.yaml:3"),
    ],
)
def test_the_place_that_says_most_of_a_field_is_found(message: str, place: str) -> None:
    assert Origins(TEXTS.items(), overlay="staging").find(DEPLOYMENT, message) == place


def test_of_names_that_kustomize_may_have_begun_with_the_longest_counts() -> None:
    admin = ObjectRef("apps/v1", "Deployment", "shop", "staging-web-admin")
    assert Origins(TEXTS.items(), overlay="staging").find(admin, "spec.replicas: no") == "staging/other.yaml:3"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"kind: Deployment\nmetadata: {name: web}\n---\n" * 1000, "; a: a" * 300),
        (b"kind: Deployment\nmetadata: {name: web}\na:\n" + b"- {b: c}\n" * 1000, '; a[b="d"]: ' * 100),
    ],
    ids=["many documents and fields", "long lists"],
)
def test_a_search_costs_no_more_than_is_allowed(text: bytes, message: str) -> None:
    origins = Origins([("staging/web.yaml", text)], overlay="staging")
    with at_most(50_000), pytest.raises(TooMuch):
        origins.find(DEPLOYMENT, message)
    with at_most(10_000):
        assert origins.find(DEPLOYMENT, "metadata: no") == "staging/web.yaml:2"


def test_names_that_are_compared_in_vain_cost_little_but_not_nothing() -> None:
    origins = Origins([("a.yaml", b"kind: Deployment\nmetadata: {name: other}\n---\n" * 1000)], overlay="staging")
    with at_most(100):
        assert [origins.find(DEPLOYMENT, "") for _ in range(4)] == [""] * 4
    with at_most(100), pytest.raises(TooMuch):
        [origins.find(DEPLOYMENT, "") for _ in range(10)]


@pytest.mark.parametrize("ref", [ObjectRef("v1", "ConfigMap", None, "web"), ObjectRef("v1", "Service", None, "shop")])
def test_what_no_file_says_is_nowhere(ref: ObjectRef) -> None:
    assert Origins(TEXTS.items(), overlay="staging").find(ref, "data: no") == ""
