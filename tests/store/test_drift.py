"""What is known of drift comes back from Redis as it was written, and an environment that is due is taken once."""

from __future__ import annotations

from deployer.holding import Checked, DriftState, Step
from deployer.model import Author, DriftKind, FieldDrift, ObjectDrift, ObjectRef
from deployer.reverts import Attempt, Memory, Refusal
from deployer.store import Store
from tests.examples import COMMIT, NOON, PRODUCTION, STAGING, after

WEB = ObjectRef("apps/v1", "Deployment", "shop", "web")
SEEN = (
    ObjectDrift(WEB, DriftKind.CHANGED, (FieldDrift("spec.replicas", "3", "5", Author("keda", NOON)),), "a note"),
    ObjectDrift(WEB, DriftKind.CHANGED, (FieldDrift("data.key", hidden=True),)),
    ObjectDrift(WEB, DriftKind.EXTRA, author=Author("kubectl-create", None)),
)


def test_a_look_is_remembered_as_it_was(store: Store) -> None:
    memory = Memory(
        since="d1",
        reverts={"a": (NOON, after(60))},
        refused={"c": Refusal("forbidden", "a1", 3, after(50))},
        stopped={"b": after(70)},
        last=after(60),
        attempt=Attempt("a2", {"ConfigMap shop/a": ("a", "c")}),
    )
    checked = Checked(
        DriftState.DRIFTED, COMMIT, after(80), SEEN, "why", NOON, step=Step.COOL, again=after(120), memory=memory
    )
    store.drift.keep(STAGING, checked)
    assert store.drift.get(STAGING) == checked
    assert store.drift.several([PRODUCTION, STAGING]) == [Checked(), checked]
    assert store.drift.several([]) == []


def test_an_environment_that_is_due_is_taken_once(store: Store) -> None:
    store.drift.look_at(STAGING, due=NOON)
    assert store.drift.due(at=after(-1)) == ()
    assert store.drift.due(at=NOON) == (STAGING,)
    assert store.drift.claim(STAGING, at=NOON, until=after(60))
    assert not store.drift.claim(STAGING, at=NOON, until=after(60))
    assert store.drift.due(at=after(60)) == (STAGING,)
    assert not store.drift.claim(PRODUCTION, at=NOON, until=after(60))


def test_a_restart_makes_nothing_due(store: Store) -> None:
    store.drift.look_at(STAGING, due=after(100))
    assert store.drift.unknown([STAGING, PRODUCTION]) == (PRODUCTION,)
    store.drift.begin({STAGING: NOON, PRODUCTION: NOON})
    assert store.drift.due(at=after(50)) == (PRODUCTION,)


def test_one_worker_is_told_until_it_begins(store: Store) -> None:
    assert store.drift.ring()
    assert not store.drift.ring()
    store.drift.answer()
    assert store.drift.ring()
