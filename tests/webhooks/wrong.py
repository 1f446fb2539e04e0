"""Values that are wrong where a payload has a section, a name, a number or a commit."""

from __future__ import annotations

NEITHER: list[object] = [[], 0.5, True, [{}]]
"""Wrong wherever a text, a number or an object belongs."""

NO_TEXTS = [*NEITHER, {}, 7]
NO_SECTIONS = [*NEITHER, "x", 7]
NO_FLAGS: list[object] = [[], {}, 0.5, 1, "true"]
UNSAFE: list[object] = ["a\nb", "\ud800", "x" * 5000]
NO_NAMES = [*NO_TEXTS, *UNSAFE, None, ""]
NO_NUMBERS = [*NEITHER, None, {}, "", "7", 0, -1, 2**63, 10**400]
NO_COMMITS = [*NO_TEXTS, *UNSAFE, "main", "0" * 40, "A" * 40, "a" * 39, "a" * 40 + "\n", "--output=/tmp/x"]
"""An empty text and null are no commits either, and in some places mean that there is none."""
