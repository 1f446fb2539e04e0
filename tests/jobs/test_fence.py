"""Workers that are stopped past the end of their lease, or killed, in every phase of a deployment.

All phases are tried at once, each in an environment of its own: the wait for the end of a lease is the same for all.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from deployer.cluster.applyset import Inventory
from deployer.model import Action, Deployment, State, Trigger
from tests.cluster.scripted import Request
from tests.end_to_end.processes import eventually
from tests.jobs.gate import Fate, Gate, Hold
from tests.jobs.machines import World, key, make_world

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(sys.platform != "linux", reason="finds the workers of a machine in /proc"),
]


@dataclass(frozen=True)
class Phase:
    """Where a deployment is held."""

    name: str
    of: Callable[[Gate, str, Request], bool]
    """Chooses the request, given the commit that is being deployed."""
    fate: Fate


def _compares(_: Gate, __: str, request: Request) -> bool:
    return request.method == "GET" and "labelSelector" in request.target


def _widens(_: Gate, commit: str, request: Request) -> bool:
    return request.method == "PATCH" and "/deployer." in request.path and commit.encode() not in request.body


def _narrows(_: Gate, commit: str, request: Request) -> bool:
    return request.method == "PATCH" and "/deployer." in request.path and commit.encode() in request.body


def _updates(_: Gate, __: str, request: Request) -> bool:
    return request.method == "PATCH" and request.path.endswith("/first") and "dryRun" not in request.target


def _creates(_: Gate, __: str, request: Request) -> bool:
    return request.method == "PATCH" and request.path.endswith("/only-older")


def _prunes(_: Gate, __: str, request: Request) -> bool:
    return request.method == "DELETE"


def _rolls_out(gate: Gate, commit: str, request: Request) -> bool:
    namespace = request.path.partition("/namespaces/")[2].partition("/")[0]
    narrowed = any(_narrows(gate, commit, each) for each in gate.requests if f"/{namespace}/" in each.path)
    return narrowed and _compares(gate, commit, request)


PHASES = (
    Phase("compare", _compares, Fate.LATE),
    Phase("widen", _widens, Fate.LATE),
    Phase("update", _updates, Fate.DONE),
    Phase("update-late", _updates, Fate.LATE),
    Phase("update-lost", _updates, Fate.LOST),
    Phase("create-lost", _creates, Fate.LOST),
    Phase("prune", _prunes, Fate.LATE),
    Phase("prune-lost", _prunes, Fate.LOST),
    Phase("narrow", _narrows, Fate.LATE),
    Phase("rollout", _rolls_out, Fate.LATE),
)
UNFENCED = Phase("create-late", _creates, Fate.LATE)
"""An object that is not there has no version to insist on, so a creation that is on its way when its worker is stopped
lands whenever it lands. It is the one thing that cannot be fenced; the next run finds it."""
ALL = (*PHASES, UNFENCED)
NAMES = [phase.name for phase in PHASES]
ENVIRONMENTS = [phase.name for phase in ALL]

ACCOUNT = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: account}\n"
WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, annotations: {{text: {text}}}}}
spec:
  replicas: 0  # there is no kubelet that would make pods ready
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec: {{containers: [{{name: web, image: "web:1"}}]}}
"""


def config_maps(text: str, *names: str) -> list[str]:
    head = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {}}}\ndata: {{text: {}}}\n"
    return [head.format(name, text) for name in names]


BEFORE = config_maps("before", "first", "second", "leaving")
OLDER = [*config_maps("older", "first", "second", "only-older"), ACCOUNT, WEB.format(text="older")]
NEWER = [*config_maps("newer", "first", "second", "leaving", "only-newer"), WEB.format(text="newer")]
LIVE: dict[str, dict[str, str | None]] = {
    "older": {"first": "older", "second": "older", "only-older": "older", "web": "older", "account": None},
    "newer": {"first": "newer", "second": "newer", "leaving": "newer", "only-newer": "newer", "web": "newer"},
}


def hold_in_every_phase(world: World, commit: str) -> dict[str, str]:
    """Ask for a commit and wait until each environment's deployment is held in its phase."""

    holds = [Hold(world.namespaces[each.name], partial(each.of, world.gate, commit), each.fate) for each in ALL]
    world.gate.hold(holds)
    asked = world.ask(commit)

    def missing() -> list[str]:
        return [hold.namespace for hold in holds if not hold.reached.is_set()]

    eventually(lambda: not missing(), otherwise=lambda: f"not held: {missing()}")
    return asked


@dataclass(frozen=True)
class Story:
    """How it stood in the end, for the tests to judge, and what one more run did after that."""

    world: World
    ran: Mapping[str, str]
    """Id of the deployment that each environment should run now."""
    interrupted: Mapping[str, str]
    """Id of the deployment during which the worker was stopped or killed."""
    live: Mapping[str, Mapping[str, str | None]]
    heads: Mapping[str, Inventory]
    told: Mapping[str, Mapping[str, Sequence[str]]]
    """For each commit and phase the states that the forge was told."""
    again: Mapping[str, str]
    """Id of one more deployment of the same."""
    writes: list[tuple[str, str]]
    """What that one wrote to the cluster."""


def _judged(world: World, ran: Mapping[str, str], interrupted: Mapping[str, str]) -> Story:
    commits = {world.found(each).commit for each in (*ran.values(), *interrupted.values())}
    live = {phase: world.live(phase) for phase in ran}
    heads = {phase: world.head(phase) for phase in ran}
    told = {commit: {phase: world.told(phase, commit) for phase in ran} for commit in commits}
    since = len(world.gate.requests)
    again = world.ask(world.found(ran[NAMES[0]]).commit, Trigger.MANUAL)
    world.ended(again)
    return Story(world, ran, interrupted, live, heads, told, again, world.gate.writes(since=since))


