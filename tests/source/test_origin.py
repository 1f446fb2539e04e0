"""What the API server refuses is found in the files that it was made from."""

from __future__ import annotations

import pytest

from deployer.model import ObjectRef
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
        ('admission webhook "policy" denied the request: no', "staging/patch.yaml:2"),
        ("", "staging/patch.yaml:2"),
        ("spec" + ".x" * 2000 + "[" * 2000, "staging/patch.yaml:3"),
    ],
)
def test_the_place_that_says_most_of_a_field_is_found(message: str, place: str) -> None:
    assert Origins(TEXTS, overlay="staging").find(DEPLOYMENT, message) == place


def test_of_names_that_kustomize_may_have_begun_with_the_longest_counts() -> None:
    admin = ObjectRef("apps/v1", "Deployment", "shop", "staging-web-admin")
    assert Origins(TEXTS, overlay="staging").find(admin, "spec.replicas: no") == "staging/other.yaml:3"


@pytest.mark.parametrize("ref", [ObjectRef("v1", "ConfigMap", None, "web"), ObjectRef("v1", "Service", None, "shop")])
def test_what_no_file_says_is_nowhere(ref: ObjectRef) -> None:
    assert Origins(TEXTS, overlay="staging").find(ref, "data: no") == ""
