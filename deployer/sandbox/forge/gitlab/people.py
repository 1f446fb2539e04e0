"""Who may do what, in GitLab's API: users, and members of projects and groups. https://docs.gitlab.com/api/members/"""

from __future__ import annotations

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from deployer.model import ForgeKind
from deployer.sandbox.forge.gitlab import shapes
from deployer.sandbox.forge.gitlab.answers import find, many, named_in_path
from deployer.sandbox.forge.gitlab.shapes import Json
from deployer.sandbox.forge.hosting import Hosting
from deployer.sandbox.forge.people import Person, Role
from deployer.sandbox.forge.refusal import NotFound

_LEVELS = {Role.READ: 20, Role.WRITE: 30, Role.ADMIN: 40}
"""Reporter, Developer and Maintainer."""


def add(api: Blueprint, hosting: Hosting) -> None:
    """Add these requests to `api`."""

    @api.get("/users")
    def users() -> ResponseReturnValue:
        wanted = request.args.get("username")
        there = [one for one in hosting.people if wanted is None or one.login.lower() == wanted.lower()]
        return many([shapes.user(one.login, _url()) for one in there])

    @api.get("/users/<int:number>")
    def numbered(number: int) -> ResponseReturnValue:
        person = hosting.people.numbered(number)
        return jsonify({**shapes.user(person.login, _url()), "bot": False})

    @api.get("/projects/<path:project>/members/all/<int:number>")
    def member(project: str, number: int) -> ResponseReturnValue:
        find(hosting, project)
        person = hosting.people.numbered(number)
        if person.role is Role.NONE:
            raise NotFound(f"{person.login} is no member")
        return jsonify(_member(person, _LEVELS[person.role]))

    @api.get("/groups/<path:group>/members/all/<int:number>")
    def group_member(group: str, number: int) -> ResponseReturnValue:  # noqa: ARG001 - read as it came, below
        name = named_in_path("/groups/")
        if name not in _groups(hosting):
            raise NotFound("404 Group Not Found")
        person = hosting.people.numbered(number)
        if name not in person.teams:
            raise NotFound(f"{person.login} is no member")
        return jsonify(_member(person, _LEVELS[Role.WRITE]))


def _member(person: Person, level: int) -> Json:
    return {**shapes.user(person.login, _url()), "access_level": level, "membership_state": "active"}


def _groups(hosting: Hosting) -> set[str]:
    """Those that somebody is in, and those that projects are in."""
    projects = [one.name for one in hosting.repositories if one.kind is ForgeKind.GITLAB]
    return {*hosting.people.teams(), *(name.rpartition("/")[0] for name in projects)}


def _url() -> str:
    return request.host_url.rstrip("/")
