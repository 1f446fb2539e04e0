"""Reading what a client of either API sent: one page of a list, fields of a JSON body. Refuses, never guesses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
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


def required(fields: Mapping[str, object], name: str) -> str:
    """A field that is text and must be there. Raises Invalid."""
    value = text(fields, name)
    if value is None:
        raise Invalid(name, "wasn't supplied.")
    return value


def number(fields: Mapping[str, object], name: str) -> int:
    """A field that is a whole number and must be there. Raises Invalid."""
    value = fields.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise Invalid(name, "is not an integer.")
    return value


def flag(fields: Mapping[str, object], name: str, *, default: bool) -> bool:
    """A field that is true or false, or `default` where it is not there. Raises Invalid."""
    value = fields.get(name, default)
    if not isinstance(value, bool):
        raise Invalid(name, "is not a boolean.")
    return value


def moment(fields: Mapping[str, object], name: str) -> datetime | None:
    """A field that is a time with its zone (ISO 8601), or not there. Raises Invalid."""
    value = text(fields, name)
    try:
        time = datetime.fromisoformat(value) if value is not None else None
    except ValueError:
        raise Invalid(name, "is not a valid date-time.") from None
    if time is not None and time.tzinfo is None:
        raise Invalid(name, "is not a valid date-time.")
    return time


def inner(fields: Mapping[str, object], name: str) -> Mapping[str, object] | None:
    """A field that is an object, or not there. Raises Invalid."""
    value = fields.get(name)
    if value is not None and not isinstance(value, dict):
        raise Invalid(name, "is not an object.")
    return value


def rows(fields: Mapping[str, object], name: str) -> tuple[Mapping[str, object], ...] | None:
    """A field that is a list of objects, or not there. Raises Invalid."""
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise Invalid(name, "is not a list of objects.")
    return tuple(value)


def _at(request: Request, number: int, size: int) -> str:
    query = "&".join(
        f"{name}={value}" for name, value in {**request.args.to_dict(), "page": number, "per_page": size}.items()
    )
    return f"{request.base_url}?{query}"
