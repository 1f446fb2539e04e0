"""Each process killed with a deployment in each stage: everything reaches its end, by itself, in the right order.

One deployment is held in each stage, all at once; then somebody is killed and started again. What is left behind is
found by the clock, so nobody helps.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from deployer.model import State
from tests.end_to_end.crashes import STAGES, Deployer, key, make_deployer, midway, repository
from tests.end_to_end.processes import eventually, ready
from tests.jobs.gate import Fate, Hold

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="finds the processes of a program in /proc"),
    pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning"),  # of the gate's own requests
]


def _kill(*pids: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):  # it may have ended by itself meanwhile
            os.kill(pid, signal.SIGKILL)


def _restart(deployer: Deployer, *names: str) -> None:
    for name in names:
        deployer.running[name].kill()
    for name in names:
        deployer.running[name].start()
    eventually(lambda: ready(deployer.url), otherwise=deployer.log)


def _horses(deployer: Deployer) -> None:
    """Those who run the jobs."""
    _kill(*deployer.running["worker"].machine.horses())


def _workers(deployer: Deployer) -> None:
    """Those who started the ones who run the jobs; these go on."""
    _kill(*deployer.running["worker"].children())


def _pool(deployer: Deployer) -> None:
    """The one who started the workers; they stop when they have time to."""
    _kill(deployer.running["worker"].process.pid)
    deployer.running["worker"].start()


def _redis(deployer: Deployer) -> None:
    """Its file is written to disk every second."""
    deployer.redis_server.terminate()
    time.sleep(0.5)
    deployer.redis_server.start()


def _everything(deployer: Deployer) -> None:
    """As when the power fails; Redis writes to disk before it answers."""
    deployer.given.redis.config_set("appendfsync", "always")
    _programs(deployer)
    deployer.redis_server.terminate()
    for program in deployer.running.values():
        program.kill()
    deployer.redis_server.start()
    _restart(deployer, *deployer.running)


def _clock_and_web(deployer: Deployer) -> None:
    _restart(deployer, "clock", "web")


def _programs(deployer: Deployer) -> None:
    """git and kustomize."""
    for path in deployer.programs.all_held():
        os.killpg(path, signal.SIGKILL)


VICTIMS: Mapping[str, Callable[[Deployer], None]] = {
    "horses": _horses,
    "workers": _workers,
    "pool": _pool,
    "clock-and-web": _clock_and_web,
    "redis": _redis,
    "git-and-kustomize": _programs,
    "everything": _everything,
}
IN_SHORT = ("workers", "everything")
"""Those whose story is told also where there is little time."""
OVERTAKEN = ("clock-and-web", "redis")
"""In these stories something newer comes after the death."""


@dataclass(frozen=True)
class Ending:
    """How it ended for one stage."""

    held: str
    """The commit that was held in it."""
    last: str
    """The newest one: the same, unless something newer came."""
    runs: set[str]
    """What the objects said in the end."""


@dataclass
class Stories:
    """What became of the commits, one for each stage, for each of the victims."""

    deployer: Deployer
    told: dict[str, Mapping[str, Ending]] = field(default_factory=dict)

    def of(self, victim: str) -> Mapping[str, Ending]:
        """How it ended for each stage."""
        if victim not in self.told:
            deployer = self.deployer
            try:
                held = deployer.hold_in_every_stage()
                VICTIMS[victim](deployer)
                last = {stage: deployer.push(stage) for stage in STAGES} if victim in OVERTAKEN else held
            finally:
                deployer.let_go()
            deployer.ended(held)
            deployer.ended(last)
            self.told[victim] = {stage: Ending(held[stage], last[stage], deployer.runs(stage)) for stage in STAGES}
        return self.told[victim]


@pytest.fixture(scope="module")
def stories(sandbox_kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stories]:
    with make_deployer(tmp_path_factory.mktemp("crashes"), sandbox_kubeconfig) as deployer:
        yield Stories(deployer)


@pytest.fixture
def deployer(stories: Stories) -> Deployer:
    return stories.deployer


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize(
    "victim", [each if each in IN_SHORT else pytest.param(each, marks=pytest.mark.thorough) for each in VICTIMS]
)
def test_whoever_is_killed_in_whatever_stage_the_newest_commit_runs_and_every_commit_has_a_final_status(
    stories: Stories, victim: str, stage: str
) -> None:
    deployer, ending = stories.deployer, stories.of(victim)[stage]
    assert ending.runs == {deployer.texts[ending.last]}
    assert _final(deployer, stage, ending.last) == {"success"}
    held = deployer.found(stage, ending.held)
    assert held is not None
    assert held.state is State.SUCCEEDED or (held.state is State.SUPERSEDED and ending.held != ending.last)
    assert _final(deployer, stage, ending.held) == {"success" if held.state is State.SUCCEEDED else "failure"}
    assert deployer.given.store.deployments.queued(key(stage)) == ()


def test_a_web_process_that_is_killed_before_it_answers_loses_nothing_that_is_sent_again(deployer: Deployer) -> None:
    redis = deployer.redis_pid()
    os.kill(redis, signal.SIGSTOP)
    commit = deployer.push("burst")
    time.sleep(0.2)  # less than the web process waits for Redis
    deployer.running["web"].kill()
    os.kill(redis, signal.SIGCONT)
    deployer.running["web"].start()
    deployer.forge.settle()
    delivery = deployer.forge.deliveries(repository("burst"))[-1]
    assert delivery.attempts[-1].status is None
    eventually(lambda: ready(deployer.url), otherwise=deployer.log)
    deployer.forge.redeliver(repository("burst"), delivery.id)
    deployer.ended({"burst": commit})
    assert _final(deployer, "burst", commit) == {"success"}
    assert deployer.runs("burst") == {deployer.texts[commit]}


def test_a_deployment_that_kills_its_worker_three_times_is_stopped_and_says_why(deployer: Deployer) -> None:
    for _ in range(3):
        deployer.programs.hold("overlay-doomed")
        if not deployer.texts.get("doomed"):
            deployer.texts["doomed"] = deployer.push("doomed")
        held = eventually(lambda: deployer.programs.held("overlay-doomed"), otherwise=deployer.log)
        _kill(deployer.horse_of(held))
    deployer.programs.let_go()
    commit = deployer.texts["doomed"]
    deployer.ended({"doomed": commit})
    found = deployer.found("doomed", commit)
    assert found is not None
    assert found.state is State.FAILED
    assert found.summary == "its worker died 3 times while deploying it (out of memory?)"
    assert _final(deployer, "doomed", commit) == {"failure"}


def test_a_worker_that_is_asked_to_stop_finishes_its_write_and_hands_the_deployment_on(deployer: Deployer) -> None:
    hold = Hold(deployer.namespaces["apply"], midway, Fate.LATE)
    deployer.gate.hold([hold])
    commit = deployer.push("apply")
    assert hold.reached.wait(20)
    worker = deployer.running["worker"]
    worker.process.terminate()
    time.sleep(0.5)  # that it arrives; what is written beside the one that is held arrives, too
    since = len(deployer.gate.requests)
    deployer.let_go()
    worker.process.wait(timeout=10)
    assert deployer.gate.writes(since=since) == []
    found = deployer.found("apply", commit)
    assert found is not None
    assert not found.state.final
    assert "its worker was asked to stop: handed on" in deployer.given.store.deployments.log_lines(found.id)[-1]
    worker.start()
    deployer.ended({"apply": commit})
    assert _final(deployer, "apply", commit) == {"success"}
    assert deployer.runs("apply") == {deployer.texts[commit]}


@pytest.mark.thorough
def test_a_rolling_restart_during_a_burst_loses_nothing_and_the_last_commit_runs(deployer: Deployer) -> None:
    before = len(deployer.given.store.deployments.newest(key("burst")))
    commits = []
    for program in deployer.running.values():
        commits += [deployer.push("burst") for _ in range(10)]
        program.process.terminate()
        commits += [deployer.push("burst") for _ in range(7)]
        program.stop()
        program.start()
    eventually(lambda: ready(deployer.url), otherwise=deployer.log)
    deployer.forge.settle()
    for delivery in deployer.forge.deliveries(repository("burst")):
        if not delivery.delivered:  # while no web process was there; what was answered was taken in
            deployer.forge.redeliver(repository("burst"), delivery.id)
    for commit in commits:
        deployer.ended({"burst": commit})
    assert _final(deployer, "burst", commits[-1]) == {"success"}
    assert deployer.runs("burst") == {deployer.texts[commits[-1]]}
    made = deployer.given.store.deployments.newest(key("burst"))[:-before]
    assert {each.commit for each in made} == set(commits)
    assert all(each.state in (State.SUCCEEDED, State.SUPERSEDED) for each in made)
    assert len([each for each in made if each.state is State.SUCCEEDED]) <= 8


def _final(deployer: Deployer, name: str, commit: str) -> set[str]:
    """What the forge was told in the end: who dies right after telling it tells it the same again."""
    return {state for state in deployer.told(name, commit) if state != "pending"}
