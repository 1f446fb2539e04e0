"""Where a repository comes from: its clone URL out of the settings, and the credential that its forge gives us."""

from __future__ import annotations

from pathlib import Path

from deployer.forges.connect import connect
from deployer.model import BranchKey
from deployer.settings import Settings
from deployer.source.mirror import Credential, Mirror, mirror_path, remote_tip


def mirror(settings: Settings, *, forge: str, repository: str, data: Path) -> Mirror:
    """The mirror of a repository below the data folder.

    Raises:
        Permanent: the forge refuses us a credential.
        Temporary: the forge cannot be asked for one.
    """
    url = settings.clone_url(forge, repository)
    return Mirror(mirror_path(data, url), url, credential=credential(settings, forge=forge, repository=repository))


def tip(settings: Settings, branch: BranchKey, *, seconds: float = 30) -> str:
    """The commit that a branch is at on its forge right now.

    Raises:
        Permanent: there is no such repository or branch, or the credential is refused.
        Temporary: the forge cannot be reached, or does not answer within `seconds`.
    """
    url = settings.clone_url(branch.forge, branch.repository)
    shown = credential(settings, forge=branch.forge, repository=branch.repository)
    return remote_tip(url, branch.name, shown, seconds=seconds)


def credential(settings: Settings, *, forge: str, repository: str) -> Credential | None:
    """User name and password for git over HTTP; None when the forge is given no token, or git goes another way."""
    if not settings.clone_url(forge, repository).startswith("https://"):
        return None
    client = connect(settings.forges[forge])
    return Credential(*client.credential(repository)) if client else None
