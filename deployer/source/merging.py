"""Merges what a request brings in with the branch that it wants to go to, inside the mirror, to look at the result.

There is no work tree: no hook, filter or merge driver runs. The result stands in a private ref and is on no branch, so
it is never deployed: `Mirror.ensure` believes in what a branch contains, and in nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from deployer.model import Permanent, Stage
from deployer.process import ProgramFailed
from deployer.source.bare import Bare
from deployer.source.git import check_commit

_PRIVATE = "refs/deployer/requests/"
_REMOTE = re.compile(r"refs/(pull|merge-requests)/[1-9][0-9]{0,9}/head")
_NOBODY = "deployer <deployer@localhost> 0 +0000"
"""Who merges, and when: always the same, so that the same two commits always merge to the same one."""
_NAMED = 5


class Conflict(Permanent):
    """The two cannot be merged without a person. The message names the files."""


@dataclass(frozen=True, slots=True)
class Merged:
    """What merging two commits gives."""

    base: str
    head: str
    commit: str
    """On no branch."""


class Merging:
    """The requests of the repository at `url`, of which `bare` is the mirror."""

    def __init__(self, bare: Bare, url: str) -> None:
        self._bare = bare
        self._url = url

    def fetch(self, number: int, *, ref: str) -> str:
        """Fetch what a request brings in, and return the commit. Its base is fetched before it.

        Args:
            number: the request's.
            ref: what the forge calls it: `refs/pull/12/head`, `refs/merge-requests/12/head`.

        Raises:
            Permanent: it is no such ref, or the credentials were refused.
            Temporary: it is not there (yet), or the remote could not be reached.
        """
        if not _REMOTE.fullmatch(ref):
            raise Permanent(f"{ref[:100]!r} is not what a forge calls a request", stage=Stage.FETCH)
        return self._bare.fetch_aside(ref, into=f"{_PRIVATE}{number}/head")

    def merge(self, number: int, *, base: str, head: str) -> Merged:
        """Merge two commits that are here, as a forge would.

        https://git-scm.com/docs/git-merge-tree

        Raises:
            Conflict: files were changed on both sides.
            Permanent: they have nothing in common, or git is older than 2.39.
            Temporary: git took too long.
        """
        check_commit(base)
        check_commit(head)
        doing = f"merging {head[:12]} into {base[:12]} of {self._url}"
        with self._bare.locked():
            try:
                return self._merge(number, base, head)
            except ProgramFailed as error:
                said = " ".join(error.stderr.split())[:300] or error.reason
                problem = f"{said} (it takes git 2.39 or newer)" if "usage:" in said else said
                raise Permanent(f"{doing}: {problem}", stage=Stage.FETCH) from error

    def keep_only(self, numbers: Collection[int]) -> None:
        """Forget all requests but these. What they brought in goes when the repository is packed anew.

        Raises:
            Temporary: the mirror is broken and cannot be repaired now.
        """
        if not self._bare.exists:
            return
        listed = self._bare.read("for-each-ref", "--format=%(refname)", _PRIVATE).stdout.decode().split()
        gone = [ref for ref in listed if ref.removeprefix(_PRIVATE).partition("/")[0] not in set(map(str, numbers))]
        if not gone:
            return
        with self._bare.locked():
            self._bare.git("update-ref", "--stdin", stdin="".join(f"delete {ref}\n" for ref in gone).encode())

    def _merge(self, number: int, base: str, head: str) -> Merged:
        answer = self._bare.git(
            "merge-tree", "--write-tree", "--stdin", "--name-only", "--no-messages", "-z",
            stdin=f"{base} {head}\n".encode(),
        )  # fmt: skip
        clean, tree, *conflicts = answer.stdout.decode(errors="replace").rstrip("\0").split("\0")
        if clean != "1":
            raise Conflict(_conflict(conflicts), stage=Stage.FETCH)
        commit = self._write(tree, base, head)
        self._bare.git("update-ref", f"{_PRIVATE}{number}/merged", commit)
        return Merged(base, head, commit)

    def _write(self, tree: str, base: str, head: str) -> str:
        """Make the commit ourselves: what git would put into it depends on the time and on configuration."""
        lines = (f"tree {tree}", f"parent {base}", f"parent {head}", f"author {_NOBODY}", f"committer {_NOBODY}")
        content = "\n".join([*lines, "", f"Merge {head} into {base}, to look at it", ""])
        return (
            self._bare.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=content.encode())
            .stdout.decode()
            .strip()
        )


def _conflict(files: list[str]) -> str:
    named = ", ".join(files[:_NAMED]) + (f" and {len(files) - _NAMED} more" if len(files) > _NAMED else "")
    return f"both sides changed {named}: merge the base branch into it, settle that, and push"
