"""What a forge can show of a deployment or a preview beyond one line on a commit: a check run with buttons, and an
environment with its deployments. Nothing in here knows how either is sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class CheckState(StrEnum):
    """The state of a check. All but the first two are final."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    SUCCESS = "success"
    FAILURE = "failure"
    CANCELLED = "cancelled"
    NEUTRAL = "neutral"
    ACTION_REQUIRED = "action_required"

    @property
    def final(self) -> bool:
        """Whether the check is over."""
        return self not in (CheckState.QUEUED, CheckState.IN_PROGRESS)


class AnnotationLevel(StrEnum):
    """How bad it is what an annotation says."""

    NOTICE = "notice"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Annotation:
    """Something to say about one line of a file."""

    path: str
    """Relative to the root of the repository."""
    line: int
    """Counted from 1."""
    message: str
    level: AnnotationLevel = AnnotationLevel.FAILURE


@dataclass(frozen=True, slots=True)
class Button:
    """Something that a person can ask for when the check is over."""

    label: str
    """At most 20 characters are shown."""
    description: str
    """At most 40 characters are shown."""
    identifier: str
    """What the forge sends back when the button is pressed; 1 to 20 characters."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check on one commit, with all that a person wants to know of it."""

    repository: str
    commit: str
    name: str
    """As in `deploy/staging`."""
    state: CheckState
    title: str
    """One line."""
    summary: str
    """Markdown."""
    url: str
    """Where people read more."""
    external_id: str
    """Ours: what the check is about, for instance a deployment's id. Two checks of one name and commit differ in it."""
    started_at: datetime | None = None
    completed_at: datetime | None = None
    annotations: tuple[Annotation, ...] = ()
    """A later state of the same check may only add to them at the end: a forge takes none back."""
    actions: tuple[Button, ...] = ()
    """At most three."""


class DeploymentState(StrEnum):
    """What an environment's page on a forge can say of one deployment."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    SUCCESS = "success"
    FAILURE = "failure"
    CANCELLED = "cancelled"
    """Given up for a newer one before it was done."""
    INACTIVE = "inactive"
    """It was a success, and something else runs now."""

    @property
    def final(self) -> bool:
        """Whether the deployment is over."""
        return self not in (DeploymentState.QUEUED, DeploymentState.IN_PROGRESS)


@dataclass(frozen=True, slots=True)
class ForgeDeployment:
    """One deployment as the forge's page of its environment shows it."""

    repository: str
    commit: str
    branch: str
    environment: str
    state: DeploymentState
    description: str
    """One line."""
    url: str
    """Where people read more."""
    external_id: str
    """Ours: the deployment's id."""
    environment_url: str = ""
    """Where what was deployed can be visited, if anywhere."""
    production: bool = False
    """Whether its users meet it. GitHub leaves older ones of such an environment active until they are recorded as
    inactive; those of any other it makes inactive by itself."""
