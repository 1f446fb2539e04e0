"""The chain of the audit: each row is sealed together with the one before it, so that none can be changed alone.

What stands after a row is its head, `NUMBER:HASH`: the number of the row, and the SHA-1 of the head before it, a space
and the SHA-256 of the row. Redis makes it, in the step that writes the row; here is how, and how it is checked.
"""

from __future__ import annotations

import hashlib
import re

NOTHING = ""
"""The head before the first row."""

HEAD = re.compile(r"([1-9][0-9]{0,15}):[0-9a-f]{40}")

# Begins every script that writes a row. SHA-1 is the only hash that Redis has; why it is enough here: docs/decisions.
SEAL = """
local function audit(stream, head, row, digest)
  local before = redis.call('GET', head) or ''
  local number = (tonumber(string.match(before, '^%d+')) or 0) + 1
  local after = string.format('%.0f:%s', number, redis.sha1hex(before .. ' ' .. digest))
  redis.call('XADD', stream, '*', 'row', row, 'head', after)
  redis.call('SET', head, after)
end
"""


class Broken(Exception):  # noqa: N818 - reads as what happened
    """The rows are not those that were written. `number` is the first that is wrong, as far as can be told."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.number = number


def digest(row: bytes) -> str:
    """What a row is sealed by."""
    return hashlib.sha256(row).hexdigest()


def seal(before: str, row: bytes) -> str:
    """The head after a row, from the one before it."""
    sealed = hashlib.sha1(f"{before} {digest(row)}".encode()).hexdigest()  # noqa: S324 - as in Redis
    return f"{number(before) + 1}:{sealed}"


def number(head: str) -> int:
    """The number of the last row at a head; 0 when there is none, or it is no head."""
    found = HEAD.fullmatch(head)
    return int(found[1]) if found else 0


def follow(before: str, row: bytes, head: str) -> str:
    """Check that a row is the next one, and give the head after it.

    Raises:
        Broken: it is not, or it was changed.
    """
    if head == seal(before, row):
        return head
    wanted, found = number(before) + 1, number(head)
    if found > wanted:
        raise Broken(wanted, f"row {wanted} is missing: where it should be stands row {found}")
    if 0 < found < wanted:
        raise Broken(wanted, f"row {wanted} is missing, or out of its place: where it should be stands row {found}")
    raise Broken(wanted, f"row {wanted} does not fit to the row before it: one of the two was changed")
