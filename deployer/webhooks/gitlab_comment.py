"""GitLab's comments, which it calls notes, read as commands.

https://docs.gitlab.com/user/project/integrations/webhook_events/#comment-events
"""

from __future__ import annotations

import re

from deployer.model import Command, Event, Ignored
from deployer.webhooks.comment import BY_ROBOT, NO_COMMAND, Asked, read_command
from deployer.webhooks.payload import Fields, one_line
from deployer.webhooks.refusal import Malformed

_OPEN = {"opened": True, "locked": True, "closed": False, "merged": False}
"""`locked` is an open one while it is being merged."""

_ROBOT = re.compile(r"(project|group)_[0-9]+_bot(_?[0-9a-z]+)?|service_account(_(project|group)_[0-9]+)?_[0-9a-z]+")
"""How GitLab names the users of access tokens of projects and groups, and service accounts that nobody gave a name. A
payload has no other sign of either; those that have a name of their own, the forge is asked about.
https://docs.gitlab.com/user/project/settings/project_access_tokens/#bot-users-for-projects
https://docs.gitlab.com/api/service_accounts/"""


def read_note(payload: Fields, *, repository: str) -> Event:
    """What a note asks for, if it is new, of a person and on a merge request.

    Raises:
        Malformed: it is not what GitLab documents.
    """
    note, sender = payload.section("object_attributes"), payload.section("user")
    on = note.name("noteable_type")
    if on != "MergeRequest":
        return Ignored(f"a comment on {one_line(on)}: only those on merge requests count")
    if not _is_new(note):
        return Ignored("a comment was changed: only new ones count")
    asked = read_command(note.text("note") or "")
    if asked is None:
        return Ignored(NO_COMMAND)
    if note.optional_flag("system") or _ROBOT.fullmatch(sender.name("username")):
        return Ignored(BY_ROBOT)
    if note.natural("author_id") != sender.natural("id"):  # the test of a webhook sends the newest note of anybody
        return Ignored("a comment of somebody else than who sent it, as in the test of a webhook")
    return _command(asked, note, sender, request=payload.section("merge_request"), repository=repository)


def _command(asked: Asked, note: Fields, sender: Fields, *, request: Fields, repository: str) -> Command:
    name, arguments = asked
    state = request.name("state")
    if state not in _OPEN:
        raise Malformed("merge_request.state is none that GitLab documents")
    return Command(
        repository=repository,
        number=request.natural("iid"),
        name=name,
        arguments=arguments,
        comment_id=str(note.natural("id")),
        actor=sender.name("username"),
        actor_id=sender.natural("id"),
        open=_OPEN[state],
        merged=state == "merged",
        branch=request.name("target_branch"),
        head=request.optional("last_commit").optional_commit("id"),
    )


def _is_new(note: Fields) -> bool:
    """`action` is there since GitLab 16.11; before, a note that was edited shows that by its times alone.

    https://gitlab.com/gitlab-org/gitlab/-/merge_requests/147856
    """
    action = note.text("action")
    return action == "create" if action is not None else note.text("created_at") == note.text("updated_at")
