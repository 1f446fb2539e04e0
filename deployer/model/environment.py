"""What an environment is: an overlay, a cluster, and the policy of the two."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from deployer.model.drift import DriftRule


class ForgeKind(StrEnum):
    """The software a forge runs."""

    GITHUB = "github"
    GITLAB = "gitlab"


class Drift(StrEnum):
    """What to do about a live object that moved away from git."""

    REVERT = "revert"
    REPORT = "report"
    IGNORE = "ignore"


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


@dataclass(frozen=True, slots=True, order=True)
class BranchKey:
    """What names a branch of a repository everywhere."""

    forge: str
    repository: str
    name: str

    def __str__(self) -> str:
        return f"{self.forge}/{self.repository}@{self.name}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str` wrote. Of the three only the name of the branch may have an `@` in it.

        Raises:
            ValueError: a part is missing.
        """
        forge, _, rest = text.partition("/")
        repository, _, name = rest.partition("@")
        if not (forge and repository and name):
            raise ValueError(f"not a branch key: {text!r}")
        return cls(forge, repository, name)


@dataclass(frozen=True, slots=True, order=True)
class PullRequestKey:
    """What names a pull or merge request everywhere."""

    forge: str
    repository: str
    number: int

    def __str__(self) -> str:
        return f"{self.forge}/{self.repository}#{self.number}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str` wrote.

        Raises:
            ValueError: a part is missing.
        """
        forge, _, rest = text.partition("/")
        repository, _, number = rest.rpartition("#")
        return cls(forge, repository, int(number))


@dataclass(frozen=True, slots=True)
class PrunePolicy:
    """What a deployment may delete of the objects that left git. None: no limit of that sort."""

    max_percent: int | None = None
    """Of the objects in the inventory, 1 to 100."""
    max_objects: int | None = None
    protected: bool = True
    """Whether PersistentVolumeClaims, Namespaces and CustomResourceDefinitions are never deleted."""


@dataclass(frozen=True, slots=True)
class Allow:
    """What the objects of an environment may be. None: not limited in that respect."""

    namespaces: tuple[str, ...] | None = None
    kinds: tuple[str, ...] | None = None
    """`Deployment` is Kubernetes' own kind, whichever group of its has it; `Certificate.cert-manager.io` names one."""
    cluster_scoped: bool = False
    """Whether objects without a namespace are allowed, too."""


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
    drift_ignore: tuple[DriftRule, ...] = ()
    """What is left to others: neither drift nor written once it is there."""
    prune: PrunePolicy | None = PrunePolicy()
    """None: nothing is ever deleted."""
    allow: Allow | None = None
    """None: whatever the credentials may."""
    service_account: str | None = None
    """`namespace/name` of the account that every request to the cluster is made as. None: the credentials' own user."""
    allow_remote: tuple[str, ...] = ()
    """Where kustomize and Helm may fetch from, as `scheme://host/path` in one spelling, without a slash at the end."""
    helm: bool = False
    """Whether kustomize may run Helm."""
    require_preview_match: bool = False
    """Whether a merge is held whose manifests no preview has shown."""
    environment_url: str = ""
    """Where people visit what runs in it; empty: nowhere."""
    production: bool = False
    """Whether its users meet it."""
    deployers: tuple[str, ...] = ()
    """Who may ask for a deployment by hand at the forge, besides being able to write: people by login, and with a slash
    in it, teams. None: whoever can write."""

    @property
    def branch_key(self) -> BranchKey:
        """The branch that it is deployed from."""
        return BranchKey(self.key.forge, self.key.repository, self.branch)


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
