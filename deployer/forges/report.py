"""The words that people read on a commit: what became of a deployment, in one line.

Pure: values in, text out. Which forge shows the line is not known here; each cuts it to its own limit with `cut`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from deployer.model import (
    PART_OF,
    Action,
    CommitStatus,
    Deployment,
    DeploymentState,
    Environment,
    EnvironmentKey,
    Failure,
    ForgeDeployment,
    ObjectRef,
    ObjectResult,
    Place,
    State,
    StatusState,
)

SUMMARY_LENGTH = 500
"""Characters of a failure that are kept; what a tool printed can be megabytes, and the log has all of it."""

_STATES = {
    State.QUEUED: StatusState.PENDING,
    State.RUNNING: StatusState.PENDING,
    State.ROLLING_OUT: StatusState.PENDING,
    State.SUCCEEDED: StatusState.SUCCESS,
    State.FAILED: StatusState.FAILURE,
    State.SUPERSEDED: StatusState.CANCELED,
    # Held is final: the environment does not run this commit until someone acts, and pending would hide that.
    State.HELD: StatusState.FAILURE,
}

_RECORDED = {
    # Those that wait once they have begun are between two tries.
    State.QUEUED: DeploymentState.IN_PROGRESS,
    State.RUNNING: DeploymentState.IN_PROGRESS,
    State.ROLLING_OUT: DeploymentState.IN_PROGRESS,
    State.SUCCEEDED: DeploymentState.SUCCESS,
    State.FAILED: DeploymentState.FAILURE,
    State.SUPERSEDED: DeploymentState.CANCELLED,
    State.HELD: DeploymentState.CANCELLED,
}

MOST_PENDING = 500
MOST_STATUSES = 950
"""GitHub takes 1,000 of one context on a commit. https://docs.github.com/en/rest/commits/statuses"""

_ESCAPE_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))")
_CHANGED = (Action.CREATED, Action.UPDATED, Action.RECREATED)
STANDING = (*_CHANGED, Action.UNCHANGED)
"""What becomes of an object that is there afterwards, because git wants it."""


class Waiting(Protocol):
    """An object that is not healthy, and why."""

    @property
    def ref(self) -> ObjectRef:
        """Its name."""

    @property
    def reason(self) -> str:
        """Why."""


def commit_status(deployment: Deployment, *, page: str, branch: str | None = None) -> CommitStatus:
    """What to say on the commit of a deployment.

    Args:
        deployment: which one.
        page: the URL where people read more about it.
        branch: the one that its environment is deployed from, if that is known.
    """
    return CommitStatus(
        repository=deployment.key.repository,
        commit=deployment.commit,
        context=f"deploy/{deployment.key.environment}",
        state=_STATES[deployment.state],
        description=line(deployment.summary) or deployment.state.value.replace("_", " "),
        target_url=page,
        branch=branch,
    )


def worth_saying(status: CommitStatus, *, said: int) -> bool:
    """Whether there is room for a status on a commit that has got `said` of its context: ends are said the longest."""
    return said < (MOST_PENDING if status.state is StatusState.PENDING else MOST_STATUSES)


def forge_deployment(deployment: Deployment, *, environment: Environment, page: str) -> ForgeDeployment:
    """A deployment that has begun, for the page of its environment; `page` is the URL where people read more."""
    return ForgeDeployment(
        repository=deployment.key.repository,
        commit=deployment.commit,
        branch=environment.branch,
        environment=deployment.key.environment,
        state=_RECORDED[deployment.state],
        description=line(deployment.summary),
        url=page,
        external_id=deployment.id,
        environment_url=environment.environment_url,
        production=environment.production,
    )


def summary(
    results: Sequence[ObjectResult], *, seconds: float, left: Sequence[Place] = (), previewed: str | None = None
) -> str:
    """What a deployment did that went well, as in `12 objects, 3 changed, healthy in 14 s`.

    Args:
        results: what happened to each object.
        seconds: from the beginning of the deployment until all objects were healthy.
        left: where the environment was before.
        previewed: whether that is what people were shown before the merge.
    """
    actions = Counter(result.action for result in results)
    changed = sum(actions[action] for action in _CHANGED)
    parts = [
        standing(results),
        f"{changed} changed" if changed else "",
        *(f"{actions[action]} {action}" for action in (Action.DELETED, Action.KEPT) if actions[action]),
        "" if changed or actions[Action.DELETED] else "nothing to change",
        f"healthy in {_duration(seconds)}",
    ]
    return "; ".join(filter(None, [", ".join(filter(None, parts)), previewed, *map(still_there, left)]))


def standing(results: Sequence[ObjectResult]) -> str:
    """How many objects are there after a deployment because git wants them, as in `12 objects`."""
    there = sum(result.action in STANDING for result in results)
    return f"{there} object{'' if there == 1 else 's'}"


