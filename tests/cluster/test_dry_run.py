"""What is said of one object when the API server is asked what would become of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from deployer.cluster import desired
from deployer.cluster.change import Verdict
from deployer.cluster.connection import Connection
from deployer.cluster.dry_run import DryRun
from deployer.cluster.patch import patch
from deployer.cluster.resources import Resource
from deployer.cluster.target import Target
from deployer.model import PART_OF, Manifest
from tests.cluster.objects import secret, service, thing


@pytest.mark.parametrize("owner", ["", "applyset-of-another-v1"])
def test_what_is_to_be_recreated_comes_with_the_labels_of_the_live_object(
    connection: Connection, namespace: str, owner: str
) -> None:
    target = placed(service("web"), "services", namespace)
    labels = {PART_OF: owner} if owner else {"app": "web"}
    assert patch(connection, described(target, labels=labels), force=False).status == 201
    headless = thing("v1", "Service", "web", spec={"clusterIP": "None", "ports": [{"port": 80, "protocol": "TCP"}]})
    wanted = described(placed(headless, "services", namespace), annotations={desired.RECREATE: "true"})

    change = DryRun(connection, force=True).of_absent(wanted)

    assert change.verdict is Verdict.RECREATE
    assert "cannot change" in change.note
    metadata = (change.before or {}).get("metadata")
    assert isinstance(metadata, dict)
    assert metadata["labels"] == labels


def test_an_object_that_is_absent_is_to_be_created(connection: Connection, namespace: str) -> None:
    change = DryRun(connection, force=True).of_absent(placed(secret("keys", a="eA=="), "secrets", namespace))

    assert (change.verdict, change.before) == (Verdict.CREATE, None)
    assert (change.after or {})["data"] == {"a": "(hidden)"}


def test_a_takeover_is_said_before_a_difference_that_is_not_shown(connection: Connection, namespace: str) -> None:
    quote = {"kubectl.kubernetes.io/last-applied-configuration": "x"}
    target = placed(thing("v1", "ConfigMap", "a"), "configmaps", namespace)
    assert patch(connection, described(target, annotations=quote), force=False).status == 201
    taken = {"kubectl.kubernetes.io/last-applied-configuration": "y"}
    response = connection.request(
        "PATCH", target.path, query={"fieldManager": "editor"}, body={"metadata": {"annotations": taken}},
        content_type="application/merge-patch+json",
    )  # fmt: skip
    assert isinstance(response.body, dict)

    change = DryRun(connection, force=True).of(described(target, annotations=quote), response.body)

    assert (change.verdict, change.fields) == (Verdict.UPDATE, ())
    assert change.note.startswith(
        "takes over .metadata.annotations.kubectl.kubernetes.io/last-applied-configuration of "
    )
    assert change.note.endswith("last-applied-configuration, which is not shown")


def placed(manifest: Manifest, plural: str, namespace: str) -> Target:
    return Target(
        replace(manifest, ref=replace(manifest.ref, namespace=namespace)),
        Resource("v1", plural, namespaced=True, has_status=plural == "services"),
    )


def described(target: Target, **rest: Any) -> Target:
    content = {**target.manifest.content, "metadata": {"name": target.ref.name, **rest}}
    return replace(target, manifest=replace(target.manifest, content=content))
