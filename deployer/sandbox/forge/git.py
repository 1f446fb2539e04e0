"""One bare Git repository on disk, and everything that is done to it with the real git.

Knows nothing of pull requests, statuses or HTTP. Nobody's configuration, hooks or identity reach the git that runs
here, so that a repository comes out the same on every machine.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path, PurePosixPath

from deployer import process
from deployer.sandbox.forge.refusal import Invalid, NotFound, NotMergeable

Changes = Mapping[str, str | None]
"""Content by path, relative to the root of the repository; None deletes the file."""

NO_COMMIT = "0" * 40
"""What a forge writes where there is no commit: before a branch was made, after it was deleted."""

_LIMITS = process.Limits(seconds=30)
_ALWAYS = (
    "-c", "gc.auto=0",
    "-c", "core.hooksPath=/dev/null",
    "-c", "core.fsync=none",
    "-c", "fastimport.unpackLimit=1",
)  # fmt: skip
"""The last two for speed: a sandbox need not survive a power cut, and a small pack costs a process less than a few
loose objects."""

_SERVES = "[uploadpack]\n\tallowReachableSHA1InWant = true\n\tallowFilter = true\n"
_FIELDS = ("%H", "%T", "%P", "%an", "%ae", "%aI", "%B")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_BRANCH = re.compile(r"(?!.*(\.\.|//|\.lock(/|$)|/\.))[A-Za-z0-9_][A-Za-z0-9_./+#-]*(?<![./])")


class MergeMethod(StrEnum):
    """How a pull request becomes part of the branch."""

    MERGE = "merge"
    SQUASH = "squash"
    FAST_FORWARD = "fast_forward"


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit, as `git log` tells it."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    author: str
    email: str
    time: datetime
    message: str

    @property
    def title(self) -> str:
        """The first line of its message."""
        return self.message.partition("\n")[0]

    @property
    def body(self) -> str:
        """What its message says after that."""
        return self.message.partition("\n")[2].strip()


@dataclass(frozen=True, slots=True)
class Touched:
    """The paths that differ between two commits."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    modified: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Moved:
    """Where a branch pointed to, and where it points to now."""

    before: str
    after: str


