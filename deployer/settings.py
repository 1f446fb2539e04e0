"""deployer.yaml and the environment variables, read once: Settings, or every mistake at once.

This is the only module that reads the environment. A secret is a reference, never a value that could be printed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from deployer.model import Environment, EnvironmentKey, ForgeKind


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EnvSecret(_Section):
    env: str

    def reveal(self) -> str:
        return os.environ[self.env]


class FileSecret(_Section):
    file: Path

    def reveal(self) -> str:
        return self.file.read_text().strip()


Secret = EnvSecret | FileSecret


class AppSettings(_Section):
    id: int
    private_key: Secret


class ForgeSettings(_Section):
    kind: ForgeKind
    api_url: str = ""
    clone_url: str = ""
    webhook_secrets: tuple[Secret, ...] = ()
    signing_secrets: tuple[Secret, ...] = ()
    token: Secret | None = None
    app: AppSettings | None = None


class ClusterSettings(_Section):
    kubeconfig: FileSecret | None = None
    context: str | None = None
    in_cluster: bool = False


class EnvironmentSettings(_Section):
    overlay: str
    cluster: str
    namespace: str
    drift: Literal["revert", "report", "ignore"] = "report"
    drift_interval: int = 300
    on_conflict: Literal["force", "fail"] = "force"
    prune: bool = True
    rollout_timeout: int = 300


class RepositorySettings(_Section):
    name: str
    forge: str
    branch: str = "main"
    environments: dict[str, EnvironmentSettings]


class Settings(_Section):
    url: str
    forges: dict[str, ForgeSettings]
    clusters: dict[str, ClusterSettings]
    api_tokens: tuple[Secret, ...] = ()
    repositories: tuple[RepositorySettings, ...]

    @property
    def environments(self) -> tuple[Environment, ...]:
        return tuple(
            Environment(
                key=EnvironmentKey(repository.forge, repository.name, name),
                branch=repository.branch,
                overlay=environment.overlay,
                cluster=environment.cluster,
                namespace=environment.namespace,
                force_conflicts=environment.on_conflict == "force",
                rollout_timeout=environment.rollout_timeout,
            )
            for repository in self.repositories
            for name, environment in repository.environments.items()
        )


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the environment variables say."""

    config: Path
    redis_url: str
    data: Path


def surroundings() -> Surroundings: ...
def load(path: Path) -> Settings: ...
class SettingsError(Exception):
    mistakes: tuple[str, ...] = field(default_factory=tuple)
