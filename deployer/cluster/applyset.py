"""The inventory of an environment, as the Kubernetes ApplySet specification has it so that others can read it. Pure.

https://github.com/kubernetes/enhancements/tree/master/keps/sig-cli/3659-kubectl-apply-prune
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from deployer.model import JSON, Allow, Drift, DriftRule, Environment, ObjectRef, PrunePolicy

TOOLING = "deployer/v1"
_PREFIX = "applyset.kubernetes.io/"
_ID = f"{_PREFIX}id"
_TOOLING = f"{_PREFIX}tooling"
_KINDS = f"{_PREFIX}contains-group-kinds"
_NAMESPACES = f"{_PREFIX}additional-namespaces"
_COMMIT = "deployer/commit"
_DEPLOYMENT = "deployer/deployment"
_DIGEST = "deployer/digest"
_FENCE = "deployer/fence"

_NAME = re.compile(r"deployer\.[^.]+\.[a-z0-9-]+")
_GROUP_KIND = r"[A-Za-z][A-Za-z0-9]*(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_FORMS = {
    _KINDS: re.compile(rf"({_GROUP_KIND}(,{_GROUP_KIND})*)?"),
    _FENCE: re.compile(r"[0-9]{0,16}"),
}
"""How annotations are written whose values get into a request, or are reckoned with."""

GroupKind = str
"""A kind and its group as the specification writes them: `Deployment.apps`, `ConfigMap`."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """Which deployment a set holds."""

    commit: str = ""
    deployment: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Scope:
    """Where an environment's objects are and what may be done to them."""

    namespace: str
    """For objects that name none, and home of the inventory."""
    inventory: str
    """Name of the ConfigMap that heads the set."""
    force: bool
    """Take over fields that another manager owns."""
    prune: PrunePolicy | None
    """None: nothing is deleted."""
    allow: Allow | None = None
    """What the objects may be; None: anything."""
    ignore: tuple[DriftRule, ...] = ()
    """What of the objects is left to others."""
    hold: bool = False
    """Take away what strayed into git's lists, too."""
    resting: frozenset[ObjectRef] | None = None
    """In a revert of drift, the objects that stay as they are: somebody changes them again each time. None: no revert,
    and all that git names is brought, such as Jobs that went by themselves after they had ended."""
    digest: str | None = None
    """Of the manifests that the set must hold. None: whichever it holds."""

    @classmethod
    def of(cls, environment: Environment) -> Scope:
        """The scope that the settings give an environment."""
        return cls(
            environment.namespace,
            environment.key.inventory,
            environment.force_conflicts,
            environment.prune,
            environment.allow,
            environment.drift_ignore,
            environment.drift is Drift.REVERT,
        )

    @property
    def head(self) -> ObjectRef:
        """What heads the set."""
        return ObjectRef("v1", "ConfigMap", self.namespace, self.inventory)

    @property
    def id(self) -> str:
        """The set's id, which its objects carry as a label."""
        return applyset_id(self.inventory, self.namespace)


@dataclass(frozen=True, slots=True)
class Inventory:
    """What the head of a set says: where its objects are to be looked for."""

    kinds: frozenset[GroupKind] = frozenset()
    namespaces: frozenset[str] = frozenset()
    """Beside the head's own."""
    stamp: Stamp = Stamp()
    fence: int = 0
    """Token of the worker that wrote it last; one with a lower token comes too late."""
    version: str | None = field(default=None, compare=False)
    """The head's resourceVersion; None when there is no head yet."""


def applyset_id(name: str, namespace: str) -> str:
    """The id of the set whose head is the ConfigMap `name` in `namespace`."""
    digest = hashlib.sha256(f"{name}.{namespace}.ConfigMap.".encode()).digest()
    return f"applyset-{base64.urlsafe_b64encode(digest).decode().rstrip('=')}-v1"


def group_kind(api_version: str, kind: str) -> GroupKind:
    """How the specification writes a kind."""
    group = api_version.rpartition("/")[0]
    return f"{kind}.{group}" if group else kind


def head(scope: Scope, inventory: Inventory) -> dict[str, JSON]:
    """The ConfigMap that heads a set. With a version it may replace that version only."""
    annotations = {
        _TOOLING: TOOLING,
        _KINDS: _listed(inventory.kinds),
        _NAMESPACES: _listed(inventory.namespaces - {scope.namespace}),
        _COMMIT: inventory.stamp.commit,
        _DEPLOYMENT: inventory.stamp.deployment,
        _DIGEST: inventory.stamp.digest,
        _FENCE: str(inventory.fence),
    }
    metadata: dict[str, JSON] = {
        "name": scope.inventory,
        "namespace": scope.namespace,
        "labels": {_ID: scope.id},
        "annotations": dict(annotations),
    }
    if inventory.version is not None:
        metadata["resourceVersion"] = inventory.version
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


def read_head(content: JSON) -> Inventory:
    """Read the ConfigMap that heads a set, whoever wrote it; what it does not say is taken as empty."""
    metadata = _mapping(_mapping(content).get("metadata"))
    annotations = {name: str(value) for name, value in _mapping(metadata.get("annotations")).items()}
    fence = annotations.get(_FENCE, "")
    return Inventory(
        kinds=_set(annotations.get(_KINDS)),
        namespaces=_set(annotations.get(_NAMESPACES)),
        stamp=Stamp(*(annotations.get(name, "") for name in (_COMMIT, _DEPLOYMENT, _DIGEST))),
        fence=int(fence) if fence.isdecimal() else 0,
        version=str(metadata.get("resourceVersion", "")),
    )


def is_head(content: JSON | Mapping[str, JSON]) -> bool:
    """Whether an object heads a set, ours or any other."""
    metadata = _mapping(content.get("metadata")) if isinstance(content, Mapping) else {}
    labels, annotations = _mapping(metadata.get("labels")), _mapping(metadata.get("annotations"))
    return _ID in labels or _TOOLING in annotations


def may_be_head(ref: ObjectRef) -> bool:
    """Whether an object has such a name as the deployer gives its inventories."""
    return (ref.api_version, ref.kind) == ("v1", "ConfigMap") and bool(_NAME.fullmatch(ref.name))


def lacks(content: JSON, scope: Scope) -> tuple[str, ...]:
    """What an object lacks to be the head of a set of ours."""
    metadata = _mapping(_mapping(content).get("metadata"))
    labels, annotations = _mapping(metadata.get("labels")), _mapping(metadata.get("annotations"))
    missing = [f"annotation {name}" for name in (_TOOLING, _KINDS, _NAMESPACES) if name not in annotations]
    missing += [
        f"proper annotation {name}"
        for name, form in _FORMS.items()
        if not form.fullmatch(str(annotations.get(name, "")))
    ]
    return (*([] if labels.get(_ID) == scope.id else [f"label {_ID}={scope.id}"]), *missing)


def tooling(content: JSON) -> str | None:
    """Which tool keeps the set that an object heads; None when it heads none."""
    annotations = _mapping(_mapping(_mapping(content).get("metadata")).get("annotations"))
    return str(annotations[_TOOLING]) if _TOOLING in annotations else None


def _listed(names: Iterable[str]) -> str:
    return ",".join(sorted(names))


def _set(listed: str | None) -> frozenset[str]:
    return frozenset(filter(None, (each.strip() for each in (listed or "").split(","))))


def _mapping(value: JSON) -> Mapping[str, JSON]:
    return value if isinstance(value, dict) else {}
