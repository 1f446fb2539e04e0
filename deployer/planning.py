"""Decides which environments an event concerns, what may go ahead and what supersedes what. Pure: asks nobody."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import timedelta

from deployer.asking import ours
from deployer.model import (
    Command,
    Deployment,
    Environment,
    EnvironmentKey,
    Ignored,
    Merge,
    PullRequestEvent,
    Receipt,
    Rerun,
    Trigger,
)

AT_ONCE = timedelta(seconds=1)
"""A delivery that comes again within this time is the sender's stutter, not somebody's wish."""

ASKED = frozenset({Trigger.REPLAY, Trigger.RERUN, Trigger.MANUAL, Trigger.ROLLBACK})
"""Somebody wants this very commit applied, also if it was applied a moment ago."""


def concerned(
    event: Merge | PullRequestEvent | Rerun | Command,
    *,
    forge: str,
    environments: Iterable[Environment],
    app_id: int | None = None,
) -> tuple[Environment, ...] | Ignored:
    """The environments that an event may be about, at least one, or the reason why there is none.

    Those of a merge or a request are all of its repository and branch, also of a branch that the request has just left.
    A command is about all of its repository: which branch its request is for, the forge has to be asked.

    Args:
        event: what came.
        forge: which one it came from.
        environments: all that there are.
        app_id: our GitHub App on that forge, if we are one.
    """
    of_repository = tuple(
        environment
        for environment in environments
        if environment.key.forge == forge and environment.key.repository == event.repository
    )
    if not of_repository:
        return Ignored(f"repository {event.repository} is not in the settings")
    match event:
        case Merge() | PullRequestEvent():
            return _of_branch(event, of_repository)
        case Rerun():
            return ours(event, of_repository, app_id=app_id)
        case Command():
            return of_repository


def _of_branch(
    event: Merge | PullRequestEvent, of_repository: tuple[Environment, ...]
) -> tuple[Environment, ...] | Ignored:
    about = {event.branch, event.left} if isinstance(event, PullRequestEvent) else {event.branch}
    of_branch = tuple(environment for environment in of_repository if environment.branch in about)
    if not of_branch:
        branches = ", ".join(sorted({environment.branch for environment in of_repository}))
        return Ignored(f"branch {event.branch} deploys nothing; {event.repository} deploys {branches}")
    return of_branch


_UNWRITTEN = frozenset(
    {
        "rollout_timeout",
        "drift",
        "drift_interval",
        "require_preview_match",
        "deployers",
        "environment_url",
        "production",
    }
)
"""Settings that say when to look, who may ask or what people see of it, and change nothing that is written."""

_APPLIED = tuple(each.name for each in fields(Environment) if each.name not in _UNWRITTEN)


def fingerprint(environment: Environment, inputs: str) -> str:
    """What an environment is deployed from, in a few digits: two that are the same make the same cluster.

    Args:
        environment: whatever of its settings changes what is applied, where, or with whose rights counts.
        inputs: digest of what its overlay reads.
    """
    applied = [getattr(environment, name) for name in _APPLIED]
    return hashlib.sha256(f"{inputs} {applied}".encode()).hexdigest()


def reached(fingerprint: str, *, settled: bool, deployed: str | None, seen: bool, lost: bool) -> bool:
    """Whether a merge reaches an environment: something that the environment is deployed from differs.

    It also reaches one whose last deployment failed or is on its way, since nobody knows what it runs; one that the
    commit reached before, so that a replay goes there again; and one whose commit is lost, so that it is said to run
    one that there is.

    Args:
        fingerprint: what the environment would be deployed from.
        settled: its last deployment succeeded, and none is on its way.
        deployed: what it was deployed from then.
        seen: the commit was planned for it before.
        lost: a forced push took the commit that it runs off the branch.
    """
    return seen or lost or not settled or deployed != fingerprint


@dataclass(frozen=True, slots=True)
class Skip:
    """Nothing is to be done for an environment, and why."""

    reason: str
    asked: bool = False
    """Somebody asked for it again and is to read on the commit why not."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one commit in one environment when a merge of it is planned."""

    deployed: str | None
    """The commit that the environment runs."""
    ahead: str | None
    """A commit further along the branch that the environment runs or was told to run."""
    last: Deployment | None
    """The newest deployment of the merged commit to this environment."""
    current: bool = True
    """Nothing else began in the environment after `last`."""
    is_tip: bool = True
    """The branch ends with the merged commit."""
    rolled_back: bool = False
    """The environment was last told to run what somebody went back to, and the branch held the commit by then."""


ROLLED_BACK = Skip("rolled back; a new merge or a replay goes ahead again")


