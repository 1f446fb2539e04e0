"""What is said on a pull request, and the signs that are put on it, by the rules of each forge.

Decides only; reading requests and writing answers is up to the two APIs.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from deployer.model import ForgeKind
from deployer.sandbox.forge.apps import App
from deployer.sandbox.forge.refusal import Invalid, NotFound

LONGEST = {ForgeKind.GITHUB: 65_536, ForgeKind.GITLAB: 1_000_000}
"""Characters of a comment."""

SIGNS: Mapping[ForgeKind, Mapping[str, str]] = {
    ForgeKind.GITHUB: {
        "+1": "👍", "-1": "👎", "laugh": "😄", "confused": "😕", "heart": "❤", "hooray": "🎉", "rocket": "🚀",
        "eyes": "👀",
    },
    ForgeKind.GITLAB: {
        "thumbsup": "👍", "thumbsdown": "👎", "laughing": "😄", "confused": "😕", "heart": "❤", "tada": "🎉",
        "rocket": "🚀", "eyes": "👀",
    },
}  # fmt: skip
"""What each forge calls a sign; GitLab has many more."""


@dataclass(frozen=True, slots=True)
class Reaction:
    """A sign that somebody put on a comment, in the words of the repository's forge."""

    id: int
    by: str
    name: str
    sign: str
    """What people see."""
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Comment:
    """Something that was said on a pull request."""

    id: int
    number: int
    """The pull request's."""
    author: str
    body: str
    created_at: datetime
    updated_at: datetime
    app: App | None = None
    """Which App said it, if no person did."""
    reactions: tuple[Reaction, ...] = ()

    @property
    def edited(self) -> bool:
        """Whether it said something else before."""
        return self.updated_at != self.created_at


@dataclass(slots=True)
class Comments:
    """The comments of one repository. Callers hold the repository's lock while they write."""

    kind: ForgeKind
    _all: dict[int, Comment] = field(default_factory=dict)
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def add(self, number: int, body: str, *, by: str, app: App | None, at: datetime) -> Comment:
        """Keep a new comment. Raises Invalid when it is blank or too long."""
        comment = Comment(next(self._ids), number, by, self._checked(body), at, at, app)
        self._all[comment.id] = comment
        return comment

    def edit(self, comment_id: int, body: str, *, at: datetime) -> Comment:
        """Let a comment say something else. Raises NotFound, Invalid."""
        comment = self._all[comment_id] = replace(self.get(comment_id), body=self._checked(body), updated_at=at)
        return comment

    def react(self, comment_id: int, name: str, *, by: str, at: datetime) -> Reaction:
        """Put a sign on a comment; if that person did so before, it is the same one. Raises NotFound, Invalid."""
        comment, sign = self.get(comment_id), SIGNS[self.kind].get(name)
        if sign is None:
            raise Invalid("content", f"is not a member of {list(SIGNS[self.kind])}.")
        there = next((one for one in comment.reactions if (one.by, one.name) == (by, name)), None)
        if there is None:
            there = Reaction(next(self._ids), by, name, sign, at)
            self._all[comment_id] = replace(comment, reactions=(*comment.reactions, there))
        return there

    def get(self, comment_id: int) -> Comment:
        """The comment of that number. Raises NotFound."""
        try:
            return self._all[comment_id]
        except KeyError:
            raise NotFound(f"no comment {comment_id}") from None

    def on(self, number: int) -> tuple[Comment, ...]:
        """All comments on a pull request, oldest first."""
        return tuple(one for one in self._all.values() if one.number == number)

    def _checked(self, body: str) -> str:
        if not body.strip():
            raise Invalid("body", "can't be blank")
        if len(body) > LONGEST[self.kind]:
            raise Invalid("body", f"is too long (maximum is {LONGEST[self.kind]} characters)")
        return body
