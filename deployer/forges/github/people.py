"""Who may do what on GitHub, by GitHub's own word. Asked each time and never kept: a right can be taken away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from deployer.forges.answer import Missing
from deployer.forges.github.access import Api, Matter
from deployer.forges.github.rights import MEMBERS, METADATA
from deployer.forges.reading import inner, integer, text
from deployer.model import Permanent, Permission, Stage

_PERMISSIONS: Final[Mapping[str, Permission]] = {
    "read": Permission.READ,
    "write": Permission.WRITE,
    "admin": Permission.ADMIN,
}


def permission(api: Api, repository: str, login: str, *, user_id: int | None) -> Permission:
    """What a person may do in a repository. GitHub counts `maintain` as writing and `triage` as reading.

    https://docs.github.com/en/rest/collaborators/collaborators#get-repository-permissions-for-a-user

    Args:
        api: GitHub.
        repository: its full name.
        login: the person's user name.
        user_id: the person's number, if known: a name that is somebody else's by now may do nothing.

    Raises:
        Permanent: GitHub does not tell us.
        Temporary: GitHub is away, or wants us to wait.
    """
    matter = Matter(f"repos/{repository}", METADATA, f"asking what {login} may do in {repository}", Stage.RECEIVE)
    path, errand = f"/collaborators/{quote(login, safe='')}/permission", matter.errand
    try:
        answer = api.ask(matter, "GET", path)
    except Missing as missing:
        if "is not a user" in missing.message:
            return Permission.NONE
        raise
    if user_id is not None and integer(inner(answer, "user", errand), "id", errand) != user_id:
        return Permission.NONE
    return _PERMISSIONS.get(text(answer, "permission", errand), Permission.NONE)


def is_member(api: Api, team: str, login: str) -> bool:
    """Whether a person is in a team, `organization/team`, or in one below it. An invitation is not enough.

    https://docs.github.com/en/rest/teams/members#get-team-membership-for-a-user

    Raises:
        Permanent: `team` cannot be one, or GitHub does not tell us.
        Temporary: GitHub is away, or wants us to wait.
    """
    organization, slash, slug = team.partition("/")
    doing = f"asking whether {login} is in {team}"
    if not (organization and slash and slug) or "/" in slug:
        raise Permanent(f"{doing}: a team on GitHub is written organization/team", stage=Stage.RECEIVE)
    matter = Matter(f"orgs/{organization}", MEMBERS, doing, Stage.RECEIVE)
    path = f"/teams/{quote(slug, safe='')}/memberships/{quote(login, safe='')}"
    try:
        answer = api.ask(matter, "GET", path)
    except Missing:
        return False
    return text(answer, "state", matter.errand) == "active"