def decide(commit: str, *, known: Known, receipt: Receipt | None) -> Trigger | Skip:
    """Whether a merged commit is deployed to an environment, and if so under which trigger.

    A deployment that has not ended is joined, so it may go ahead here. After the end, another delivery of the same
    commit changes nothing, unless the environment runs something else by now; the same delivery again is a replay. An
    older commit never replaces a newer one, and whoever asked for that is told.
    """
    replay = known.last is not None and receipt is not None and replayed(receipt, known.last)
    if known.ahead is not None:
        return Skip(older(known.ahead), asked=replay)
    if known.last is None and known.rolled_back:
        return ROLLED_BACK
    if known.last is None or not known.last.state.final:
        return Trigger.MERGE
    if replay:
        return Trigger.REPLAY
    return _again(commit, known=known, last=known.last)


def _again(commit: str, *, known: Known, last: Deployment) -> Trigger | Skip:
    """Whether another delivery of a commit whose deployment has ended deploys it again.

    It does when the branch ends with it and something else began after it: a forced push went back to it.
    """
    if known.is_tip and not known.current and not known.rolled_back:
        return Trigger.MERGE
    if known.deployed == commit:
        return Skip("already deployed")
    if known.rolled_back:
        return ROLLED_BACK
    return Skip(f"already ended: {last.summary}")


def newest(queued: Sequence[Deployment], *, contains: Callable[[str, str], bool]) -> Deployment:
    """The one of an environment's queued deployments that is to run; all others are superseded by it.

    Newest means further along the branch, not later by arrival; only a rollback, which somebody asked for by name,
    goes back, and what it leaves behind does not come after it. What only puts back what drifted gives way to all
    others.

    Args:
        queued: at least one, in the order in which they were accepted.
        contains: whether its first commit contains its second.
    """
    chosen, *others = [each for each in queued if each.trigger is not Trigger.DRIFT] or queued
    for candidate in others:
        if candidate.trigger is Trigger.ROLLBACK or not (
            contains(chosen.commit, candidate.commit)
            or left_behind(candidate, back_from=chosen.back_from, contains=contains)
        ):
            chosen = candidate
    return chosen


def left_behind(deployment: Deployment, *, back_from: str | None, contains: Callable[[str, str], bool]) -> bool:
    """Whether a deployment brings what somebody went back from, and nobody asked for it by name.

    Such a deployment was queued before the rollback began; later ones are not even queued: see `decide`.

    Args:
        deployment: a queued one.
        back_from: what was planned last when somebody asked for the rollback, if somebody did.
        contains: whether its first commit contains its second.
    """
    told = deployment.trigger in (Trigger.MERGE, Trigger.SWEEP)
    return told and bool(back_from) and contains(str(back_from), deployment.commit)


def in_turn(
    waiting: Sequence[EnvironmentKey],
    *,
    running: Collection[EnvironmentKey],
    lanes: Callable[[EnvironmentKey], Sequence[str]],
    most: int,
) -> list[EnvironmentKey]:
    """The environments that may have a worker now, the one that should have it first.

    Args:
        waiting: who waits, the longest first.
        running: who is being worked on.
        lanes: what an environment shares with others that may all want workers at once.
        most: how many workers one lane may have.
    """
    busy = Counter(lane for key in running for lane in lanes(key))
    there = frozenset(running)
    load = {key: max((busy[lane] for lane in lanes(key)), default=0) for key in waiting if key not in there}
    return sorted((key for key in load if load[key] < most), key=load.__getitem__)


def replayed(receipt: Receipt, last: Deployment) -> bool:
    """Whether a delivery was sent again because somebody asked for that, and not by itself.

    What comes before the deployment has ended joins it. After that only what the same sender sent before counts, and
    neither forge does that by itself once it has our answer, whatever the answer was:

    - GitHub never does: https://docs.github.com/en/webhooks/using-webhooks/handling-failed-webhook-deliveries
    - GitLab's `WebHookService` takes every HTTP error and timeout for the end; only a job that was broken off runs
      again, and nothing in its request tells it from a resent one: the one case that is taken for somebody's wish.
      https://docs.gitlab.com/user/project/integrations/webhooks/

    So what is left to tell apart is a stutter on the way, such as a proxy's.

    Args:
        receipt: of the delivery.
        last: the newest deployment of its commit to the environment.
    """
    if last.finished_at is None or receipt.last_at <= last.finished_at:
        return False
    before = max(receipt.first_at, last.created_at)
    return receipt.by is not None or (receipt.times > 1 and receipt.last_at - before > AT_ONCE)


def overtaken(deployment: Deployment, *, runs: Iterable[str], ahead: Callable[[str, str], bool]) -> str | None:
    """Why a queued deployment is not to run, because the environment is already further; None when it is to run.

    Args:
        deployment: which one.
        runs: the commits that the environment runs or was told to run.
        ahead: whether its first commit is further along the branch than its second.
    """
    if deployment.trigger in (Trigger.ROLLBACK, Trigger.DRIFT):  # one goes back, the other puts back what runs
        return None
    further = next((commit for commit in runs if ahead(commit, deployment.commit)), None)
    return older(further) if further is not None else None


def older(further: str) -> str:
    """Why a commit is not deployed where a further one is, and what would do it all the same."""
    way = "deployer deploy … --commit … --allow-rollback"
    return f"older than {further[:12]}, which was merged later; to go back: {way}"
