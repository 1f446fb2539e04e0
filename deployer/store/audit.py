"""The audit: one row for each thing that was asked, decided or done, in the order in which it happened.

Rows are only ever added, chained to the one before (`chain.py`), and trimmed from the beginning, which is a row, too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import takewhile

from redis import Redis

from deployer.model import Deployment
from deployer.store import chain
from deployer.store.chain import Broken
from deployer.store.codec import read_time
from deployer.store.rows import HEAD, KEYS, STREAM, Value, write_row, write_step

START = "deployer:audit:start"
"""The head before the first row that is left, once rows were trimmed."""
SETTINGS = "deployer:audit:settings"
"""The digest of the settings that each sort of process has loaded last."""

_PAGE = 500
_TRIMMED = "trimmed"
_TRIMMING = b'"what":"trimmed"'
"""In no other row: a quote within a value is written as two signs."""

# KEYS: stream, head  ARGV: row, digest
_ADD = f"""{chain.SEAL}
audit(KEYS[1], KEYS[2], ARGV[1], ARGV[2])
"""

# KEYS: stream, head, settings  ARGV: row, digest, process, digest of the settings
_LOADED = f"""{chain.SEAL}
if redis.call('HGET', KEYS[3], ARGV[3]) == ARGV[4] then return 0 end
redis.call('HSET', KEYS[3], ARGV[3], ARGV[4])
audit(KEYS[1], KEYS[2], ARGV[1], ARGV[2])
return 1
"""

# Nothing is removed if somebody else has removed what the row speaks of.
# KEYS: stream, head, start  ARGV: row, digest, head before what is removed (or empty), head after it, id of what stays
_TRIM = f"""{chain.SEAL}
if (redis.call('GET', KEYS[3]) or '') ~= ARGV[3] then return 0 end
redis.call('XTRIM', KEYS[1], 'MINID', '=', ARGV[5])
redis.call('SET', KEYS[3], ARGV[4])
audit(KEYS[1], KEYS[2], ARGV[1], ARGV[2])
return 1
"""


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One row. `fields` name the forge, delivery, repository, environment, commit, actor… as far as they are known."""

    number: int
    at: datetime
    what: str
    fields: Mapping[str, Value]
    chain: str
    """What it is chained by: the second half of its head."""


@dataclass(frozen=True, slots=True)
class Whole:
    """What was found to be as it was written."""

    first: int
    """Number of the first row that is left."""
    head: str
    """`NUMBER:HASH` after the last one; empty when there is none."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A row as it stands in the stream; whoever can write there may have left anything."""

    id: str
    row: bytes
    head: str

    @property
    def read(self) -> AuditRow:
        """What it says.

        Raises:
            Broken: it is none of ours.
        """
        number, _, sealed = self.head.partition(":")
        try:
            fields = dict(json.loads(self.row))
            return AuditRow(int(number), read_time(fields.pop("at")), fields.pop("what"), fields, sealed)
        except (ValueError, TypeError, LookupError):
            raise Broken(chain.number(self.head), f"a row cannot be read, with the id {self.id} in Redis") from None

    def is_within(self, first: datetime, last: datetime) -> bool:
        """Whether it says that it was written between two times. What cannot be read, or is of the future, does not."""
        try:
            return first <= self.read.at <= last
        except Broken:
            return False


