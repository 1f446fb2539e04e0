"""Shows on a pull or merge request what merging it would change. Writes to no cluster and delays no deployment.

What is owed was written down by whoever heard of the request (`jobs/proposal.py`). Each check that is begun here, or on
an earlier commit of the request, is brought to an end here as well.
"""

from __future__ import annotations

import random
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog
from redis.exceptions import RedisError
from rq.timeouts import JobTimeoutException

from deployer.forges.preview_words import Outcome
from deployer.model import (
    Environment,
    Failure,
    ForgeKind,
    Ignored,
    Permanent,
    Stage,
    Temporary,
)
from deployer.planning import fingerprint, reached
from deployer.preview import Foreseen, foresee
from deployer.retries import DEPLOYMENTS, REPORTS
from deployer.settings import SettingsError
from deployer.source.merging import Conflict, Merged
from deployer.source.mirror import Mirror
from deployer.source.overlay import reads
from deployer.store.previews import Wanted
from jobs.proposal import previewed
from jobs.resources import Resources, resources
from jobs.reviews import Reviewed, Reviewer

log = structlog.get_logger()

ROUND_SECONDS = 60.0
BUSY_SECONDS = 5
CLAIM = timedelta(seconds=600)
"""As long as the job may take: then whoever made the preview is gone."""

DEATHS = 3
"""A preview that takes its worker along this often is not made until something newer is pushed or asked for."""

_REFS = {ForgeKind.GITHUB: "refs/pull/{}/head", ForgeKind.GITLAB: "refs/merge-requests/{}/head"}


class _Outdated(Exception):  # noqa: N818 - reads as what happened
    """We were told of something newer meanwhile, and that is owed by itself."""


def preview() -> None:
    """Make the previews that are owed."""
    preview_owed(resources())


