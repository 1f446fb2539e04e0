"""Pull requests on GitHub: how they stand, our comments on them, and a sign on somebody else's.

What people write under a pull request is an issue's comment in GitHub's API.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import quote

from deployer.forges.answer import Missing
from deployer.forges.github.access import Api, Matter
from deployer.forges.github.rights import COMMENTS, PULL_REQUESTS, REACTIONS
from deployer.forges.reading import Fields, inner, integer, text
from deployer.forges.writing import Marked, fitting
from deployer.model import JSON, PullRequest, Reaction

BODY_LENGTH = 65_536
PAGE = 100
MOST_PAGES = 30


def comment(api: Api, repository: str, number: int, content: Marked, *, known: str | None) -> str:
    """Write the one comment of ours with the marker of `content` on a pull request, or write it anew, and give its id.

    It is the comment `known`, or else the first of our own that has the marker, or else a new one. What somebody else
    wrote is never touched.

    https://docs.github.com/en/rest/issues/comments

    Raises:
        Permanent: GitHub refuses it, or the text is empty or too long.
        Temporary: GitHub is away, or wants us to wait.
    """
    matter = _matter(repository, number)
    body: JSON = {"body": fitting(content.text, limit=BODY_LENGTH, forge="GitHub", doing=matter.doing)}
    if known is not None:
        try:
            return _rewrite(api, matter, known, body)
        except Missing:
            pass  # somebody deleted it
    ours = _ours(api, matter, number, content)
    return _rewrite(api, matter, ours, body) if ours else _write(api, matter, number, body)


def reply(api: Api, repository: str, number: int, *, body: str) -> str:
    """Write a comment on a pull request and give its id.

    Raises:
        Permanent: GitHub refuses it, or the text is empty or too long.
        Temporary: GitHub is away, or wants us to wait.
    """
    matter = _matter(repository, number)
    content = fitting(body, limit=BODY_LENGTH, forge="GitHub", doing=matter.doing)
    return _write(api, matter, number, {"body": content})


def react(api: Api, repository: str, number: int, *, comment_id: str, reaction: Reaction) -> None:
    """Put a sign on a comment; that it is there already is fine.

    https://docs.github.com/en/rest/reactions/reactions#create-reaction-for-an-issue-comment

    Raises:
        Permanent: GitHub refuses it.
        Temporary: GitHub is away, or wants us to wait.
    """
    matter = replace(_matter(repository, number), right=REACTIONS, doing=f"reacting on {repository}#{number}")
    body: JSON = {"content": reaction.value}
    api.ask(matter, "POST", f"/issues/comments/{quote(comment_id, safe='')}/reactions", body=body)


def pull_request(api: Api, repository: str, number: int) -> PullRequest:
    """How a pull request stands.

    https://docs.github.com/en/rest/pulls/pulls#get-a-pull-request

    Raises:
        Permanent: there is none, or GitHub does not let us see it.
        Temporary: GitHub is away, or wants us to wait.
    """
    matter = Matter(f"repos/{repository}", PULL_REQUESTS, f"looking at {repository}#{number}")
    pull, errand = api.ask(matter, "GET", f"/pulls/{number}"), matter.errand
    head, base = inner(pull, "head", errand), inner(pull, "base", errand)
    return PullRequest(
        repository=repository,
        number=number,
        head=text(head, "sha", errand),
        base=text(base, "ref", errand),
        title=text(pull, "title", errand),
        open=text(pull, "state", errand) == "open",
        merged=pull.get("merged") is True,
        merge_commit=text(pull, "merge_commit_sha", errand) if pull.get("merged") is True else None,
        from_fork=_repository(head) != integer(inner(base, "repo", errand), "id", errand),
    )


def _repository(head: Fields) -> JSON:
    """The number of the repository that a head is in; none for a fork that is gone."""
    repository = head.get("repo")
    return repository.get("id") if isinstance(repository, dict) else None


def _matter(repository: str, number: int) -> Matter:
    return Matter(f"repos/{repository}", COMMENTS, f"commenting on {repository}#{number}")


def _ours(api: Api, matter: Matter, of: int, content: Marked) -> str | None:
    us = api.login(matter)
    for each in _comments(api, matter, of):
        if _author(each) == us and content.marks(text(each, "body", matter.errand)):
            return str(integer(each, "id", matter.errand))
    return None


def _comments(api: Api, matter: Matter, of: int) -> Iterator[Fields]:
    """Oldest first. Ours is among the first, so there is an end to looking."""
    for page in range(1, MOST_PAGES + 1):
        query = {"per_page": PAGE, "page": page}
        comments = api.page(matter, f"/issues/{of}/comments", query=query)
        yield from comments
        if len(comments) < PAGE:
            return


def _author(comment: Fields) -> JSON:
    user = comment.get("user")
    return user.get("login") if isinstance(user, dict) else None


def _write(api: Api, matter: Matter, of: int, content: JSON) -> str:
    answer = api.ask(matter, "POST", f"/issues/{of}/comments", body=content)
    return str(integer(answer, "id", matter.errand))


def _rewrite(api: Api, matter: Matter, known: str, content: JSON) -> str:
    api.ask(matter, "PATCH", f"/issues/comments/{quote(known, safe='')}", body=content)
    return known
