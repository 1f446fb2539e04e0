"""Compares each branch with what was planned of it, so that a merge whose webhook never came is deployed all the same.

Looking at the branches of a forge is one job, one branch after the other, with little time for each: a forge that hangs
keeps one worker busy for a moment, and no other. What is found is planned like a delivery, by whoever plans those.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from redis.exceptions import RedisError
from rq.timeouts import JobTimeoutException

from deployer.forges.report import line
from deployer.model import BranchKey, Environment, EnvironmentKey, Permanent, Stage, Temporary, Trigger
from deployer.repositories import tip
from deployer.settings import SettingsError
from jobs.admission import admission
from jobs.delivery import DEATHS, Asked, ask
from jobs.plan import Origin, Plan, broken, turn
from jobs.resources import Resources, resources

log = structlog.get_logger()

ASK_SECONDS = 10.0
"""For one answer of a git server."""
ROUND_SECONDS = 60.0
"""Then a round ends; what is left is for the next one."""
DOWN = 3
"""After so many branches in a row that cannot be reached, the rest of the forge is not asked this time."""
GRACE = timedelta(seconds=5)
"""A webhook may be on its way for so long."""

_LOOK, _PLAN = "look", "plan"
_NO_ANSWER = f"{_LOOK}: no answer"


def ask_for_due(given: Resources) -> None:
    """Have a worker look at the branches that are due. This is the clock's part: it asks no git server itself."""
    due = given.store.tips.due(given.settings.branches, at=given.clock())
    for forge in dict.fromkeys(branch.forge for branch in due):
        if not given.store.leases.held(_lease(forge)) and given.store.tips.ring(forge):
            given.queues.compare(forge)


def compare(forge: str) -> None:
    """Look at the branches of a forge that are due; safe to run any number of times, and at once."""
    compare_with(resources(), forge)


def compare_with(given: Resources, forge: str) -> None:
    """Look at the branches of a forge that are due, with given resources, unless somebody is at it."""
    given.store.tips.begin(forge)
    with given.store.leases.hold(_lease(forge)) as lease:
        if lease is None:
            return
        with admission(given, forge) as there:
            if there:
                _Round(given, forge).run()


def _lease(forge: str) -> str:
    return f"tips:{forge}"


@dataclass(frozen=True, slots=True)
class _Round:
    """One look at each branch of a forge that is due."""

    given: Resources
    forge: str

    @property
    def branches(self) -> list[BranchKey]:
        """All of the forge, due or not."""
        return [branch for branch in self.given.settings.branches if branch.forge == self.forge]

    def run(self) -> None:
        """Look at one branch after the other, until all were looked at, the time is up or the forge is down."""
        ends = time.monotonic() + ROUND_SECONDS
        down = False
        for branch in self.given.store.tips.due(self.branches, at=self.given.clock()):
            if time.monotonic() > ends:
                break
            self.given.store.tips.look_again(branch, due=_next(self.given))
            down = down or not self._look(branch)

    def _look(self, branch: BranchKey) -> bool:
        """Look at a branch, and see to it that somebody plans what it is at if nobody was told of that.

        Returns:
            Whether it makes sense to ask the forge anything else.
        """
        try:
            at = tip(self.given.settings, branch, seconds=ASK_SECONDS)
        except Temporary as fault:
            return self._unanswered(branch, fault)
        except Permanent as failure:
            self._answered()
            _tell_once(self.given, branch, f"{_LOOK}: refused", failure.message)
        else:
            self._answered()
            if self.given.store.tips.well(branch, _LOOK):
                log.info("sweep", followed_again=str(branch))
            self._judge(branch, at)
        return True

    def _unanswered(self, branch: BranchKey, fault: Temporary) -> bool:
        """After a few in a row it is the forge that does not answer: that is said of all of its branches at once."""
        tips, now = self.given.store.tips, self.given.clock()
        down = tips.unanswered(self.forge) >= DOWN
        asked = self.branches if down else [branch]
        if news := [str(each) for each in asked if tips.failed(each, _NO_ANSWER, fault.message, at=now)]:
            log.warning("sweep", forge=self.forge, not_followed="all" if down else news, error=fault.message)
        return not down

    def _answered(self) -> None:
        if self.given.store.tips.answered(self.forge) >= DOWN:
            for branch in self.branches:
                self.given.store.tips.well(branch, _NO_ANSWER)
            log.info("sweep", forge=self.forge, followed_again="all")

    def _judge(self, branch: BranchKey, at: str) -> None:
        """Decide what a branch at a commit means.

        A commit that was not planned is not a missed one yet: its webhook may be on its way. So a branch is left alone
        while a delivery of it is owed its planning, and what is different must have been so for `GRACE`, with nothing
        planned of the branch meanwhile. Where no webhooks come, there is nothing to wait for. A webhook that comes
        later still joins, or finds its commit deployed. A planned commit that is not everywhere has nobody to wait for:
        the settings have an environment more than when it was planned.
        """
        tips, now = self.given.store.tips, self.given.clock()
        planned = self.given.store.environments.planned(branch)
        if at == planned and self._is_everywhere(branch, at):
            tips.level(branch)
            if not tips.is_owed(branch):
                tips.well(branch)
        elif at != planned and self._on_its_way(branch, planned, now):
            tips.look_again(branch, due=now + GRACE)
        else:
            tips.owe(branch, due=now)
            self.given.queues.plan()

    def _is_everywhere(self, branch: BranchKey, at: str) -> bool:
        """Whether every environment of a branch was planned some time."""
        keys = [each.key for each in self.given.settings.environments if each.branch_key == branch]
        return all(now.seen or now.deployed for now in self.given.store.environments.standings(keys, at))

    def _on_its_way(self, branch: BranchKey, planned: str | None, now: datetime) -> bool:
        if not self.given.settings.forges[branch.forge].webhooks:
            return False
        since = self.given.store.tips.behind(branch, planned, at=now)
        return now - since < GRACE or branch in _told(self.given, branch.forge)


