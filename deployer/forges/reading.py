"""Taking decoded answers of a forge apart: what is not there, or is not what the forge documents, is a failure.

Pure: the `Errand` only words the failure, which is always `Temporary`: such an answer comes from something in the
forge's place, or from a forge that is being updated.
"""

from __future__ import annotations

from collections.abc import Mapping

from deployer.forges.answer import Errand
from deployer.model import JSON

Fields = Mapping[str, JSON]


def fields(answer: object, errand: Errand) -> Fields:
    """A JSON object."""
    if not isinstance(answer, dict):
        raise errand.garbled()
    return answer


def rows(answer: object, errand: Errand) -> list[Fields]:
    """A list of JSON objects."""
    if not isinstance(answer, list):
        raise errand.garbled()
    return [fields(each, errand) for each in answer]


def text(answer: Fields, key: str, errand: Errand) -> str:
    """A text in a JSON object."""
    value = answer.get(key)
    if not isinstance(value, str):
        raise errand.garbled()
    return value


def integer(answer: Fields, key: str, errand: Errand) -> int:
    """A whole number in a JSON object."""
    value = answer.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise errand.garbled()
    return value


def inner(answer: Fields, key: str, errand: Errand) -> Fields:
    """A JSON object in a JSON object."""
    return fields(answer.get(key), errand)
