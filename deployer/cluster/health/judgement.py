"""What can be said of the health of an object. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from deployer.cluster.refusal import capped


class Health(StrEnum):
    """Whether an object is where it was asked to be."""

    READY = "ready"
    PROGRESSING = "progressing"
    FAILED = "failed"
    """It says itself that waiting does not help."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The health of one object, and why."""

    health: Health
    reason: str
    """One line, as in `2 of 3 replicas updated`; never too long for a log."""


def ready(reason: str) -> Judgement:
    """It is as it was asked to be."""
    return Judgement(Health.READY, capped(reason))


def progressing(reason: str) -> Judgement:
    """It may still get there."""
    return Judgement(Health.PROGRESSING, capped(reason))


def failed(reason: str) -> Judgement:
    """It will not get there."""
    return Judgement(Health.FAILED, capped(reason))