class Audit:
    """An append-only stream of rows."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._add = redis.register_script(_ADD)
        self._loaded = redis.register_script(_LOADED)
        self._trim = redis.register_script(_TRIM)

    def add(self, what: str, *, at: datetime, **fields: Value | None) -> None:
        """Append a row; fields that are None are left out."""
        self._add(keys=KEYS, args=write_row(what, at=at, **fields))

    def step(self, deployment: Deployment, what: str, *, at: datetime, **fields: Value | None) -> None:
        """Append a row about a deployment."""
        self._add(keys=KEYS, args=write_step(deployment, what, at=at, **fields))

    def loaded(self, digest: str, *, by: str, at: datetime) -> bool:
        """A process of the sort `by` has loaded settings with this digest: a row, unless the last one had the same."""
        row = write_row("settings", at=at, process=by, digest=digest)
        return bool(self._loaded(keys=[*KEYS, SETTINGS], args=[*row, by, digest]))

    def rows(self) -> Iterator[AuditRow]:
        """All rows, oldest first.

        Raises:
            Broken: one cannot be read.
        """
        return (entry.read for entry in self._entries())

    @property
    def head(self) -> str:
        """`NUMBER:HASH` after the last row; empty before the first. Noted elsewhere, it is what rows are held to."""
        return self._read(HEAD)

    @property
    def oldest(self) -> datetime | None:
        """When the oldest row was written, by the clock of Redis."""
        found = self._redis.xrange(STREAM, count=1)
        return datetime.fromtimestamp(int(_text(found[0][0]).partition("-")[0]) / 1000, UTC) if found else None

    def verify(self, *, noted: str | None = None) -> Whole:
        """Check every row: that none was changed, removed, added or moved, and none is missing at either end.

        Args:
            noted: a head that was noted earlier. Only it tells when everything was written anew.

        Raises:
            Broken: at the first row that is wrong.
        """
        start = self._read(START)
        try:
            return self._verify(start, noted)
        except Broken:
            if self._read(START) == start:
                raise
        return self.verify(noted=noted)  # rows were trimmed meanwhile

    def trim(self, *, before: datetime, at: datetime) -> int:
        """Remove the rows that were written before a time, and write down that this was done.

        Both the clock of Redis and the row itself have to say so: the first is not sealed, and whoever can write there
        could make young rows old. The new row has how many there were, the number of the first that is left and the
        head before that one. If the removed ones were not whole any more, it says so.

        Returns:
            How many were removed; none if somebody else has done so meanwhile.
        """
        last = self._redis.xrevrange(STREAM, max=str(int(before.timestamp() * 1000) - 1), count=1)
        if not last:
            return 0
        start = self._read(START)
        due = takewhile(lambda entry: not entry.is_within(before, at), self._entries(_entry(last[0]).id))
        end, count, damage = _inspect(start, due)
        if end is None:
            return 0
        first = chain.number(end.head) + 1
        row = write_row(_TRIMMED, at=at, rows=count, first=first, before=end.head, damage=damage)
        done = self._trim(keys=[*KEYS, START], args=[*row, start, end.head, _after(end.id)])
        return count if done else 0

    def _verify(self, start: str, noted: str | None) -> Whole:
        head, said, met = start, chain.NOTHING, noted in (None, start)
        for page, end in self._pages():  # noqa: B007 - `end` is wanted after the last
            for entry in page:
                head = chain.follow(head, entry.row, entry.head)
                met = met or head == noted
                said = _trimmed(entry.read) if _TRIMMING in entry.row else said
        first = chain.number(start) + 1
        if end != head:
            wrong = min(chain.number(head), chain.number(end)) + 1
            raise Broken(wrong, f"the rows end at {_shown(head)}, but the last that was written is {_shown(end)}")
        if said != start:
            missing = chain.number(said) + 1
            raise Broken(missing, f"row {missing} is missing: the first is row {first}, and no row says why")
        if noted and not met:
            raise _unmet(noted, first, head)
        return Whole(first, head)

    def _entries(self, end: str = "+") -> Iterator[_Entry]:
        return (entry for page, _ in self._pages(end) for entry in page)

    def _pages(self, end: str = "+") -> Iterator[tuple[list[_Entry], str]]:
        """The rows in pages, each with the head at that moment; the last page is empty."""
        start, more = "-", True
        while more:
            with self._redis.pipeline(transaction=True) as pipe:
                pipe.xrange(STREAM, min=start, max=end, count=_PAGE)
                pipe.get(HEAD)
                found, head = pipe.execute()
            page = [_entry(raw) for raw in found]
            yield page, _text(head)
            more = bool(page)
            start = f"({page[-1].id}" if page else start

    def _read(self, key: str) -> str:
        return _text(self._redis.get(key))


def _entry(raw: tuple[bytes | str | None, Mapping[bytes | str, bytes | str] | None]) -> _Entry:
    row, head = ((raw[1] or {}).get(name, b"") for name in (b"row", b"head"))
    return _Entry(_text(raw[0]), row if isinstance(row, bytes) else row.encode(), _text(head))


def _trimmed(row: AuditRow) -> str:
    """The head before the first row that was left.

    Raises:
        Broken: what was removed was not whole any more.
    """
    if damage := row.fields.get("damage"):
        raise Broken(row.number, f"row {row.number} says of those that were removed: {damage}")
    return str(row.fields.get("before"))


def _inspect(head: str, entries: Iterable[_Entry]) -> tuple[_Entry | None, int, str | None]:
    """The last of the rows from a head on, how many there are, and what is wrong with them, if anything is."""
    entry, count, damage = None, 0, None
    for count, entry in enumerate(entries, 1):  # noqa: B007 - wanted after the last
        try:
            head = chain.follow(head, entry.row, entry.head) if damage is None else head
        except Broken as broken:
            damage = str(broken)
    return entry, count, damage


def _unmet(noted: str, first: int, head: str) -> Broken:
    """Why no row has the head that was noted."""
    number, last = chain.number(noted), chain.number(head)
    if number > last:
        return Broken(last + 1, f"row {last + 1} is missing: the rows end at {_shown(head)}, but {noted} was noted")
    if number < first - 1:
        return Broken(number, f"row {number} is not kept any more, so {noted} compares with nothing; note a newer head")
    return Broken(number, f"row {number} is not the one that was noted: it, or a row before it, was written anew")


def _after(entry_id: str) -> str:
    """The lowest id that the next entry of a stream can have."""
    time, _, sequence = entry_id.partition("-")
    return f"{time}-{int(sequence) + 1}"


def _shown(head: str) -> str:
    return head or "none"


def _text(raw: bytes | str | None) -> str:
    return raw.decode(errors="replace") if isinstance(raw, bytes) else raw or ""
