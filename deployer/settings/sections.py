"""The settings file: its sections, their keys, and the rules that a section can check by itself.

The docstrings of keys are what an editor shows. A rule about two keys is checked at the later one of them, so that it
is reported together with every other mistake.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field, Strict, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from deployer.model import BranchKey, Environment, EnvironmentKey, ForgeKind
from deployer.settings.addresses import REPOSITORY, ApiUrl, CloneUrl, HttpUrl
from deployer.settings.environment import EnvironmentSettings
from deployer.settings.mistakes import suggestion
from deployer.settings.names import Branch, Label, RepositoryName, Text
from deployer.settings.secret import FileSecret, KubeconfigFile, Secret, SigningSecret
from deployer.settings.section import DAY, Flag, Origin, Retention, Seconds, Section

ABSENT = "absent"
"""Type of the error for a key that is missing only because of what else is there."""


class UnknownEnvironment(LookupError):  # noqa: N818 - reads as what happened
    """No such environment in the settings. The message says which ones there are."""


class AppSettings(Section):
    """A GitHub App, which posts check runs with buttons."""

    id: Annotated[int, Strict(), Field(ge=1)]
    """App ID, from the App's settings page."""
    private_key: Secret
    """Private key of the App, in PEM."""


def _default_api_url(validated: dict[str, Any]) -> str:
    return "https://api.github.com" if validated["kind"] is ForgeKind.GITHUB else "https://gitlab.com"


def _default_clone_url(validated: dict[str, Any]) -> str:
    """The host that has the API, as people see it: `api.` (github.com) and `/api/v3` (GitHub Enterprise) left away."""
    site: str = validated["api_url"]
    if validated["kind"] is ForgeKind.GITHUB:
        site = site.removesuffix("/api/v3").replace("://api.", "://", 1)
    return f"{site}/{REPOSITORY}.git"


def _only_with_webhooks(value: tuple[Secret, ...], info: ValidationInfo) -> tuple[Secret, ...]:
    if value and info.data.get("webhooks") is False:
        raise ValueError("only with webhooks, and there is webhooks: false")
    return value


class ForgeSettings(Section):
    """A Git host that sends webhooks and gets statuses."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"required": ["webhook_secrets"]},
                {"required": ["signing_secrets"]},
                {"required": ["webhooks"], "properties": {"webhooks": {"const": False}}},
            ],
            "not": {"required": ["token", "app"]},
        }
    )

    kind: ForgeKind
    """What the host runs: github or gitlab."""
    api_url: ApiUrl = Field(default_factory=_default_api_url)
    """Address of the API. Default: https://api.github.com or https://gitlab.com. GitHub Enterprise: ends in /api/v3."""
    clone_url: CloneUrl = Field(default_factory=_default_clone_url)
    """What git fetches from, with {repository} for the full name. Default: over https from the host of the API."""
    webhooks: Flag = True
    """Whether it sends webhooks. Without them it has no secrets, and only the sweep finds what was merged."""
    signing_secrets: tuple[SigningSecret, ...] = ()
    """GitLab only: signing tokens of the webhook, which start with whsec_. Several while one is being rotated."""
    webhook_secrets: tuple[Secret, ...] = Field(default=(), validate_default=True)
    """Secrets of the webhook. Several while one is being rotated. At least one, or one signing secret."""
    token: Secret | None = None
    """Token to fetch with and to post statuses with."""
    app: AppSettings | None = None
    """GitHub only: an App in the place of a token."""
    deployments: Flag = True
    """Record each deployment as a deployment of the forge, which shows on the forge what runs where."""

    @property
    def app_id(self) -> int | None:
        """Which GitHub App we are, if we are one."""
        return self.app.id if self.app else None

    @field_validator("signing_secrets")
    @classmethod
    def _signed_by_gitlab(cls, value: tuple[Secret, ...], info: ValidationInfo) -> tuple[Secret, ...]:
        if value and info.data.get("kind") is ForgeKind.GITHUB:
            raise ValueError("only for kind gitlab; a GitHub webhook has webhook_secrets")
        return _only_with_webhooks(value, info)

    @field_validator("webhook_secrets")
    @classmethod
    def _has_a_secret(cls, value: tuple[Secret, ...], info: ValidationInfo) -> tuple[Secret, ...]:
        # Only for a file: a forge that only posts, made in code, needs no secret.
        unproven = not value and info.data.get("signing_secrets") == () and info.data.get("webhooks") is True
        if unproven and isinstance(info.context, Origin):
            raise PydanticCustomError(ABSENT, "no secret; without one, no webhook could be told from a forged one")
        return _only_with_webhooks(value, info)

    @field_validator("app")
    @classmethod
    def _token_or_app(cls, value: AppSettings | None, info: ValidationInfo) -> AppSettings | None:
        if value is not None and info.data.get("kind") is ForgeKind.GITLAB:
            raise ValueError("only for kind github; GitLab takes a token")
        if value is not None and info.data.get("token") is not None:
            raise ValueError("token or app, not both")
        return value


