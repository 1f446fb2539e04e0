"""Check runs in GitHub's API. https://docs.github.com/en/rest/checks/runs"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from deployer.sandbox.forge import asking
from deployer.sandbox.forge.checks import Annotation, Button, CheckRun, Output, Told
from deployer.sandbox.forge.github import check_shapes as shapes
from deployer.sandbox.forge.github.answers import counted, error, many
from deployer.sandbox.forge.github.caller import caller, reach
from deployer.sandbox.forge.github.commits import resolve
from deployer.sandbox.forge.hosting import Hosting
from deployer.sandbox.forge.refusal import Invalid, NotFound

_PATH = "/repos/<owner>/<name>/check-runs"


def add(api: Blueprint, hosting: Hosting) -> None:
    """Add these requests to `api`."""

    @api.post(_PATH)
    def begin(owner: str, name: str) -> ResponseReturnValue:
        repo, app, fields = reach(hosting, owner, name, "checks:write"), caller().as_app(), asking.body(request)
        sha = _commit(fields)
        with repo.lock:
            try:
                commit = repo.git.verified(sha)
            except NotFound:
                return error(422, f"No commit found for SHA: {sha}")
            run = repo.checks.begin(app, commit, _told(fields), at=datetime.now(UTC))
        return jsonify(shapes.check_run(repo, run)), 201

    @api.patch(f"{_PATH}/<int:number>")
    def tell(owner: str, name: str, number: int) -> ResponseReturnValue:
        repo, app = reach(hosting, owner, name, "checks:write"), caller().as_app()
        with repo.lock:
            run = repo.checks.tell(number, app, _told(asking.body(request)), at=datetime.now(UTC))
        return jsonify(shapes.check_run(repo, run))

    _read(api, hosting)


def _read(api: Blueprint, hosting: Hosting) -> None:
    @api.get(f"{_PATH}/<int:number>")
    def one(owner: str, name: str, number: int) -> ResponseReturnValue:
        repo = reach(hosting, owner, name, "checks:read")
        return jsonify(shapes.check_run(repo, repo.checks.get(number)))

    @api.get(f"{_PATH}/<int:number>/annotations")
    def annotations(owner: str, name: str, number: int) -> ResponseReturnValue:
        repo = reach(hosting, owner, name, "checks:read")
        run = repo.checks.get(number)
        there = run.output.annotations if run.output else ()
        return many([shapes.annotation(repo, run.commit, each) for each in there])

    @api.get("/repos/<owner>/<name>/commits/<path:ref>/check-runs")
    def of_commit(owner: str, name: str, ref: str) -> ResponseReturnValue:
        repo = reach(hosting, owner, name, "checks:read")
        commit = resolve(repo, ref)
        with repo.lock:
            there = repo.checks.of(commit) if request.args.get("filter") == "all" else repo.checks.latest(commit)
        return counted("check_runs", [shapes.check_run(repo, each) for each in there if _wanted(each)])


def _wanted(run: CheckRun) -> bool:
    has = {"check_name": run.name, "status": run.status, "app_id": str(run.app.id)}
    return all(request.args.get(name, value) == value for name, value in has.items())


def _commit(fields: Mapping[str, object]) -> str:
    return asking.required(fields, "head_sha")


def _told(fields: Mapping[str, object]) -> Told:
    buttons = asking.rows(fields, "actions")
    output = asking.inner(fields, "output")
    return Told(
        name=asking.text(fields, "name"),
        status=asking.text(fields, "status"),
        conclusion=asking.text(fields, "conclusion"),
        external_id=asking.text(fields, "external_id"),
        details_url=asking.text(fields, "details_url"),
        started_at=asking.moment(fields, "started_at"),
        completed_at=asking.moment(fields, "completed_at"),
        output=None if output is None else _output(output),
        buttons=None if buttons is None else tuple(_button(each) for each in buttons),
    )


def _output(fields: Mapping[str, object]) -> Output:
    return Output(
        title=asking.required(fields, "title"),
        summary=asking.required(fields, "summary"),
        text=asking.text(fields, "text"),
        annotations=tuple(_annotation(each) for each in asking.rows(fields, "annotations") or ()),
    )


def _annotation(fields: Mapping[str, object]) -> Annotation:
    path = asking.required(fields, "path")
    if not path or path.startswith("/"):
        raise Invalid("path", "is not a path inside the repository.")
    return Annotation(
        path=path,
        start_line=asking.number(fields, "start_line"),
        end_line=asking.number(fields, "end_line"),
        level=asking.required(fields, "annotation_level"),
        message=asking.required(fields, "message"),
        title=asking.text(fields, "title"),
    )


def _button(fields: Mapping[str, object]) -> Button:
    label, description, identifier = (asking.required(fields, key) for key in ("label", "description", "identifier"))
    return Button(label, description, identifier)