@pytest.fixture(scope="module")
def paused(redis_url: str, sandbox_kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """A machine sleeps past its leases; meanwhile another one deploys something newer, to its end."""
    with make_world(
        tmp_path_factory.mktemp("paused"), _database(redis_url, 1), sandbox_kubeconfig, ENVIRONMENTS
    ) as world:
        with world.machine("first", workers=len(ALL)) as first:
            world.ended(world.ask(world.commit(BEFORE, "Before")))
            older = hold_in_every_phase(world, world.commit(OLDER, "Older"))
            first.signal(signal.SIGSTOP)
            try:
                with world.machine("second", workers=2):
                    newer = world.ask(world.commit(NEWER, "Newer"))
                    world.sweep_after_the_leases()
                    world.ended(newer)
            finally:
                world.gate.let_go()
                first.signal(signal.SIGCONT)
            world.ended(older)
            eventually(lambda: not first.horses())
            story = _judged(world, newer, older)
        yield story


@pytest.fixture(scope="module")
def killed(redis_url: str, sandbox_kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Those who run the jobs are killed, and then their whole machine is; another one takes over."""
    with make_world(
        tmp_path_factory.mktemp("killed"), _database(redis_url, 2), sandbox_kubeconfig, ENVIRONMENTS
    ) as world:
        with world.machine("first", workers=len(ALL)) as first:
            world.ended(world.ask(world.commit(BEFORE, "Before")))
            older = hold_in_every_phase(world, world.commit(OLDER, "Older"))
            for pid in first.horses():
                with suppress(ProcessLookupError):  # it may have ended by itself meanwhile
                    os.kill(pid, signal.SIGKILL)
            first.signal(signal.SIGKILL)
        world.gate.let_go()
        with world.machine("second", workers=2):
            world.sweep_after_the_leases()
            world.ended(older)
            story = _judged(world, older, older)
        yield story


def _database(redis_url: str, number: int) -> str:
    """One of its own, so that no worker of another story takes a job of this one."""
    return f"{redis_url.rpartition('/')[0]}/{number}"


@pytest.mark.parametrize("phase", NAMES)
def test_nothing_of_a_worker_that_slept_past_its_lease_overwrites_something_newer(paused: Story, phase: str) -> None:
    assert paused.live[phase] == LIVE["newer"]


@pytest.mark.parametrize("phase", NAMES)
def test_the_inventory_is_the_newer_ones(paused: Story, phase: str) -> None:
    _judge_head(paused, phase, {"ConfigMap", "Deployment.apps"})


@pytest.mark.parametrize("phase", NAMES)
def test_what_the_sleeper_was_at_ends_as_superseded_and_what_came_after_it_has_succeeded(
    paused: Story, phase: str
) -> None:
    world, newer, older = paused.world, *_both(paused, phase)
    assert newer.state is State.SUCCEEDED
    assert older.state is State.SUPERSEDED
    assert older.summary.startswith(f"superseded by {newer.commit[:12]}")
    state = world.given.store.environments.get(key(phase))
    assert (state.deployed, state.desired) == (newer.commit, newer.commit)


@pytest.mark.parametrize("phase", NAMES)
def test_each_commit_has_one_final_status(paused: Story, phase: str) -> None:
    newer, older = _both(paused, phase)
    assert _final(paused.told[older.commit][phase]) == ["failure"]
    assert _final(paused.told[newer.commit][phase]) == ["success"]


@pytest.mark.parametrize("phase", NAMES)
def test_no_stage_of_what_has_ended_is_left_open(paused: Story, phase: str) -> None:
    for deployment in _both(paused, phase):
        stages = paused.world.given.store.deployments.stages(deployment.id)
        assert [record.stage for record in stages if record.finished_at is None] == []


@pytest.mark.parametrize("phase", NAMES)
def test_what_a_killed_worker_left_is_completed_by_the_next_run(killed: Story, phase: str) -> None:
    assert killed.live[phase] == LIVE["older"]
    _judge_head(killed, phase, {"ConfigMap", "Deployment.apps", "ServiceAccount"})
    deployment = killed.world.found(killed.ran[phase])
    assert deployment.state is State.SUCCEEDED
    assert _final(killed.told[deployment.commit][phase]) == ["success"]
    assert killed.world.given.store.environments.get(key(phase)).deployed == deployment.commit


def test_a_creation_that_was_on_its_way_is_all_that_can_land_late_and_the_next_run_removes_it(paused: Story) -> None:
    phase = UNFENCED.name
    assert paused.live[phase] == LIVE["newer"] | {"only-older": "older"}
    assert _both(paused, phase)[1].state is State.SUPERSEDED
    assert paused.world.live(phase) == LIVE["newer"]


def test_after_that_one_more_run_changes_nothing(paused: Story, killed: Story) -> None:
    for story in (paused, killed):
        assert [path for _, path in story.writes if f"-{UNFENCED.name}-" not in path] == []
        for phase in NAMES:
            assert story.world.found(story.again[phase]).state is State.SUCCEEDED
            results = story.world.given.store.deployments.objects(story.again[phase])
            assert {result.action for result in results} == {Action.UNCHANGED}


def _both(story: Story, phase: str) -> tuple[Deployment, Deployment]:
    return story.world.found(story.ran[phase]), story.world.found(story.interrupted[phase])


def _judge_head(story: Story, phase: str, kinds: set[str]) -> None:
    head = story.heads[phase]
    ran = story.world.found(story.ran[phase])
    assert head.kinds == kinds
    assert (head.stamp.commit, head.stamp.deployment) == (ran.commit, ran.id)


def _final(told: Sequence[str]) -> list[str]:
    return [state for state in told if state != "pending"]
