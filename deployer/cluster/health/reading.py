"""Objects as the API server sent them, read without trust. Pure.

Status is written by controllers of any origin, and custom kinds may have anything in it: what has another type than it
should have counts as not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from deployer.model import JSON

_NOTHING: Mapping[str, JSON] = {}


@dataclass(frozen=True, slots=True)
class Condition:
    """One entry of `status.conditions`, observed at the object's present generation.

    https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md#typical-status-properties
    """

    type: str
    status: str
    """`True`, `False` or `Unknown`."""
    reason: str
    message: str

    @property
    def holds(self) -> bool:
        """Whether it is true."""
        return self.status == "True"

    @property
    def words(self) -> str:
        """Reason and message, or what little there is."""
        return ": ".join(filter(None, (self.reason, self.message))) or f"{self.type} is {self.status or 'not known'}"


@dataclass(frozen=True, slots=True)
class Reading:
    """An object, or a part of one."""

    content: Mapping[str, JSON] = field(repr=False)

    def text(self, *path: str, default: str = "") -> str:
        """The text at a path of keys."""
        value = self._at(path)
        return value if isinstance(value, str) else default

    def number(self, *path: str, default: int = 0) -> int:
        """The whole number at a path of keys."""
        value = self._at(path)
        return value if isinstance(value, int) and not isinstance(value, bool) else default

    def has(self, *path: str) -> bool:
        """Whether there is a value that is not null at a path of keys."""
        return self._at(path) is not None

    def part(self, *path: str) -> Reading:
        """The object at a path of keys; an empty one when there is none."""
        value = self._at(path)
        return Reading(value if isinstance(value, dict) else _NOTHING)

    def parts(self, *path: str) -> list[Reading]:
        """The objects in the list at a path of keys."""
        value = self._at(path)
        return [Reading(item) for item in value if isinstance(item, dict)] if isinstance(value, list) else []

    def texts(self, *path: str) -> dict[str, str]:
        """The texts by their keys at a path, as labels are."""
        return {key: value for key, value in self.part(*path).content.items() if isinstance(value, str)}

    @property
    def kind(self) -> tuple[str, str]:
        """API group and kind."""
        return self.text("apiVersion").rpartition("/")[0], self.text("kind")

    @property
    def name(self) -> str:
        """Its name, as `metadata` has it."""
        return self.text("metadata", "name")

    @property
    def conditions(self) -> list[Condition]:
        """In the order in which they are there, without those that are about an older generation."""
        generation = self.number("metadata", "generation")
        return [
            Condition(each.text("type"), each.text("status"), each.text("reason"), each.text("message"))
            for each in self.parts("status", "conditions")
            if each.number("observedGeneration", default=generation) >= generation
        ]

    def condition(self, type_: str) -> Condition | None:
        """The condition of a type."""
        return next((each for each in self.conditions if each.type == type_), None)

    def unobserved(self) -> str:
        """Which generation the object's controller has not seen yet, in words; empty when it has, or does not say."""
        generation = self.number("metadata", "generation")
        seen = self.number("status", "observedGeneration", default=generation)
        if not generation or seen == generation:
            return ""
        return f"generation {generation} is not observed yet, only {seen}"

    def _at(self, path: tuple[str, ...]) -> object:
        value: object = self.content
        for key in path:
            if not isinstance(value, Mapping):
                return None
            value = value.get(key)
        return value
