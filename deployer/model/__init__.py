"""The values that every part of the deployer speaks in, and the two errors.

Frozen, comparable, free of behaviour that touches the world. Nothing in here imports anything of the project.
"""

from deployer.model.deployment import ON_ITS_WAY, CommitStatus, Deployment, StageRecord, State, StatusState, Trigger
from deployer.model.environment import Allow, Drift, Environment, EnvironmentKey, ForgeKind, Place, PrunePolicy
from deployer.model.event import Delivery, Event, Ignored, Merge, Receipt
from deployer.model.failure import Failure, Permanent, Stage, Temporary
from deployer.model.objects import FIELD_MANAGER, JSON, PART_OF, Action, Manifest, Manifests, ObjectRef, ObjectResult

__all__ = [
    "FIELD_MANAGER",
    "JSON",
    "ON_ITS_WAY",
    "PART_OF",
    "Action",
    "Allow",
    "CommitStatus",
    "Delivery",
    "Deployment",
    "Drift",
    "Environment",
    "EnvironmentKey",
    "Event",
    "Failure",
    "ForgeKind",
    "Ignored",
    "Manifest",
    "Manifests",
    "Merge",
    "ObjectRef",
    "ObjectResult",
    "Permanent",
    "Place",
    "PrunePolicy",
    "Receipt",
    "Stage",
    "StageRecord",
    "State",
    "StatusState",
    "Temporary",
    "Trigger",
]
