"""Previews: which requests are owed one, what was said where, and which manifests were shown to people."""

from __future__ import annotations

import json
import secrets
import zlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from redis import Redis

from deployer.model import EnvironmentKey, PullRequestKey
from deployer.store.beginnings import FIELD, Beginnings
from deployer.store.codec import text, text_hash
from deployer.store.deliveries import CLAIM

RETENTION = timedelta(days=30)
LARGEST_PAGE = 4 * 1024 * 1024
"""Bytes of a page's text before it is packed. Whoever makes one cuts it before that."""
_OWED = "deployer:previews:owed"

# KEYS: request, owed, requests of the repository
# ARGV: fields as JSON, environments asked for by name as JSON, request, due, number, retention in seconds
_ASK = f"""
for name, value in pairs(cjson.decode(ARGV[1])) do redis.call('HSET', KEYS[1], name, value) end
for _, name in ipairs(cjson.decode(ARGV[2])) do redis.call('HSET', KEYS[1], 'asked:' .. name, '1') end
redis.call('HDEL', KEYS[1], 'attempts', '{FIELD}')
redis.call('HINCRBY', KEYS[1], 'version', 1)
redis.call('EXPIRE', KEYS[1], ARGV[6])
redis.call('ZADD', KEYS[2], ARGV[4], ARGV[3])
redis.call('ZADD', KEYS[3], ARGV[4], ARGV[5])
redis.call('EXPIRE', KEYS[3], ARGV[6])
"""

# A newer wish stays owed. KEYS: request, owed  ARGV: version, request, due (empty when done), names asked for as JSON
_SETTLE = f"""
if (redis.call('HGET', KEYS[1], 'version') or ARGV[1]) ~= ARGV[1] then return 0 end
redis.call('HDEL', KEYS[1], '{FIELD}')
if ARGV[3] ~= '' then redis.call('ZADD', KEYS[2], ARGV[3], ARGV[2]) return 1 end
redis.call('ZREM', KEYS[2], ARGV[2])
redis.call('HDEL', KEYS[1], 'attempts')
for _, name in ipairs(cjson.decode(ARGV[4])) do redis.call('HDEL', KEYS[1], 'asked:' .. name) end
return 1
"""

# KEYS: request  ARGV: version, head
_FOUND = """
if redis.call('HGET', KEYS[1], 'version') == ARGV[1] then redis.call('HSET', KEYS[1], 'head', ARGV[2]) end
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request that is to be previewed, as we were told of it last."""

    key: PullRequestKey
    branch: str
    head: str
    from_fork: bool
    closed: bool
    asked: tuple[str, ...] = ()
    """Environments that somebody asked for by name; these are answered also when nothing reaches them."""
    version: int = 0
    """Grows with each time that we are told."""


@dataclass(frozen=True, slots=True)
class Said:
    """Something that we said on a request."""

    id: str
    """Its id at the forge."""
    edition: str
    """What identifies its wording; empty when that is to be said again, whatever it was."""
    state: str = ""
    title: str = ""
    """Of a check, with its state."""