class BareRepository:
    """A bare repository in `path`. Callers see to it that only one of them writes at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: set[str] = set()
        """Commits that are there; nothing here deletes one."""

    def create(self, branch: str) -> None:
        """Make the repository, which serves single commits and partial clones as GitHub and GitLab do."""
        self.path.mkdir(parents=True)
        self._git("init", "--quiet", "--bare", "--template=", f"--initial-branch={checked_branch(branch)}")
        with (self.path / "config").open("a") as config:
            config.write(_SERVES)

    def commit(self, branch: str, changes: Changes, *, message: str, author: str, parent: str | None = None) -> str:
        """Put one commit with `changes` on top of `parent` and let `branch` point at it; give the commit.

        Raises:
            Invalid: a path leaves the repository, or the branch or the author is not one that git takes.
        """
        reference = f"refs/heads/{checked_branch(branch)}"
        return self.commit_to(reference, changes, message=message, author=author, parent=parent)

    def commit_to(self, reference: str, changes: Changes, *, message: str, author: str, parent: str | None) -> str:
        """The same for any reference (`refs/…`)."""
        lines = [f"commit {reference}".encode(), b"mark :1", *_signed(author), _data(message)]
        lines += [f"from {parent}".encode()] if parent else []
        for path, content in changes.items():
            quoted = _quoted(path).encode()
            lines += [b"D " + quoted] if content is None else [b"M 100644 inline " + quoted, _data(content)]
        lines += [b"get-mark :1", b"done\n"]
        return self._git("fast-import", "--quiet", "--date-format=now", stdin=b"\n".join(lines)).decode().strip()

    def point(self, reference: str, commit: str) -> None:
        """Let `reference` (`refs/…`) name `commit`."""
        self._git("update-ref", reference, commit)

    def tip(self, branch: str) -> str:
        """The commit at the end of `branch`. Raises NotFound."""
        reference = f"refs/heads/{checked_branch(branch)}"
        with suppress(OSError):  # a branch is a file, which is read without a process, unless somebody packed it
            return (self.path / reference).read_text().strip()
        return self._resolve(reference)

    def has_branch(self, branch: str) -> bool:
        """Whether there is such a branch."""
        try:
            self.tip(branch)
        except NotFound:
            return False
        return True

    def on_a_branch(self, commit: str) -> bool:
        """Whether any branch has a commit."""
        return bool(self._git("for-each-ref", "--count=1", f"--contains={commit}", "refs/heads/"))

    def full(self, name: str) -> str:
        """The full commit that a commit, an abbreviation of one (from seven digits) or a branch names.

        Raises NotFound, also for a name that git would read as something else.
        """
        if name in self._known:
            return name
        if re.fullmatch(r"[0-9a-f]{7,40}", name):
            self._known.add(found := self._resolve(f"{name}^{{commit}}"))
            return found
        return self.tip(name) if _BRANCH.fullmatch(name) else _missing(name)

    def verified(self, sha: str) -> str:
        """`sha` itself if it is a full commit of this repository. Raises NotFound."""
        return self.full(sha) if _COMMIT.fullmatch(sha) else _missing(sha)

    def log(self, revisions: str, *, most: int = 50, first_parent: bool = False) -> tuple[Commit, ...]:
        """The commits of `revisions` (a commit or a range, made by this package), newest first."""
        arguments = ["-z", f"--max-count={most}", "--format=format:" + "%x00".join(_FIELDS)]
        arguments += ["--first-parent"] if first_parent else []
        words = self._git("log", *arguments, revisions, "--").decode(errors="replace").split("\0")
        count = len(_FIELDS)
        return tuple(_read_commit(words[at : at + count]) for at in range(0, len(words) - count + 1, count))

    def show(self, sha: str) -> Commit:
        """One commit, given by its full name. Raises NotFound."""
        return self.log(self.verified(sha), most=1)[0]

    def merge_base(self, one: str, other: str) -> str:
        """The newest commit that both contain."""
        return self._git("merge-base", one, other).decode().strip()

    def diff(self, old: str | None, new: str) -> str:
        """What changed from `old` (None: nothing at all) to `new`, as text for people."""
        return self._git("diff", "--no-color", "--no-ext-diff", old or self._nothing(), new, "--").decode(
            errors="replace"
        )

    def touched(self, old: str | None, new: str) -> Touched:
        """The paths that differ between two commits, renames as one that left and one that came."""
        output = self._git("diff", "--no-renames", "--name-status", "-z", old or self._nothing(), new, "--")
        words = output.decode(errors="replace").split("\0")
        by_letter = list(zip(words[::2], words[1::2], strict=False))
        added, removed = (tuple(path for letter, path in by_letter if letter == wanted) for wanted in ("A", "D"))
        return Touched(added, removed, tuple(path for letter, path in by_letter if letter not in ("A", "D")))

    def merge(self, base: str, head: str, *, method: MergeMethod, message: str, author: str) -> Moved:
        """Bring the commit `head` into the branch `base`, in a work tree that is gone afterwards.

        Raises:
            NotMergeable: the two change the same lines, or cannot be fast-forwarded; the branch stays as it was.
        """
        before = self.tip(base)
        with tempfile.TemporaryDirectory(prefix="merge-") as folder:
            work = Path(folder) / "work"
            self._git("worktree", "add", "--quiet", "--detach", str(work), before)
            try:
                after = self._merge_in(work, head, method=method, message=message, author=author)
            finally:
                self._git("worktree", "remove", "--force", str(work))
        self._git("update-ref", f"refs/heads/{base}", after, before)
        return Moved(before, after)

    def _merge_in(self, work: Path, head: str, *, method: MergeMethod, message: str, author: str) -> str:
        how = {MergeMethod.MERGE: "--no-ff", MergeMethod.SQUASH: "--squash", MergeMethod.FAST_FORWARD: "--ff-only"}
        try:
            self._git("merge", "--quiet", "--no-commit", how[method], head, cwd=work)
        except process.ProgramFailed as error:
            raise NotMergeable(self._obstacle(work, error)) from error
        if method is not MergeMethod.FAST_FORWARD:
            self._git("commit", "--quiet", "--file=-", cwd=work, stdin=message.encode(), author=author)
        return self._git("rev-parse", "HEAD", cwd=work).decode().strip()

    def _obstacle(self, work: Path, error: process.ProgramFailed) -> str:
        paths = self._git("diff", "--name-only", "--diff-filter=U", "-z", cwd=work).decode(errors="replace").split("\0")
        conflicts = ", ".join(filter(None, paths))
        return f"conflict in {conflicts}; rebase the branch" if conflicts else error.stderr.strip() or error.reason

    def _resolve(self, name: str) -> str:
        try:
            return self._git("rev-parse", "--quiet", "--verify", "--end-of-options", name).decode().strip()
        except process.ProgramFailed:
            return _missing(name)

    def _nothing(self) -> str:
        return self._git("hash-object", "-t", "tree", "--stdin").decode().strip()

    def _git(self, *arguments: str, cwd: Path | None = None, stdin: bytes = b"", author: str = "sandbox") -> bytes:
        return process.run(
            [_executable(), *_ALWAYS, *arguments],
            cwd=cwd or self.path,
            environment=_environment(author),
            limits=_LIMITS,
            stdin=stdin,
        ).stdout


def checked_branch(name: str) -> str:
    """`name` if git takes it as a branch. Raises Invalid."""
    if not _BRANCH.fullmatch(name):
        raise Invalid("branch", f"is not a name that git takes: {name!r}")
    return name


def email(author: str) -> str:
    """The address that a user of the sandbox commits with."""
    return f"{author}@users.example.com"


def _executable() -> str:
    found = shutil.which("git")
    if found is None:
        raise FileNotFoundError("git is not on PATH; install it")
    return found


def _environment(author: str) -> dict[str, str]:
    people = {f"GIT_{role}_NAME": author for role in ("AUTHOR", "COMMITTER")}
    addresses = {f"GIT_{role}_EMAIL": email(author) for role in ("AUTHOR", "COMMITTER")}
    return people | addresses | {
        "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0",
        "HOME": "/nonexistent", "LC_ALL": "C.UTF-8", "TZ": "UTC",
    }  # fmt: skip


def _signed(author: str) -> Sequence[bytes]:
    if not re.fullmatch(r"[^<>\x00-\x1f]+", author):
        raise Invalid("author", f"is not a name that git takes: {author!r}")
    return [f"{role} {author} <{email(author)}> now".encode() for role in ("author", "committer")]


def _data(text: str) -> bytes:
    content = text.encode()
    return b"data %d\n%s" % (len(content), content)


def _quoted(path: str) -> str:
    parts = PurePosixPath(path).parts
    inside = parts and path == "/".join(parts) and not {"..", ".git"} & {part.lower() for part in parts}
    if not inside or path.startswith("/") or re.search(r"[\x00-\x1f\"\\]", path):
        raise Invalid("path", f"is not one inside the repository: {path!r}")
    return f'"{path}"'


def _read_commit(words: Sequence[str]) -> Commit:
    sha, tree, parents, author, address, time, message = words
    return Commit(sha, tree, tuple(parents.split()), author, address, datetime.fromisoformat(time), message.strip())


def _missing(name: str) -> str:
    raise NotFound(f"no commit or branch {name!r}")