def _told(given: Resources, forge: str) -> Iterator[BranchKey]:
    """The branches of a forge of which deliveries are owed their planning."""
    for at, delivery_id in given.store.deliveries.owed():
        if at == forge and isinstance(asked := ask(given, forge, delivery_id), Asked):
            yield asked.branch


def plan_tip(given: Resources, branch: BranchKey) -> list[EnvironmentKey]:
    """Plan what a branch is at; safe to run any number of times. While somebody else plans its repository it waits.

    Returns:
        The environments that have something to deploy.
    """
    environments = tuple(each for each in given.settings.environments if each.branch_key == branch)
    if not environments:
        given.store.tips.planned(branch)
        return []
    with admission(given, branch.forge) as there, turn(given, branch) if there else nullcontext(False) as mine:
        return _Tip(given, branch, environments).plan() if mine else []


@dataclass(frozen=True, slots=True)
class _Tip:
    """What a branch is at, of which nobody told us, and the environments that it may reach."""

    given: Resources
    branch: BranchKey
    environments: tuple[Environment, ...]
    planned: list[EnvironmentKey] = field(default_factory=list)

    def plan(self) -> list[EnvironmentKey]:
        """Queue what is to be deployed.

        A fault is in the log once, and in `deployer status` for as long as it lasts. It is told on a commit only when
        that is here and cannot be planned, and once, because it counts as planned then.
        """
        try:
            self._plan()
        except Temporary as fault:
            if self.given.store.tips.failed(self.branch, f"{_PLAN}: fault", fault.message, at=self.given.clock()):
                log.warning("sweep", not_planned=str(self.branch), error=fault.message)
            self.given.store.tips.owe(self.branch, due=_next(self.given))
            return self.planned
        except (Permanent, SettingsError) as failure:
            _tell_once(self.given, self.branch, f"{_PLAN}: refused", str(failure))
        except (RedisError, JobTimeoutException):
            raise  # as for a delivery
        except Exception:
            log.exception("internal error", branch=str(self.branch))
            _tell_once(self.given, self.branch, f"{_PLAN}: bug", "internal error; see the worker's log")
        self.given.store.tips.planned(self.branch)
        return self.planned

    def _plan(self) -> None:
        mirror = self.given.mirror(self.environments[0])
        commit = mirror.fetch(self.branch.name)
        origin = Origin(Trigger.SWEEP, title=line(mirror.commit_title(commit)))
        self._count(commit)
        plan = Plan(self.given, origin, self.branch, self.environments)
        if self.given.store.tips.begun(self.branch, commit) > DEATHS:
            self._refuse_deadly(plan, commit)
            return
        try:
            for key in plan.run(commit, mirror):
                self.planned.append(key)  # what there is when it breaks off counts
        except Permanent as failure:
            plan.refuse(commit, f"{Stage.PLAN}: {failure.message}")
        except (Temporary, SettingsError, RedisError, JobTimeoutException):
            self.given.store.tips.ended(self.branch)  # badly, but nobody died
            raise
        except Exception as error:
            self.given.store.tips.ended(self.branch)
            plan.refuse(commit, broken(error))
            raise
        self.given.store.tips.ended(self.branch)
        self.given.store.tips.level(self.branch)
        self.given.store.tips.well(self.branch)
        log.info("plan", branch=str(self.branch), commit=commit, environments=list(map(str, self.planned)))

    def _refuse_deadly(self, plan: Plan, commit: str) -> None:
        """Leave a commit alone until the branch is at another one."""
        message = f"its worker died {DEATHS} times while planning it (out of memory?)"
        if _tell_once(self.given, self.branch, f"{_PLAN}: deadly {commit}", message):
            plan.refuse(commit, f"{Stage.PLAN}: {message}")

    def _count(self, commit: str) -> None:
        """Count what a webhook should have told us. Of a branch that was never planned none is missed."""
        forge, repository = self.branch.forge, self.branch.repository
        before = self.given.store.environments.planned(self.branch)
        if not self.given.settings.forges[forge].webhooks or before in (None, commit):
            return
        if self.given.store.tips.missed(self.branch, commit, at=self.given.clock()):
            self.given.store.counters.add("webhooks_missed", forge=forge, repository=repository)


def _next(given: Resources) -> datetime:
    """When a branch is looked at again: after the interval, a quarter more or less, so that not all come together."""
    return given.clock() + timedelta(seconds=given.settings.sweep_interval * (0.75 + random.random() / 2))  # noqa: S311


def _tell_once(given: Resources, branch: BranchKey, doing: str, message: str) -> bool:
    now = given.clock()
    news = given.store.tips.failed(branch, doing, message, at=now)
    if news:
        log.error("sweep", not_followed=str(branch), error=message)
        given.store.audit.add(
            "failed", at=now, forge=branch.forge, repository=branch.repository, branch=branch.name, reason=message
        )
    return news
