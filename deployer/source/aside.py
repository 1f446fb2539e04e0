"""Fetches what is on no branch into a repository beside the mirror, so that nobody who deploys waits for its transfer.

That repository borrows what the mirror has (`man 5 gitrepository-layout`, objects/info/alternates), so it gets only
what is new; that is handed to the mirror as whole packs, in a moment.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deployer.source.remote import Remote

_REF = "refs/deployer/fetched"
_AS_PACK = "[fetch]\n\tunpackLimit = 1\n"


@contextmanager
def fetched(ref: str, *, mirror: Path, remote: Remote, most: int) -> Iterator[tuple[str, Path]]:
    """Fetch one ref of a remote; one process at a time.

    Args:
        ref: of the remote.
        mirror: the bare repository that has most of it.
        remote: where from.
        most: bytes of one file that it may write.

    Yields:
        The commit that the ref is at, and the folder with the packs of what the mirror has not.

    Raises:
        ProgramFailed: git could not fetch it.
        OSError: the disk refuses.
    """
    beside = mirror.with_suffix(".aside")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(mode=0o700)
    try:
        kind = remote.git("rev-parse", "--show-object-format", folder=mirror).stdout.decode().strip()
        remote.git("init", "--quiet", "--bare", "--template=", f"--object-format={kind}", folder=beside)
        (beside / "objects" / "info" / "alternates").write_text(f"{mirror / 'objects'}\n")
        with (beside / "config").open("a") as config:
            config.write(_AS_PACK)
        remote.git(
            "fetch", "--quiet", "--no-tags", "--no-recurse-submodules",
            "--end-of-options", remote.address.url, f"+{ref}:{_REF}",
            folder=beside, most=most,
        )  # fmt: skip
        commit = remote.git("rev-parse", "--verify", "--end-of-options", _REF, folder=beside).stdout.decode().strip()
        yield commit, beside / "objects" / "pack"
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def hand_over(packs: Path, mirror: Path) -> None:
    """Give packs to a mirror, each with its index last: git looks for that first."""
    into = mirror / "objects" / "pack"
    for path in sorted(packs.glob("pack-*"), key=lambda path: path.suffix == ".idx"):
        path.replace(into / path.name)
