"""What a mistake in the settings is and how it is written, so that all of them read alike.

Pure words. A mistake never holds a value from a place where a secret could stand.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

Place = tuple[str | int, ...]
"""Keys and indices from the top of the file down to one value."""

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]{1,100}")
_LONGEST_QUOTE = 100


class SettingsError(Exception):
    """The settings cannot be used. `mistakes` has one line for each mistake, all of them."""

    def __init__(self, mistakes: Iterable[str]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(self.mistakes))


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake and where it is."""

    place: Place
    message: str
    whole: bool = False
    """Whether all that is at the place is refused, so that no key below it may be shown: it could be a secret."""

    def __str__(self) -> str:
        return f"{written(self.place)}: {self.message}" if self.place else self.message


def written(place: Place) -> str:
    """Give a place as people write it: `repositories[0].environments.staging.cluster`."""
    text = ""
    for step in place:
        if isinstance(step, str) and _PLAIN_KEY.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += f"[{quoted(step) if isinstance(step, str) else step}]"
    return text


def quoted(text: str) -> str:
    """Put a text from the file in double quotes, on one line, not too long."""
    shown = text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}…"
    return json.dumps(shown, ensure_ascii=not text.isprintable())


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return what the writer of `word` probably meant, None when nothing known is near."""
    by_lower_case = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), by_lower_case, n=1)
    return by_lower_case[near[0]] if near else None


def suggestion(word: str, known: Iterable[str]) -> str:
    """Give `; did you mean "…"?` when something known is near `word`, else nothing."""
    near = nearest(word, known)
    return f"; did you mean {quoted(near)}?" if near is not None else ""
