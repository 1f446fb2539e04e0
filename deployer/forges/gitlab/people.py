"""Who may do what on GitLab, by GitLab's own word. Asked each time and never kept: a right can be taken away."""

from __future__ import annotations

from urllib.parse import quote

from deployer.forges.answer import Errand, Missing
from deployer.forges.gitlab.access import Api, project
from deployer.forges.reading import Fields, integer, text
from deployer.model import Permission, Stage

_LEVELS = ((40, Permission.ADMIN), (30, Permission.WRITE), (10, Permission.READ))
"""Maintainer, Developer, Guest. Below that is `minimal access`, which reaches no project.
https://docs.gitlab.com/api/access_requests/#valid-access-levels"""


def permission(api: Api, repository: str, login: str, *, user_id: int | None) -> Permission:
    """What a person may do in a project, as a member of it or of a group that it belongs to or was shared with.

    The rules of protected branches are not part of it.

    Args:
        api: GitLab.
        repository: the project's full name.
        login: the person's user name.
        user_id: the person's number, if known: a name that is somebody else's by now may do nothing.

    Raises:
        Permanent: GitLab does not tell us.
        Temporary: GitLab is away, or wants us to wait.
    """
    errand = api.errand(f"asking what {login} may do in {repository}", Stage.RECEIVE)
    level = _level(api, errand, project(repository), login, user_id=user_id)
    return next((granted for least, granted in _LEVELS if level >= least), Permission.NONE)


def is_member(api: Api, team: str, login: str, *, user_id: int | None) -> bool:
    """Whether a person is in a group, by its full path, or in one above it.

    Raises:
        Permanent: there is no such group, or GitLab does not tell us.
        Temporary: GitLab is away, or wants us to wait.
    """
    errand = api.errand(f"asking whether {login} is in {team}", Stage.RECEIVE)
    level = _level(api, errand, f"/groups/{quote(team, safe='')}", login, user_id=user_id)
    return level >= _LEVELS[-1][0]


def is_robot(api: Api, login: str, *, user_id: int) -> bool:
    """Whether an account is a bot or a service account, or the one that our own token belongs to.

    Neither the webhook nor the name tells: a service account may have any name.
    https://docs.gitlab.com/api/users/#retrieve-a-user

    Raises:
        Permanent: there is no such account, or GitLab does not tell us.
        Temporary: GitLab is away, or wants us to wait.
    """
    errand = api.errand(f"asking who {login} is", Stage.RECEIVE)
    return api.user_id(errand) == user_id or api.ask(errand, "get", f"/users/{user_id}").get("bot") is True


def _level(api: Api, errand: Errand, path: str, login: str, *, user_id: int | None) -> int:
    """A person's access level, 0 for none. https://docs.gitlab.com/api/members/"""
    number = user_id or _number(api, errand, login)
    if number is None:
        return 0
    try:
        member = api.ask(errand, "get", f"{path}/members/all/{number}")
    except Missing as missing:
        if _source_missing(missing):
            raise
        return 0
    level = integer(member, "access_level", errand)
    return level if _active(member, errand) and _same(text(member, "username", errand), login) else 0


def _active(member: Fields, errand: Errand) -> bool:
    """Not blocked, and not just invited or waiting for somebody's consent."""
    return text(member, "state", errand) == "active" and member.get("membership_state", "active") == "active"


def _source_missing(missing: Missing) -> bool:
    """Whether it is the project or the group that is not there, and not the member."""
    return any(f"{what} not found" in missing.message.lower() for what in ("project", "group"))


def _number(api: Api, errand: Errand, login: str) -> int | None:
    """The number of a user, by a name that GitLab compares without regard to case."""
    for each in api.page(errand, "/users", query={"username": login}):
        if _same(text(each, "username", errand), login):
            return integer(each, "id", errand)
    return None


def _same(one: str, other: str) -> bool:
    return one.lower() == other.lower()
