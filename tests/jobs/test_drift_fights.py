"""Whoever fights for one thing is stopped and named, also while something else drifts or cannot be put back."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployer.cluster.connection import Connection
from deployer.holding import Step
from deployer.intake import Intake, Request
from deployer.metrics import exposition
from deployer.model import JSON, DriftKind, Trigger
from deployer.reverts import COOL_DOWN
from tests import repositories
from tests.examples import STAGING
from tests.jobs.branches import audited
from tests.jobs.drifting import bring, deployed, drift_posts, edit, live, look, path
from tests.jobs.world import World, config_map

pytestmark = pytest.mark.thorough

RIVAL = "rival-controller"
OTHER = "\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\ndata: {a: b}\n"


@pytest.fixture
def cluster_kubeconfig(kubeconfig: Path) -> Path:
    return kubeconfig


@pytest.fixture
def here(world: World) -> World:
    """Staging is held to two ConfigMaps."""
    made = deployed(world, drift="revert")
    made.plan(repositories.commit(made.repository, {"staging/config.yaml": config_map("hello") + OTHER}))
    bring(made, STAGING)
    look(made)
    return made


def patch(here: World, cluster: Connection, body: dict[str, JSON]) -> None:
    asked, kind = {"fieldManager": "kubectl-edit"}, "application/merge-patch+json"
    answer = cluster.request("PATCH", path(here, "configmaps/other"), query=asked, body=body, content_type=kind)
    assert answer.status == 200, answer.body


def round_of(here: World, cluster: Connection) -> tuple[Step, bool]:
    """The rival writes, it is looked, and what follows is done; what followed, and whether the rival's was put back."""
    edit(here, cluster, "theirs", by=RIVAL)
    step = look(here).step
    here.deploy(STAGING)
    here.clock.move(COOL_DOWN.total_seconds() + 30)
    return step, live(here, cluster) == "hello"


def test_a_fight_beside_something_that_cannot_be_put_back_ends_after_three_reverts_too(
    here: World, cluster: Connection
) -> None:
    patch(here, cluster, {"data": {"a": "mine"}, "immutable": True})
    rounds = [round_of(here, cluster) for _ in range(12)]
    assert [back for _, back in rounds] == [True] * 3 + [False] * 9
    assert {step for step, _ in rounds[3:]} == {Step.FAIL, Step.REVERT}, "the other is still tried"
    (row,) = audited(here, "revert stopped")
    assert RIVAL in str(row["reason"])
    assert "other" not in str(row["objects"])
    state, words = drift_posts(here)[-1]
    assert state == "failure"
    assert words.startswith(f"not put back any more, {RIVAL} changes it again each time: ")
    assert words.endswith("field is immutable when `immutable` is set")
    assert "deployer_drift_stopped" in exposed(here)


def exposed(here: World) -> str:
    """The gauges that are up."""
    lines = exposition((), {}, [(STAGING, here.given.store.drift.get(STAGING))]).decode().splitlines()
    return "\n".join(line for line in lines if not line.startswith("#") and line.endswith(" 1.0"))


@pytest.mark.parametrize("kind", list(DriftKind))
def test_what_is_not_put_back_any_more_is_not_for_the_sake_of_another_object(
    here: World, cluster: Connection, kind: DriftKind
) -> None:
    for _ in range(3):
        assert fought(here, cluster, kind)
    for _ in range(3):
        patch(here, cluster, {"data": {"a": "mine"}})
        assert not fought(here, cluster, kind)
        body = cluster.request("GET", path(here, "configmaps/other")).body
        assert isinstance(body, dict)
        assert body["data"] == {"a": "b"}
    assert len(audited(here, "revert stopped")) == 1


def fought(here: World, cluster: Connection, kind: DriftKind) -> bool:
    """Whether one more round of a fight for an object is won."""
    name, copy = path(here), path(here, "configmaps/copy")
    if kind is DriftKind.CHANGED:
        return round_of(here, cluster)[1]
    if kind is DriftKind.MISSING:
        cluster.request("DELETE", name)
    elif cluster.request("GET", copy).status == 404:
        made = cluster.request("GET", name).body
        assert isinstance(made, dict)
        assert isinstance(made["metadata"], dict)
        labelled: JSON = {"name": "copy", "labels": made["metadata"]["labels"]}
        assert cluster.request("POST", path(here, "configmaps"), body={"metadata": labelled}).status == 201
    look(here)
    here.deploy(STAGING)
    here.clock.move(COOL_DOWN.total_seconds() + 30)
    there = cluster.request("GET", name if kind is DriftKind.MISSING else copy).status == 200
    return there is (kind is DriftKind.MISSING)


def test_what_a_person_asks_for_is_for_all_objects(here: World, cluster: Connection) -> None:
    for _ in range(3):
        round_of(here, cluster)
    assert round_of(here, cluster) == (Step.STOP, False)
    commit = here.given.store.environments.get(STAGING).deployed or ""
    Intake(here.given.store, here.given.queues, here.clock).accept(
        Request(STAGING, commit, Trigger.MANUAL, actor="ada")
    )
    here.deploy(STAGING)
    assert live(here, cluster) == "hello"
