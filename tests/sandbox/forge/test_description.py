"""The sandbox answers as GitHub's published OpenAPI description says that GitHub does, where there is that description.

Pull requests are left out: most of what is required of them is addresses that nobody here asks for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft4Validator
from jsonschema.validators import extend

from deployer.sandbox.forge import App, SandboxForge
from tests.forges.github.description import VARIABLE, published
from tests.sandbox.forge.clients import app_token, ask, proof
from tests.sandbox.forge.conftest import SHOP

HERE, THERE = f"/repos/{SHOP}", "/repos/{owner}/{repo}"
ANNOTATION = {"path": "a", "start_line": 1, "end_line": 1, "annotation_level": "failure", "message": "x"}
RUN = {"name": "x", "conclusion": "success", "output": {"title": "x", "summary": "x", "annotations": [ANNOTATION]}}
INSTALLATION = "/app/installations/{installation_id}/access_tokens"

ASKED: list[tuple[str, str, str, Any]] = [
    ("GET", "/app", "/app", None),
    ("GET", f"{HERE}/installation", f"{THERE}/installation", None),
    ("GET", "/orgs/acme/installation", "/orgs/{org}/installation", None),
    ("POST", "/app/installations/501/access_tokens", INSTALLATION, {"permissions": {"checks": "write"}}),
    ("POST", f"{HERE}/statuses/{{head}}", f"{THERE}/statuses/{{sha}}", {"state": "success"}),
    ("POST", f"{HERE}/check-runs", f"{THERE}/check-runs", RUN),
    ("GET", f"{HERE}/check-runs/1", f"{THERE}/check-runs/{{check_run_id}}", None),
    ("GET", f"{HERE}/check-runs/1/annotations", f"{THERE}/check-runs/{{check_run_id}}/annotations", None),
    ("GET", f"{HERE}/commits/raise/check-runs", f"{THERE}/commits/{{ref}}/check-runs", None),
    ("PATCH", f"{HERE}/check-runs/1", f"{THERE}/check-runs/{{check_run_id}}", {"status": "in_progress"}),
    ("POST", f"{HERE}/issues/1/comments", f"{THERE}/issues/{{issue_number}}/comments", {"body": "x"}),
    ("GET", f"{HERE}/issues/1/comments", f"{THERE}/issues/{{issue_number}}/comments", None),
    ("PATCH", f"{HERE}/issues/comments/1", f"{THERE}/issues/comments/{{comment_id}}", {"body": "y"}),
    (
        "POST",
        f"{HERE}/issues/comments/1/reactions",
        f"{THERE}/issues/comments/{{comment_id}}/reactions",
        {"content": "eyes"},
    ),
    ("POST", f"{HERE}/deployments", f"{THERE}/deployments", {"ref": "main"}),
    ("GET", f"{HERE}/deployments", f"{THERE}/deployments", None),
    ("POST", f"{HERE}/deployments/2/statuses", f"{THERE}/deployments/{{deployment_id}}/statuses", {"state": "success"}),
    ("GET", f"{HERE}/deployments/2/statuses", f"{THERE}/deployments/{{deployment_id}}/statuses", None),
    ("GET", f"{HERE}/collaborators/ada/permission", f"{THERE}/collaborators/{{username}}/permission", None),
    (
        "GET",
        "/orgs/acme/teams/operators/memberships/ada",
        "/orgs/{org}/teams/{team_slug}/memberships/{username}",
        None,
    ),
]


def test_every_answer_is_as_github_describes_it(proposed: SandboxForge, app: App) -> None:
    description = published()
    if description is None:
        pytest.skip(f"{VARIABLE} names no description")
    head, token = proposed.tip(SHOP, "raise"), app_token(proposed, app)
    wrong = []
    for method, path, described, body in ASKED:
        shown = proof(app) if path.endswith(("/app", "/installation", "/access_tokens")) else token
        sent = {**body, "head_sha": head} if body is RUN else body
        answer = ask(proposed, method, f"/api/v3{path.format(head=head)}", token=shown, json=sent)
        operation = description.document["paths"][described][method.lower()]
        wrong += [f"{method} {path}: {one}" for one in mistakes(description.document, operation, answer)]
    assert wrong == []


def mistakes(document: dict[str, Any], operation: dict[str, Any], answer: Any) -> Iterator[str]:
    described = operation["responses"].get(str(answer.status_code))
    if described is None:
        yield f"GitHub never answers {answer.status_code}"
        return
    schema = described["content"]["application/json"]["schema"]
    for error in _Validator({**schema, "components": document["components"]}).iter_errors(answer.json()):
        yield f"{list(error.absolute_path)}: {error.message[:200]}"


def _or_null(keyword: str) -> Any:
    """OpenAPI 3.0 says `nullable` where JSON Schema has a type."""

    def check(validator: Any, expected: Any, value: Any, schema: Any) -> Iterator[Any]:
        if value is not None or not schema.get("nullable"):
            yield from Draft4Validator.VALIDATORS[keyword](validator, expected, value, schema)

    return check


_Validator: Any = extend(Draft4Validator, {key: _or_null(key) for key in ("type", "enum")})  # type: ignore[no-untyped-call]
