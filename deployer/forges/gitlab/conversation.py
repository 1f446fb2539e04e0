"""Merge requests on GitLab: how they stand, our notes on them, and a sign on somebody else's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import quote

from deployer.forges.answer import Errand, Missing
from deployer.forges.gitlab.access import Api, Query, Refused, project
from deployer.forges.reading import Fields, integer, text
from deployer.forges.writing import Marked, fitting
from deployer.model import JSON, PullRequest, Reaction

BODY_LENGTH = 1_000_000
PAGE = 100
MOST_PAGES = 30

_EMOJI: Final[Mapping[Reaction, str]] = {
    Reaction.THUMBS_UP: "thumbsup",
    Reaction.THUMBS_DOWN: "thumbsdown",
    Reaction.EYES: "eyes",
    Reaction.ROCKET: "rocket",
    Reaction.CONFUSED: "confused",
}


def comment(api: Api, repository: str, number: int, content: Marked, *, known: str | None) -> str:
    """Write the one note of ours with the marker of `content` on a merge request, or write it anew, and give its id.

    It is the note `known`, or else the first of our own that has the marker, or else a new one. What somebody else
    wrote is never touched.

    https://docs.gitlab.com/api/notes/#merge-requests

    Raises:
        Permanent: GitLab refuses it, or the text is empty or too long.
        Temporary: GitLab is away, or wants us to wait.
    """
    errand, path = _commenting(api, repository, number), _notes(repository, number)
    body: JSON = {"body": fitting(content.text, limit=BODY_LENGTH, forge="GitLab", doing=errand.doing)}
    if known is not None:
        try:
            return _rewrite(api, errand, f"{path}/{quote(known, safe='')}", body)
        except Missing:
            pass  # somebody deleted it
    ours = _ours(api, errand, path, content)
    return _rewrite(api, errand, f"{path}/{ours}", body) if ours else _write(api, errand, path, body)


def reply(api: Api, repository: str, number: int, *, body: str) -> str:
    """Write a note on a merge request and give its id.

    Raises:
        Permanent: GitLab refuses it, or the text is empty or too long.
        Temporary: GitLab is away, or wants us to wait.
    """
    errand = _commenting(api, repository, number)
    content: JSON = {"body": fitting(body, limit=BODY_LENGTH, forge="GitLab", doing=errand.doing)}
    return _write(api, errand, _notes(repository, number), content)


def react(api: Api, repository: str, number: int, *, comment_id: str, reaction: Reaction) -> None:
    """Put a sign on a note; that it is there already is fine.

    https://docs.gitlab.com/api/emoji_reactions/#add-reactions-to-comments

    Raises:
        Permanent: GitLab refuses it.
        Temporary: GitLab is away, or wants us to wait.
    """
    errand = api.errand(f"reacting on {repository}!{number}")
    path = f"{_notes(repository, number)}/{quote(comment_id, safe='')}/award_emoji"
    try:
        api.try_to(errand, "post", path, body={"name": _EMOJI[reaction]})
    except Refused as refused:
        # Said with the same 404 as everything else that it does not find here.
        if "already been taken" not in refused.answer.message:
            raise errand.refused(refused.answer) from refused


def pull_request(api: Api, repository: str, number: int) -> PullRequest:
    """How a merge request stands.

    https://docs.gitlab.com/api/merge_requests/#get-single-mr

    Raises:
        Permanent: there is none, or GitLab does not let us see it.
        Temporary: GitLab is away, or wants us to wait.
    """
    errand = api.errand(f"looking at {repository}!{number}")
    merge = api.ask(errand, "get", _path(repository, number))
    state = text(merge, "state", errand)
    return PullRequest(
        repository=repository,
        number=number,
        head=text(merge, "sha", errand),
        base=text(merge, "target_branch", errand),
        title=text(merge, "title", errand),
        open=state == "opened",
        merged=state == "merged",
        merge_commit=_tip(merge) if state == "merged" else None,
        # Null stands for a fork that is gone.
        from_fork=merge.get("source_project_id") != integer(merge, "target_project_id", errand),
    )


def _tip(merge: Fields) -> str | None:
    """The commit that a merge moved the target branch to, as for a delivery (`webhooks/gitlab.py`)."""
    names = (merge.get(name) for name in ("merge_commit_sha", "squash_commit_sha", "sha"))
    return next((name for name in names if isinstance(name, str) and name), None)


def _ours(api: Api, errand: Errand, path: str, content: Marked) -> int | None:
    us = api.user_id(errand)
    for each in _pages(api, errand, path):
        if _author(each) == us and content.marks(text(each, "body", errand)):
            return integer(each, "id", errand)
    return None


def _pages(api: Api, errand: Errand, path: str) -> Iterator[Fields]:
    """Oldest first. Ours is among the first, so there is an end to looking."""
    for page in range(1, MOST_PAGES + 1):
        query: Query = {"order_by": "created_at", "sort": "asc", "per_page": PAGE, "page": page}
        notes = api.page(errand, path, query=query)
        yield from notes
        if len(notes) < PAGE:
            return


def _author(note: Fields) -> JSON:
    author = note.get("author")
    return author.get("id") if isinstance(author, dict) and not note.get("system") else None


def _write(api: Api, errand: Errand, path: str, content: JSON) -> str:
    return str(integer(api.ask(errand, "post", path, body=content), "id", errand))


def _rewrite(api: Api, errand: Errand, path: str, content: JSON) -> str:
    return str(integer(api.ask(errand, "put", path, body=content), "id", errand))


def _commenting(api: Api, repository: str, number: int) -> Errand:
    return api.errand(f"commenting on {repository}!{number}")


def _notes(repository: str, number: int) -> str:
    return f"{_path(repository, number)}/notes"


def _path(repository: str, number: int) -> str:
    return f"{project(repository)}/merge_requests/{number}"
