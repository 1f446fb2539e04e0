"""What the settings and manifests leave to others, and what of Secrets is never told, from the settings file on."""

from __future__ import annotations

import base64
import secrets
from pathlib import Path
from typing import Any

import pytest

from deployer.app import create_app
from deployer.cluster.connection import Connection
from deployer.holding import DriftState, Step
from deployer.model import JSON, State
from jobs.report import report_owed
from tests import repositories
from tests.examples import STAGING
from tests.jobs.branches import audited
from tests.jobs.drifting import bring, change, drift_posts, look, newest, path, settled
from tests.jobs.world import World

pytestmark = pytest.mark.thorough

ODD = "example.com/a"
"""A key that a JSON pointer writes as `example.com~1a`."""


@pytest.fixture
def cluster_kubeconfig(kubeconfig: Path) -> Path:
    return kubeconfig


def written(*annotations: str, text: str = "hello", odd: str = "git") -> str:
    """A ConfigMap with an odd key among its annotations."""
    more = "".join(f", {each}" for each in annotations)
    metadata = f"metadata: {{name: greeting, annotations: {{{ODD}: {odd}{more}}}}}"
    return f"apiVersion: v1\nkind: ConfigMap\n{metadata}\ndata: {{text: {text}, more: git}}\n"


def written_and_deployed(world: World, content: str, **policy: Any) -> World:
    """The same world with a policy, in which staging runs a commit with this content."""
    here = settled(world, **policy)
    here.plan(repositories.commit(here.repository, {"staging/config.yaml": content}))
    bring(here, STAGING)
    assert look(here).state is DriftState.IN_SYNC
    return here


def of_live(world: World, cluster: Connection) -> tuple[object, object]:
    """The odd annotation and the text."""
    body = cluster.request("GET", path(world)).body
    assert isinstance(body, dict)
    metadata, data = body["metadata"], body["data"]
    assert isinstance(metadata, dict)
    assert isinstance(metadata["annotations"], dict)
    assert isinstance(data, dict)
    return metadata["annotations"][ODD], data["text"]


POINTER = "/metadata/annotations/example.com~1a"
THEIRS: dict[str, JSON] = {"metadata": {"annotations": {ODD: "theirs"}}}


@pytest.mark.parametrize(
    ("annotations", "rules"),
    [
        ((), [{"path": POINTER}]),
        ((), [{"kind": "ConfigMap", "name": "greeting", "path": POINTER, "managers": ["kubectl-edit"]}]),
        ((), [{"managers": ["other", "kubectl-edit"]}]),
        ((f'deployer/drift-ignore: "/data/more, {POINTER}"',), []),
    ],
    ids=["pointer", "pointer and manager", "manager", "annotation"],
)
def test_what_is_left_to_others_is_no_drift_and_stays_in_the_next_deployment(
    world: World, cluster: Connection, annotations: tuple[str, ...], rules: list[dict[str, object]]
) -> None:
    here = written_and_deployed(world, written(*annotations), drift="revert", drift_ignore=rules)
    change(here, cluster, THEIRS)
    assert look(here).state is DriftState.IN_SYNC
    next_commit = repositories.commit(here.repository, {"staging/config.yaml": written(*annotations, text="ahoy")})
    here.plan(next_commit)
    here.deploy(STAGING)
    assert of_live(here, cluster) == ("theirs", "ahoy")
    assert look(here).state is DriftState.IN_SYNC


@pytest.mark.parametrize(
    "rules",
    [
        [],
        [{"path": "/metadata/annotations/example.com/a"}],
        [{"path": "/metadata/annotations/example.com~01a"}],
        [{"path": POINTER, "managers": ["other"]}],
        [{"kind": "Secret", "path": POINTER}],
        [{"name": "other", "path": POINTER}],
    ],
    ids=str,
)
def test_what_no_rule_names_is_put_back(world: World, cluster: Connection, rules: list[dict[str, object]]) -> None:
    here = written_and_deployed(world, written(), drift="revert", drift_ignore=rules)
    change(here, cluster, THEIRS)
    assert look(here).step is Step.REVERT
    here.deploy(STAGING)
    assert of_live(here, cluster) == ("git", "hello")


def test_putting_back_something_else_leaves_what_is_left_to_others(world: World, cluster: Connection) -> None:
    here = written_and_deployed(world, written(), drift="revert", drift_ignore=[{"path": POINTER}])
    change(here, cluster, {**THEIRS, "data": {"text": "mine"}})
    checked = look(here)
    assert [field.path for each in checked.objects for field in each.fields] == ["data.text"]
    here.deploy(STAGING)
    assert (newest(here).state, of_live(here, cluster)) == (State.SUCCEEDED, ("theirs", "hello"))
    assert look(here).state is DriftState.IN_SYNC


# Secrets


@pytest.mark.parametrize("policy", ["report", "revert"])
def test_of_a_secret_nobody_is_told_more_than_that_it_differs(
    world: World, cluster: Connection, redis_url: str, policy: str
) -> None:
    values = [secrets.token_hex() for _ in range(3)]
    ours, theirs, more = (base64.b64encode(value.encode()).decode() for value in values)
    manifest = f"apiVersion: v1\nkind: Secret\nmetadata: {{name: key}}\ndata: {{token: {ours}}}\n"
    here = written_and_deployed(world, f"{written()}---\n{manifest}", drift=policy)
    patch: dict[str, JSON] = {"data": {"token": theirs, "added": more}}
    asked, kind = {"fieldManager": "kubectl-edit"}, "application/merge-patch+json"
    answer = cluster.request("PATCH", path(here, "secrets/key"), query=asked, body=patch, content_type=kind)
    assert answer.status == 200
    look(here)
    here.deploy(STAGING)
    look(here)
    report_owed(here.given)
    _, words = drift_posts(here)[0]
    assert " data.token changed (hidden) by kubectl-edit at " in words
    assert audited(here, "drifted")
    for told in everything(here, redis_url):
        assert not [value for value in (*values, ours, theirs, more) if value.encode() in told]


def everything(world: World, redis_url: str) -> list[bytes]:
    """All that is kept, that the forge was told, and that the web shows."""
    redis = world.given.redis
    kept = [redis.dump(name) or b"" for name in redis.scan_iter()]
    kept += [repr(list(world.given.store.audit.rows())).encode()]
    told = [request.body for request in world.forge.requests]
    client = create_app(world.given.settings, redis_url=redis_url).test_client()
    pages = [client.get(f"/deployments/{each.id}") for each in world.given.store.deployments.newest()]
    assert {page.status_code for page in pages} == {200}
    return [*kept, *told, *(page.data for page in pages), client.get("/metrics").data]
