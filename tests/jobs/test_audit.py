"""What a deployment leaves in the audit, from the delivery to its end."""

from __future__ import annotations

import secrets

import pytest
import yaml

from deployer.model import State
from deployer.progress import Progress
from deployer.store.audit import AuditRow
from deployer.store.leases import LeaseLost
from tests import repositories
from tests.examples import STAGING
from tests.jobs.world import World


def rows(world: World) -> list[AuditRow]:
    found = [row for row in world.given.store.audit.rows() if row.fields.get("environment") in (None, "staging")]
    world.given.store.audit.verify()
    return found


def told(world: World) -> list[str]:
    return [row.what for row in rows(world)]


def last(world: World, what: str) -> AuditRow:
    return [row for row in rows(world) if row.what == what][-1]


def bring(world: World, files: dict[str, str]) -> State:
    """A commit to staging with these files beside the first one, deployed; what became of it."""
    resources = ["config.yaml", *files]
    overlay = yaml.safe_load((world.repository / "staging/kustomization.yaml").read_text())
    changed = {f"staging/{name}": content for name, content in files.items()}
    changed["staging/kustomization.yaml"] = yaml.safe_dump(overlay | {"resources": resources})
    commit = repositories.commit(world.repository, changed, f"Bring {secrets.token_hex(4)}")
    world.plan(commit)
    world.deploy(STAGING)
    return world.latest(STAGING, commit).state


def config_map(name: str, **data: str) -> str:
    return yaml.safe_dump({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})


def test_a_deployment_is_told_from_its_delivery_to_its_end(world: World) -> None:
    delivery = world.deliver(world.first)
    world.plan(world.first, delivery=delivery)
    world.deploy(STAGING)
    assert told(world) == ["accepted", "accepted", "queued", "running", "changed", "succeeded"]
    changed, ended = last(world, "changed"), last(world, "succeeded")
    namespace = world.given.settings.environment(STAGING).namespace
    assert changed.fields["created"] == [f"ConfigMap {namespace}/greeting"]
    assert changed.fields["delivery"] == ended.fields["delivery"] == delivery
    assert changed.fields["commit"] == world.first
    assert changed.fields["digest"] == ended.fields["digest"]
    assert len(str(ended.fields["digest"])) == 64


def test_what_is_changed_and_what_is_pruned_are_rows_of_their_own(world: World) -> None:
    bring(world, {"more.yaml": config_map("more", text="a")})
    bring(world, {"more.yaml": config_map("more", text="b"), "other.yaml": config_map("other")})
    namespace = world.given.settings.environment(STAGING).namespace
    found = last(world, "changed").fields
    assert (found["created"], found["updated"]) == ([f"ConfigMap {namespace}/other"], [f"ConfigMap {namespace}/more"])
    assert "pruned" not in told(world)
    bring(world, {"more.yaml": config_map("more", text="b")})
    assert told(world)[-3:] == ["running", "pruned", "succeeded"]
    assert last(world, "pruned").fields["deleted"] == [f"ConfigMap {namespace}/other"]


def test_what_changes_nothing_has_no_row_of_changes(world: World) -> None:
    world.plan(world.first, delivery="d1")
    world.deploy(STAGING)
    world.clock.move(60)
    world.plan(world.first, delivery="d1")
    world.deploy(STAGING)
    assert told(world)[-3:] == ["queued", "running", "succeeded"]
    assert last(world, "queued").fields["trigger"] == "replay"


def test_what_was_changed_is_told_when_the_rest_failed(world: World) -> None:
    unknown = "apiVersion: example.com/v1\nkind: Unknown\nmetadata: {name: bad}\n"
    assert bring(world, {"bad.yaml": unknown, "good.yaml": config_map("good")}) is State.FAILED
    namespace = world.given.settings.environment(STAGING).namespace
    assert f"ConfigMap {namespace}/good" in last(world, "changed").fields["created"]  # type: ignore[operator]
    assert last(world, "failed").fields["digest"] == last(world, "changed").fields["digest"]


def test_and_when_whoever_changed_it_was_broken_off(world: World) -> None:
    world.plan(world.first)
    (deployment,) = world.given.store.deployments.queued(STAGING)
    progress = Progress(deployment, store=world.given.store, clock=world.clock)
    world.deploy(STAGING)
    results = world.given.store.deployments.objects(deployment.id)
    before = len(rows(world))
    with pytest.raises(LeaseLost), progress.changes("abc") as changed:  # noqa: PT012 - the block is what is tested
        changed(results[0])
        raise LeaseLost("staging")
    assert [(row.what, row.fields["digest"]) for row in rows(world)[before:]] == [("changed", "abc")]


def test_no_row_has_a_value_of_a_secret(world: World) -> None:
    hidden = secrets.token_hex(20)
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}, "stringData": {"key": hidden}}
    assert bring(world, {"key.yaml": yaml.safe_dump(secret)}) is State.SUCCEEDED
    retyped = secret | {"type": f"example.com/{hidden}"}  # immutable, so it is refused and quoted
    assert bring(world, {"key.yaml": yaml.safe_dump(retyped)}) is State.FAILED
    broken = f"kind: [{hidden}\n"
    assert bring(world, {"key.yaml": yaml.safe_dump(secret), "broken.yaml": broken}) is State.FAILED
    assert told(world).count("failed") == 2
    assert hidden not in repr(rows(world))
