"""JSON from outside, read field by field into plain Python values.

A payload is signed and still not trusted: every value is checked for its type where it is read, every text is made
safe to show or to look up, and whatever is wrong is one exception, `Malformed`. No dictionary of a payload leaves.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import NoReturn, Self

from deployer.webhooks.refusal import Malformed

LINE_LENGTH = 100
"""Characters of a short text that people read."""

TITLE_LENGTH = 200
"""Characters of what was merged, in the words of those who merged it."""

NAME_LENGTH = 1024
"""Characters of the name of a branch or a repository; no forge allows as many."""

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_NULL_COMMIT = re.compile(r"0{40}|0{64}")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_KINDS = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}


class Fields:
    """One JSON object. `path` is where it stands in the payload, for messages."""

    def __init__(self, content: Mapping[str, object], *, path: str = "") -> None:
        self._content = content
        self._path = path

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a whole payload.

        Raises:
            Malformed: it is not JSON, is nested too deeply to read, or is not an object.
        """
        try:
            content = json.loads(text, parse_constant=_refuse_constant)
        except RecursionError as error:
            raise Malformed("the payload is nested too deeply") from error
        except ValueError as error:  # not JSON at all, or an integer of more digits than Python reads
            raise Malformed("the payload is not JSON") from error
        if not isinstance(content, dict):
            raise Malformed(f"the payload is {_kind(content)}, not an object")
        return cls(content)

    def section(self, key: str) -> Fields:
        """The object under `key`, which must be there."""
        value = self._content.get(key)
        if not isinstance(value, dict):
            self._refuse(key, value, expected="an object")
        return Fields(value, path=self._where(key))

    def optional(self, key: str) -> Fields:
        """The object under `key`; an empty one when it is missing or null."""
        return Fields({}) if self._content.get(key) is None else self.section(key)

    def has(self, key: str) -> bool:
        """Whether there is an object under `key`. Missing and null mean that there is none."""
        if self._content.get(key) is None:
            return False
        self.section(key)
        return True

    def sections(self, key: str) -> Iterator[Fields]:
        """The objects in the list under `key`; none when it is missing or null."""
        values = self._content.get(key)
        if values is not None and not isinstance(values, list):
            self._refuse(key, values, expected="a list")
        for index, value in enumerate(values or ()):
            if not isinstance(value, dict):
                raise Malformed(f"{self._where(key)}[{index}] is {_kind(value)}, not an object")
            yield Fields(value, path=f"{self._where(key)}[{index}]")

    def flag(self, key: str) -> bool:
        """True or false, which must be there."""
        value = self._content.get(key)
        if not isinstance(value, bool):
            self._refuse(key, value, expected="true or false")
        return value

    def optional_flag(self, key: str) -> bool:
        """True or false; false when it is missing or null."""
        return False if self._content.get(key) is None else self.flag(key)

    def natural(self, key: str) -> int:
        """A number by which a forge calls something, which must be there: whole, from 1 to what a database holds."""
        value = self.number(key)
        if value is None or not 0 < value < 2**63:
            raise Malformed(f"{self._where(key)} is missing or no number that a forge gives to anything")
        return value

    def number(self, key: str) -> int | None:
        """A whole number, or None when it is missing or null."""
        value = self._content.get(key)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            self._refuse(key, value, expected="a whole number")
        return value

    def text(self, key: str) -> str | None:
        """A text exactly as it came, or None when it is missing or null."""
        value = self._content.get(key)
        if value is not None and not isinstance(value, str):
            self._refuse(key, value, expected="a text")
        return value

    def line(self, key: str, limit: int = LINE_LENGTH) -> str | None:
        """The first line of a text, safe to show, of at most `limit` characters; None when there is nothing to show."""
        return one_line(self.text(key) or "", limit) or None

    def name(self, key: str) -> str:
        """A text that names something and must be there: what is looked up, so never changed to make it safe."""
        value = self.text(key)
        if not value or len(value) > NAME_LENGTH or _UNSAFE.search(value):
            raise Malformed(f"{self._where(key)} is missing, too long or has characters that no name has")
        return value

    def optional_name(self, key: str) -> str | None:
        """A text that names something, or None when it is missing, null or empty."""
        return None if self._content.get(key) in (None, "") else self.name(key)

    def commit(self, key: str) -> str:
        """A full commit id, which must be there."""
        value = self.name(key)
        if not is_commit(value):
            raise Malformed(f"{self._where(key)} is not a commit: 40 or 64 lower-case hexadecimal digits, not all zero")
        return value

    def optional_commit(self, key: str) -> str | None:
        """A full commit id, or None when it is missing, null or empty."""
        return None if self._content.get(key) in (None, "") else self.commit(key)

    def _where(self, key: str) -> str:
        return f"{self._path}.{key}" if self._path else key

    def _refuse(self, key: str, value: object, *, expected: str) -> NoReturn:
        found = _kind(value) if key in self._content else "missing"
        raise Malformed(f"{self._where(key)} is {found}, not {expected}")


def is_commit(text: str) -> bool:
    """Whether `text` is a full commit id, SHA-1 or SHA-256, and not the all-zero one."""
    return _COMMIT.fullmatch(text) is not None and not is_null_commit(text)


def is_null_commit(text: str) -> bool:
    """Whether `text` is the all-zero id by which git says that a ref is not there (before or after a push)."""
    return _NULL_COMMIT.fullmatch(text) is not None


def decode(body: bytes) -> str:
    """The body as text; JSON between systems is UTF-8 (RFC 8259, 8.1).

    Raises:
        Malformed: it is empty, or not UTF-8.
    """
    if not body:
        raise Malformed("the body is empty")
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise Malformed("the body is not UTF-8") from error


def one_line(text: str, limit: int = LINE_LENGTH) -> str:
    """The first line of `text`, of at most `limit` characters, without any that would not print.

    Control characters, unpaired surrogates and those that turn the direction of writing would change what a terminal
    or a page shows around them, or could not be encoded at all.
    """
    start = text.strip()[: 4 * limit]
    first = start.splitlines()[0] if start else ""
    if not first.isprintable():
        first = "".join(character if character.isprintable() else " " for character in first)
    line = " ".join(first.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def numbered(mark: str, number: int | None, title: str | None) -> str | None:
    """What was merged, as people call it: `#12 Raise the replicas`, or whichever half of that is known."""
    reference = "" if number is None else f"{mark}{number}"
    return one_line(f"{reference} {title or ''}", TITLE_LENGTH) or None


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "a number")


def _refuse_constant(name: str) -> NoReturn:
    raise Malformed(f"the payload is not JSON: it has {name} for a number")
