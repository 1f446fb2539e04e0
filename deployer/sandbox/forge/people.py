"""Who has an account on the forge, and what they may do: a few people to try permissions with.

Everybody has the same role in every repository.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from deployer.sandbox.forge.refusal import NotFound

USER = "sandbox"
"""Whose token it is: the one who speaks through the APIs, unless an App does."""

VISITOR = "ada"
"""Who acts on the pages until somebody else is chosen."""


class Role(IntEnum):
    """What a person may do in the repositories. Each is more than the one before it."""

    NONE = 0
    READ = 1
    WRITE = 2
    ADMIN = 3


@dataclass(frozen=True, slots=True)
class Person:
    """Someone with an account."""

    login: str
    role: Role
    teams: frozenset[str] = frozenset()
    """By full name: `acme/operators`, a team of an organization on GitHub and a group on GitLab."""


INHABITANTS = (
    Person("ada", Role.ADMIN, frozenset({"acme/operators"})),
    Person("bob", Role.WRITE),
    Person("grace", Role.WRITE),
    Person("mallory", Role.NONE),
)
"""Who is there from the beginning."""


class People:
    """Everybody with an account, by login."""

    def __init__(self, people: Iterable[Person] = INHABITANTS) -> None:
        self._by_login = {one.login: one for one in people}

    def __iter__(self) -> Iterator[Person]:
        return iter(tuple(self._by_login.values()))

    def add(self, person: Person) -> None:
        """Give somebody an account, or another role."""
        self._by_login[person.login] = person

    def get(self, login: str) -> Person:
        """The person of that name. Raises NotFound."""
        try:
            return self._by_login[login]
        except KeyError:
            raise NotFound(f"nobody here is called {login!r}") from None

    def numbered(self, number: int) -> Person:
        """The person of that number. Raises NotFound."""
        return next((one for one in self if number_of(one.login) == number), None) or self.get(str(number))

    def teams(self) -> frozenset[str]:
        """Every team that somebody is in."""
        return frozenset(team for one in self for team in one.teams)


def number_of(login: str) -> int:
    """The number by which a forge calls an account; the same on both, for ever."""
    return zlib.crc32(login.encode())
