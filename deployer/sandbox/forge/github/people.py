"""Who may do what, in GitHub's API: what a person may do in a repository, and who is in a team."""

from __future__ import annotations

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from deployer.sandbox.forge.github import shapes
from deployer.sandbox.forge.github.answers import error
from deployer.sandbox.forge.github.caller import caller, reach
from deployer.sandbox.forge.hosting import Hosting
from deployer.sandbox.forge.people import Role
from deployer.sandbox.forge.refusal import NotFound

_ROLES = {Role.NONE: "none", Role.READ: "read", Role.WRITE: "write", Role.ADMIN: "admin"}


def add(api: Blueprint, hosting: Hosting) -> None:
    """Add these requests to `api`."""

    @api.get("/repos/<owner>/<name>/collaborators/<login>/permission")
    def permission(owner: str, name: str, login: str) -> ResponseReturnValue:
        """https://docs.github.com/en/rest/collaborators/collaborators#get-repository-permissions-for-a-user"""
        repo = reach(hosting, owner, name, "metadata:read")
        try:
            role = _ROLES[hosting.people.get(login).role]
        except NotFound:
            return error(404, f"{login} is not a user")
        rights = {"admin": role == "admin", "push": role in ("admin", "write"), "pull": role != "none"}
        user = {**shapes.user(login, repo.forge_url), "permissions": rights, "role_name": role}
        return jsonify({"permission": role, "role_name": role, "user": user})

    @api.get("/orgs/<organization>/teams/<slug>/memberships/<login>")
    def membership(organization: str, slug: str, login: str) -> ResponseReturnValue:
        """https://docs.github.com/en/rest/teams/members#get-team-membership-for-a-user"""
        caller().enter(organization, "members:read")
        team = f"{organization}/{slug}"
        if team not in hosting.people.get(login).teams:
            raise NotFound(f"{login} is not in {team}")
        return jsonify({"url": f"/orgs/{organization}/teams/{slug}", "role": "member", "state": "active"})
