"""Reading what a client of either API sent: one page of a list, fields of a JSON body. Refuses, never guesses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from flask import Request

from deployer.sandbox.forge.refusal import Invalid, Refused

T = TypeVar("T")

MOST_PER_PAGE = 100


class NotJson(Refused):
    """The body is not a JSON object."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list, counted from 1."""

    items: Sequence[T]
    number: int
    size: int
    total: int

    @property
    def last(self) -> int:
        """The number of the last page."""
        return max(1, -(-self.total // self.size))


def page(request: Request, items: Sequence[T], *, size: int) -> Page[T]:
    """The page that `page` and `per_page` ask for; `size` is how many there are on one when nobody says."""
    number = max(1, request.args.get("page", 1, type=int))
    size = min(max(1, request.args.get("per_page", size, type=int)), MOST_PER_PAGE)
    return Page(items[(number - 1) * size : number * size], number, size, len(items))


def links(request: Request, shown: Page[T]) -> str:
    """The Link header (RFC 8288) that leads through the pages; empty when there is one only."""
    others = {"prev": shown.number - 1, "next": shown.number + 1, "first": 1, "last": shown.last}
    there = {name: number for name, number in others.items() if 1 <= number <= shown.last and number != shown.number}
    return ", ".join(f'<{_at(request, number, shown.size)}>; rel="{name}"' for name, number in there.items())


def body(request: Request) -> Mapping[str, object]:
    """The fields of a JSON object; an empty body has none. Raises NotJson."""
    if not request.get_data():
        return {}
    try:
        value = request.get_json(force=True, silent=True)
    except RecursionError:
        value = None
    if not isinstance(value, dict):
        raise NotJson("Problems parsing JSON")
    return value


def text(fields: Mapping[str, object], name: str) -> str | None:
    """A field that is text or not there. Raises Invalid."""
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise Invalid(name, "is not a string")
    return value


def _at(request: Request, number: int, size: int) -> str:
    query = "&".join(
        f"{name}={value}" for name, value in {**request.args.to_dict(), "page": number, "per_page": size}.items()
    )
    return f"{request.base_url}?{query}"
