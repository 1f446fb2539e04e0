"""The values that every part of the deployer speaks in, and the two errors.

Frozen, comparable, free of behaviour that touches the world. This module imports nothing of the project.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Self

FIELD_MANAGER = "deployer"
"""Under this name the cluster remembers which fields of an object are git's."""

JSON = str | int | float | bool | None | list["JSON"] | dict[str, "JSON"]
"""What `json.loads` can return."""


class Stage(StrEnum):
    """Where in its life a deployment is, and where an error arose."""

    RECEIVE = "receive"
    PLAN = "plan"
    FETCH = "fetch"
    RENDER = "render"
    APPLY = "apply"
    ROLLOUT = "rollout"
    REPORT = "report"


class State(StrEnum):
    """The state of a deployment. The last four are final."""

    QUEUED = "queued"
    RUNNING = "running"
    ROLLING_OUT = "rolling_out"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SUPERSEDED = "superseded"
    HELD = "held"

    @property
    def final(self) -> bool:
        """Whether nothing will change this state any more."""
        return self in (State.SUCCEEDED, State.FAILED, State.SUPERSEDED, State.HELD)


class Trigger(StrEnum):
    """Why a deployment was made."""

    MERGE = "merge"
    REPLAY = "replay"
    SWEEP = "sweep"
    RERUN = "rerun"
    MANUAL = "manual"
    DRIFT = "drift"
    ROLLBACK = "rollback"


class ForgeKind(StrEnum):
    """The software a forge runs."""

    GITHUB = "github"
    GITLAB = "gitlab"


class Drift(StrEnum):
    """What to do about a live object that moved away from git."""

    REVERT = "revert"
    REPORT = "report"
    IGNORE = "ignore"


class Failure(Exception):  # noqa: N818 - its two kinds are named for what they mean to the reader
    """Something that ends or delays a deployment. Raise one of its two kinds.

    The message says what was being done, to what, what went wrong and what to do about it. It is read on the
    commit and in the log, so it never contains a secret.
    """

    def __init__(self, message: str, *, stage: Stage) -> None:
        super().__init__(message)
        self.message = message
        self.stage = stage


class Permanent(Failure):
    """Trying again would fail again: bad input, refused, forbidden."""


class Temporary(Failure):
    """Trying again may work: network, lock, overload, a commit that is not there yet."""

    def __init__(self, message: str, *, stage: Stage, retry_after: float | None = None) -> None:
        super().__init__(message, stage=stage)
        self.retry_after = retry_after
        """Seconds that the other side asked us to wait, if it did."""


@dataclass(frozen=True, slots=True)
class Merge:
    """An event: `commit` is now the tip of `branch`."""

    repository: str
    """The forge's full name, as in `acme/shop`."""
    branch: str
    commit: str
    """40 or 64 lower-case hexadecimal digits."""
    actor: str | None = None
    """Who merged or pushed, in the forge's user name."""
    title: str | None = None
    """What was merged, for people: `#12 Raise the replicas` or the commit's subject."""
    guessed: bool = False
    """The payload does not name the new tip: `commit` is it in most cases, and otherwise not on the branch at all."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """An event that is authentic and does not concern us."""

    reason: str


Event = Merge | Ignored


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook request as it came, kept so that it can be sent through again."""

    forge: str
    id: str
    headers: tuple[tuple[str, str], ...]
    """Only those that say what the delivery is; never a signature or a token. Lower-case names."""
    body: bytes
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Receipt:
    """When and how often one delivery came."""

    first_at: datetime
    last_at: datetime
    times: int


