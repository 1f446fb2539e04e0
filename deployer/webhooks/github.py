"""GitHub's deliveries, read as events.

Pure: the request was verified before, nothing is fetched, and no URL of a payload is looked at. Header names are lower
case. https://docs.github.com/en/webhooks/webhook-events-and-payloads
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qs

from deployer.model import Event, Ignored, Merge, PullRequestAction, PullRequestEvent
from deployer.webhooks.github_check import read_check_run, read_check_suite
from deployer.webhooks.github_comment import read_comment
from deployer.webhooks.headers import FORM, JSON, event_name, media_type
from deployer.webhooks.headers import delivery_id as first_id
from deployer.webhooks.payload import TITLE_LENGTH, Fields, decode, numbered, one_line
from deployer.webhooks.push import read_push
from deployer.webhooks.refusal import Malformed

_ASKING = {"issue_comment": read_comment, "check_run": read_check_run, "check_suite": read_check_suite}
"""Events by which people ask for something."""


def delivery_id(headers: Mapping[str, str], body: bytes) -> str:
    """`X-GitHub-Delivery`, which a redelivery repeats; without it the digest of the body.

    Raises:
        Malformed: it is not an id.
    """
    return first_id(headers, body, names=("x-github-delivery",))


def sender(headers: Mapping[str, str]) -> str:
    """`X-GitHub-Hook-ID`: all webhooks that an event goes to send it under one delivery id.

    So the same id from another webhook, such as the organization's beside the repository's, is no redelivery.
    https://docs.github.com/en/rest/repos/webhooks#get-a-delivery-for-a-repository-webhook
    """
    return one_line(headers.get("x-github-hook-id", ""))


def parse(headers: Mapping[str, str], body: bytes) -> Event:
    """What a verified delivery means. The body is JSON, or a form with the JSON in `payload`.

    Raises:
        UnsupportedMediaType: it is neither.
        Malformed: it is not what GitHub documents.
    """
    payload = Fields.parse(_json(headers, body))
    event = event_name(headers, "x-github-event")
    match event:
        case "push":
            return _push(payload)
        case "pull_request":
            return _pull_request(payload)
        case "issue_comment" | "check_run" | "check_suite":
            return _ASKING[event](payload, repository=_repository(payload))
        case "ping":
            return Ignored("ping: the webhook works")
        case _:
            return Ignored(f"{event} event: not one that anything is done about")


def _push(payload: Fields) -> Event:
    return read_push(
        payload,
        repository=_repository(payload),
        actor=_sender(payload),
        title=payload.optional("head_commit").line("message", TITLE_LENGTH),
    )


def _pull_request(payload: Fields) -> Event:
    action = payload.name("action")
    pull_request = payload.section("pull_request")
    # merge_commit_sha is no proof of a merge: until then it is the trial merge by which GitHub looks for conflicts.
    if action == "closed" and pull_request.flag("merged"):
        return _merge(payload, pull_request)
    did = _did(action, payload)
    if did is None:
        return Ignored(f"{_name(pull_request)} {one_line(action)}: that changes nothing that would be deployed")
    if did is not PullRequestAction.CLOSED and pull_request.name("state") != "open":
        return Ignored(f"{_name(pull_request)} {one_line(action)}, but it is not open")
    return _changed(payload, pull_request, did)


def _did(action: str, payload: Fields) -> PullRequestAction | None:
    """What a pull request's action comes to; None when its commits and its base are what they were."""
    match action:
        case "opened" | "reopened":
            return PullRequestAction.OPENED
        case "synchronize" | "ready_for_review":
            return PullRequestAction.UPDATED
        case "edited" if payload.optional("changes").has("base"):
            return PullRequestAction.UPDATED
        case "closed":
            return PullRequestAction.CLOSED
        case _:
            return None


def _changed(payload: Fields, pull_request: Fields, action: PullRequestAction) -> PullRequestEvent:
    head = pull_request.section("head")
    return PullRequestEvent(
        repository=_repository(payload),
        number=pull_request.natural("number"),
        branch=pull_request.section("base").name("ref"),
        head=head.commit("sha"),
        action=action,
        from_fork=head.optional("repo").number("id") != payload.section("repository").natural("id"),
        draft=pull_request.optional_flag("draft"),
        title=pull_request.line("title", TITLE_LENGTH),
        actor=_sender(payload),
        left=payload.optional("changes").optional("base").optional("ref").optional_name("from"),
    )


def _merge(payload: Fields, pull_request: Fields) -> Merge:
    """After a merge, `merge_commit_sha` is the new tip of the base branch, whatever the way of merging.

    It is the merge commit, the squashed commit, or the commit that the base branch was moved to by a rebase.
    https://docs.github.com/en/rest/pulls/pulls#get-a-pull-request
    """
    return Merge(
        repository=_repository(payload),
        branch=pull_request.section("base").name("ref"),
        commit=pull_request.commit("merge_commit_sha"),
        actor=_sender(payload),
        title=numbered("#", pull_request.number("number"), pull_request.line("title", TITLE_LENGTH)),
        number=pull_request.number("number"),
    )


def _name(pull_request: Fields) -> str:
    number = pull_request.number("number")
    return "pull request" if number is None else one_line(f"pull request #{number}")


def _repository(payload: Fields) -> str:
    """The repository whose hook this is. For a pull request that is the base, even when the head is in a fork."""
    return payload.section("repository").name("full_name")


def _sender(payload: Fields) -> str | None:
    return payload.optional("sender").line("login")


def _json(headers: Mapping[str, str], body: bytes) -> str:
    text = decode(body)
    return _form_payload(text) if media_type(headers, accepted=(JSON, FORM)) == FORM else text


def _form_payload(form: str) -> str:
    try:
        payloads = parse_qs(form, errors="strict", max_num_fields=8).get("payload", [])
    except ValueError as error:
        raise Malformed("the form cannot be read") from error
    if len(payloads) != 1:
        raise Malformed("the form does not have exactly one field named payload")
    return payloads[0]