class Previews:
    """Everything about previews. It is kept for 30 days after the last word on a request."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._beginnings = Beginnings(redis)
        self._ask = redis.register_script(_ASK)
        self._claim = redis.register_script(CLAIM)
        self._settle = redis.register_script(_SETTLE)
        self._found = redis.register_script(_FOUND)

    def ask(self, wanted: Wanted, *, due: datetime) -> None:
        """A request is to be previewed (again) at that time; what was asked for before is out of date."""
        fields = {
            "branch": wanted.branch, "head": wanted.head,
            "from_fork": str(int(wanted.from_fork)), "closed": str(int(wanted.closed)),
        }  # fmt: skip
        self._ask(
            keys=[_name(wanted.key), _OWED, _requests(wanted.key.forge, wanted.key.repository)],
            args=[json.dumps(fields), json.dumps(list(wanted.asked)), str(wanted.key), due.timestamp(),
                  wanted.key.number, _seconds()],
        )  # fmt: skip

    def get(self, key: PullRequestKey) -> Wanted | None:
        """What we were told of a request last, or None when that is too long ago."""
        fields = text_hash(self._redis.hgetall(_name(key)))
        if "version" not in fields:
            return None
        asked = tuple(sorted(name.removeprefix("asked:") for name in fields if name.startswith("asked:")))
        fork, closed = fields["from_fork"] == "1", fields["closed"] == "1"
        return Wanted(key, fields["branch"], fields["head"], fork, closed, asked, int(fields["version"]))

    def is_current(self, wanted: Wanted) -> bool:
        """Whether we were told nothing newer of the request."""
        return bool(self._redis.hget(_name(wanted.key), "version") == str(wanted.version).encode())

    def found(self, wanted: Wanted, head: str) -> None:
        """A request brings in this commit, whatever we were told, unless we were told something newer meanwhile."""
        self._found(keys=[_name(wanted.key)], args=[wanted.version, head])

    def claim(self, *, at: datetime, until: datetime) -> PullRequestKey | None:
        """Take the request that is due the longest, so that nobody else does until another time."""
        claimed = self._claim(keys=[_OWED], args=[at.timestamp(), until.timestamp()])
        return PullRequestKey.parse(text(claimed)) if claimed else None

    def owed(self, *, before: datetime) -> tuple[PullRequestKey, ...]:
        """The requests whose preview was due before a time, oldest first."""
        members = self._redis.zrangebyscore(_OWED, "-inf", before.timestamp())
        return tuple(PullRequestKey.parse(text(member)) for member in members)

    def attempt(self, key: PullRequestKey) -> int:
        """Count one more attempt at what is owed and return the count."""
        return int(self._redis.hincrby(_name(key), "attempts", 1))

    def begun(self, key: PullRequestKey) -> int:
        """Count one more beginning of an attempt and return how many there were since one came to an end."""
        return self._beginnings.count(_name(key))

    def postpone(self, wanted: Wanted, *, due: datetime) -> None:
        """It is to be previewed at that time, unless something newer is owed."""
        self._settle(keys=[_name(wanted.key), _OWED], args=[wanted.version, str(wanted.key), due.timestamp(), "[]"])

    def done(self, wanted: Wanted) -> None:
        """Nothing more is owed to the request, unless something newer is."""
        asked = json.dumps(list(wanted.asked))
        self._settle(keys=[_name(wanted.key), _OWED], args=[wanted.version, str(wanted.key), "", asked])

    def forget(self, key: PullRequestKey) -> None:
        """A request is not on record (any more): nothing is owed to it."""
        self._redis.zrem(_OWED, str(key))

    def close(self, wanted: Wanted) -> None:
        """The request is over. What people were shown of it is kept."""
        self.done(wanted)
        self._redis.zrem(_requests(wanted.key.forge, wanted.key.repository), wanted.key.number)

    def requests(self, forge: str, repository: str, *, at: datetime) -> tuple[int, ...]:
        """The requests of a repository that are not known to be over and were heard of within 30 days."""
        name = _requests(forge, repository)
        self._redis.zremrangebyscore(name, "-inf", (at - RETENTION).timestamp())
        return tuple(int(text(number)) for number in self._redis.zrange(name, 0, -1))

    def said(self, key: PullRequestKey, what: str) -> Said | None:
        """What we said last on a request under a name, or None."""
        written = self._redis.hget(_name(key), f"said:{what}")
        return Said(*json.loads(written)) if written else None

    def say(self, key: PullRequestKey, what: str, said: Said) -> None:
        """Remember what we said on a request under a name."""
        written = json.dumps([said.id, said.edition, said.state, said.title])
        self._redis.hset(_name(key), f"said:{what}", written)

    def begin(self, key: PullRequestKey, check: str, commit: str) -> None:
        """A check on a commit says, or is about to say, that it is not over: it has to get an end."""
        self._redis.hset(_name(key), f"open:{check}@{commit}", "1")

    def end(self, key: PullRequestKey, check: str, commit: str) -> None:
        """A check on a commit shows its end."""
        self._redis.hdel(_name(key), f"open:{check}@{commit}")

    def reopen(self, key: PullRequestKey, check: str, commit: str) -> None:
        """The forge took a check back: what it said is to be said again, and it has to get an end once more."""
        said = self.said(key, f"{check}@{commit}")
        if said is not None:
            self.begin(key, check, commit)
            self.say(key, f"{check}@{commit}", replace(said, edition=""))

    def unended(self, key: PullRequestKey) -> tuple[tuple[str, str], ...]:
        """The checks of a request that have begun and not ended, each with its commit."""
        found = (text(name) for name in self._redis.hkeys(_name(key)))
        parts = (name.removeprefix("open:").rpartition("@") for name in sorted(found) if name.startswith("open:"))
        return tuple((check, commit) for check, _, commit in parts)

    def page_id(self, key: PullRequestKey) -> str:
        """The id of a request's page, which nobody can guess. It stays the same."""
        self._redis.hsetnx(_name(key), "page", secrets.token_urlsafe(24))
        return text(self._redis.hget(_name(key), "page"))

    def write_page(self, page_id: str, title: str, content: str) -> None:
        """Keep all of a preview's text, in place of an older one."""
        packed = zlib.compress(json.dumps([title, content[:LARGEST_PAGE]]).encode())
        self._redis.set(_page(page_id), packed, ex=_seconds())

    def page(self, page_id: str) -> tuple[str, str] | None:
        """Title and text of a page, or None when there is none (any more)."""
        packed = self._redis.get(_page(page_id))
        return tuple(json.loads(zlib.decompress(packed))) if isinstance(packed, bytes) else None

    def promise(self, key: EnvironmentKey, digest: str, number: int) -> None:
        """People were shown what these manifests change in an environment, on a request."""
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.set(f"deployer:preview:shown:{key}:{digest}", number, ex=_seconds())
            pipe.set(f"deployer:preview:last:{key}#{number}", digest, ex=_seconds())
            pipe.execute()

    def promised(self, key: EnvironmentKey, digest: str) -> int | None:
        """The request on which these manifests were shown for an environment last, or None."""
        number = self._redis.get(f"deployer:preview:shown:{key}:{digest}")
        return int(text(number)) if number else None

    def merged(self, key: PullRequestKey, commit: str) -> None:
        """A request was merged as a commit of its branch."""
        self._redis.set(_merge(key.forge, key.repository, commit), key.number, ex=_seconds())

    def merged_by(self, forge: str, repository: str, commit: str) -> int | None:
        """The request that was merged as a commit, if we were told of one."""
        number = self._redis.get(_merge(forge, repository, commit))
        return int(text(number)) if number else None

    def last_promise(self, key: EnvironmentKey, number: int) -> str | None:
        """The digest of the manifests that were shown last on a request for an environment, or None."""
        digest = self._redis.get(f"deployer:preview:last:{key}#{number}")
        return text(digest) if digest else None


def _seconds() -> int:
    return int(RETENTION.total_seconds())


def _name(key: PullRequestKey) -> str:
    return f"deployer:preview:request:{key}"


def _page(page_id: str) -> str:
    return f"deployer:preview:page:{page_id}"


def _merge(forge: str, repository: str, commit: str) -> str:
    return f"deployer:preview:merge:{forge}/{repository}@{commit}"


def _requests(forge: str, repository: str) -> str:
    return f"deployer:preview:requests:{forge}/{repository}"