@dataclass(frozen=True, slots=True, order=True)
class EnvironmentKey:
    """What names an environment everywhere: in Redis, in logs, in the URL of a page."""

    forge: str
    repository: str
    environment: str

    def __str__(self) -> str:
        return f"{self.forge}/{self.repository}/{self.environment}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str` wrote. Forge and environment have no slash in them; a repository has one or more.

        Raises:
            ValueError: `text` has fewer than four parts.
        """
        forge, _, rest = text.partition("/")
        repository, _, environment = rest.rpartition("/")
        if not (forge and "/" in repository and environment):
            raise ValueError(f"not an environment key: {text!r}")
        return cls(forge, repository, environment)

    @property
    def inventory(self) -> str:
        """Name of the ConfigMap that heads this environment's objects in its namespace.

        The forge is not in it and the repository only as a slug, so two keys can share one; the settings refuse that.
        """
        slug = re.sub(r"[^a-z0-9]+", "-", self.repository.lower()).strip("-")
        return f"deployer.{self.environment}.{slug}"


@dataclass(frozen=True, slots=True)
class PrunePolicy:
    """What a deployment may delete of the objects that left git. None: no limit of that sort."""

    max_percent: int | None = None
    """Of the objects in the inventory, 1 to 100."""
    max_objects: int | None = None
    protected: bool = True
    """Whether PersistentVolumeClaims, Namespaces and CustomResourceDefinitions are never deleted."""


@dataclass(frozen=True, slots=True)
class Environment:
    """One overlay of one repository on one cluster, with its policy."""

    key: EnvironmentKey
    branch: str
    overlay: str
    """Folder with a kustomization, relative to the repository's root, without a leading or trailing slash."""
    cluster: str
    namespace: str
    force_conflicts: bool
    """Take over fields that another manager owns; otherwise they fail the deployment."""
    rollout_timeout: int
    """Seconds."""
    drift: Drift = Drift.REPORT
    drift_interval: int = 300
    """Seconds from one look for drift to the next."""
    prune: PrunePolicy | None = PrunePolicy()
    """None: nothing is ever deleted."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an environment's objects are: enough to find them when the settings say something else by now."""

    cluster: str
    """Its name in the settings."""
    namespace: str
    """Home of the inventory."""
    inventory: str
    """Name of the ConfigMap that heads the objects."""
    applyset: str
    """Id of the set: the value of the label that every object carries."""


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """The name of one Kubernetes object, as people read it."""

    api_version: str
    kind: str
    namespace: str | None
    name: str

    def __str__(self) -> str:
        group = self.api_version.rpartition("/")[0]
        kind = f"{self.kind}.{group}" if group else self.kind
        return f"{kind} {self.namespace}/{self.name}" if self.namespace else f"{kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Manifest:
    """One Kubernetes object in the form in which git wants it."""

    ref: ObjectRef
    content: Mapping[str, JSON] = field(repr=False)
    """The whole object. Not in the representation: it may be a Secret."""


@dataclass(frozen=True, slots=True)
class Manifests:
    """Everything that one overlay renders to: at least one object, no object twice."""

    objects: tuple[Manifest, ...]
    """In the order of the rendered output."""
    digest: str
    """SHA-256 in hexadecimal over the content of all objects, whatever their order and however they were written."""


class Action(StrEnum):
    """What happened to one object."""

    CREATED = "created"
    UPDATED = "updated"
    RECREATED = "recreated"
    UNCHANGED = "unchanged"
    DELETED = "deleted"
    KEPT = "kept"
    """It stays as it is, for the reason that the message gives."""
    FAILED = "failed"
    SKIPPED = "skipped"
    """Not tried, because something that it needs failed before it."""


@dataclass(frozen=True, slots=True)
class ObjectResult:
    """What happened to one object and, unless all went well, why."""

    ref: ObjectRef
    action: Action
    message: str = ""


@dataclass(frozen=True, slots=True)
class StageRecord:
    """One stage of one deployment, for people who ask where the time went."""

    stage: Stage
    started_at: datetime
    finished_at: datetime | None = None
    message: str = ""


ON_ITS_WAY = "on its way"
"""The summary of a deployment until there is something to say. One text for all of it, so that it is said once."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """One attempt to bring one environment to one commit."""

    id: str
    key: EnvironmentKey
    commit: str
    trigger: Trigger
    state: State
    summary: str
    """One line that says what happened, or what is happening."""
    created_at: datetime
    finished_at: datetime | None = None
    delivery: str | None = None
    """Id of the delivery that asked for it."""
    actor: str | None = None
    title: str | None = None


class StatusState(StrEnum):
    """What a commit status can say, on any forge."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True)
class CommitStatus:
    """One line on a commit, as a forge shows it."""

    repository: str
    commit: str
    context: str
    state: StatusState
    description: str
    target_url: str
