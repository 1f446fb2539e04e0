"""What the forms of the pages do, each in the name of the person who was chosen there."""

from __future__ import annotations

import re

from flask import Blueprint, redirect, request
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from deployer.sandbox.forge import branches, talking
from deployer.sandbox.forge.branches import Terms
from deployer.sandbox.forge.hosting import Hosting
from deployer.sandbox.forge.people import VISITOR, Person, Role
from deployer.sandbox.forge.refusal import Forbidden, NotFound

_COOKIE = "acting"
_OURS = re.compile(r"/(?![/\\])[!-~]*")
"""A browser takes `//host` and `/\\host` for another site, and leaves out tabs and line breaks before it looks."""


def add(pages: Blueprint, hosting: Hosting) -> None:
    """Add the targets of all forms to `pages`."""
    _choose(pages, hosting)
    _merge(pages, hosting)
    _talk(pages, hosting)
    _press(pages, hosting)

    @pages.post("/<path:name>/deliveries/<delivery>")
    def redeliver(name: str, delivery: str) -> ResponseReturnValue:
        repo = hosting.repositories.get(name)
        hosting.redeliver(repo, delivery)
        return _back()


def acting(hosting: Hosting) -> Person:
    """Who sends this request: the person that was chosen on the page."""
    try:
        return hosting.people.get(request.cookies.get(_COOKIE, VISITOR))
    except NotFound:
        return hosting.people.get(VISITOR)


def _choose(pages: Blueprint, hosting: Hosting) -> None:
    @pages.post("/acting")
    def choose() -> ResponseReturnValue:
        person = hosting.people.get(request.form.get("person", ""))
        response = _back()
        response.set_cookie(_COOKIE, person.login, httponly=True, samesite="Strict")
        return response


def _merge(pages: Blueprint, hosting: Hosting) -> None:
    @pages.post("/<path:name>/pull/<int:number>/merge")
    def merge(name: str, number: int) -> ResponseReturnValue:
        repo = hosting.repositories.get(name)
        branches.merge(hosting, repo, number, Terms(by=_writer(hosting)))
        return _back()

    @pages.post("/<path:name>/pull/<int:number>/close")
    def close(name: str, number: int) -> ResponseReturnValue:
        repo = hosting.repositories.get(name)
        branches.close(hosting, repo, number, by=_writer(hosting))
        return _back()

    @pages.post("/<path:name>/pull/<int:number>/reopen")
    def reopen(name: str, number: int) -> ResponseReturnValue:
        repo = hosting.repositories.get(name)
        branches.reopen(hosting, repo, number, by=_writer(hosting))
        return _back()


def _talk(pages: Blueprint, hosting: Hosting) -> None:
    @pages.post("/<path:name>/pull/<int:number>/comments")
    def comment(name: str, number: int) -> ResponseReturnValue:
        repo = hosting.repositories.get(name)
        talking.comment(hosting, repo, number, request.form.get("body", ""), by=acting(hosting).login)
        return _back()


def _press(pages: Blueprint, hosting: Hosting) -> None:
    """Whoever it is: a forge shows these to writers only, and here one can see that the other side checks it too."""

    @pages.post("/<path:name>/runs/<int:number>/rerun")
    def rerun(name: str, number: int) -> ResponseReturnValue:
        repo = hosting.repositories.get(name)
        talking.rerun(hosting, repo, number, by=acting(hosting).login)
        return _back()

    @pages.post("/<path:name>/runs/<int:number>/press")
    def press(name: str, number: int) -> ResponseReturnValue:
        repo = hosting.repositories.get(name)
        talking.press(hosting, repo, number, request.form.get("identifier", ""), by=acting(hosting).login)
        return _back()

    @pages.post("/<path:name>/commit/<sha>/rerun")
    def rerun_all(name: str, sha: str) -> ResponseReturnValue:
        repo = hosting.repositories.get(name)
        commit = repo.git.full(sha)
        talking.rerun_all(hosting, repo, commit, by=acting(hosting).login)
        return _back()


def _writer(hosting: Hosting) -> str:
    person = acting(hosting)
    if person.role < Role.WRITE:
        raise Forbidden(f"{person.login} has no write access to this repository")
    return person.login


def _back() -> Response:
    """To the page that the form was on, if that is one of ours."""
    page = request.form.get("back", "")
    return redirect(page if _OURS.fullmatch(page) else "/", code=303)