def preview_owed(given: Resources) -> None:
    """Make the previews that are due, the oldest first, with given resources; safe to run any number of times."""
    ends = time.monotonic() + ROUND_SECONDS
    while key := given.store.previews.claim(at=given.clock(), until=given.clock() + CLAIM):
        with given.store.leases.hold(f"preview:{key}") as lease:
            wanted = given.store.previews.get(key)
            if wanted is None:
                given.store.previews.forget(key)
            elif delay := given.store.posted.hushed(key.forge) or (BUSY_SECONDS if lease is None else 0):
                given.store.previews.postpone(wanted, due=given.clock() + timedelta(seconds=delay))
                given.queues.preview(delay=delay)
            else:
                _Attempt(given, wanted, given.store.previews.attempt(key)).run()
        if time.monotonic() > ends or given.store.leases.stopping:
            given.queues.preview()
            return


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One attempt at one preview."""

    given: Resources
    wanted: Wanted
    number: int
    """Counted from 1. One attempt may fail twice: at the preview, and at saying so."""

    def run(self) -> None:
        """Make the preview and say it; on a fault, be tried again or say that."""
        environments = previewed(self.given, self.wanted)
        try:
            self._refuse_deadly()
            if self.wanted.closed or isinstance(environments, Ignored):
                self._close(environments)
            elif not ((faults := self._make(environments)) and self._again(faults[0])):
                self.given.store.previews.done(self.wanted)
        except _Outdated:
            log.info("preview", request=str(self.wanted.key), outdated=self.wanted.head)
        except Failure as failure:
            self._failed(failure)
        except SettingsError as error:
            self._failed(Temporary(str(error), stage=Stage.PLAN))
        except (RedisError, JobTimeoutException):
            raise
        except Exception as error:
            log.exception("internal error", request=str(self.wanted.key))
            self.given.store.previews.done(self.wanted)  # whatever happens next, this is not tried for ever
            reason = f"internal error ({type(error).__name__}); the worker's log has the details"
            self._failed(Permanent(reason, stage=Stage.PLAN))

    def _refuse_deadly(self) -> None:
        if self.given.store.previews.begun(self.wanted.key) > DEATHS:
            reason = f"its worker died, or its time was up, {DEATHS} times while it was made (out of memory?)"
            raise Permanent(reason, stage=Stage.PLAN)

    def _close(self, environments: tuple[Environment, ...] | Ignored) -> None:
        """End what was begun, then let go of the request. Raises what the forge refuses."""
        if isinstance(environments, Ignored):
            self._reviewer.withdraw(environments.reason)
        else:
            self._reviewer.end("no preview is made of this request any more")
            with suppress(Failure, SettingsError):  # the repository's next preview does it, too
                self._tidy(self.given.mirror(environments[0]))
        self.given.store.previews.close(self.wanted)

    @property
    def _reviewer(self) -> Reviewer:
        """Of the commit that was found to be the request's by now, unless we were told something newer meanwhile."""
        known = self.given.store.previews.get(self.wanted.key)
        return Reviewer(self.given, known if known and known.version == self.wanted.version else self.wanted)

    def _tidy(self, mirror: Mirror) -> None:
        """Have the mirror forget the requests that are over."""
        key, previews = self.wanted.key, self.given.store.previews
        mirror.merging.keep_only(previews.requests(key.forge, key.repository, at=self.given.clock()))

    def _make(self, environments: tuple[Environment, ...]) -> list[Temporary]:
        """Make the preview and say it; what is to be tried again."""
        mirror = self.given.mirror(environments[0])
        self._tidy(mirror)
        base, head = mirror.fetch(self.wanted.branch), self._head(mirror)
        reviewer = Reviewer(self.given, replace(self.wanted, head=head), base)
        try:
            merged = mirror.merging.merge(self.wanted.key.number, base=base, head=head)
        except Conflict as conflict:
            touched = self._touched(environments, mirror, base, head)
            self._confirm()
            reason = f"cannot be merged: {conflict.message}"
            reviewer.tell([Outcome(each.key.environment, failure=reason) for each in touched], conflict=True)
            reviewer.end("merging does not reach it any more")
            return []
        found = [(each, self._foresee(each, merged, mirror)) for each in self._reached(environments, merged, mirror)]
        self._confirm()
        faults = [seen.fault for _, seen in found if isinstance(seen.fault, Temporary)]
        last = not faults or not self._more()
        reviewer.tell_quiet([each for each in environments if each not in [one for one, _ in found]])
        reviewer.tell_all([Reviewed(each, seen, waiting=not last) for each, seen in found])
        waiting = () if last else tuple(each.key.environment for each, _ in found)
        reviewer.end("merging does not reach it any more", waiting=waiting)
        return [] if last else faults

    def _head(self, mirror: Mirror) -> str:
        """What the request brings in now: what we were told of, or something newer that has it.

        Where git has neither, it is behind, or we were told late of what was pushed away meanwhile: the forge knows.
        """
        key, told = self.wanted.key, self.wanted.head
        ref = _REFS[self.given.settings.forges[key.forge].kind].format(key.number)
        head = mirror.merging.fetch(key.number, ref=ref)
        if head != told and not mirror.contains(head, told) and head != (current := self._current_head()):
            problem = f"{current[:12]} is not there yet, but {head[:12]}"
            raise Temporary(f"fetching {key}: {problem}", stage=Stage.FETCH)
        self.given.store.previews.found(self.wanted, head)
        return head

    def _current_head(self) -> str:
        """What the forge says that the request brings in; where we cannot ask, what we were told."""
        key, client = self.wanted.key, self.given.forge(self.wanted.key.forge)
        return client.pull_request(key.repository, key.number).head if client else self.wanted.head

    def _reached(self, environments: tuple[Environment, ...], merged: Merged, mirror: Mirror) -> list[Environment]:
        """Those that deploying the result would touch, as planning a merge finds them, and those asked for by name."""
        standings = self.given.store.environments.standings([each.key for each in environments], merged.commit)
        found = reads(mirror, merged.commit, {each.overlay for each in environments})
        return [
            each
            for each, now in zip(environments, standings, strict=True)
            if each.key.environment in self.wanted.asked
            or reached(
                fingerprint(each, found[each.overlay].digest),
                settled=now.settled, deployed=now.reads, seen=False, lost=False,
            )
        ]  # fmt: skip

    def _touched(
        self, environments: tuple[Environment, ...], mirror: Mirror, base: str, head: str
    ) -> list[Environment]:
        """Those whose overlays read something else on the two sides, and those asked for by name. Of what cannot be
        merged no more is known."""
        overlays = {each.overlay for each in environments}
        ours, theirs = reads(mirror, base, overlays), reads(mirror, head, overlays)
        return [
            each
            for each in environments
            if each.key.environment in self.wanted.asked or ours[each.overlay].digest != theirs[each.overlay].digest
        ]

    def _foresee(self, environment: Environment, merged: Merged, mirror: Mirror) -> Foreseen:
        self._confirm()
        cluster, renders = self.given.settings.clusters[environment.cluster], self.given.renders
        try:
            return foresee(environment, merged.commit, cluster=cluster, mirror=mirror, renders=renders)
        except (RedisError, JobTimeoutException):
            raise
        except Exception as error:  # one that we cannot cope with must not hold up the others
            log.exception("internal error", environment=str(environment.key), commit=merged.commit)
            reason = f"internal error ({type(error).__name__}); the worker's log has the details"
            return Foreseen(Outcome(environment.key.environment, failure=reason))

    def _confirm(self) -> None:
        if not self.given.store.previews.is_current(self.wanted):
            raise _Outdated

    def _more(self) -> bool:
        """Whether there is another attempt after this one."""
        return self.number < DEPLOYMENTS.attempts

    def _failed(self, failure: Failure) -> None:
        """It was not even known whom the request reaches, or it could not be said."""
        if isinstance(failure, Temporary) and self._again(failure):
            return
        log.error("preview", request=str(self.wanted.key), error=failure.message)
        try:
            self._reviewer.tell_failure(failure)
        except Temporary as fault:
            if self._again(fault):
                return
        except Failure as other:
            log.error("preview", request=str(self.wanted.key), error=other.message)
        if self.wanted.closed:
            self.given.store.previews.close(self.wanted)
        self.given.store.previews.done(self.wanted)

    def _again(self, fault: Temporary) -> bool:
        budget = REPORTS if fault.stage is Stage.REPORT else DEPLOYMENTS
        if budget is REPORTS and fault.retry_after:
            self.given.store.posted.hush(self.wanted.key.forge, seconds=fault.retry_after)
        delay = budget.delay(self.number, fault, dice=random.random)
        if delay is None:
            return False
        log.warning("preview", request=str(self.wanted.key), retry=budget.announce(self.number, delay, fault))
        self.given.store.previews.postpone(self.wanted, due=self.given.clock() + timedelta(seconds=delay))
        self.given.queues.preview(delay=delay)
        return True
