"""A GitLab that tests speak to."""

from __future__ import annotations

from deployer.forges.connect import Forge, connect
from deployer.model import ForgeKind
from deployer.settings import EnvSecret, ForgeSettings

COMMIT = "4f" * 20
PROJECT = "/api/v4/projects/group%2Fsub%2Fproject"


def gitlab(api_url: str, *, timeout: int = 10) -> Forge:
    """The client of a GitLab with a token."""
    settings = ForgeSettings(kind=ForgeKind.GITLAB, api_url=api_url, token=EnvSecret(env="FORGE_TOKEN"))
    forge = connect(settings, timeout=timeout)
    assert forge is not None
    return forge
