"""An environment in the settings file: what is deployed where, and what it may do there.

Names that stand elsewhere in the file, such as the cluster's, are not looked up here.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, Strict, ValidationInfo, model_validator

from deployer.model import Allow, Drift, DriftRule, PrunePolicy
from deployer.settings.addresses import HttpUrl, RemoteUrl
from deployer.settings.names import Deployer, KindName, Label, Overlay, Pointer, ServiceAccount, Text
from deployer.settings.section import Flag, Seconds, Section


class PruneSettings(Section):
    """What one deployment may delete. Without a budget: half, once there are more than ten objects."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    max_percent: Annotated[int, Strict(), Field(ge=1, le=100)] | None = None
    """At most so many percent of the environment's objects."""
    max_objects: Annotated[int, Strict(), Field(ge=0)] | None = None
    """At most so many objects."""
    protected: Flag = True
    """Never delete PersistentVolumeClaims, Namespaces and CustomResourceDefinitions."""


def _prune(value: Any, info: ValidationInfo) -> bool | PruneSettings:  # noqa: ANN401 - whatever the file holds
    """Complain once, where a union would complain once for each of its members."""
    if isinstance(value, bool | PruneSettings):
        return value
    if isinstance(value, dict) and value:
        return PruneSettings.model_validate(value, context=info.context)
    raise ValueError("expected true, false or {max_percent: 30, max_objects: 20} (one of them or both)")


def _some(value: Any) -> Any:  # noqa: ANN401 - whatever the file holds
    """Complain before the entries are looked at: pydantic counts only those that are right."""
    if value == []:
        raise ValueError("empty; at least one is needed")
    return value


_AT_LEAST_ONE = Field(default=None, json_schema_extra={"minItems": 1})


class AllowSettings(Section):
    """What the objects of an environment may be; one that is anything else fails the deployment."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    namespaces: Annotated[tuple[Label, ...] | None, BeforeValidator(_some)] = _AT_LEAST_ONE
    """The namespaces that objects may be in. Default: any."""
    kinds: Annotated[tuple[KindName, ...] | None, BeforeValidator(_some)] = _AT_LEAST_ONE
    """The kinds that objects may have, as in Deployment or Certificate.cert-manager.io. Default: any."""
    cluster_scoped: Flag = False
    """Whether objects without a namespace are allowed, too."""


def _allow(value: Any) -> Any:  # noqa: ANN401 - whatever the file holds
    if value == {}:
        raise ValueError("expected namespaces, kinds or cluster_scoped, at least one of them")
    return value


class DriftRuleSettings(Section):
    """What of an environment's objects is left to others: no drift, and not written once it is there."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["path"]}, {"required": ["managers"]}]})

    kind: KindName | None = None
    """Only of this kind, as in Deployment or Certificate.cert-manager.io. Default: any."""
    name: Text | None = None
    """Only of the object of this name. Default: any."""
    path: Pointer | None = None
    """JSON pointer into the manifest, as in /spec/replicas; * is any item or key. Default: the whole object."""
    managers: Annotated[tuple[Text, ...] | None, BeforeValidator(_some)] = _AT_LEAST_ONE
    """Only what these field managers wrote, as in keda-operator. Default: whoever wrote it."""

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        """All of an object is left alone by its annotation, where whoever reads its manifest sees it."""
        if self.path is None and self.managers is None:
            raise ValueError("expected path or managers, or both")
        return self

    @property
    def rule(self) -> DriftRule:
        """It in the model's words."""
        return DriftRule(self.kind, self.name, self.path, self.managers or ())


class EnvironmentSettings(Section):
    """One overlay on one cluster."""

    overlay: Overlay
    """Folder with a kustomization, inside the repository."""
    cluster: Text
    """Name of one of the clusters."""
    namespace: Label
    """For objects that name none, and home of the inventory."""
    drift: Drift = Drift.REPORT
    """What happens to a live object that moved away from git: set back, only reported, or not looked for."""
    drift_interval: Seconds = 300
    """Seconds from one look for drift to the next."""
    drift_ignore: tuple[DriftRuleSettings, ...] = ()
    """What of the objects is left to others. Default: nothing."""
    on_conflict: Literal["force", "fail"] = "force"
    """A field that another field manager owns: take it over, or fail the deployment."""
    prune: Annotated[bool | PruneSettings, BeforeValidator(_prune)] = True
    """Delete what left git: true, false, or true within a budget."""
    rollout_timeout: Seconds = 300
    """Seconds until not healthy means failed."""
    allow: Annotated[AllowSettings | None, BeforeValidator(_allow)] = None
    """What the objects may be: which namespaces and kinds. Default: whatever the credentials may."""
    service_account: ServiceAccount | None = None
    """NAMESPACE/NAME of the account that every request to the cluster is made as. Default: the credentials' user."""
    allow_remote: tuple[RemoteUrl, ...] = ()
    """Beginnings of the URLs that kustomize may fetch bases, files and charts from. Default: it fetches nothing."""
    helm: Flag = False
    """Let kustomize run Helm for the helmCharts of the overlay."""
    environment_url: HttpUrl | None = None
    """Where people visit what runs in it; the forge links to it. Default: nowhere."""
    production: Flag = False
    """Whether its users meet it: the forge marks such an environment."""
    deployers: Annotated[tuple[Deployer, ...] | None, BeforeValidator(_some)] = _AT_LEAST_ONE
    """Who of those who can write may ask for a deployment in a comment or by a button: users, and teams as in
    acme/operators. Default: all of them."""

    require_preview_match: Flag = False
    """Hold a merge whose manifests are not the ones that a preview showed, until a person deploys it."""

    @property
    def prune_policy(self) -> PrunePolicy | None:
        """`prune` in the model's words."""
        if isinstance(self.prune, PruneSettings):
            return PrunePolicy(self.prune.max_percent, self.prune.max_objects, self.prune.protected)
        return PrunePolicy() if self.prune else None

    @property
    def drift_rules(self) -> tuple[DriftRule, ...]:
        """`drift_ignore` in the model's words."""
        return tuple(each.rule for each in self.drift_ignore)

    @property
    def allowed(self) -> Allow | None:
        """`allow` in the model's words."""
        if self.allow is None:
            return None
        return Allow(self.allow.namespaces, self.allow.kinds, self.allow.cluster_scoped)
