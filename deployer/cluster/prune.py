"""Which of the objects that left git are deleted, and when that is too many. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from deployer.cluster import identity
from deployer.cluster.applyset import group_kind, is_head
from deployer.cluster.desired import PRUNE, asks
from deployer.cluster.disguise import shown
from deployer.model import JSON, PART_OF, ObjectRef, Permanent, PrunePolicy, Stage

DEFAULT_PERCENT = 50
DEFAULT_FROM = 10
"""Objects in the inventory up to which no default budget applies: of a few objects half may well go at once."""

_PROTECTED = frozenset({
    ("v1", "PersistentVolumeClaim"),
    ("v1", "Namespace"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
    ("apiextensions.k8s.io/v1beta1", "CustomResourceDefinition"),
})  # fmt: skip
"""With these goes data that no deployment brings back."""

_NAMED = 10


@dataclass(frozen=True, slots=True)
class Extra:
    """An object of the set that git does not name."""

    ref: ObjectRef
    path: str
    content: Mapping[str, JSON] = field(repr=False)

    @property
    def shown(self) -> Mapping[str, JSON]:
        """The object as people may see it."""
        return shown(self.content)


def is_made_by_controller(extra: Extra) -> bool:
    """Whether a controller made the object and copied our label to it: then it is that controller's to delete."""
    if extra.ref.api_version == "v1" and extra.ref.kind == "Endpoints":
        return bool(_mapping(identity.metadata(extra.content).get("annotations")).get(_TRIGGERED)) or _has_no_owner(
            extra
        )
    owners = identity.metadata(extra.content).get("ownerReferences")
    return any(_mapping(owner).get("controller") is True for owner in (owners if isinstance(owners, list) else []))


def kept(extra: Extra, policy: PrunePolicy | None) -> str:
    """Why an object that left git stays, or nothing."""
    if policy is None:
        return "left git; pruning is off for this environment"
    if is_head(extra.content):
        return "left git; kept because it heads a set of objects, which would be forgotten"
    if asks(extra.content, PRUNE) == "false":
        return f'left git; kept because it says {PRUNE}: "false"'
    if policy.protected and (extra.ref.api_version, extra.ref.kind) in _PROTECTED:
        return "left git; its kind is deleted only with prune: {protected: false}"
    return ""


def inhabitant(gone: ObjectRef, content: Mapping[str, JSON], staying: Iterable[ObjectRef]) -> ObjectRef | None:
    """One of the objects that stay which would go with another: because it is in that Namespace, or of that kind."""
    if (gone.api_version, gone.kind) == ("v1", "Namespace"):
        return next((ref for ref in staying if ref.namespace == gone.name), None)
    if group_kind(gone.api_version, gone.kind) == "CustomResourceDefinition.apiextensions.k8s.io":
        spec = _mapping(content.get("spec"))
        defined = f"{_mapping(spec.get('names')).get('kind')}.{spec.get('group')}"
        return next((ref for ref in staying if group_kind(ref.api_version, ref.kind) == defined), None)
    return None


def not_recreated(ref: ObjectRef, live: identity.Content, *, applyset: str, policy: PrunePolicy | None) -> str:
    """Why an object that asks to be deleted and created anew is not, or nothing.

    Args:
        ref: the object.
        live: as it is in the cluster.
        applyset: id of our set; nothing else is deleted, whoever may take fields over.
        policy: of the environment.
    """
    if identity.applyset(live) != applyset:
        return (
            "can only be deleted and created anew, but is not ours; delete it yourself, or take it into this set first "
            f"by the label {PART_OF}={applyset}"
        )
    if (policy is None or policy.protected) and (ref.api_version, ref.kind) in _PROTECTED:
        return (
            "can only be deleted and created anew, and data would go with it: its kind is deleted only with prune: "
            "{protected: false}"
        )
    return ""


def refuse_over_budget(going: Sequence[ObjectRef], *, size: int, policy: PrunePolicy) -> None:
    """Make sure that a deployment does not delete more than its environment allows.

    Args:
        going: what would be deleted.
        size: objects in the inventory before.
        policy: the budget. Without one, half of them once there are more than `DEFAULT_FROM`.

    Raises:
        Permanent: names what would go.
    """
    limit = _limit(policy, size)
    if limit is None or len(going) <= limit[0]:
        return
    named = ", ".join(map(str, going[:_NAMED])) + (f" and {len(going) - _NAMED} more" if len(going) > _NAMED else "")
    message = (
        f"would delete {len(going)} of {size} objects, more than the prune budget of {limit[1]} allows; nothing was "
        f"changed. If they are to go, raise the environment's prune budget, or take them out of git in steps: {named}"
    )
    raise Permanent(message, stage=Stage.APPLY)


def _limit(policy: PrunePolicy, size: int) -> tuple[int, str] | None:
    limits = []
    if policy.max_percent is not None:
        limits.append((size * policy.max_percent // 100, f"{policy.max_percent} %"))
    if policy.max_objects is not None:
        limits.append((policy.max_objects, f"{policy.max_objects} objects"))
    if not limits and size > DEFAULT_FROM:
        limits.append((size * DEFAULT_PERCENT // 100, f"{DEFAULT_PERCENT} % (the default)"))
    return min(limits, default=None)


_TRIGGERED = "endpoints.kubernetes.io/last-change-trigger-time"


def _has_no_owner(extra: Extra) -> bool:
    """The endpoints controller copies a Service's labels and leaves no reference to it, only its field manager."""
    entries = identity.metadata(extra.content).get("managedFields")
    managers = {_mapping(entry).get("manager") for entry in (entries if isinstance(entries, list) else [])}
    return managers <= {"kube-controller-manager", "endpoint-controller"}


def _mapping(value: JSON) -> Mapping[str, JSON]:
    return value if isinstance(value, dict) else {}
