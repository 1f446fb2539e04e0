"""GitHub's comments, read as commands. A comment on a pull request is one on the issue of the same number.

https://docs.github.com/en/webhooks/webhook-events-and-payloads#issue_comment
"""

from __future__ import annotations

from deployer.model import Command, Event, Ignored
from deployer.webhooks.comment import BY_ROBOT, NO_COMMAND, read_command
from deployer.webhooks.payload import Fields, one_line
from deployer.webhooks.refusal import Malformed

_PERSON = "User"
_OPEN = {"open": True, "closed": False}


def read_comment(payload: Fields, *, repository: str) -> Event:
    """What an `issue_comment` asks for, if it is new, of a person and on a pull request.

    Raises:
        Malformed: it is not what GitHub documents.
    """
    action, issue, comment = payload.name("action"), payload.section("issue"), payload.section("comment")
    if action != "created":
        return Ignored(f"a comment was {one_line(action)}: only new ones count")
    if not issue.has("pull_request"):
        return Ignored("a comment on an issue: only those on pull requests count")
    asked = read_command(comment.text("body") or "")
    if asked is None:
        return Ignored(NO_COMMAND)
    author = comment.section("user")
    if author.name("type") != _PERSON or comment.has("performed_via_github_app"):
        return Ignored(BY_ROBOT)
    name, arguments = asked
    return Command(
        repository=repository,
        number=issue.natural("number"),
        name=name,
        arguments=arguments,
        comment_id=str(comment.natural("id")),
        actor=author.name("login"),
        actor_id=author.natural("id"),
        open=_is_open(issue),
        merged=issue.section("pull_request").text("merged_at") is not None,
    )


def _is_open(issue: Fields) -> bool:
    state = issue.name("state")
    if state not in _OPEN:
        raise Malformed("issue.state is neither open nor closed")
    return _OPEN[state]
