"""Environments that moved, were renamed or removed: what they leave is told, and how to delete it."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from deployer import process, tables
from deployer.check import Finding, check_connections
from deployer.cluster.applyset import applyset_id
from deployer.cluster.connection import connect
from deployer.forges import report
from deployer.model import Deployment, Environment, Place, State
from deployer.process import Limits
from deployer.settings import FileSecret, Settings, Surroundings
from tests import repositories
from tests.examples import STAGING
from tests.jobs.world import World

INVALID = "apiVersion: v1\nkind: Service\nmetadata: {name: NOT_VALID}\nspec: {ports: [{port: 1}]}\n"


def moved(world: World, **changes: str) -> World:
    """The same world, whose settings have the staging environment elsewhere."""
    (repository,) = world.given.settings.repositories
    staging = repository.environments["staging"].model_copy(update=changes)
    return without(world, **(dict(repository.environments) | {"staging": staging}))


def moved_to_another_namespace(world: World) -> World:
    """The settings and the overlay say another namespace now."""
    namespace = another_namespace(world)
    repositories.commit(
        world.repository, {"staging/kustomization.yaml": f"namespace: {namespace}\nresources: [config.yaml]\n"}
    )
    return moved(world, namespace=namespace)


def without(world: World, **environments: object) -> World:
    (repository,) = world.given.settings.repositories
    repository = repository.model_copy(update={"environments": environments})
    settings = Settings.model_construct(**(dict(world.given.settings) | {"repositories": (repository,)}))
    return replace(world, given=replace(world.given, settings=settings))


def another_namespace(world: World) -> str:
    name = f"jobs-{secrets.token_hex(4)}"
    create(world, "/api/v1/namespaces", {"kind": "Namespace", "metadata": {"name": name}})
    return name


def create(world: World, path: str, body: Mapping[str, object]) -> None:
    with connect(world.given.settings.clusters["test"]) as connection:
        answer = connection.request("POST", path, body={"apiVersion": "v1", **body})  # type: ignore[dict-item]
        assert answer.status == 201, answer


def staging(world: World) -> Environment:
    return world.given.settings.environment(STAGING)


def deploy(world: World, text: str) -> Deployment:
    """One more deployment to staging."""
    commit = world.commit(text)
    world.plan(commit)
    world.deploy(STAGING)
    found = world.latest(STAGING, commit)
    assert found.state is State.SUCCEEDED
    return found


def test_an_environment_that_moved_says_once_what_stays_where_it_was(world: World) -> None:
    assert "still there" not in deploy(world, "here").summary
    old = staging(world).namespace
    world = moved_to_another_namespace(world)
    there = deploy(world, "there")
    assert f"what it had in cluster test, namespace {old} is still there" in there.summary
    log = "\n".join(world.given.store.deployments.log_lines(there.id))
    assert f"--selector applyset.kubernetes.io/part-of={applyset_id(STAGING.inventory, old)}" in log
    assert "still there" not in deploy(world, "there again").summary


def test_it_is_told_by_the_first_that_succeeds(world: World) -> None:
    deploy(world, "here")
    world = moved_to_another_namespace(world)
    commit = repositories.commit(world.repository, {"staging/config.yaml": INVALID})
    world.plan(commit)
    world.deploy(STAGING)
    assert world.latest(STAGING, commit).state is State.FAILED
    assert "still there" in deploy(world, "there").summary


def test_what_left_the_settings_is_in_the_status_until_its_inventory_is_gone(world: World) -> None:
    deploy(world, "here")
    namespace, inventory = staging(world).namespace, STAGING.inventory
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    with connect(world.given.settings.clusters["test"]) as connection:
        if connection.request("GET", f"{path}/{inventory}").status == 404:
            create(world, path, {"kind": "ConfigMap", "metadata": {"name": inventory}})
    (repository,) = world.given.settings.repositories
    world = without(world, production=repository.environments["production"])
    assert f"{STAGING} left the settings" in found(world).message
    left = world.given.store.places.left_behind(world.given.settings.environments)
    assert f"{STAGING} left the settings" in tables.status([], left)
    shown = json.loads(tables.status_json([], left))["left_behind"]
    assert [(each["environment"], each["namespace"]) for each in shown] == [("staging", namespace)]
    with connect(world.given.settings.clusters["test"]) as connection:
        connection.request("DELETE", f"{path}/{inventory}")
    assert found(world).message == "nothing"
    assert world.given.store.places.left_behind(world.given.settings.environments) == {}


def test_the_commands_delete_exactly_what_is_in_the_inventory(world: World, tmp_path: Path) -> None:
    namespace, elsewhere = staging(world).namespace, another_namespace(world)
    place = Place("test", namespace, STAGING.inventory, applyset_id(STAGING.inventory, namespace))
    label = {"applyset.kubernetes.io/part-of": place.applyset}
    kinds = {"applyset.kubernetes.io/contains-group-kinds": "ConfigMap,Deployment.apps,Secret"}
    head = {"name": place.inventory, "annotations": kinds}
    create(world, f"/api/v1/namespaces/{namespace}/configmaps", {"kind": "ConfigMap", "metadata": head})
    for where in (namespace, elsewhere):
        path = f"/api/v1/namespaces/{where}"
        create(world, f"{path}/configmaps", {"kind": "ConfigMap", "metadata": {"name": "ours", "labels": label}})
        create(world, f"{path}/secrets", {"kind": "Secret", "metadata": {"name": "ours", "labels": label}})
        create(world, f"{path}/configmaps", {"kind": "ConfigMap", "metadata": {"name": "theirs"}})
    kubeconfig = world.given.settings.clusters["test"].kubeconfig
    assert isinstance(kubeconfig, FileSecret)
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "KUBECONFIG": str(kubeconfig.file)}
    process.run(["sh", "-c", report.clean_up(place)], cwd=tmp_path, environment=environment, limits=Limits())
    with connect(world.given.settings.clusters["test"]) as connection:
        for where in (namespace, elsewhere):
            for kind, left in (("configmaps", ["theirs"]), ("secrets", [])):
                body = connection.request("GET", f"/api/v1/namespaces/{where}/{kind}").body
                assert names(body) == left


def names(body: Any) -> list[str]:
    return [name for item in body["items"] if (name := item["metadata"]["name"]) != "kube-root-ca.crt"]


def found(world: World) -> Finding:
    connection = world.given.redis.connection_pool.connection_kwargs
    url = f"redis://{connection['host']}:{connection['port']}/{connection['db']}"
    findings = check_connections(world.given.settings, Surroundings(Path(), url, world.given.data))
    return next(finding for finding in findings if finding.what == "left behind")
