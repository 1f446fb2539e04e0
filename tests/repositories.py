"""Real git repositories for tests: each function takes the folder of one and returns the commit that it made."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

_ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
}
_QUICK = ("-c", "maintenance.auto=false", "-c", "core.fsync=none", "-c", "core.abbrev=no")
"""A repository lives no longer than its test; and where git says a commit, it says all of it."""


def git(folder: Path, *arguments: str, stdin: bytes = b"") -> str:
    """Run git in `folder` and return what it printed, without the last line break."""
    done = subprocess.run(
        ["git", *_QUICK, *arguments], cwd=folder, env=_ENVIRONMENT, input=stdin, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout.decode().rstrip("\n")


def create(folder: Path, *, object_format: str = "sha1") -> Path:
    """Make an empty repository whose branch is `main`, and return its folder.

    It is what `git init` makes (https://git-scm.com/docs/gitrepository-layout), without a process for each.
    """
    inner = folder / ".git"
    for name in ("objects", "refs"):
        (inner / name).mkdir(parents=True, exist_ok=True)
    (inner / "HEAD").write_text("ref: refs/heads/main\n")
    (inner / "config").write_text(
        f"[core]\nrepositoryFormatVersion = 1\nbare = false\n[extensions]\nobjectFormat = {object_format}\n"
    )
    return folder


def url(folder: Path) -> str:
    """The address of a repository on this machine."""
    return folder.as_uri()


def commit(repository: Path, files: Mapping[str, str | bytes | Path | None], message: str = "Change") -> str:
    """Write, link (a `Path` is what a symbolic link points to) or delete (None) files, and commit them."""
    for name, content in files.items():
        _write(repository / name, content)
    git(repository, "add", "--all", "--force", ".")
    said = git(repository, "commit", "--allow-empty", f"--message={message}")
    return said.partition("] ")[0].rpartition(" ")[2]  # `[branch commit] message`, and no branch has a space


def commit_tree(repository: Path, entries: bytes, message: str = "Change", *, branch: str = "main") -> str:
    """Commit raw entries of a tree, also such as git itself would never write, to `branch`.

    Args:
        entries: as `git ls-tree` prints them, one a line: mode, type, hash, tab, name.
    """
    raw = b""
    for line in entries.splitlines():
        description, name = line.split(b"\t", 1)
        mode, _, hash_ = description.split(b" ")
        raw += mode.lstrip(b"0") + b" " + name + b"\0" + bytes.fromhex(hash_.decode())
    tree = git(repository, "hash-object", "-t", "tree", "-w", "--stdin", "--literally", stdin=raw)
    made = git(repository, "commit-tree", tree, "-m", message, "-p", tip(repository, branch))
    git(repository, "update-ref", f"refs/heads/{branch}", made)
    return made


def blob(repository: Path, content: bytes) -> str:
    """Store a file's content and return its hash."""
    return git(repository, "hash-object", "-w", "--stdin", stdin=content)


def branch(repository: Path, name: str, *, start: str = "HEAD") -> None:
    """Start a branch and switch to it."""
    git(repository, "switch", "--quiet", "--create", name, start)


def switch(repository: Path, name: str) -> None:
    """Switch to a branch that is there."""
    git(repository, "switch", "--quiet", name)


def merge(repository: Path, name: str, message: str = "Merge") -> str:
    """Merge a branch into the current one, with a merge commit."""
    git(repository, "merge", "--quiet", "--no-ff", f"--message={message}", name)
    return tip(repository)


def rewind(repository: Path, commit: str) -> str:
    """Set the current branch back, as a forced push does."""
    git(repository, "reset", "--quiet", "--hard", commit)
    return tip(repository)


def tip(repository: Path, name: str = "HEAD") -> str:
    """The commit that a branch is at."""
    return git(repository, "rev-parse", "--verify", name)


def _write(path: Path, content: str | bytes | Path | None) -> None:
    path.unlink(missing_ok=True)
    if content is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, Path):
        path.symlink_to(content)
    else:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