def readiness(ready: int, total: int, waiting: Sequence[Waiting]) -> str:
    """How a rollout stands, as in `4/6 ready: Deployment shop/web: 1 of 3 replicas available, and 1 more`."""
    more = f", and {len(waiting) - 1} more" if len(waiting) > 1 else ""
    return cut(f"{ready}/{total} ready{f': {_named(waiting[0])}' if waiting else ''}{more}", SUMMARY_LENGTH)


def unready(ready: int, total: int, waiting: Sequence[Waiting], *, seconds: float) -> str:
    """How a rollout stood when its time was up: everything that is not healthy, and why."""
    return f"{ready}/{total} ready after {seconds:.0f} s: {'; '.join(map(_named, waiting))}"


def failed(objects: Sequence[Waiting]) -> str:
    """What cannot become healthy any more, and why."""
    return "; ".join(map(_named, objects))


def still_there(place: Place) -> str:
    """What to know about a place that an environment has left."""
    where = f"cluster {place.cluster}, namespace {place.namespace}"
    inventory = f"kubectl --namespace {place.namespace} get configmap {place.inventory}"
    return f"what it had in {where} is still there (inventory: {inventory}; the log says how to delete it)"


def left_behind(key: EnvironmentKey, place: Place) -> str:
    """What to know about an environment that the settings do not have any more."""
    where = f"cluster {place.cluster}, namespace {place.namespace}"
    return f"{key} left the settings; what it had in {where} is still there; to delete it: {clean_up(place)}"


def clean_up(place: Place) -> str:
    """The commands that delete what an environment left at a place: all kinds in its inventory, then the inventory.

    The label is on no other object. https://git.k8s.io/enhancements/keps/sig-cli/3659-kubectl-apply-prune
    """
    kubectl = f"kubectl --namespace {place.namespace}"
    kinds = r"{.metadata.annotations.applyset\.kubernetes\.io/contains-group-kinds}"
    listed = f"{kubectl} get configmap {place.inventory} --output 'jsonpath={kinds}'"
    objects = f'kubectl delete "$({listed})" --all-namespaces --selector {PART_OF}={place.applyset}'
    return f"{objects} && {kubectl} delete configmap {place.inventory}"


def failure_summary(failure: Failure) -> str:
    """Where and why a deployment ended, as in `render: accumulating resources: …`; at most `SUMMARY_LENGTH` long."""
    return cut(f"{failure.stage}: {line(failure.message) or 'no reason was given'}", SUMMARY_LENGTH)


def line(text: str) -> str:
    """`text` on one line: no escape sequence, control character or bidirectional override; white space as one space."""
    visible = (each for each in _ESCAPE_SEQUENCE.sub("", text) if each.isprintable() or each.isspace())
    return " ".join("".join(visible).split())


def cut(text: str, limit: int) -> str:
    """`text` in at most `limit` characters (code points, at least one), with `…` where something was left out.

    A chain of reasons (`stage: what: …: cause`) keeps its two ends, any other text its beginning; words stay whole
    unless one alone is too long.
    """
    if len(text) <= limit:
        return text
    for named in (3, 2, 1):
        beginning = _beginning(text, named)
        if beginning and len(beginning) <= limit // 2:
            return f"{beginning}… {_last_words(text[len(beginning) :], limit - len(beginning) - 2)}"
    return f"{_first_words(text, limit - 1)}…"


def _beginning(text: str, named: int) -> str:
    """The first `named` reasons of a chain, or nothing when none follows them or two are all that there is."""
    reasons = text.split(": ")
    return ": ".join(reasons[:named]) + ": " if len(reasons) > max(named, 2) else ""


def _first_words(text: str, most: int) -> str:
    end = text.rfind(" ", 0, most + 1)
    return text[:end].rstrip(" ,;:") if end > most // 2 else text[:most]


def _last_words(text: str, most: int) -> str:
    """The longest ending of whole words, and of whole reasons where that does not cost more than half of it."""
    ending = text[len(text) - most :]
    for separator in (": ", " "):
        _, found, rest = (text[len(text) - most - len(separator) :]).partition(separator)
        if found and len(rest) >= most // 2:
            return rest
    return ending


def _named(unready: Waiting) -> str:
    """`Deployment shop/web: 1 of 3 replicas available`: without the group, because a line on a commit is short."""
    ref = unready.ref
    name = f"{ref.namespace}/{ref.name}" if ref.namespace else ref.name
    return f"{ref.kind} {name}: {line(unready.reason)}"


def _duration(seconds: float) -> str:
    tenths = max(1, round(seconds * 10))
    if tenths < 100:
        return f"{tenths / 10} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes >= 2 else f"{round(seconds)} s"
