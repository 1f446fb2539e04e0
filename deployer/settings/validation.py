"""Plain data -> Settings, and pydantic's errors in our words.

One mistake of the writer is one line here, and no line shows what was written where a secret could stand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from deployer.settings.mistakes import Mistake, Place, nearest, quoted, suggestion
from deployer.settings.section import Origin, Section
from deployer.settings.sections import ABSENT, Settings

_KEY = "[key]"
"""How pydantic ends the place of an error in a key of a mapping."""

_CONSEQUENCE = "default_factory_not_called"
"""Type of the error for a default that waits for another key, which has its own error."""


def validate(content: Mapping[str, object], origin: Origin) -> tuple[Settings | None, list[Mistake]]:
    """Give the settings, or every mistake that one section or one value has by itself."""
    try:
        return Settings.model_validate(content, context=origin), []
    except ValidationError as error:
        return None, list(_mistakes(error.errors(include_url=False)))


def _mistakes(errors: list[ErrorDetails]) -> Iterator[Mistake]:
    misspelt = {place for place in map(_meant, errors) if place is not None}
    for error in errors:
        place = _place(error)
        if error["type"] == _CONSEQUENCE or (error["type"] in ("missing", ABSENT) and place in misspelt):
            continue
        yield Mistake(place, _message(error), whole=place == error["loc"])


def _place(error: ErrorDetails) -> Place:
    place = error["loc"]
    return place[:-1] if place[-1] == _KEY else place


def _meant(error: ErrorDetails) -> Place | None:
    """Give the place of the key that an unknown key was meant for."""
    if error["type"] != "extra_forbidden":
        return None
    *section, key = error["loc"]
    near = nearest(str(key), _keys(tuple(section)))
    return (*section, near) if near is not None else None


def _keys(place: Place) -> tuple[str, ...]:
    """Give the keys that the section at `place` may have."""
    section: type[Section] = Settings
    steps = iter(place)
    for step in steps:
        annotation = section.model_fields[str(step)].annotation
        if get_origin(annotation) in (dict, tuple):
            next(steps)
        section = _section(annotation) or section
    return tuple(section.model_fields)


def _section(annotation: object) -> type[Section] | None:
    """Find the section in `tuple[Section, ...]`, `dict[str, Section]`, `Section | None` or `bool | Section`."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next(filter(None, map(_section, get_args(annotation))), None)


def _message(error: ErrorDetails) -> str:
    kind = error["type"]
    if kind == "value_error":
        return str(error["ctx"]["error"])
    if kind == "extra_forbidden":
        *section, key = error["loc"]
        return "unknown key" + suggestion(str(key), _keys(tuple(section)))
    if kind in ("enum", "literal_error"):
        return _choice(error)
    if kind in _EXPECTED:
        return _expected(_EXPECTED[kind], error["input"])
    return _OTHER[kind](error) if kind in _OTHER else error["msg"]


def _choice(error: ErrorDetails) -> str:
    expected = error["ctx"]["expected"].replace("'", '"')
    value = error["input"]
    if not isinstance(value, str):
        return _expected(expected, value)
    return f"expected {expected}, found {quoted(value)}" + suggestion(value, expected.split('"')[1::2])


def _expected(expected: str, value: object) -> str:
    """Say what sort of thing is there, not which, and what to do where YAML took a text for something else."""
    advice = _QUOTE.get(type(value), "") if expected == _TEXT else ""
    return f"expected {expected}, found {_KINDS.get(type(value), 'nothing')}{advice}"


_TEXT = "text"
_MAPPING = "a mapping"
_KINDS: Mapping[type, str] = {
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "text",
    dict: _MAPPING,
    list: "a list",
}
_QUOTE: Mapping[type, str] = {
    bool: " (YAML reads on, off, yes, no, true and false so); quote it",
    int: "; quote it",
    float: "; quote it",
}
_EXPECTED: Mapping[str, str] = {
    "string_type": _TEXT,
    "path_type": _TEXT,
    "bool_type": "true or false",
    "int_type": "a whole number",
    "dict_type": _MAPPING,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "tuple_type": "a list",
}
_OTHER: Mapping[str, Callable[[ErrorDetails], str]] = {
    "missing": lambda _: "missing",
    "too_short": lambda _: "empty; at least one is needed",
    "greater_than_equal": lambda error: f"expected {error['ctx']['ge']} or more, found {error['input']}",
    "less_than_equal": lambda error: f"expected {error['ctx']['le']} or less, found {error['input']}",
}