class ClusterSettings(Section):
    """A Kubernetes cluster and how to reach it."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"required": ["kubeconfig"]},
                {"required": ["in_cluster"], "properties": {"in_cluster": {"const": True}}},
            ],
            "dependentRequired": {"context": ["kubeconfig"]},
        }
    )

    in_cluster: Flag = False
    """Use the service account of the pod that this runs in."""
    kubeconfig: KubeconfigFile | None = Field(default=None, validate_default=True)
    """Kubeconfig file. Its exec plugins run: name only files that you trust."""
    context: Text | None = None
    """Context of the kubeconfig. Default: its current context."""

    @field_validator("kubeconfig")
    @classmethod
    def _one_way(cls, value: FileSecret | None, info: ValidationInfo) -> FileSecret | None:
        in_cluster = info.data.get("in_cluster")
        if value is not None and in_cluster is True:
            raise ValueError("kubeconfig or in_cluster, not both")
        if value is None and in_cluster is False:
            raise PydanticCustomError(ABSENT, "missing; a cluster needs a kubeconfig or in_cluster: true")
        return value

    @field_validator("context")
    @classmethod
    def _of_a_kubeconfig(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("in_cluster") is True:
            raise ValueError("only together with kubeconfig")
        return value


class RepositorySettings(Section):
    """A repository, one branch of it, and where that branch runs."""

    name: RepositoryName
    """Full name on the forge, as in acme/shop; with subgroups on GitLab."""
    forge: Text
    """Name of one of the forges."""
    branch: Branch = "main"
    """The branch whose merges are deployed."""
    previews: Flag = True
    """Show on each pull or merge request to this branch what merging it would change."""
    preview_forks: Flag = False
    """Render requests from forks, too: input of people who may not write here, on a machine with credentials."""
    environments: Annotated[dict[Label, EnvironmentSettings], Field(min_length=1)]
    """Environments by name; the name is shown on the commit as deploy/NAME."""

    def environment(self, name: str) -> Environment:
        """Give the environment `name` as the model has it.

        Raises:
            KeyError: there is none of that name.
        """
        settings = self.environments[name]
        return Environment(
            key=EnvironmentKey(self.forge, self.name, name),
            branch=self.branch,
            overlay=settings.overlay,
            cluster=settings.cluster,
            namespace=settings.namespace,
            force_conflicts=settings.on_conflict == "force",
            rollout_timeout=settings.rollout_timeout,
            drift=settings.drift,
            drift_interval=settings.drift_interval,
            drift_ignore=settings.drift_rules,
            prune=settings.prune_policy,
            allow=settings.allowed,
            service_account=settings.service_account,
            allow_remote=settings.allow_remote,
            helm=settings.helm,
            require_preview_match=settings.require_preview_match,
            environment_url=settings.environment_url or "",
            production=settings.production,
            deployers=settings.deployers or (),
        )


class Settings(Section):
    """Settings of the deployer."""

    url: HttpUrl
    """How people reach this deployer: links in statuses start with it."""
    forges: dict[Label, ForgeSettings]
    """Git hosts by name; the name ends the webhook path /webhooks/NAME."""
    clusters: dict[Label, ClusterSettings]
    """Kubernetes clusters by name."""
    api_tokens: tuple[Secret, ...] = ()
    """Tokens that open /api. Without one, /api answers 403."""
    audit_retention: Retention = 90 * DAY
    """Seconds that rows of the audit are kept, at least a day. By default 90 days, as long as deployments."""
    sweep_interval: Seconds = 180
    """Seconds from one look at each branch to the next, for merges whose webhook never came."""
    repositories: tuple[RepositorySettings, ...]
    """What is deployed. A repository may be here several times, once for each of its branches."""

    @cached_property
    def environments(self) -> tuple[Environment, ...]:
        """Every environment of every repository, in the order of the file."""
        return tuple(entry.environment(name) for entry in self.repositories for name in entry.environments)

    @property
    def files(self) -> frozenset[Path]:
        """Every file that a secret or a cluster is read from."""
        return frozenset(each.file for each in _files((self.forges, self.clusters, self.api_tokens)))

    @cached_property
    def branches(self) -> tuple[BranchKey, ...]:
        """Every branch that is deployed, in the order of the file."""
        return tuple(dict.fromkeys(environment.branch_key for environment in self.environments))

    def lanes(self, key: EnvironmentKey) -> tuple[str, ...]:
        """What an environment shares with others: its repository and its cluster, where there are several of them."""
        return self._lanes.get(key, ())

    @cached_property
    def _lanes(self) -> dict[EnvironmentKey, tuple[str, ...]]:
        pairs = {
            each.key: (f"repository {each.key.forge}/{each.key.repository}", f"cluster {each.cluster}")
            for each in self.environments
        }
        if not pairs:
            return {}
        repositories, clusters = (len(set(names)) > 1 for names in zip(*pairs.values(), strict=True))
        return {
            key: (*(pair[:1] if repositories else ()), *(pair[1:] if clusters else ())) for key, pair in pairs.items()
        }

    def environment(self, key: EnvironmentKey) -> Environment:
        """Give the environment that `key` names.

        Raises:
            UnknownEnvironment: the settings have none; perhaps they had one before.
        """
        known = {environment.key: environment for environment in self.environments}
        if key not in known:
            near = suggestion(str(key), map(str, known))
            raise UnknownEnvironment(f"no environment {key} in the settings{near}")
        return known[key]

    def clone_url(self, forge: str, repository: str) -> str:
        """Give the URL that git fetches `repository` from, which holds no credentials.

        Raises:
            KeyError: there is no such forge.
        """
        return self.forges[forge].clone_url.replace(REPOSITORY, repository)


def _files(value: object) -> Iterator[FileSecret]:
    if isinstance(value, FileSecret):
        yield value
    elif isinstance(value, dict | tuple):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _files(each)
    elif isinstance(value, Section):
        for _, each in value:
            yield from _files(each)
