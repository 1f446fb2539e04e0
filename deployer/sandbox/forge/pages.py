"""The forge's pages: what is in each repository, what the checks say, and what people say and do about it.

Everything shown is escaped by the templates or by `markdown`, and every form carries a token that other sites cannot
know. Who acts is chosen on the page, because there is nobody here but the people who try it out.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

from flask import Blueprint, Response, abort, g, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from deployer.model import ForgeKind
from deployer.sandbox.forge import actions
from deployer.sandbox.forge.access import FORM_FIELD, form_token, same
from deployer.sandbox.forge.actions import acting
from deployer.sandbox.forge.diff import Line, lines
from deployer.sandbox.forge.git import Commit
from deployer.sandbox.forge.hosting import Hosting
from deployer.sandbox.forge.markdown import render
from deployer.sandbox.forge.people import Role
from deployer.sandbox.forge.refusal import Forbidden, NotFound, Refused
from deployer.sandbox.forge.repositories import Repository
from deployer.sandbox.forge.shown import Check, checks, deployments, statuses

_COMMITS_SHOWN = 30
_DELIVERIES_SHOWN = 8


def blueprint(hosting: Hosting) -> Blueprint:
    """The pages over `hosting`."""
    pages = Blueprint("pages", __name__, template_folder="templates")
    _guard(pages, secrets.token_urlsafe(24))
    _share(pages, hosting)
    _show(pages, hosting)
    _show_in_full(pages, hosting)
    actions.add(pages, hosting)
    pages.add_app_template_filter(ago)
    pages.add_app_template_filter(render, "markdown")
    return pages


def ago(time: datetime) -> str:
    """How long ago that was, for people."""
    seconds = max(0, int((datetime.now(UTC) - time).total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago" if seconds >= 5 else "just now"


def _guard(pages: Blueprint, token: str) -> None:
    @pages.before_request
    def check() -> None:
        if request.method == "POST" and not same(form_token(request), token):
            abort(403, "this form did not come from a page of this forge; reload the page and try again")

    @pages.context_processor
    def form() -> dict[str, object]:
        return {"form_field": FORM_FIELD, "form_token": token, "nonce": _nonce()}

    @pages.after_request
    def allow(response: Response) -> Response:
        script = f"script-src 'nonce-{_nonce()}'; connect-src 'self'"
        own = f"default-src 'none'; style-src 'self'; {script}; form-action 'self'; base-uri 'none'"
        response.headers["Content-Security-Policy"] = f"{own}; frame-ancestors 'none'"
        return response

    @pages.errorhandler(Refused)
    def refuse(error: Refused) -> ResponseReturnValue:
        status = 404 if isinstance(error, NotFound) else 403 if isinstance(error, Forbidden) else 409
        return render_template("refused.html", title="Not found" if status == 404 else "Refused", reason=error), status

    @pages.errorhandler(HTTPException)
    def fail(error: HTTPException) -> ResponseReturnValue:
        return render_template("refused.html", title=error.name, reason=error.description), error.code or 500


def _share(pages: Blueprint, hosting: Hosting) -> None:
    @pages.context_processor
    def people() -> dict[str, object]:
        me = acting(hosting)
        return {"people": list(hosting.people), "me": me, "may_merge": me.role >= Role.WRITE, "mark": _mark}


def _show(pages: Blueprint, hosting: Hosting) -> None:
    @pages.get("/")
    def index() -> str:
        return render_template("index.html", repositories=[_summary(one) for one in hosting.repositories])

    @pages.get("/<path:name>")
    def repository(name: str) -> str:
        repo = hosting.repositories.get(name)
        history = repo.git.log(repo.git.tip(repo.branch), most=_COMMITS_SHOWN, first_parent=True)
        with repo.lock:
            return render_template(
                "repository.html",
                repo=repo,
                pulls=[(one, checks(repo, one.head)) for one in repo.open_pull_requests()],
                commits=[(one, checks(repo, one.sha)) for one in history],
                deliveries=list(reversed(repo.deliveries.values()))[:_DELIVERIES_SHOWN],
            )


def _show_in_full(pages: Blueprint, hosting: Hosting) -> None:
    @pages.get("/<path:name>/commit/<sha>")
    def commit(name: str, sha: str) -> str:
        repo = hosting.repositories.get(name)
        one = repo.git.show(repo.git.full(sha))
        changed = _changed(repo, one.parents[0] if one.parents else None, one.sha)
        with repo.lock:
            return render_template(
                "commit.html", repo=repo, commit=one, statuses=statuses(repo, one.sha), lines=changed,
                runs=repo.checks.latest(one.sha), deployments=deployments(repo, one.sha),
            )  # fmt: skip

    @pages.get("/<path:name>/runs/<int:number>")
    def check_run(name: str, number: int) -> str:
        repo = hosting.repositories.get(name)
        run = repo.checks.get(number)
        return render_template("run.html", repo=repo, run=run, commit=repo.git.show(run.commit))

    @pages.get("/<path:name>/pull/<int:number>")
    def pull_request(name: str, number: int) -> str:
        repo = hosting.repositories.get(name)
        pull = repo.pull_request(number)
        changed = _changed(repo, pull.fork_point, pull.head)
        with repo.lock:
            return render_template(
                "pull.html", repo=repo, pull=pull, checks=checks(repo, *pull.commits), lines=changed,
                comments=repo.comments.on(number), deployments=deployments(repo, *pull.commits),
            )  # fmt: skip


def _summary(repo: Repository) -> tuple[Repository, Commit, tuple[Check, ...]]:
    tip = repo.git.show(repo.git.tip(repo.branch))
    return repo, tip, checks(repo, tip.sha)


def _changed(repo: Repository, old: str | None, new: str) -> list[Line]:
    return lines(repo.git.diff(old, new))


def _mark(repo: Repository) -> str:
    """What stands before the number of a pull request."""
    return "#" if repo.kind is ForgeKind.GITHUB else "!"


def _nonce() -> str:
    """One for each answer: the script in a page is ours, any other is not run."""
    if "nonce" not in g:
        g.nonce = secrets.token_urlsafe(16)
    return str(g.nonce)
