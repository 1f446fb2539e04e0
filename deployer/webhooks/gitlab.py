"""GitLab's deliveries, read as events.

Pure: the request was verified before, nothing is fetched, and no URL of a payload is looked at. Header names are lower
case. https://docs.gitlab.com/user/project/integrations/webhook_events/
"""

from __future__ import annotations

from collections.abc import Mapping

from deployer.model import Event, Ignored, Merge, PullRequestAction, PullRequestEvent
from deployer.webhooks.gitlab_comment import read_note
from deployer.webhooks.headers import JSON, event_name, media_type
from deployer.webhooks.headers import delivery_id as first_id
from deployer.webhooks.payload import TITLE_LENGTH, Fields, decode, numbered, one_line
from deployer.webhooks.push import read_push

_KINDS = {
    "Push Hook": "push",
    "Tag Push Hook": "tag_push",
    "Merge Request Hook": "merge_request",
    "Note Hook": "note",
}
"""Not `Confidential Note Hook`: what is said behind closed doors would be answered in public."""


def delivery_id(headers: Mapping[str, str], body: bytes) -> str:
    """`Idempotency-Key`, which a retry repeats, or the nearest to it that this version of GitLab sends.

    `webhook-id` is the same value under its standard name. `X-Gitlab-Event-UUID` is older and names the event, which
    several hooks share. The oldest versions send none of them; then it is the digest of the body.
    https://docs.gitlab.com/user/project/integrations/webhooks/

    Raises:
        Malformed: it is not an id.
    """
    return first_id(headers, body, names=("idempotency-key", "webhook-id", "x-gitlab-event-uuid"))


def parse(headers: Mapping[str, str], body: bytes) -> Event:
    """What a verified delivery means. A system hook carries the same payloads and says in them which it is.

    Raises:
        UnsupportedMediaType: the body is not JSON.
        Malformed: it is not what GitLab documents.
    """
    media_type(headers, accepted=(JSON,))
    payload = Fields.parse(decode(body))
    event = event_name(headers, "x-gitlab-event")
    match payload.text("object_kind") if event == "System Hook" else _KINDS.get(event):
        case "push" | "tag_push":
            return _push(payload)
        case "merge_request":
            return _merge_request(payload)
        case "note":
            return read_note(payload, repository=_repository(payload))
        case _:
            return Ignored(f"{event}: not one that anything is done about")


def _push(payload: Fields) -> Event:
    return read_push(
        payload,
        repository=_repository(payload),
        actor=payload.line("user_username"),
        title=_subject(payload),
    )


def _subject(payload: Fields) -> str | None:
    """The first line of the message of the commit that is now the tip, if the payload lists it."""
    tip = payload.text("after")
    messages = (
        commit.line("message", TITLE_LENGTH) for commit in payload.sections("commits") if commit.text("id") == tip
    )
    return next(messages, None)


def _merge_request(payload: Fields) -> Event:
    attributes = payload.section("object_attributes")
    action = attributes.text("action")
    if action == "merge":
        return _merge(payload, attributes)
    did = _did(action, payload)
    name, doing = _name(attributes), one_line(action or "changed")
    if did is None:
        return Ignored(f"{name}, {doing}: that changes nothing that would be deployed")
    if did is not PullRequestAction.CLOSED and attributes.name("state") != "opened":
        return Ignored(f"{name}, {doing}: it is not open")
    head = attributes.optional("last_commit").optional_commit("id")
    if head is None:
        return Ignored(f"{name}, {doing}: it has no commit")
    return _changed(payload, attributes, did, head=head)


def _did(action: str | None, payload: Fields) -> PullRequestAction | None:
    """What a merge request's action comes to; None when its commits and its target are what they were.

    `update` is sent for a new label, too: `oldrev` says that there are other commits.
    """
    match action:
        case "open" | "reopen":
            return PullRequestAction.OPENED
        case "update" if _differs(payload):
            return PullRequestAction.UPDATED
        case "close":
            return PullRequestAction.CLOSED
        case _:
            return None


def _differs(payload: Fields) -> bool:
    changes = payload.optional("changes")
    pushed = payload.section("object_attributes").optional_commit("oldrev") is not None
    readied = changes.has("draft") and not changes.section("draft").optional_flag("current")
    return pushed or changes.has("target_branch") or readied


def _changed(payload: Fields, attributes: Fields, action: PullRequestAction, *, head: str) -> PullRequestEvent:
    return PullRequestEvent(
        repository=_repository(payload),
        number=attributes.natural("iid"),
        branch=attributes.name("target_branch"),
        head=head,
        action=action,
        from_fork=attributes.number("source_project_id") != attributes.natural("target_project_id"),
        draft=attributes.optional_flag("draft") or attributes.optional_flag("work_in_progress"),
        title=attributes.line("title", TITLE_LENGTH),
        actor=payload.optional("user").line("username"),
        left=payload.optional("changes").optional("target_branch").optional_name("previous"),
    )


def _name(attributes: Fields) -> str:
    number = attributes.number("iid")
    return "merge request" if number is None else one_line(f"merge request !{number}")


def _merge(payload: Fields, attributes: Fields) -> Merge:
    commit, guessed = _tip(attributes)
    return Merge(
        repository=_repository(payload),
        branch=attributes.name("target_branch"),
        commit=commit,
        actor=payload.optional("user").line("username"),
        title=numbered("!", attributes.number("iid"), attributes.line("title", TITLE_LENGTH)),
        guessed=guessed,
        number=attributes.number("iid"),
    )


def _tip(attributes: Fields) -> tuple[str, bool]:
    """The commit that the target branch was moved to, and whether that is a guess.

    | merge method                        | merge_commit_sha | squash_commit_sha   | new tip           |
    | merge commit, also semi-linear      | the merge commit | null or missing     | merge_commit_sha  |
    | the same with squash                | the merge commit | its second parent   | merge_commit_sha  |
    | fast-forward                        | null or missing  | null or missing     | last_commit.id    |
    | fast-forward with squash            | null or missing  | the squashed commit | squash_commit_sha |

    GitLab's `MergeRequests::MergeStrategies::FromSourceBranch` records them so, and
    https://docs.gitlab.com/user/project/merge_requests/methods/ describes the methods.

    Two merges name no tip: the last row in versions that do not send squash_commit_sha
    (https://gitlab.com/gitlab-org/gitlab/-/issues/415449), and a fast-forward before which GitLab rebased by itself.
    last_commit is then a commit that only the source branch had, and nothing in the payload tells: so it is a guess.
    """
    named = attributes.optional_commit("merge_commit_sha") or attributes.optional_commit("squash_commit_sha")
    return (named, False) if named else (attributes.section("last_commit").commit("id"), True)


def _repository(payload: Fields) -> str:
    """The project whose hook this is. For a merge request that is the target, even when the source is a fork."""
    return payload.section("project").name("path_with_namespace")
