"""The page of a deployment: what a commit status links to. Read-only, and opened by an id that cannot be guessed."""

from __future__ import annotations

from flask import Blueprint, abort, current_app, render_template
from flask.typing import ResponseReturnValue

from deployer.forges import drift_words
from deployer.holding import refusal
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
    """What happened, stage by stage and object by object; of what runs, in what the cluster differs from it by now."""
    store = context(current_app).store
    records = store.deployments
    found = records.get(deployment_id)
    if found is None:
        abort(404)
    drift = store.drift.get(found.key).of(store.environments.get(found.key).deployed)
    why = refusal(drift)
    page = render_template(
        "deployment.html",
        deployment=found,
        stages=records.stages(deployment_id),
        objects=records.objects(deployment_id),
        log=records.log_lines(deployment_id),
        drift=drift if drift.commit == found.commit else None,
        doing=drift_words.doing(drift),
        reason=why.reason if why else drift.reason,
    )
    return page, HEADERS
