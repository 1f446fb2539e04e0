"""What the records of deployments are called in Redis, for the modules that write them in one step."""

from __future__ import annotations

from deployer.model import EnvironmentKey

ALL = "deployer:deployments"
WAITING = "deployer:environments:waiting"
UNREPORTED = "deployer:unreported"


def record(deployment_id: str) -> str:
    """The hash of a deployment."""
    return f"deployer:deployment:{deployment_id}"


def stages(deployment_id: str) -> str:
    """The hash of its stages."""
    return f"{record(deployment_id)}:stages"


def log(deployment_id: str) -> str:
    """The list of its log."""
    return f"{record(deployment_id)}:log"


def objects(deployment_id: str) -> str:
    """What happened to its objects."""
    return f"{record(deployment_id)}:objects"


def rollout(deployment_id: str) -> str:
    """The hash of how its rollout stands."""
    return f"{record(deployment_id)}:rollout"


def parts(deployment_id: str) -> tuple[str, ...]:
    """Everything that is kept of one deployment."""
    return tuple(name(deployment_id) for name in (record, stages, log, objects, rollout))


def of_environment(key: str) -> str:
    """The index of an environment's deployments."""
    return f"deployer:deployments:{key}"


def queued(key: str) -> str:
    """The queue of an environment."""
    return f"deployer:queued:{key}"


def active(key: str, commit: str) -> str:
    """Which deployment others of the same commit join."""
    return f"deployer:active:{key}@{commit}"


def latest(key: str, commit: str) -> str:
    """Which deployment the status of a commit is about."""
    return f"deployer:latest:{key}@{commit}"


def report(key: EnvironmentKey, commit: str) -> str:
    """The status of a commit in an environment, among those that are owed."""
    return f"{key}@{commit}"
