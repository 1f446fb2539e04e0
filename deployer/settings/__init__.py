"""deployer.yaml and the environment variables, read once: Settings, or every mistake at once.

Only this package reads the environment. A secret is a reference, never a value that could be printed.
"""

from deployer.settings.environment import AllowSettings, EnvironmentSettings, PruneSettings
from deployer.settings.loading import digest, load
from deployer.settings.mistakes import SettingsError
from deployer.settings.schema import schema
from deployer.settings.secret import EnvSecret, FileSecret, Secret, SecretUnavailable
from deployer.settings.sections import (
    AppSettings,
    ClusterSettings,
    ForgeSettings,
    RepositorySettings,
    Settings,
    UnknownEnvironment,
)
from deployer.settings.surroundings import Surroundings, surroundings

__all__ = [
    "AllowSettings",
    "AppSettings",
    "ClusterSettings",
    "EnvSecret",
    "EnvironmentSettings",
    "FileSecret",
    "ForgeSettings",
    "PruneSettings",
    "RepositorySettings",
    "Secret",
    "SecretUnavailable",
    "Settings",
    "SettingsError",
    "Surroundings",
    "UnknownEnvironment",
    "digest",
    "load",
    "schema",
    "surroundings",
]
