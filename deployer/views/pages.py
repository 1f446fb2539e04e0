"""The page of a deployment: what a commit status links to. Read-only, and opened by an id that cannot be guessed."""

from __future__ import annotations

from flask import Blueprint, abort, current_app, render_template
from flask.typing import ResponseReturnValue

from deployer.views.context import context

blueprint = Blueprint("pages", __name__, template_folder="templates", static_folder="static", static_url_path="/static")

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


@blueprint.get("/previews/<page_id>")
def preview(page_id: str) -> ResponseReturnValue:
    """Everything that merging a request would change, also what does not fit into a comment."""
    found = context(current_app).store.previews.page(page_id)
    if found is None:
        abort(404)
    title, content = found
    return render_template("preview.html", title=title, content=content), HEADERS


@blueprint.get("/deployments/<deployment_id>")
def deployment(deployment_id: str) -> ResponseReturnValue:
    """What happened, stage by stage and object by object."""
    records = context(current_app).store.deployments
    found = records.get(deployment_id)
    if found is None:
        abort(404)
    page = render_template(
        "deployment.html",
        deployment=found,
        stages=records.stages(deployment_id),
        objects=records.objects(deployment_id),
        log=records.log_lines(deployment_id),
    )
    return page, HEADERS
