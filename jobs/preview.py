"""Shows on a pull or merge request what merging it would change. Writes to no cluster and delays no deployment.

For whoever hears of requests:

    ask(given, forge, event)                          a `PullRequestEvent` came, of any action
    ask_for(given, forge, repository, number, environments=("staging",))      a person wants one now, as by `/diff`

Both only write down what is owed and ring; an `Ignored` that they return says why there will be no preview.
`preview` is the job that makes what is owed.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
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
    PullRequestAction,
    PullRequestEvent,
    PullRequestKey,
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
from jobs.resources import Resources, resources
from jobs.reviews import Reviewed, Reviewer

log = structlog.get_logger()

ROUND_SECONDS = 60.0
CLAIM = timedelta(seconds=600)
"""As long as the job may take: then whoever made the preview is gone."""
_REFS = {ForgeKind.GITHUB: "refs/pull/{}/head", ForgeKind.GITLAB: "refs/merge-requests/{}/head"}


class _Outdated(Exception):  # noqa: N818 - reads as what happened
    """We were told of something newer meanwhile, and that is owed by itself."""


def ask(given: Resources, forge: str, event: PullRequestEvent, *, environments: Sequence[str] = ()) -> Ignored | None:
    """Have a request previewed, or forgotten when it was closed.

    Args:
        given: resources.
        forge: name of the forge that told of it.
        event: what it told.
        environments: to be answered for by name, also when merging does not reach them.

    Returns:
        None, or why there will be no preview.
    """
    key = PullRequestKey(forge, event.repository, event.number)
    closed = event.action is PullRequestAction.CLOSED
    wanted = Wanted(key, event.branch, event.head, event.from_fork, closed, tuple(environments))
    if closed and given.store.previews.get(key) is None:
        return Ignored("closed, and never previewed")
    if not closed and isinstance(found := _previewed(given, wanted), Ignored):
        return found
    given.store.previews.ask(wanted, due=given.clock())
    given.queues.preview()
    return None


def ask_for(
    given: Resources, forge: str, repository: str, number: int, *, environments: Sequence[str] = ()
) -> Ignored | None:
    """As `ask`, for a request of which only the number is known: the forge is asked how it stands.

    Raises:
        Permanent, Temporary: as `Forge.pull_request`.
        SettingsError: as `connect`.
    """
    client = given.forge(forge)
    if client is None:
        return Ignored("the settings give us no way to ask the forge")
    now = client.pull_request(repository, number)
    if not now.open:
        return Ignored("it is not open any more")
    event = PullRequestEvent(
        repository, number, now.base, now.head, PullRequestAction.UPDATED, now.from_fork, draft=False, title=now.title
    )
    return ask(given, forge, event, environments=environments)


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
            elif lease is None:
                given.store.previews.postpone(wanted, due=given.clock() + timedelta(seconds=5))
                given.queues.preview(delay=5)
            else:
                _Attempt(given, wanted).run()
        if time.monotonic() > ends or given.store.leases.stopping:
            given.queues.preview()
            return


def _previewed(given: Resources, wanted: Wanted) -> tuple[Environment, ...] | Ignored:
    """The environments that may be previewed on a request, or why there are none."""
    key = wanted.key
    entries = [
        entry for entry in given.settings.repositories
        if (entry.forge, entry.name, entry.branch) == (key.forge, key.repository, wanted.branch) and entry.previews
    ]  # fmt: skip
    if not entries:
        return Ignored(f"branch {wanted.branch} of {key.repository} has no previews")
    if wanted.from_fork:
        entries = [entry for entry in entries if entry.preview_forks]
    if not entries:
        return Ignored("comes from a fork, which is not rendered here (preview_forks)")
    return tuple(entry.environment(name) for entry in entries for name in entry.environments)


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One attempt at one preview."""

    given: Resources
    wanted: Wanted

    def run(self) -> None:
        """Make the preview and say it; on a fault, be tried again or say that."""
        previews = self.given.store.previews
        environments = _previewed(self.given, self.wanted)
        if self.wanted.closed or isinstance(environments, Ignored):
            self._close(environments)
            return
        try:
            faults = self._make(environments)
        except _Outdated:
            log.info("preview", request=str(self.wanted.key), outdated=self.wanted.head)
            return
        except Failure as failure:
            self._failed(failure)
            return
        except SettingsError as error:
            self._failed(Temporary(str(error), stage=Stage.PLAN))
            return
        except (RedisError, JobTimeoutException):
            raise
        except Exception:
            log.exception("internal error", request=str(self.wanted.key))
            previews.done(self.wanted)
            return
        if not (faults and self._again(faults[0])):
            previews.done(self.wanted)

    def _close(self, environments: tuple[Environment, ...] | Ignored) -> None:
        self.given.store.previews.close(self.wanted)
        if not isinstance(environments, Ignored):
            with suppress(Failure, SettingsError):  # the repository's next preview does it, too
                self._tidy(self.given.mirror(environments[0]))

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
            reviewer.tell([Outcome(each.key.environment, failure=reason) for each in touched])
            return []
        found = [(each, self._foresee(each, merged, mirror)) for each in self._reached(environments, merged, mirror)]
        self._confirm()
        faults = [seen.fault for _, seen in found if isinstance(seen.fault, Temporary)]
        last = not faults or not self._more()
        reviewer.tell_all([Reviewed(each, seen, waiting=not last) for each, seen in found])
        reviewer.tell_quiet([each for each in environments if each not in [one for one, _ in found]])
        return [] if last else faults

    def _head(self, mirror: Mirror) -> str:
        """What the request brings in now: what we were told of, or something newer that has it."""
        key = self.wanted.key
        ref = _REFS[self.given.settings.forges[key.forge].kind].format(key.number)
        head = mirror.merging.fetch(key.number, ref=ref)
        if head != self.wanted.head and not mirror.contains(head, self.wanted.head):
            problem = f"{self.wanted.head[:12]} is not there yet, but {head[:12]}"
            raise Temporary(f"fetching {key}: {problem}", stage=Stage.FETCH)
        return head

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
        """Those whose overlays read something else on the two sides. Of what cannot be merged no more is known."""
        overlays = {each.overlay for each in environments}
        ours, theirs = reads(mirror, base, overlays), reads(mirror, head, overlays)
        return [each for each in environments if ours[each.overlay].digest != theirs[each.overlay].digest]

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
        return self.given.store.previews.attempts(self.wanted.key) + 1 < DEPLOYMENTS.attempts

    def _failed(self, failure: Failure) -> None:
        """It was not even known whom the request reaches, or it could not be said."""
        if isinstance(failure, Temporary) and self._again(failure):
            return
        log.error("preview", request=str(self.wanted.key), error=failure.message)
        if failure.stage is not Stage.REPORT:
            try:
                Reviewer(self.given, self.wanted, "").tell_failure(failure)
            except Failure as other:
                log.error("preview", request=str(self.wanted.key), error=other.message)
        self.given.store.previews.done(self.wanted)

    def _again(self, fault: Temporary) -> bool:
        budget = REPORTS if fault.stage is Stage.REPORT else DEPLOYMENTS
        attempt = self.given.store.previews.attempt(self.wanted.key)
        delay = budget.delay(attempt, fault, dice=random.random)
        if delay is None:
            return False
        log.warning("preview", request=str(self.wanted.key), retry=budget.announce(attempt, delay, fault))
        self.given.store.previews.postpone(self.wanted, due=self.given.clock() + timedelta(seconds=delay))
        self.given.queues.preview(delay=delay)
        return True
